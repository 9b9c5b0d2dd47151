// What each rule of the head prevents, where no other test shows it (docs/decisions/032-rules-of-the-head.md).
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "testing/memory_file_system.h"
#include "testing/simulated_clock.h"
#include "tsdb/db.h"

namespace epi::tsdb {
namespace {

using testing::MemoryFileSystem;
using Points = std::vector<std::pair<TimestampMs, double>>;
constexpr int64_t kRange = 100'000;
constexpr TimestampMs kBegin = 1'000'000;  // a bound of blocks

class HeadRulesTest : public ::testing::Test {
 protected:
  HeadRulesTest() {
    options_.directory = "/data";
    options_.head.group.block_range_ms = kRange;
    options_.max_block_duration_ms = kRange;
    options_.head.group.phase_entries = 10;
    Start();
  }
  void Start() {
    auto db = Db::Open(options_, {fs_, clock_, random_, Logger()});
    ASSERT_TRUE(db && (*db)->Load());
    db_ = std::move(*db);
  }
  // What the system was given is there, nothing else; the head's snapshot is not even tried.
  void Kill() {
    appenders_.clear();
    fs_.Restart(MemoryFileSystem::Loss::kProcess);
    db_.reset();
    Start();
  }
  BatchAppender& Of(const std::string& group) {
    auto& appender = appenders_[group];
    if (appender == nullptr) appender = *db_->OpenGroup({GroupIdentity::Kind::kScrape, group});
    return *appender;
  }
  void Add(const std::string& group, const std::string& series, double value) {
    Of(group).Add(*Of(group).Intern(Labels{{"__name__", series}}), value);
  }
  AppendReport Commit(const std::string& group, TimestampMs t) {
    auto report = Of(group).Commit(t);
    EXPECT_TRUE(report);
    return std::move(*report);
  }
  void Write(const std::string& group, const std::string& series, TimestampMs t, double value) {
    Add(group, series, value);
    ASSERT_TRUE(Commit(group, t).all_accepted()) << t;
  }
  Points Read(const View& view, const std::string& series) {
    const auto selection = view.Select(std::vector{Matcher::Equal("__name__", series)}, {}, budget_);
    EXPECT_TRUE(selection);
    Points out;
    if ((*selection)->size() == 0) return out;
    EXPECT_EQ((*selection)->size(), 1u);
    SeriesBatch batch;
    EXPECT_TRUE((*selection)->Read(0, 1, batch));
    for (size_t i = 0; i < batch.series[0].t.size(); ++i) out.emplace_back(batch.series[0].t[i], batch.series[0].v[i]);
    return out;
  }
  Points Read(const std::string& series) { return Read(**db_->OpenView({}), series); }

