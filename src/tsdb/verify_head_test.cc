// What a check of the native files finds.
#include "tsdb/verify_head.h"

#include <gtest/gtest.h>

#include "testing/simulated_clock.h"
#include "testing/temp_dir.h"
#include "tsdb/db.h"

namespace epi::tsdb {
namespace {

class VerifyHeadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DbOptions options;
    options.directory = dir_.path();
    auto db = Db::Open(options, {PosixFileSystem(), clock_, random_, Logger()});
    ASSERT_TRUE(db.has_value());
    ASSERT_TRUE((*db)->Load().has_value());
    const auto appender = (*db)->OpenGroup({GroupIdentity::Kind::kScrape, "t"});
    std::vector<SeriesRef> refs;
    for (int i = 0; i < 5; ++i)
      refs.push_back(*(*appender)->Intern(Labels{{"__name__", "m"}, {"i", std::to_string(i)}}));
    for (int scrape = 0; scrape < 20; ++scrape) {
      for (const SeriesRef ref : refs) (*appender)->Add(ref, scrape * 1.5);
      ASSERT_TRUE((*appender)->Commit(1'700'000'000'000 + scrape * 15'000).has_value());
    }
  }
  std::string Native() { return JoinPath(dir_.path(), "epimetheus"); }
  size_t Problems() {
    const auto files = VerifyNativeHead(PosixFileSystem(), Native());
    EXPECT_TRUE(files.has_value());
    size_t sum = 0;
    for (const auto& file : *files) sum += file.problems.size();
    return sum;
  }

  const testing::TempDir dir_;
  testing::SimulatedClock clock_;
  SeededRandom random_{1};
};

TEST_F(VerifyHeadTest, AWholeHeadIsSound) {
  const auto files = VerifyNativeHead(PosixFileSystem(), Native());
  ASSERT_TRUE(files.has_value()) << files.error().message();
  uint64_t samples = 0;
  for (const auto& file : *files) {
    samples += file.samples;
    EXPECT_TRUE(file.problems.empty()) << file.path << ": " << file.problems[0];
    EXPECT_EQ(file.torn_bytes, 0u);
  }
  EXPECT_EQ(samples, 100u);
  EXPECT_TRUE(VerifyNativeHead(PosixFileSystem(), dir_.path() + "/none")->empty());
  EXPECT_TRUE(VerifyPrometheusHead(PosixFileSystem(), dir_.path())->empty());
}

TEST_F(VerifyHeadTest, EveryFlippedByteOfTheLogsIsFoundOrTorn) {
  for (const auto* name : {"/wal/00000001.wal", "/series/00000001.series"}) {
    const std::string path = Native() + name;
    const auto good = PosixFileSystem().ReadFile(path);
    ASSERT_TRUE(good.has_value()) << path;
    const auto file = PosixFileSystem().Open(path, OpenMode::kAppend);
    size_t unseen = 0;
    for (size_t i = 0; i < good->size(); ++i) {
      ASSERT_TRUE((*file)->WriteAt(i, std::string(1, static_cast<char>((*good)[i] ^ 0x10))).has_value());
      const auto files = VerifyNativeHead(PosixFileSystem(), Native());
      ASSERT_TRUE(files.has_value());
      bool seen = false;
      for (const auto& verified : *files) seen = seen || !verified.problems.empty() || verified.torn_bytes > 0;
      unseen += seen ? 0 : 1;
      ASSERT_TRUE((*file)->WriteAt(i, good->substr(i, 1)).has_value());
    }
    EXPECT_EQ(unseen, 0u) << name;
  }
  EXPECT_EQ(Problems(), 0u);
}

}  // namespace
}  // namespace epi::tsdb
