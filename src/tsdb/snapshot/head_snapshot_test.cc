// What a start finds with a snapshot of the head is what it finds without: whatever was written, however the process
// ended, and whatever has become of the file.
#include "tsdb/snapshot/head_snapshot.h"

#include <gtest/gtest.h>

#include <bit>
#include <map>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "testing/memory_file_system.h"
#include "testing/simulated_clock.h"
#include "tsdb/db.h"

namespace epi::tsdb {
namespace {

using testing::MemoryFileSystem;
using Loss = MemoryFileSystem::Loss;

constexpr TimestampMs kSnapshotTestStart = 1'000'000;

std::string Bits(double v) { return std::to_string(std::bit_cast<uint64_t>(v)); }

// Everything a query can see, as text.
std::string Answers(const Db& db) {
  Budget budget("test");
  std::string out;
  const auto view = db.OpenView({});
  EXPECT_TRUE(view);
  SelectHints hints;
  hints.sorted = true;
  const auto selection =
      (*view)->Select(std::vector{*Matcher::Make(MatchType::kRegexp, "__name__", ".+")}, hints, budget);
  EXPECT_TRUE(selection);
  SeriesBatch batch;
  for (size_t i = 0; i < (*selection)->size(); ++i) {
    const auto read = (*selection)->Read(i, 1, batch);
    EXPECT_TRUE(read) << read.error().message();
    const SeriesSamples& series = batch.series[0];
    if (series.t.empty() && series.histograms.empty()) continue;
    out += ToLabels((*selection)->labels(i), (*view)->symbols()).ToString();
    for (size_t k = 0; k < series.t.size(); ++k) {
      out += " " + std::to_string(series.t[k]) + "=" + Bits(series.v[k]);
      if (!series.start_times.empty()) out += "@" + std::to_string(series.start_times[k]);
    }
    for (const auto& point : series.histograms) {
      out += " " + std::to_string(point.t) + "=h" + Bits(point.h->sum) + "," + Bits(point.h->count) + "," +
             std::to_string(static_cast<int>(point.h->counter_reset_hint));
    }
    out += "\n";
  }
  const auto exemplars =
      (*view)->Exemplars(std::vector<std::vector<Matcher>>{{*Matcher::Make(MatchType::kRegexp, "__name__", ".+")}}, {});
  EXPECT_TRUE(exemplars);
  for (const auto& of : *exemplars) {
    out += "exemplars of " + of.labels.ToString();
    for (const auto& exemplar : of.exemplars)
      out += " " + std::to_string(exemplar.time) + exemplar.labels.ToString() + Bits(exemplar.value);
    out += "\n";
  }
  const GroupCounts totals = db.head().CountTotals();
  const auto metadata = db.head().Metadata("m");
  out += "metadata " + (metadata ? metadata->help : std::string("none")) + "\n";
  out += "stale " + std::to_string(totals.stale_series) + " histograms " + std::to_string(totals.histogram_series) +
         " series " + std::to_string(db.head().series_count()) + " chunks " + std::to_string(totals.chunks()) + "\n";
  out += "from " + std::to_string(db.head().min_time()) + " to " + std::to_string(db.head().max_time()) + "\n";
  return out;
}

class HeadSnapshotTest : public ::testing::Test {
 protected:
  HeadSnapshotTest() {
    options_.directory = "/data";
    options_.head.group.phase_entries = 8;
    options_.head.group.block_range_ms = 7'200'000;
    options_.head.max_exemplars = 6;
    options_.head.out_of_order_window_ms = 100'000;
    options_.load_threads = 2;
  }
  std::unique_ptr<Db> Open() {
    auto db = Db::Open(options_, {fs_, clock_, SystemRandom(), log_});
    EXPECT_TRUE(db) << db.error().message();
    const auto loaded = (*db)->Load();
    EXPECT_TRUE(loaded) << loaded.error().message();
    return loaded ? std::move(*db) : nullptr;
  }
  // The process ends without a word: nothing it does from here on reaches the disk.
  void Kill(std::unique_ptr<Db>& db, Loss loss = Loss::kProcess, Random* random = nullptr) {
    fs_.CutAfter(0);
    db.reset();
    fs_.Restart(loss, random);
  }
  // Batches of everything that can be in a record, `rounds` of them.
  void Write(Db& db, int rounds, int series = 5) {
    const auto scrape = *db.OpenGroup({GroupIdentity::Kind::kScrape, "target"});
    const auto other = *db.OpenGroup({GroupIdentity::Kind::kRemoteWrite, "lane"});
    for (int n = 0; n < rounds; ++n, ++round_) {
      const TimestampMs now = kSnapshotTestStart + round_ * 1000;
      for (int i = 0; i < series; ++i) {
        if ((round_ + i) % 5 == 4) continue;  // gaps
        const auto ref = *scrape->Intern({{"__name__", "m"}, {"i", std::to_string(i)}});
        const double value = i == 0            ? 1.0
                             : i == 1          ? round_ * 3.0
                             : i == 2          ? round_ * 0.1
                             : round_ % 7 == 6 ? StaleNaN()
                                               : i;
        scrape->Add(ref, value);
        if (i == 1) scrape->AddExemplar(ref, {{{"id", std::to_string(round_)}}, value, now, true});
        if (i == 2) scrape->SetMetadata(ref, {MetricType::kGauge, "", "help " + std::to_string(round_ / 10)});
      }
      auto h = std::make_shared<Histogram>();
      h->count = h->zero_count = static_cast<uint64_t>(round_ % 9);
      h->sum = round_ % 11 == 10 ? StaleNaN() : round_;
      scrape->AddHistogram({*scrape->Intern({{"__name__", "h"}}), now, now - 500, h, nullptr});
      auto f = std::make_shared<FloatHistogram>();
      f->count = f->zero_count = round_;
      f->sum = round_;
      scrape->AddHistogram({*scrape->Intern({{"__name__", "fh"}}), now, 0, nullptr, f});
      ASSERT_TRUE(scrape->Commit(now)->all_accepted());
      // Another writer, of its own series and of one that is the scrape's.
      const auto own = *other->Intern({{"__name__", "w"}});
      other->AddAt(own, now + 100, round_, now - 7);
      if (round_ % 4 == 3) other->AddAt(own, now - 2500, -1);  // late
      other->AddAt(*other->Intern({{"__name__", "m"}, {"i", "0"}}), now + 200, 1.0);
      ASSERT_TRUE(other->Commit(now)->all_accepted());
    }
  }
  void DeleteSome(Db& db) {
    ASSERT_TRUE(db.Delete(std::vector<std::vector<Matcher>>{{Matcher::Equal("i", "2")}},
                          {kSnapshotTestStart + 2000, kSnapshotTestStart + 4000}));
  }
  std::string SnapshotFile() {
    const auto names = fs_.List("/data/epimetheus/snapshot");
    EXPECT_TRUE(names);
    EXPECT_EQ(names->size(), 1u);
    return "/data/epimetheus/snapshot/" + names->front();
  }
  static void LogLine(void* context, std::string_view line) {
    static_cast<HeadSnapshotTest*>(context)->log_text_.append(line).append("\n");
  }