  MemoryFileSystem fs_;
  testing::SimulatedClock clock_;
  SeededRandom random_{1};
  Budget budget_{"test"};
  DbOptions options_;
  std::unique_ptr<Db> db_;
  std::map<std::string, std::unique_ptr<BatchAppender>> appenders_;
};

// Rule 1. The log holds differences: one to a value that the head refused would shift all values behind it.
TEST_F(HeadRulesTest, ARefusedSampleIsNoBaseOfTheNextOne) {
  Write("t", "m", kBegin + 10, 5);
  Add("t", "m", 1e9);
  EXPECT_FALSE(Commit("t", kBegin + 5).all_accepted());
  Write("t", "m", kBegin + 20, 6);
  Kill();
  EXPECT_EQ(Read("m"), (Points{{kBegin + 10, 5}, {kBegin + 20, 6}}));
}

// Rule 2. If the second batch used the first one's entry, whoever sees the first would see the second.
TEST_F(HeadRulesTest, ABatchDoesNotJoinTheEntryOfAnother) {
  Write("t", "a", kBegin, 1);
  Write("t", "b", kBegin, 1);
  Add("t", "a", 2);
  Commit("t", kBegin + 10);
  const auto before = *db_->OpenView({});
  Add("t", "b", 2);
  Commit("t", kBegin + 10);
  EXPECT_EQ(Read(*before, "a"), (Points{{kBegin, 1}, {kBegin + 10, 2}}));
  EXPECT_EQ(Read(*before, "b"), (Points{{kBegin, 1}}));
  EXPECT_EQ(Read("b"), (Points{{kBegin, 1}, {kBegin + 10, 2}}));
}

// Rule 5. A view that took its list of blocks and its head at two moments would miss what was cut in between, or have
// it twice.
TEST_F(HeadRulesTest, AViewFromBeforeACutReadsEverythingOnce) {
  Points all;
  for (TimestampMs t = kBegin; t < kBegin + 2 * kRange; t += 5'000) {
    Write("t", "m", t, static_cast<double>(t));
    all.emplace_back(t, static_cast<double>(t));
  }
  auto before = *db_->OpenView({});
  ASSERT_TRUE(db_->Maintain());
  ASSERT_EQ(db_->blocks().blocks()->size(), 1u);
  EXPECT_EQ(Read(*before, "m"), all);
  EXPECT_EQ(Read("m"), all);
  // Rule 19: what the view reads has not left the head.
  EXPECT_LT(db_->head().min_time(), kBegin + kRange);
  before.reset();
  ASSERT_TRUE(db_->Maintain());
  EXPECT_EQ(db_->head().min_time(), kBegin + kRange);
  EXPECT_EQ(Read("m"), all);
}

// Rule 8. A target that was another group after each start would write every series into a second one.
TEST_F(HeadRulesTest, AGroupIsTheSameAfterAStart) {
  Write("one", "a", kBegin, 1);
  Write("two", "b", kBegin, 1);
  for (int life = 1; life < 4; ++life) {
    if (life % 2 == 0) {
      Kill();
    } else {
      appenders_.clear();
      ASSERT_TRUE(db_->Close());
      Start();
    }
    // In the other order than before.
    Write("two", "b", kBegin + life, 1);
    Write("one", "a", kBegin + life, 1);
    EXPECT_EQ(db_->head().group_count(), 2u);
    EXPECT_EQ(db_->head().group(0).identity().key, "one");
    EXPECT_EQ(db_->head().group(1).identity().key, "two");
    EXPECT_EQ(db_->head().group(0).Counts().chunks(), 1u);
    EXPECT_EQ(db_->head().group(1).Counts().chunks(), 1u);
  }
}

// Rule 10. A series that leaves its column a second time keeps times of its own to the end of the phase, and the chunks
// that ended early are still read.
TEST_F(HeadRulesTest, ASeriesThatForksTwiceKeepsItsTimes) {
  std::map<std::string, Points> all;
  const auto commit = [&](TimestampMs t, const std::string& names) {
    for (const char name : names) {
      const std::string series(1, name);
      Add("t", series, static_cast<double>(t) + name);
      all[series].emplace_back(t, static_cast<double>(t) + name);
    }
    ASSERT_TRUE(Commit("t", t).all_accepted());
  };
  // Batches with one time part the series: first a from the others, then b from c.
  const std::vector<std::vector<std::string>> steps{{"abc"}, {"a", "bc"}, {"a", "b", "c"}, {"abc"}, {"c"}, {"abc"}};
  TimestampMs t = kBegin;
  for (const auto& batches : steps) {
    t += 10;
    for (const auto& names : batches) commit(t, names);
  }
  const auto expect_all = [&] {
    for (const auto& [series, points] : all) EXPECT_EQ(Read(series), points) << series;
  };
  expect_all();
  EXPECT_EQ(db_->head().group(0).Counts().open_chunks, 1u + 2u + 3u) << "of a, b and c";
  db_->head().SealAll();
  EXPECT_EQ(db_->head().group(0).Counts().sealed_chunks, 6u);
  expect_all();
  Kill();
  expect_all();
}

// Rule 15. A number that is given twice would make the second batch look replayed already.
TEST_F(HeadRulesTest, NumbersGoOnBehindSnapshotAndLog) {
  for (int i = 0; i < 5; ++i) Write("t", "m", kBegin + i, i);
  const uint64_t before = db_->highest_lsn();
  const uint64_t segment = db_->wal().current_segment();
  appenders_.clear();
  ASSERT_TRUE(db_->Close());  // writes a snapshot
  ASSERT_TRUE(fs_.RemoveAll("/data/epimetheus/wal"));
  Start();
  EXPECT_GE(db_->highest_lsn(), before);
  EXPECT_GT(db_->wal().current_segment(), segment);
  Write("t", "m", kBegin + 10, 10);
  Kill();
  EXPECT_EQ(Read("m").size(), 6u);
}

// Rule 19. A run over a bound of blocks could leave the head with neither of the blocks.
TEST_F(HeadRulesTest, NoRunCrossesABoundOfBlocks) {
  for (TimestampMs t = kBegin + kRange - 25'000; t < kBegin + kRange + 25'000; t += 7'000) Write("t", "m", t, 1);
  db_->head().SealAll();
  const auto runs = db_->head().group(0).InMemoryRuns();
  ASSERT_GE(runs.size(), 2u);
  for (const auto& run : runs) EXPECT_EQ(run->range().min / kRange, run->range().max / kRange);
}

// Rule 20. A batch that was admitted before the bound rose and applied after the cut has read would be in neither.
TEST_F(HeadRulesTest, RaisingTheBoundWaitsForOpenBatches) {
  Write("t", "m", kBegin, 1);
  Group& group = db_->head().group(0);
  group.BeginTurn();  // as a batch being committed
  std::atomic<bool> finished{false};
  std::atomic<bool> after{false};
  std::thread cut([&] {
    db_->head().SetMinValidTime(kBegin + kRange);
    after = finished.load();
  });
  // The bound counts at once: who takes a turn from here on is judged by it.
  while (db_->head().min_valid_time() < kBegin + kRange) std::this_thread::yield();
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  finished = true;
  group.Abandon();
  cut.join();
  EXPECT_TRUE(after);
  Add("t", "m", 2);
  const auto refused = Commit("t", kBegin + 10);
  EXPECT_EQ(refused.rejected[static_cast<size_t>(RejectReason::kOutOfBounds)].count, 1u);
}

// Rule 21. A deletion without an end would hide what comes; one that is not in the order of the log would hide what
// came after it, or bring back what came before.
TEST_F(HeadRulesTest, ADeletionHidesWhatWasThereAndNothingElse) {
  options_.head.out_of_order_window_ms = 50'000;
  Kill();
  for (int i = 0; i < 25; ++i) Write("t", "m", kBegin + i * 1000, i);
  Of("t").AddAt(*Of("t").Intern(Labels{{"__name__", "m"}}), kBegin + 500, 0.5);  // late
  ASSERT_TRUE(Commit("t", kBegin).all_accepted());
  const std::vector<std::vector<Matcher>> all{{Matcher::Equal("__name__", "m")}};
  ASSERT_TRUE(db_->Delete(all, {}));
  EXPECT_TRUE(Read("m").empty());  // runs, open phase and late samples
  Write("t", "m", kBegin + 30'000, 30);
  const Points left{{kBegin + 30'000, 30}};
  EXPECT_EQ(Read("m"), left);
  Kill();
  EXPECT_EQ(Read("m"), left);
  for (TimestampMs t = kBegin + 40'000; t < kBegin + 2 * kRange; t += 10'000) Write("t", "m", t, 1);
  ASSERT_TRUE(db_->Maintain());  // the cut leaves out what is deleted
  ASSERT_FALSE(db_->blocks().blocks()->empty());
  EXPECT_EQ(Read("m").front(), left[0]);
}

// Rule 21. A late sample may be older than the last cut and yet in no block: its deletion must not go before it does.
TEST_F(HeadRulesTest, ADeletionStaysAsLongAsALateSampleBeforeTheCut) {
  options_.head.out_of_order_window_ms = 2 * kRange;
  Kill();
  for (TimestampMs t = kBegin; t < kBegin + 2 * kRange; t += 10'000) Write("t", "m", t, 1);
  ASSERT_TRUE(db_->Maintain());
  ASSERT_EQ(db_->head().clip(), kBegin + kRange);
  Of("t").AddAt(*Of("t").Intern(Labels{{"__name__", "m"}}), kBegin + 5'500, 7);
  ASSERT_TRUE(Commit("t", 0).all_accepted());
  const size_t before = Read("m").size();
  const std::vector<std::vector<Matcher>> all{{Matcher::Equal("__name__", "m")}};
  ASSERT_TRUE(db_->Delete(all, {kBegin + 5'000, kBegin + 6'000}));
  EXPECT_EQ(Read("m").size(), before - 1);
  appenders_.clear();
  ASSERT_TRUE(db_->Close());
  Start();
  EXPECT_EQ(Read("m").size(), before - 1);
  Kill();
  EXPECT_EQ(Read("m").size(), before - 1);
}

// Rule 22. Only the backfill takes any age.
TEST_F(HeadRulesTest, OnlyBackfillTakesAnyAge) {
  options_.head.out_of_order_window_ms = 1000;
  Kill();
  Write("t", "m", kBegin + kRange, 1);
  Of("t").AddAt(*Of("t").Intern(Labels{{"__name__", "m"}}), kBegin, 2);
  EXPECT_EQ(Commit("t", 0).rejected[static_cast<size_t>(RejectReason::kTooOld)].count, 1u);
  const auto backfill = *db_->OpenBackfill({});
  ASSERT_TRUE(backfill->Add(Labels{{"__name__", "m"}}, kBegin, 2, 0));
  ASSERT_TRUE(backfill->Commit());
  EXPECT_EQ(Read("m"), (Points{{kBegin, 2}, {kBegin + kRange, 1}}));
}

}  // namespace
}  // namespace epi::tsdb
