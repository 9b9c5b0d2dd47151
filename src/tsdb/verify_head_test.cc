// What a check of the native files finds.
#include "tsdb/verify_head.h"

#include <gtest/gtest.h>

#include <map>

#include "testing/simulated_clock.h"
#include "testing/temp_dir.h"
#include "tsdb/db.h"
#include "tsdb/early/early_record.h"
#include "tsdb/wal/record_file.h"

namespace epi::tsdb {
namespace {

class VerifyHeadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DbOptions options;
    options.directory = dir_.path();
    options.head.group.phase_entries = 8;
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
  std::map<std::string, uint64_t> samples;
  for (const auto& file : *files) {
    samples[file.what] += file.samples;
    EXPECT_TRUE(file.problems.empty()) << file.path << ": " << file.problems[0];
    EXPECT_EQ(file.torn_bytes, 0u);
  }
  EXPECT_EQ(samples["write-ahead log"], 100u);
  // The rest is in the open phase.
  EXPECT_GE(samples["sealed runs"], 60u);
  EXPECT_LT(samples["sealed runs"], 100u);
  EXPECT_TRUE(VerifyNativeHead(PosixFileSystem(), dir_.path() + "/none")->empty());
  EXPECT_TRUE(VerifyPrometheusHead(PosixFileSystem(), dir_.path())->empty());
}

TEST_F(VerifyHeadTest, EveryFlippedByteIsFoundOrTorn) {
  for (const auto* name :
       {"/wal/00000001.wal", "/series/00000001.series", "/runs/00000001.runs", "/snapshot/00000001.snapshot"}) {
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

// A run in the middle is damage even when it claims to reach behind the end; the runs behind it are looked at all the
// same. Only the last one may be unfinished.
TEST_F(VerifyHeadTest, RunsBehindADamagedOneAreChecked) {
  const std::string path = Native() + "/runs/00000001.runs";
  const auto good = PosixFileSystem().ReadFile(path);
  ASSERT_TRUE(good.has_value());
  const auto runs_of = [&](const std::string& content) {
    EXPECT_TRUE(PosixFileSystem().WriteFileAtomically(path, content).has_value());
    std::vector<VerifiedFile> out;
    EXPECT_TRUE(VerifyRuns(PosixFileSystem(), Native() + "/runs", out).has_value());
    return out.at(0);
  };
  const VerifiedFile whole = runs_of(*good);
  ASSERT_GE(whole.records, 2u);
  for (const size_t place : {size_t{5}, size_t{8}, size_t{59}, size_t{100}}) {  // magic, version, columns, a column
    std::string bad = *good;
    bad[place] = static_cast<char>(bad[place] ^ 0x40);
    const VerifiedFile damaged = runs_of(bad);
    EXPECT_EQ(damaged.problems.size(), 1u) << place;
    EXPECT_EQ(damaged.records, whole.records - 1) << place;
    EXPECT_EQ(damaged.torn_bytes, 0u) << place;
  }
  for (size_t cut = 1; cut < 150; ++cut) {
    const VerifiedFile torn = runs_of(good->substr(0, good->size() - cut));
    EXPECT_TRUE(torn.problems.empty()) << cut;
    EXPECT_EQ(torn.records, whole.records - 1) << cut;
    EXPECT_GT(torn.torn_bytes, 0u) << cut;
  }
}

TEST_F(VerifyHeadTest, EveryFlippedByteOfTheEarlyLogIsFoundOrTorn) {
  EarlyBatch batch;
  batch.identity = GroupIdentity{GroupIdentity::Kind::kScrape, "t"};
  batch.defined = {Labels{{"__name__", "m"}}};
  batch.rows.series = {0};
  batch.rows.values = {1};
  std::string payload;
  EncodeEarlyBatch(batch, payload);
  std::string log = EncodeFileHeader({RecordFileKind::kEarly, 1, 0});
  AppendRecord(log, kEarlyBatchType, 1, payload);
  AppendRecord(log, kEarlyBatchType, 2, payload);
  const std::string contents[] = {log, EncodeMergeMark({1, 7})};
  const std::string paths[] = {Native() + "/early/00000001.early", Native() + "/early/00000001.merging"};
  ASSERT_TRUE(PosixFileSystem().CreateDirectories(Native() + "/early"));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(paths[i], contents[i]));
  const auto found = [&](const std::string& path) {
    const auto files = VerifyNativeHead(PosixFileSystem(), Native());
    for (const auto& file : *files) {
      if (file.path == path) return file;
    }
    return VerifiedFile{};
  };
  EXPECT_EQ(found(paths[0]).samples, 2u);
  EXPECT_EQ(found(paths[0]).torn_bytes, 0u);
  EXPECT_EQ(Problems(), 0u);
  for (int i = 0; i < 2; ++i) {
    const auto file = PosixFileSystem().Open(paths[i], OpenMode::kAppend);
    for (size_t at = 0; at < contents[i].size(); ++at) {
      ASSERT_TRUE((*file)->WriteAt(at, std::string(1, static_cast<char>(contents[i][at] ^ 0x04))));
      const VerifiedFile verified = found(paths[i]);
      EXPECT_TRUE(!verified.problems.empty() || verified.torn_bytes > 0) << paths[i] << " " << at;
      ASSERT_TRUE((*file)->WriteAt(at, contents[i].substr(at, 1)));
    }
  }
}

}  // namespace
}  // namespace epi::tsdb
