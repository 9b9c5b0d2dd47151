// Prometheus's head in ours: everything it holds, once, in whatever state the last attempt left the directory.
#include <gtest/gtest.h>

#include <bit>

#include "base/bytes.h"
#include "model/number_format.h"
#include "testing/block_fixture.h"
#include "testing/conformance.h"
#include "testing/gated_file_system.h"
#include "testing/memory_file_system.h"
#include "testing/simulated_clock.h"
#include "testing/temp_dir.h"
#include "tsdb/block/verify_block.h"
#include "tsdb/db.h"
#include "tsdb/import/wal_writer.h"

namespace epi::tsdb {
namespace {

using Json = nlohmann::json;

FileSystem& TakeOverFs() { return PosixFileSystem(); }

void CopyTree(const std::string& from, const std::string& to) {
  const auto info = TakeOverFs().Stat(from);
  ASSERT_TRUE(info.has_value()) << from;
  if (!info->is_directory) {
    const auto content = TakeOverFs().ReadFile(from);
    const auto file = TakeOverFs().Open(to, OpenMode::kTruncate);
    ASSERT_TRUE(content && file && (*file)->Append(*content));
    return;
  }
  ASSERT_TRUE(TakeOverFs().CreateDirectories(to).has_value());
  const auto names = TakeOverFs().List(from);
  ASSERT_TRUE(names.has_value());
  for (const auto& name : *names) CopyTree(JoinPath(from, name), JoinPath(to, name));
}

class TakeOverTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Db>> OpenDb(bool take_over = true) {
    DbOptions options;
    options.directory = dir_.path();
    options.take_over = take_over;
    EPI_ASSIGN(auto db, Db::Open(options, {TakeOverFs(), clock_, random_, Logger()}));
    EPI_TRY(db->Load());
    return db;
  }
  PlainData ReadAll(const Db& db) {
    const auto view = db.OpenView({});
    EXPECT_TRUE(view.has_value());
    Budget budget("test");
    SelectHints hints;
    hints.sorted = true;
    const auto selection = (*view)->Select({}, hints, budget);
    EXPECT_TRUE(selection.has_value());
    return *ReadSelection(**selection, (*view)->symbols());
  }
  bool Has(const std::string& name) { return TakeOverFs().Exists(JoinPath(dir_.path(), name)); }