  MemoryFileSystem fs_;
  testing::SimulatedClock clock_;
  std::string log_text_;
  Logger log_ = Logger::ToFunction(LogLevel::kInfo, LogFormat::kLogfmt, &LogLine, this);
  DbOptions options_;
  int round_ = 0;
};

// Whoever adds something to a record of the log must say where a snapshot has it.
TEST(SnapshotCoverageTest, EveryPartOfEveryLogRecordHasASection) {
  for (const LogRecordType type : kLogRecordTypes) {
    uint8_t parts = 0;
    for (const auto& covered : kCovered) {
      if (covered.record == type) parts = static_cast<uint8_t>(parts | covered.part);
    }
    EXPECT_EQ(parts, kAllBatchSections);
  }
}

TEST_F(HeadSnapshotTest, BringsEverythingBackWithoutTheLog) {
  auto db = Open();
  Write(*db, 21);
  DeleteSome(*db);
  ASSERT_TRUE(db->SnapshotHead());
  const std::string before = Answers(*db);
  EXPECT_NE(before.find("exemplars of"), std::string::npos);
  EXPECT_NE(before.find("help 2"), std::string::npos);
  Kill(db);
  db = Open();
  ASSERT_TRUE(db->loaded_snapshot());
  EXPECT_EQ(db->snapshot_errors(), 0u);
  EXPECT_EQ(db->replay_report().records, 0u);
  EXPECT_EQ(Answers(*db), before);
  // It goes on as the one that was killed would have.
  auto appender = *db->OpenGroup({GroupIdentity::Kind::kScrape, "target"});
  appender->Add(*appender->Intern({{"__name__", "m"}, {"i", "1"}}), 1);
  EXPECT_FALSE(appender->Commit(kSnapshotTestStart + 20'000)->all_accepted()) << "a duplicate of the last round";
  appender.reset();
  Write(*db, 10);
  const std::string more = Answers(*db);
  Kill(db);
  db = Open();
  EXPECT_EQ(Answers(*db), more);
}

// Runs that were sealed since the last spill are in the snapshot itself, the others in their files.
TEST_F(HeadSnapshotTest, SealedRunsStayWhereTheyAre) {
  auto db = Open();
  Write(*db, 30);
  ASSERT_TRUE(db->SnapshotHead());
  EXPECT_FALSE(fs_.List("/data/epimetheus/runs")->empty());
  Write(*db, 12);
  const std::string before = Answers(*db);
  Kill(db);
  db = Open();
  ASSERT_TRUE(db->loaded_snapshot());
  EXPECT_EQ(Answers(*db), before);
  // A snapshot whose runs are gone is of no use; the log has everything.
  Kill(db);
  ASSERT_TRUE(fs_.RemoveAll("/data/epimetheus/runs"));
  db = Open();
  EXPECT_FALSE(db->loaded_snapshot());
  EXPECT_EQ(db->snapshot_errors(), 1u);
  EXPECT_NE(log_text_.find("replaying the WAL instead"), std::string::npos) << log_text_;
  EXPECT_EQ(Answers(*db), before);
}

TEST_F(HeadSnapshotTest, OnlyTheTailIsReplayed) {
  auto db = Open();
  Write(*db, 40);
  ASSERT_TRUE(db->SnapshotHead());
  Write(*db, 3);
  const std::string before = Answers(*db);
  Kill(db);
  db = Open();
  EXPECT_EQ(db->replay_report().records, 6u);
  EXPECT_EQ(db->replay_progress().min.load(), db->loaded_snapshot()->first_segment);
  EXPECT_EQ(db->replay_progress().max.load(), db->replay_progress().current.load());
  EXPECT_EQ(Answers(*db), before);
  // The end in order leaves nothing to replay.
  EXPECT_TRUE(db->Close());
  db = Open();
  EXPECT_EQ(db->replay_report().records, 0u);
  EXPECT_EQ(Answers(*db), before);
}

// The same series from two writers: rows are applied by the owner of the series, in the order of the log, and each
// owner leaves out what its part of the snapshot has.
TEST_F(HeadSnapshotTest, ReplayFollowsTheOwnerOfEachSeries) {
  auto db = Open();
  Write(*db, 7);
  for (const bool with_snapshot : {false, true}) {
    if (with_snapshot) {
      ASSERT_TRUE(db->SnapshotHead());
    }
    Write(*db, 7);
    const std::string before = Answers(*db);
    Kill(db);
    for (const uint32_t threads : {1u, 4u}) {
      options_.load_threads = threads;
      db = Open();
      EXPECT_EQ(Answers(*db), before);
      if (threads == 1) Kill(db);
    }
  }
}

TEST_F(HeadSnapshotTest, TruncatedAtAnyByteFallsBackToTheLog) {
  auto db = Open();
  Write(*db, 4, 2);
  ASSERT_TRUE(db->SnapshotHead());
  Write(*db, 1, 2);
  const std::string before = Answers(*db);
  Kill(db);
  const std::string path = SnapshotFile();
  const std::string whole = *fs_.ReadFile(path);
  for (size_t size = 0; size < whole.size(); ++size) {
    ASSERT_TRUE(fs_.WriteFileAtomically(path, whole.substr(0, size)));
    db = Open();
    ASSERT_NE(db, nullptr);
    EXPECT_EQ(db->snapshot_errors(), 1u) << size;
    ASSERT_EQ(Answers(*db), before) << size;
    Kill(db);
  }
}

TEST_F(HeadSnapshotTest, AFlippedBitIsDetectedOrHarmless) {
  auto db = Open();
  Write(*db, 4, 2);
  ASSERT_TRUE(db->SnapshotHead());
  Write(*db, 1, 2);
  const std::string before = Answers(*db);
  Kill(db);
  const std::string path = SnapshotFile();
  const std::string whole = *fs_.ReadFile(path);
  for (size_t byte = 0; byte < whole.size(); ++byte) {
    std::string damaged = whole;
    damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << (byte % 8)));
    ASSERT_TRUE(fs_.WriteFileAtomically(path, damaged));
    db = Open();
    ASSERT_NE(db, nullptr);
    ASSERT_EQ(Answers(*db), before) << byte;
    Kill(db);
  }
}

TEST_F(HeadSnapshotTest, ALaterVersionIsLeftAlone) {
  auto db = Open();
  Write(*db, 3);
  ASSERT_TRUE(db->SnapshotHead());
  const std::string before = Answers(*db);
  Kill(db);
  const std::string path = SnapshotFile();
  std::string later = *fs_.ReadFile(path);
  later[8] = 2;
  const uint32_t checksum = Crc32c(std::string_view(later).substr(0, 28));
  StoreLittle(later.data() + 28, checksum);
  ASSERT_TRUE(fs_.WriteFileAtomically(path, later));
  db = Open();
  EXPECT_FALSE(db->loaded_snapshot());
  EXPECT_NE(log_text_.find("unknown version 2"), std::string::npos) << log_text_;
  EXPECT_EQ(Answers(*db), before);
}

// The state is the process's own: what becomes of the file later does not matter.
TEST_F(HeadSnapshotTest, NothingMutableIsMappedFromTheFile) {
  auto db = Open();
  Write(*db, 5);
  ASSERT_TRUE(db->SnapshotHead());
  Kill(db);
  db = Open();
  const std::string before = Answers(*db);
  const std::string path = SnapshotFile();
  const auto size = fs_.Stat(path)->size;
  for (uint64_t at = 0; at < size; at += 3) fs_.Corrupt(path, at, 0xff);
  EXPECT_EQ(Answers(*db), before);
  Write(*db, 5);
  const std::string more = Answers(*db);
  Kill(db);
  db = Open();
  EXPECT_EQ(db->snapshot_errors(), 1u);
  EXPECT_EQ(Answers(*db), more);
}

// The process is killed at every operation of writing a snapshot: the older one stays of use until the newer one is.
TEST_F(HeadSnapshotTest, KilledWhileWritingAtEveryOperation) {
  bool finished = false;
  for (uint64_t cut = 0; !finished; ++cut) {
    ASSERT_LT(cut, 100u);
    fs_.Format();
    round_ = 0;
    auto db = Open();
    Write(*db, 12);
    ASSERT_TRUE(db->SnapshotHead());
    Write(*db, 12);
    const std::string before = Answers(*db);
    fs_.CutAfter(cut);
    finished = db->SnapshotHead().has_value() && !fs_.cut();
    Kill(db);
    db = Open();
    ASSERT_NE(db, nullptr);
    EXPECT_TRUE(db->loaded_snapshot()) << cut;
    EXPECT_EQ(db->snapshot_errors(), 0u) << cut << log_text_;
    ASSERT_EQ(Answers(*db), before) << cut;
    const auto names = *fs_.List("/data/epimetheus/snapshot");
    for (const auto& name : names) EXPECT_FALSE(name.ends_with(".tmp"));
  }
}

// The power fails at every operation around a snapshot: a snapshot that can be seen names nothing that is lost, neither
// definitions nor records nor spilled runs, and numbers go on above everything it has.
TEST_F(HeadSnapshotTest, PowerLossAroundASnapshotAtEveryOperation) {
  for (uint64_t cut = 0; cut < 40; ++cut) {
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      fs_.Format();
      round_ = 0;
      SeededRandom random{cut * 10 + seed};
      auto db = Open();
      Write(*db, 12);
      const std::string before = Answers(*db);
      fs_.CutAfter(cut);
      const bool published = db->SnapshotHead().has_value() && !fs_.cut();
      fs_.CutAfter(0);
      db.reset();
      fs_.Restart(Loss::kPower, &random);
      db = Open();
      ASSERT_NE(db, nullptr);
      EXPECT_EQ(db->snapshot_errors(), 0u) << cut << log_text_;
      if (published || db->loaded_snapshot()) {
        EXPECT_TRUE(db->loaded_snapshot());
        EXPECT_EQ(db->replay_report().unknown_rows, 0u) << cut;
        ASSERT_EQ(Answers(*db), before) << cut;
      }
      round_ = 100;
      Write(*db, 3);
      const std::string more = Answers(*db);
      Kill(db);
      db = Open();
      ASSERT_EQ(Answers(*db), more) << cut;
    }
  }
}

// Nothing is published while a sync fails, and the head goes on.
TEST_F(HeadSnapshotTest, AFailedSyncPublishesNothing) {
  auto db = Open();
  Write(*db, 12);
  fs_.FailSyncs(true);
  EXPECT_FALSE(db->SnapshotHead());
  fs_.FailSyncs(false);
  EXPECT_TRUE(fs_.List("/data/epimetheus/snapshot")->empty());
  Write(*db, 2);
  const std::string before = Answers(*db);
  Kill(db);
  db = Open();
  EXPECT_EQ(Answers(*db), before);
}

// A snapshot that is older than the last block: what is in the block has left the head, series that are gone stay gone,
// and their numbers may be others' by now.
TEST_F(HeadSnapshotTest, IsOlderThanTheLastBlock) {
  options_.head.group.block_range_ms = 20'000;
  options_.head.out_of_order_window_ms = 0;
  auto db = Open();
  const auto write = [&](int first, int rounds, const std::string& life) {
    const auto appender = *db->OpenGroup({GroupIdentity::Kind::kScrape, "target"});
    for (int n = first; n < first + rounds; ++n) {
      for (int i = 0; i < 70; ++i) {
        appender->Add(*appender->Intern({{"__name__", "m"}, {"i", std::to_string(i)}, {"life", i < 3 ? "0" : life}}),
                      n);
      }
      ASSERT_TRUE(appender->Commit(kSnapshotTestStart + n * 1000)->all_accepted());
    }
  };
  const auto answers = [&] {
    std::string text = Answers(*db);
    return text.substr(0, text.find("metadata"));
  };
  write(0, 15, "a");
  ASSERT_TRUE(db->SnapshotHead());
  for (int life = 0; life < 4; ++life) {
    write(15 + life * 25, 25, std::string(1, static_cast<char>('b' + life)));
    ASSERT_TRUE(db->Maintain());
    const std::string before = answers();
    Kill(db);
    db = Open();
    ASSERT_EQ(db->snapshot_errors(), 0u) << log_text_;
    ASSERT_TRUE(db->loaded_snapshot());
    ASSERT_EQ(answers(), before) << life;
  }
  EXPECT_GT(db->blocks().blocks()->size(), 0u);
}

TEST_F(HeadSnapshotTest, IsTakenAfterSoManySamplesOrMinutes) {
  options_.head_snapshot_samples = 50;
  auto db = std::move(*Db::Open(options_, {fs_, clock_, SystemRandom(), log_}));
  db->Start();
  ASSERT_TRUE(db->AwaitReady());
  const auto taken = [&](std::string_view name) {
    return fs_.Exists("/data/epimetheus/snapshot/" + std::string(name));
  };
  Write(*db, 10);
  clock_.AwaitWaiters(2);
  clock_.AdvanceMs(1000);
  while (!taken("00000001.snapshot")) std::this_thread::yield();
  Write(*db, 1);
  clock_.AwaitWaiters(2);
  clock_.AdvanceMs(1000);
  clock_.AwaitWaiters(2);
  EXPECT_FALSE(taken("00000002.snapshot")) << "neither is reached";
  clock_.AdvanceMs(5 * 60'000);
  while (!taken("00000002.snapshot")) std::this_thread::yield();
  EXPECT_TRUE(db->Close());
}

}  // namespace
}  // namespace epi::tsdb
