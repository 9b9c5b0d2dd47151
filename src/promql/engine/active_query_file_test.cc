#include "promql/engine/active_query_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "promql/engine/engine.h"
#include "testing/memory_file_system.h"
#include "testing/memory_storage.h"
#include "testing/simulated_clock.h"

namespace epi::promql {
namespace {

using ::testing::HasSubstr;

constexpr const char* kActiveFile = "/data/queries.active";

class ActiveQueryFileTest : public ::testing::Test {
 protected:
  ActiveQueryFileTest() { EPI_CHECK(files_.CreateDirectories("/data").has_value()); }
  std::unique_ptr<ActiveQueryFile> Open(size_t slots, const Logger& logger = Logger()) {
    return ActiveQueryFile::Open(files_, kActiveFile, slots, clock_, logger).value();
  }
  std::string Bytes() { return files_.ReadFile(kActiveFile).value(); }

  testing::MemoryFileSystem files_;
  testing::SimulatedClock clock_{1'700'000'000'999};
};

// `query` as it stands in JSON.
std::string EntryOf(const std::string& query) { return "{\"query\":\"" + query + "\",\"timestamp_sec\":1700000000}"; }

TEST_F(ActiveQueryFileTest, HasPrometheusBytes) {
  const auto file = Open(3);
  EXPECT_EQ(Bytes(), "[" + std::string(3000, '\0'));
  const auto first = file->Insert("up{a=\"<b>&\"}");
  const auto second = file->Insert("sum(x)");
  ASSERT_TRUE(first && second);
  const std::string bytes = Bytes();
  ASSERT_EQ(bytes.size(), 3001u);
  const std::string entry = EntryOf("up{a=\\\"\\u003cb\\u003e\\u0026\\\"}");
  EXPECT_EQ(bytes.substr(1, 1000), entry + std::string(999 - entry.size(), '\0') + ",");
  EXPECT_TRUE(bytes.substr(1001).starts_with(EntryOf("sum(x)") + std::string(1, '\0')));
  EXPECT_EQ(UnfinishedQueries(bytes), "[" + entry + "," + EntryOf("sum(x)") + "]");
  file->Remove(*first);
  file->Remove(*second);
  EXPECT_EQ(Bytes(), "[" + std::string(3000, '\0'));
  EXPECT_EQ(UnfinishedQueries(Bytes()), std::nullopt);
}

TEST_F(ActiveQueryFileTest, LongQueriesAreCutToTheirSlot) {
  const auto file = Open(2);
  for (const std::string& text :
       {std::string(5000, 'x'), std::string(5000, '<'), std::string("é") + std::string(5000, 'x'),
        std::string(2500, '\xc3') + "\xa9", std::string(998, '"')}) {
    const auto slot = file->Insert(text);
    ASSERT_TRUE(slot);
    EXPECT_EQ(Bytes().size(), 2001u);
    const std::string queries = UnfinishedQueries(Bytes()).value();
    EXPECT_THAT(queries, HasSubstr("\",\"timestamp_sec\":1700000000}]"));
    EXPECT_LE(queries.size(), 1001u);
    EXPECT_GE(queries.size(), 900u) << text.substr(0, 5);
    file->Remove(*slot);
  }
}

TEST_F(ActiveQueryFileTest, MoreQueriesThanSlotsGoUnrecorded) {
  const auto file = Open(1);
  const auto first = file->Insert("a");
  ASSERT_TRUE(first);
  EXPECT_FALSE(file->Insert("b"));
  file->Remove(*first);
  EXPECT_TRUE(file->Insert("b"));
}

TEST_F(ActiveQueryFileTest, WhatACrashLeftIsLogged) {
  const auto logged = [&](size_t slots) {
    std::string line;
    const auto keep = [](void* to, std::string_view text) { *static_cast<std::string*>(to) += text; };
    Open(slots, Logger::ToFunction(LogLevel::kInfo, LogFormat::kLogfmt, keep, &line));
    return line;
  };
  EXPECT_EQ(logged(3), "");
  static_cast<void>(Open(3)->Insert("up"));  // and never removed
  EXPECT_THAT(logged(3), HasSubstr("These queries didn't finish in prometheus' last run:"));
  EXPECT_EQ(logged(3), "") << "the file was started anew";
  ASSERT_TRUE(files_.WriteFileAtomically(kActiveFile, "["));
  EXPECT_EQ(logged(3), "");
  ASSERT_TRUE(files_.WriteFileAtomically(kActiveFile, ""));
  EXPECT_EQ(logged(3), "");
}

TEST_F(ActiveQueryFileTest, HoldsAQueryWhileItRuns) {
  testing::MemoryStorage store;
  store.Append({{kMetricName, "a"}}, 1000, 1);
  const auto file = Open(2);
  EngineOptions options;
  options.active_file = file.get();
  std::string during;
  // Looked at each time the engine asks for the time.
  class Watch final : public Clock {
   public:
    explicit Watch(std::function<void()> look) : look_(std::move(look)) {}
    TimestampMs NowMs() const override { return 0; }
    int64_t NowNs() const override { return 0; }
    MonotonicNs Monotonic() const override {
      look_();
      return 0;
    }
    bool WaitUntil(std::unique_lock<std::mutex>&, std::condition_variable&, MonotonicNs,
                   const std::function<bool()>& done) override {
      return done();
    }

   private:
    std::function<void()> look_;
  } watch([&] { during = std::max(during, UnfinishedQueries(Bytes()).value_or("")); });
  options.clock = &watch;
  ASSERT_TRUE(Engine(options).Run(QuerySpec::Instant("sum(a)", 2000), store));
  EXPECT_EQ(during, "[" + EntryOf("sum(a)") + "]");
  EXPECT_EQ(UnfinishedQueries(Bytes()), std::nullopt);
}

}  // namespace
}  // namespace epi::promql