  // A log of so many scrapes of `series` series, every 15 s from `begin` on.
  void WriteLog(TimestampMs begin, int scrapes, int series, uint64_t segment = 0) {
    const std::string wal = JoinPath(dir_.path(), "wal");
    ASSERT_TRUE(TakeOverFs().CreateDirectories(wal).has_value());
    auto file = TakeOverFs().Open(JoinPath(wal, WalSegmentName(segment)), OpenMode::kTruncate);
    ASSERT_TRUE(file.has_value());
    WalSegmentWriter writer(std::move(*file));
    std::string record(1, '\1');
    ByteWriter out(record);
    for (int i = 0; i < series; ++i) {
      out.Big64(static_cast<uint64_t>(i + 1));
      out.Uvarint(3);
      for (const auto& text : {std::string("__name__"), std::string("m"), std::string("i"), std::to_string(i),
                               std::string("job"), std::string("j")}) {
        out.Uvarint(text.size());
        out.Bytes(text);
      }
    }
    ASSERT_TRUE(writer.Log(record).has_value());
    for (int scrape = 0; scrape < scrapes; ++scrape) {
      record.assign(1, '\2');
      ByteWriter samples(record);
      samples.Big64(1);
      samples.Big64(static_cast<uint64_t>(begin + scrape * 15'000));
      for (int i = 0; i < series; ++i) {
        samples.Varint(i);
        samples.Varint(0);
        samples.Big64(std::bit_cast<uint64_t>(scrape * 10.0 + i));
      }
      ASSERT_TRUE(writer.Log(record).has_value());
    }
    ASSERT_TRUE(writer.Close().has_value());
  }
  Labels SeriesLabels(int i) { return Labels{{"__name__", "m"}, {"i", std::to_string(i)}, {"job", "j"}}; }

  const testing::TempDir dir_;
  testing::SimulatedClock clock_;
  SeededRandom random_{1};
  static constexpr TimestampMs kBegin = 1'700'006'400'000;
};

TEST_F(TakeOverTest, TheLogMovesAndIsKeptOverRestarts) {
  WriteLog(kBegin, 300, 7);
  for (int start = 0; start < 3; ++start) {
    const auto db = OpenDb();
    ASSERT_TRUE(db.has_value()) << db.error().message();
    const PlainData data = ReadAll(**db);
    ASSERT_EQ(data.size(), 7u);
    const auto& floats = data.at(SeriesLabels(3)).floats;
    ASSERT_EQ(floats.size(), 300u);
    EXPECT_EQ(floats[299].t, kBegin + 299 * 15'000);
    EXPECT_EQ(floats[299].v, 2993.0);
    EXPECT_FALSE(Has("wal"));
    EXPECT_TRUE(Has("epimetheus/prometheus-head/wal/00000000"));
    EXPECT_FALSE(Has("epimetheus/take-over"));
  }
}

TEST_F(TakeOverTest, ScrapingGoesOnAndTheFilesGoWithTheFirstBlock) {
  WriteLog(kBegin, 800, 3);  // more than one and a half blocks
  const auto db = OpenDb();
  ASSERT_TRUE(db.has_value()) << db.error().message();
  {
    const auto appender = (*db)->OpenGroup({GroupIdentity::Kind::kScrape, "another name"});
    const auto ref = (*appender)->Intern(SeriesLabels(1));
    (*appender)->Add(*ref, 5);
    const auto report = (*appender)->Commit(kBegin + 800 * 15'000);
    ASSERT_TRUE(report.has_value());
    EXPECT_EQ(report->accepted, 1u);
  }
  ASSERT_TRUE((*db)->Maintain().has_value());
  EXPECT_EQ((*db)->blocks().blocks()->size(), 1u);
  EXPECT_FALSE(Has("epimetheus/prometheus-head"));
  EXPECT_EQ(ReadAll(**db).at(SeriesLabels(1)).floats.size(), 801u);
}

TEST_F(TakeOverTest, AnInterruptedImportIsDoneAgain) {
  WriteLog(kBegin, 50, 2);
  ASSERT_TRUE(OpenDb().has_value());
  // As it was before the last step: their files where they were, ours complete or not.
  const std::string aside = JoinPath(dir_.path(), "epimetheus/prometheus-head/wal");
  ASSERT_TRUE(TakeOverFs().Rename(aside, JoinPath(dir_.path(), "wal")).has_value());
  ASSERT_TRUE(
      TakeOverFs().WriteFileAtomically(JoinPath(dir_.path(), "epimetheus/take-over"), "importing\n").has_value());
  {
    const auto db = OpenDb();
    ASSERT_TRUE(db.has_value()) << db.error().message();
    EXPECT_EQ(ReadAll(**db).at(SeriesLabels(0)).floats.size(), 50u);
  }
  ASSERT_TRUE(TakeOverFs().Rename(aside, JoinPath(dir_.path(), "wal")).has_value());
  ASSERT_TRUE(
      TakeOverFs().WriteFileAtomically(JoinPath(dir_.path(), "epimetheus/take-over"), "imported\n").has_value());
  const auto db = OpenDb();
  ASSERT_TRUE(db.has_value()) << db.error().message();
  EXPECT_EQ(ReadAll(**db).at(SeriesLabels(0)).floats.size(), 50u);
  EXPECT_FALSE(Has("wal"));
}

TEST_F(TakeOverTest, TwoHeadsAreRefusedUntilOneIsFlushed) {
  WriteLog(kBegin, 50, 2);
  ASSERT_TRUE(OpenDb().has_value());
  WriteLog(kBegin + 60 * 15'000, 40, 2);
  const auto refused = OpenDb();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalid);
  EXPECT_NE(refused.error().message().find("epitool tsdb flush-head " + dir_.path()), std::string::npos);
  EXPECT_TRUE(Has("wal/00000000"));
  {
    const auto db = OpenDb(false);
    ASSERT_TRUE(db.has_value()) << db.error().message();
    const auto flushed = (*db)->FlushHead();
    ASSERT_TRUE(flushed.has_value()) << flushed.error().message();
    EXPECT_EQ(flushed->blocks, 1u);
  }
  EXPECT_FALSE(Has("epimetheus/wal"));
  const auto db = OpenDb();
  ASSERT_TRUE(db.has_value()) << db.error().message();
  EXPECT_EQ(ReadAll(**db).at(SeriesLabels(1)).floats.size(), 90u);
}

TEST_F(TakeOverTest, ANewerBlockOfAnotherServerIsRefused) {
  WriteLog(kBegin, 50, 2);
  ASSERT_TRUE(OpenDb().has_value());
  PlainData data;
  data[SeriesLabels(0)].floats = {{kBegin + 20'000'000, 1, 0}};
  const auto block = WriteBlock(dir_.path(), data, 7);
  ASSERT_TRUE(block.has_value());
  const auto refused = OpenDb();
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message().find(std::string(BaseName(*block))), std::string::npos);
  ASSERT_TRUE(OpenDb(false).has_value());
}

TEST_F(TakeOverTest, NothingIsTakenEarlyWhileTheDirectoryMayBeRefused) {
  WriteLog(kBegin, 50, 2);
  ASSERT_TRUE(OpenDb().has_value());
  PlainData data;
  data[SeriesLabels(0)].floats = {{kBegin + 20'000'000, 1, 0}};
  ASSERT_TRUE(WriteBlock(dir_.path(), data, 7).has_value());
  auto db = Db::Open({.directory = dir_.path()}, {TakeOverFs(), clock_, random_, Logger()});
  ASSERT_TRUE(db.has_value());
  EXPECT_FALSE((*db)->Load().has_value());
  EXPECT_FALSE((*db)->early_log().open());
}

// What is scraped while Prometheus's head is imported is there afterwards, and also when the import is killed and
// begins again.
TEST_F(TakeOverTest, WhatIsAppendedDuringTheImportIsKept) {
  WriteLog(kBegin, 50, 2);
  const TimestampMs now = kBegin + 50 * 15'000;
  const testing::TempDir killed;
  testing::GatedFileSystem gate(TakeOverFs());
  auto db = Db::Open({.directory = dir_.path()}, {gate, clock_, random_, Logger()});
  ASSERT_TRUE(db.has_value());
  bool done = false;
  gate.SetHook([&](const std::string& path) {
    if (done || !(*db)->early_log().open() || !path.ends_with("/wal/00000000")) return;
    done = true;
    const auto appender = (*db)->OpenGroup({GroupIdentity::Kind::kScrape, "target"});
    ASSERT_TRUE(appender.has_value());
    (*appender)->Add(*(*appender)->Intern(SeriesLabels(0)), 7);
    (*appender)->Add(*(*appender)->Intern(SeriesLabels(9)), 8);
    ASSERT_TRUE((*appender)->Commit(now).has_value());
    CopyTree(dir_.path(), killed.path());
  });
  ASSERT_TRUE((*db)->Load().has_value());
  gate.SetHook({});
  ASSERT_TRUE(done);
  const auto check = [&](const Db& loaded) {
    const PlainData data = ReadAll(loaded);
    const auto& old = data.at(SeriesLabels(0)).floats;
    ASSERT_EQ(old.size(), 51u);
    EXPECT_EQ(old.back().t, now);
    EXPECT_EQ(old.back().v, 7);
    EXPECT_EQ(data.at(SeriesLabels(1)).floats.size(), 50u);
    EXPECT_EQ(data.at(SeriesLabels(9)).floats.size(), 1u);
  };
  check(**db);
  for (int start = 0; start < 2; ++start) {
    auto again = Db::Open({.directory = killed.path()}, {TakeOverFs(), clock_, random_, Logger()});
    ASSERT_TRUE(again && (*again)->Load());
    check(**again);
  }
}

TEST_F(TakeOverTest, FlushedHeadsAreSplitAtBoundsAndComeBack) {
  WriteLog(kBegin - 3'600'000, 700, 5);
  {
    const auto db = OpenDb();
    ASSERT_TRUE(db.has_value());
    const auto flushed = (*db)->FlushHead();
    ASSERT_TRUE(flushed.has_value()) << flushed.error().message();
    EXPECT_EQ(flushed->blocks, 2u);
    EXPECT_FALSE((*db)->OpenView({}).has_value());
  }
  const auto directories = ListBlockDirectories(TakeOverFs(), dir_.path());
  ASSERT_EQ(directories->size(), 2u);
  TimestampMs end = 0;
  for (const auto& directory : *directories) {
    EXPECT_TRUE(VerifyBlock(TakeOverFs(), directory)->sound());
    end = std::max(end, ReadBlockMeta(TakeOverFs(), directory)->max_time);
  }
  EXPECT_EQ(end, kBegin - 3'600'000 + 699 * 15'000 + 1);
  EXPECT_FALSE(Has("epimetheus/series"));
  for (int start = 0; start < 2; ++start) {
    const auto db = OpenDb();
    ASSERT_TRUE(db.has_value());
    EXPECT_EQ(ReadAll(**db).at(SeriesLabels(4)).floats.size(), 700u + start);
    const auto appender = (*db)->OpenGroup({GroupIdentity::Kind::kScrape, "t"});
    const auto ref = (*appender)->Intern(SeriesLabels(4));
    (*appender)->Add(*ref, 5);
    EXPECT_EQ((*appender)->Commit(end + start)->accepted, 1u);  // what comes next is in time
    EXPECT_EQ(ReadAll(**db).at(SeriesLabels(4)).floats.size(), 701u + start);
  }
}

TEST_F(TakeOverTest, BackfillIsSeenAtOnceAndNeverHidesTheHead) {
  clock_.StepWallMs(kBegin + 300 * 15'000 - clock_.NowMs());
  WriteLog(kBegin, 300, 2);
  for (int start = 0; start < 2; ++start) {
    const auto db = OpenDb();
    ASSERT_TRUE(db.has_value()) << db.error().message();
    const auto backfill = (*db)->OpenBackfill({});
    ASSERT_TRUE(backfill.has_value());
    // Long ago, within the head, and behind it.
    for (const TimestampMs t : {kBegin - 90'000'000, kBegin + 7, kBegin + 300 * 15'000})
      ASSERT_TRUE((*backfill)->Add(SeriesLabels(0), t, 1, 0).has_value());
    ASSERT_TRUE((*backfill)->Add(SeriesLabels(0), kBegin + 90'000'000, 1, 0).has_value());
    const auto report = (*backfill)->Commit();
    ASSERT_TRUE(report.has_value()) << report.error().message();
    EXPECT_EQ(report->stored, 3u);
    EXPECT_EQ(report->too_new, 1u);
    EXPECT_EQ(ReadAll(**db).at(SeriesLabels(0)).floats.size(), 303u);
    EXPECT_EQ(ReadAll(**db).at(SeriesLabels(1)).floats.size(), 300u);
  }
}

// Power goes at one moment of the take-over after another; the next start has everything, once.
TEST(TakeOverPowerTest, NothingIsLostWhereverItStops) {
  const testing::TempDir dir;
  testing::SimulatedClock clock;
  const auto write_log = [](FileSystem& fs) {
    ASSERT_TRUE(fs.CreateDirectories("/data/wal").has_value());
    auto file = fs.Open("/data/wal/00000000", OpenMode::kTruncate);
    ASSERT_TRUE(file.has_value());
    WalSegmentWriter writer(std::move(*file));
    std::string record(1, '\1');
    ByteWriter series(record);
    series.Big64(1);
    series.Uvarint(1);
    series.UvarintString("__name__");
    series.UvarintString("m");
    ASSERT_TRUE(writer.Log(record).has_value());
    for (int i = 0; i < 40; ++i) {
      record.assign(1, '\2');
      ByteWriter samples(record);
      samples.Big64(1);
      samples.Big64(1'700'006'400'000 + static_cast<uint64_t>(i) * 15'000);
      samples.Varint(0);
      samples.Varint(0);
      samples.Big64(std::bit_cast<uint64_t>(i * 1.0));
      ASSERT_TRUE(writer.Log(record).has_value());
    }
    ASSERT_TRUE(writer.Close().has_value());
    ASSERT_TRUE(fs.SyncDirectory("/data/wal").has_value());
    ASSERT_TRUE(fs.SyncDirectory("/data").has_value());
    ASSERT_TRUE(fs.SyncDirectory("/").has_value());
  };
  DbOptions options;
  options.directory = "/data";
  int cuts = 0;
  for (uint64_t after = 0;; after += 1 + after / 8) {
    testing::MemoryFileSystem fs;
    SeededRandom random{after};
    write_log(fs);
    fs.CutAfter(after + 1);
    bool finished = false;
    {
      auto db = Db::Open(options, {fs, clock, random, Logger()});
      finished = db && (*db)->Load() && !fs.cut();
    }
    fs.Restart(testing::MemoryFileSystem::Loss::kPower, &random);
    auto db = Db::Open(options, {fs, clock, random, Logger()});
    ASSERT_TRUE(db.has_value()) << after;
    const auto loaded = (*db)->Load();
    ASSERT_TRUE(loaded.has_value()) << after << ": " << loaded.error().message();
    const auto view = (*db)->OpenView({});
    Budget budget("test");
    const auto selection = (*view)->Select({}, SelectHints{}, budget);
    const auto data = ReadSelection(**selection, (*view)->symbols());
    ASSERT_EQ(data->size(), 1u) << after;
    ASSERT_EQ(data->begin()->second.floats.size(), 40u) << after;
    EXPECT_FALSE(fs.Exists("/data/wal")) << after;
    ++cuts;
    if (finished) break;
  }
  EXPECT_GT(cuts, 15);
}

// Floats and histograms of each series, stale markers aside, exactly as expected.
void ExpectTakenOver(const PlainData& data, const Json& expected) {
  ASSERT_EQ(data.size(), expected.size());
  for (const auto& wanted : expected) {
    LabelsBuilder builder;
    for (const auto& [name, value] : wanted["labels"].items()) builder.Set(name, value.get<std::string>());
    const Labels labels = builder.Build();
    SCOPED_TRACE(labels.ToString());
    ASSERT_TRUE(data.contains(labels));
    const PlainSeries& got = data.at(labels);
    const Json none = Json::array();
    const Json& samples = wanted.contains("samples") ? wanted["samples"] : none;
    size_t i = 0;
    for (const auto& sample : got.floats) {
      if (IsStaleNaN(sample.v)) continue;
      ASSERT_LT(i, samples.size());
      ASSERT_EQ(sample.t, samples[i][0].get<TimestampMs>());
      ASSERT_EQ(FormatFloatPlain(sample.v), samples[i++][1].get<std::string>());
    }
    EXPECT_EQ(i, samples.size());
    const Json& points = wanted.contains("histograms") ? wanted["histograms"] : none;
    i = 0;
    for (const auto& [t, h] : got.histograms) {
      if (IsStaleNaN(h.sum)) continue;
      ASSERT_LT(i, points.size());
      ASSERT_EQ(t, points[i][0].get<TimestampMs>());
      EXPECT_EQ(FormatFloatPlain(h.count), points[i][1]["count"].get<std::string>());
      ASSERT_EQ(FormatFloatPlain(h.sum), points[i++][1]["sum"].get<std::string>());
    }
    EXPECT_EQ(i, points.size());
  }
}

// A killed Prometheus 2.42: log, chunks_head, late samples, a deletion, histograms.
TEST_F(TakeOverTest, AKilledServersHead) {
  EPI_CONFORMANCE_OR_SKIP(expected, "tsdb/generated/head.expected.json");
  CopyTree(testing::ConformanceDir() + "/tsdb/generated/head", dir_.path());
  for (int start = 0; start < 2; ++start) {
    const auto db = OpenDb();
    ASSERT_TRUE(db.has_value()) << db.error().message();
    ExpectTakenOver(ReadAll(**db), expected["series"]);
  }
  {
    const auto db = OpenDb();
    ASSERT_TRUE((*db)->FlushHead().has_value());
  }
  const auto db = OpenDb();
  ASSERT_TRUE(db.has_value()) << db.error().message();
  ExpectTakenOver(ReadAll(**db), expected["series"]);
}

// Blocks, a log with a checkpoint, chunks that lie in both.
TEST_F(TakeOverTest, BlocksAndCheckpoint) {
  EPI_CONFORMANCE_OR_SKIP(expected, "tsdb/generated/long.expected.json");
  CopyTree(testing::ConformanceDir() + "/tsdb/generated/long", dir_.path());
  for (int start = 0; start < 2; ++start) {
    const auto db = OpenDb();
    ASSERT_TRUE(db.has_value()) << db.error().message();
    ExpectTakenOver(ReadAll(**db), expected);
    ASSERT_TRUE((*db)->Maintain().has_value());
    ExpectTakenOver(ReadAll(**db), expected);
  }
}

}  // namespace
}  // namespace epi::tsdb
