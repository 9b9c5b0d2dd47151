// What vanished series leave behind is used again, and nobody ever sees the difference.
#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "testing/memory_file_system.h"
#include "testing/simulated_clock.h"
#include "testing/temp_dir.h"
#include "tsdb/db.h"
#include "tsdb/head/head.h"
#include "tsdb/wal/volatile_log.h"

namespace epi::tsdb {
namespace {

constexpr TimestampMs kReclaimHour = 3'600'000;

std::vector<bool> MarkAllBut(const SymbolTable& table, SymbolId id) {
  std::vector<bool> used(table.count(), true);
  used[static_cast<size_t>(id)] = false;
  return used;
}

TEST(SymbolTableTest, ARetiredSymbolIsThereForOlderViewsOnly) {
  SymbolTable table;
  const SymbolId kept = table.Intern("kept");
  const SymbolId gone = table.Intern("gone");
  const auto before = table.now();
  table.BeginRetiring();
  EXPECT_EQ(table.Retire(MarkAllBut(table, gone)), 1u);
  EXPECT_EQ(table.Find("gone"), std::nullopt);
  EXPECT_EQ(table.FindAsOf("gone", before), gone);
  EXPECT_EQ(table.FindAsOf("gone", table.now()), std::nullopt);
  EXPECT_EQ(table.Text(gone), "gone");
  EXPECT_EQ(table.Find("kept"), kept);
  // The text comes back as another symbol: the older view still means the first one.
  const SymbolId again = table.Intern("gone");
  EXPECT_NE(again, gone);
  EXPECT_EQ(table.FindAsOf("gone", before), gone);
  EXPECT_FALSE(table.KnownAt(again, before));
  EXPECT_EQ(table.FindAsOf("gone", table.now()), again);
}

TEST(SymbolTableTest, AReleasedIdIsUnknownToViewsFromBeforeItsNextLife) {
  SymbolTable table;
  table.Intern("kept");
  const SymbolId gone = table.Intern("gone");
  table.BeginRetiring();
  table.Retire(MarkAllBut(table, gone));
  EXPECT_GE(table.now(), table.retired_at());
  const auto between = table.now();
  EXPECT_EQ(table.ReleaseRetired(), std::vector<uint32_t>{static_cast<uint32_t>(gone)});
  const SymbolId next = table.Intern("next");
  EXPECT_EQ(next, gone) << "the number is used again";
  EXPECT_FALSE(table.KnownAt(next, between));
  EXPECT_TRUE(table.KnownAt(next, table.now()));
  EXPECT_EQ(table.FindAsOf("next", between), std::nullopt);
  EXPECT_EQ(table.Text(next), "next");
}

TEST(SymbolTableTest, WhatIsInternedMeanwhileIsSpared) {
  SymbolTable table;
  const SymbolId a = table.Intern("a");
  const SymbolId b = table.Intern("b");
  table.BeginRetiring();
  const std::vector<bool> used(table.count(), false);
  EXPECT_EQ(table.Intern("a"), a);
  const SymbolId c = table.Intern("c");
  EXPECT_EQ(table.Retire(used), 1u);
  EXPECT_EQ(table.Find("a"), a);
  EXPECT_EQ(table.Find("c"), c);
  EXPECT_EQ(table.Find("b"), std::nullopt);
  EXPECT_EQ(table.ReleaseRetired(), std::vector<uint32_t>{static_cast<uint32_t>(b)});
}

TEST(SymbolTableTest, RandomChurnKeepsTextsAndSize) {
  SymbolTable table;
  SeededRandom random{7};
  std::map<std::string, SymbolId> alive;
  size_t bytes = 0;
  size_t number = 0;
  for (int round = 0; round < 60; ++round) {
    while (alive.size() < 5000) {
      std::string text = "text " + std::to_string(number++) + std::string(random.Below(40), 'x');
      if (random.Below(500) == 0) text += std::string(20'000 + random.Below(100'000), 'y');
      const SymbolId id = table.Intern(text);
      alive.emplace(std::move(text), id);
    }
    for (const auto& [text, id] : alive) {
      ASSERT_EQ(table.Find(text), id);
      ASSERT_EQ(table.Text(id), text);
    }
    for (auto at = alive.begin(); at != alive.end();) at = random.Below(2) == 0 ? alive.erase(at) : std::next(at);
    std::vector<bool> used(table.count(), false);
    for (const auto& [text, id] : alive) used[static_cast<size_t>(id)] = true;
    table.BeginRetiring();
    table.Retire(used);
    table.ReleaseRetired();
    table.FreeAbandoned();
    ASSERT_EQ(table.usage().symbols, alive.size());
    if (round == 10) bytes = table.bytes();
  }
  EXPECT_LT(table.bytes(), bytes + bytes / 3);
}

TEST(SymbolTableTest, RestoreGivesANumberItsLatestText) {
  SymbolTable table;
  ASSERT_TRUE(table.Restore(SymbolId{5}, "first"));
  ASSERT_TRUE(table.Restore(SymbolId{5}, "second"));
  EXPECT_EQ(table.Find("first"), std::nullopt);
  EXPECT_EQ(table.Find("second"), SymbolId{5});
  EXPECT_FALSE(table.Restore(SymbolId{6}, "second"));
  table.FinishRestore();
  EXPECT_EQ(table.Intern("third"), SymbolId{0});
}

TEST(LabelStoreTest, TemplatesGoWithTheirLastTuple) {
  LabelStore store;
  size_t bytes = 0;
  for (uint32_t round = 0; round < 50; ++round) {
    std::vector<LabelStore::Offset> offsets;
    for (uint32_t i = 0; i < 500; ++i) {
      const std::vector<LabelSymbols> tuple{{SymbolId{1}, SymbolId{round}}, {SymbolId{2}, SymbolId{i}}};
      const auto offset = store.Add(round * 500 + i, tuple);  // each a family of its own
      ASSERT_TRUE(offset);
      std::vector<LabelSymbols> back;
      store.Decode(*offset, back);
      ASSERT_EQ(back, tuple);
      offsets.push_back(*offset);
    }
    for (const auto offset : offsets) store.Free(offset);
    if (round == 2) bytes = store.bytes();
  }
  EXPECT_EQ(store.bytes(), bytes);
}

TEST(LabelHashTableTest, RandomAddsAndRemovesFindWhatIsThere) {
  LabelHashTable table;
  SeededRandom random{3};
  std::map<uint32_t, uint64_t> alive;
  for (uint32_t id = 0; id < 40'000; ++id) {
    // Few tags, so that clusters are long and wrap around.
    const uint64_t hash = (random.Below(64) == 0 ? 0xffffffffull : random.Below(5000) * 800'000) << 32 | id;
    table.Add(hash, id);
    alive[id] = hash;
    if (random.Below(3) == 0) continue;
    const auto gone = alive.lower_bound(static_cast<uint32_t>(random.Below(id + 1)));
    if (gone == alive.end()) continue;
    table.Remove(gone->second, gone->first);
    alive.erase(gone);
  }
  for (const auto& [id, hash] : alive) {
    const uint32_t wanted = id;
    ASSERT_EQ(table.Find(hash, [&](uint32_t candidate) { return candidate == wanted; }), wanted);
  }
  for (const auto& [id, hash] : alive) table.Remove(hash, id);
  EXPECT_LE(table.bytes(), 64u << 10);
}

class ReclaimTest : public ::testing::Test {
 protected:
  // A target of 100 series that has `count` scrapes from `start` on; then it is gone.
  void RunTarget(int life, TimestampMs start, int count) {
    auto appender = head_.OpenGroup({GroupIdentity::Kind::kScrape, "target " + std::to_string(life)});
    ASSERT_TRUE(appender);
    std::vector<SeriesRef> refs;
    for (int s = 0; s < 100; ++s) {
      const Labels labels{{"__name__", "metric_" + std::to_string(s / 10)},
                          {"id", "unique " + std::to_string(life * 1000 + s)},
                          {"pod", "pod " + std::to_string(life)}};
      refs.push_back(*(*appender)->Intern(labels));
    }
    (*appender)->SetMetadata(refs[0], {});
    for (int i = 0; i < count; ++i) {
      for (const SeriesRef ref : refs) (*appender)->Add(ref, life + i * 0.1);
      ASSERT_TRUE((*appender)->Commit(start + i * 60'000));
    }
  }
  std::map<std::string, size_t> Read(const View& view, TimeRange range) {
    SelectHints hints;
    hints.range = range;
    std::map<std::string, size_t> out;
    const auto selection =
        view.Select(std::vector<Matcher>{*Matcher::Make(MatchType::kRegexp, "pod", "pod.*")}, hints, budget_);
    EXPECT_TRUE(selection);
    SeriesBatch batch;
    for (size_t i = 0; i < (*selection)->size(); ++i) {
      EXPECT_TRUE((*selection)->Read(i, 1, batch));
      out[ToLabels((*selection)->labels(i), view.symbols()).ToString()] += batch.series[0].t.size();
    }
    return out;
  }
  VolatileLog log_;
  Budget budget_{"test"};
  Head head_{{}, log_, nullptr};
};

TEST_F(ReclaimTest, MemoryIsFlatWhileTargetsComeAndGo) {
  size_t after_some = 0;
  size_t groups = 0;
  for (int round = 0; round < 40; ++round) {
    const TimestampMs start = round * 2 * kReclaimHour;
    for (int i = 0; i < 10; ++i) RunTarget(round * 10 + i, start, 30);
    if (round > 0) {
      ASSERT_TRUE(head_.TruncateBefore(start, log_.written()));
    }
    head_.Reclaim();
    head_.Reclaim();
    EXPECT_EQ(head_.series_count(), 1000u);
    EXPECT_EQ(Read(*head_.OpenView({}), {}).size(), 1000u);
    if (round == 15) {
      after_some = head_.Memory().total();
      groups = head_.group_count();
    }
  }
  EXPECT_LE(head_.Memory().total(), after_some + after_some / 10);
  EXPECT_EQ(head_.group_count(), groups);
  EXPECT_LE(groups, 30u);
}

TEST_F(ReclaimTest, AnOpenViewNamesWhatItKnewAndNothingOfTheNextLife) {
  RunTarget(1, 0, 10);
  RunTarget(2, 2 * kReclaimHour, 10);
  ASSERT_TRUE(head_.TruncateBefore(2 * kReclaimHour, log_.written()));
  // It opened when target 1 was gone but its symbols were not released yet.
  const auto old = head_.OpenView({});
  const SymbolId own = old->symbols().Intern("pod 1");
  EXPECT_EQ(old->symbols().Text(own), "pod 1");
  for (int i = 0; i < 4; ++i) head_.Reclaim();
  RunTarget(1, 2 * kReclaimHour, 10);
  for (int i = 3; i < 20; ++i) RunTarget(i, 2 * kReclaimHour, 10);
  EXPECT_EQ(old->symbols().Find("pod 1"), own);
  EXPECT_EQ(old->symbols().Text(own), "pod 1");
  EXPECT_EQ(Read(*old, {}).size(), 100u) << "target 2 alone";
  EXPECT_EQ(Read(*head_.OpenView({}), {}).size(), 1900u);
}

TEST_F(ReclaimTest, AGroupStaysWhileAnAppenderIsOpen) {
  auto held = head_.OpenGroup({GroupIdentity::Kind::kScrape, "target 1"});
  ASSERT_TRUE(held);
  RunTarget(1, 0, 3);
  RunTarget(2, 4 * kReclaimHour, 3);
  ASSERT_TRUE(head_.TruncateBefore(4 * kReclaimHour, log_.written()));
  for (int i = 0; i < 3; ++i) head_.Reclaim();
  const SeriesRef ref = *(*held)->Intern({{"__name__", "late"}, {"pod", "pod 1"}});
  (*held)->Add(ref, 1);
  ASSERT_TRUE((*held)->Commit(5 * kReclaimHour));
  RunTarget(3, 5 * kReclaimHour, 3);
  EXPECT_EQ(Read(*head_.OpenView({}), {}).size(), 201u);
}

TEST_F(ReclaimTest, IdleGroupsAreSealed) {
  RunTarget(1, 0, 3);
  EXPECT_GT(head_.Memory().arenas, 0u);
  RunTarget(2, kReclaimHour, 1);
  head_.SealIdle();
  EXPECT_EQ(head_.group(0).Counts().open_chunks, 100u) << "it may only be that another is ahead";
  head_.SealIdle();
  EXPECT_EQ(head_.group(0).Counts().open_chunks, 0u);
  EXPECT_EQ(head_.group(1).Counts().open_chunks, 100u);
  EXPECT_EQ(Read(*head_.OpenView({}), {}).size(), 200u);
}

TEST_F(ReclaimTest, APhaseThatTakesMuchMemoryEndsSooner) {
  auto appender = head_.OpenGroup({GroupIdentity::Kind::kScrape, "noise"});
  std::vector<SeriesRef> refs;
  for (int s = 0; s < 200; ++s) refs.push_back(*(*appender)->Intern({{"__name__", "noise"}, {"s", std::to_string(s)}}));
  SeededRandom random{1};
  size_t most = 0;
  for (int i = 0; i < 400; ++i) {
    for (const SeriesRef ref : refs) (*appender)->Add(ref, random.Unit());
    ASSERT_TRUE((*appender)->Commit(i * 15'000));
    most = std::max(most, head_.Memory().arenas);
  }
  // A phase has at least a quarter of its usual entries, some 8 bytes each.
  EXPECT_LT(most, 200u * 30 * 12);
}

// The same through the database: cuts, the series log, and starts between.
TEST(ReclaimDbTest, NumbersThatMeanSomethingElseNowSurviveStarts) {
  testing::TempDir dir;
  const TimestampMs base = 1'700'006'400'000;
  const auto open = [&] {
    auto db = std::move(*Db::Open({.directory = dir.path()}, {PosixFileSystem(), SystemClock(), SystemRandom(), {}}));
    EXPECT_TRUE(db->Load());
    return db;
  };
  auto db = open();
  Budget budget("test");
  size_t symbols = 0;
  for (int round = 0; round < 12; ++round) {
    const TimestampMs start = base + round * 2 * kReclaimHour;
    {
      auto appender = db->OpenGroup({GroupIdentity::Kind::kScrape, "target " + std::to_string(round)});
      ASSERT_TRUE(appender);
      std::vector<SeriesRef> refs;
      for (int s = 0; s < 70; ++s) {
        refs.push_back(
            *(*appender)->Intern({{"__name__", "m"}, {"id", "r" + std::to_string(round) + " s" + std::to_string(s)}}));
      }
      for (int i = 0; i < 100; ++i) {
        for (size_t s = 0; s < refs.size(); ++s)
          (*appender)->Add(refs[s], static_cast<double>(round * 1000 + static_cast<int>(s)));
        ASSERT_TRUE((*appender)->Commit(start + i * 60'000));
      }
    }
    ASSERT_TRUE(db->Maintain());
    ASSERT_TRUE(db->Maintain());
    if (round % 3 == 2) {
      if (round == 5) {
        ASSERT_TRUE(db->Close());
      }
      db.reset();
      db = open();
      EXPECT_TRUE(db->replay_report().damage.empty());
    }
    const auto view = db->OpenView({});
    ASSERT_TRUE(view);
    SelectHints hints;
    const auto selection = (*view)->Select(std::vector<Matcher>{Matcher::Equal("__name__", "m")}, hints, budget);
    ASSERT_TRUE(selection);
    EXPECT_EQ((*selection)->size(), 70u * static_cast<size_t>(round + 1));
    SeriesBatch batch;
    for (size_t i = 0; i < (*selection)->size(); ++i) {
      ASSERT_TRUE((*selection)->Read(i, 1, batch));
      const std::string id(ToLabels((*selection)->labels(i), (*view)->symbols()).Get("id"));
      const size_t space = id.find(' ');
      const double wanted = std::stoi(id.substr(1, space - 1)) * 1000 + std::stoi(id.substr(space + 2));
      ASSERT_EQ(batch.series[0].v.size(), 100u) << id;
      ASSERT_EQ(batch.series[0].v[0], wanted) << id;
    }
    if (round == 4) symbols = db->head().symbols().count();
  }
  EXPECT_LE(db->head().symbols().count(), symbols + 10) << "numbers are used again";
}

// The process is killed at every operation while targets come and go: a number never gets the samples or the labels of
// another of its lives, whatever of log, series log and blocks was written.
TEST(ReclaimDbTest, KilledAtEveryOperationNoNumberTakesTheSamplesOfAnotherLife) {
  constexpr int kSeries = 5;
  constexpr int kScrapes = 4;
  const TimestampMs base = 1'700'006'400'000;
  size_t starts_after_reuse = 0;
  for (uint64_t cut = 20;; cut += 3) {
    testing::MemoryFileSystem fs;
    testing::SimulatedClock clock;
    DbOptions options;
    options.directory = "/data";
    options.wal_segment_bytes = 2000;
    options.head.group.phase_entries = 10;
    const auto open = [&]() -> std::unique_ptr<Db> {
      auto db = Db::Open(options, {fs, clock, SystemRandom(), {}});
      if (!db || !(*db)->Load()) return nullptr;
      return std::move(*db);
    };
    std::map<int, size_t> acknowledged;  // scrapes by round
    int round = 0;
    bool killed = false;
    fs.CutAfter(cut);
    for (int life = 0; life < 3; ++life) {
      auto db = open();
      for (const int end = round + 5; db != nullptr && round < end;) {
        auto appender = db->OpenGroup({GroupIdentity::Kind::kScrape, "target " + std::to_string(round)});
        if (!appender) break;
        std::vector<SeriesRef> refs;
        for (int s = 0; s < kSeries; ++s) {
          const std::string id = std::to_string(round) + " " + std::to_string(s);
          refs.push_back(*(*appender)->Intern({{"__name__", "m"}, {"id", id}}));
        }
        bool alive = true;
        for (int i = 0; alive && i < kScrapes; ++i) {
          for (int s = 0; s < kSeries; ++s) (*appender)->Add(refs[static_cast<size_t>(s)], round * 1000 + s);
          alive = (*appender)->Commit(base + round * 2 * kReclaimHour + i * 1'800'000).has_value();
          acknowledged[round] += alive ? 1 : 0;
        }
        ++round;
        if (!alive || !db->Maintain() || !db->Maintain()) break;
        starts_after_reuse += db->head().group_count() < static_cast<size_t>(round) && killed ? 1 : 0;
      }
      killed = killed || fs.cut();
      db.reset();
      fs.Restart(testing::MemoryFileSystem::Loss::kProcess);
    }
    const auto db = open();
    ASSERT_NE(db, nullptr) << "cut " << cut;
    Budget budget("test");
    const auto view = db->OpenView({});
    ASSERT_TRUE(view);
    const auto selection = (*view)->Select(std::vector<Matcher>{Matcher::Equal("__name__", "m")}, {}, budget);
    ASSERT_TRUE(selection);
    std::map<int, size_t> series_of;
    SeriesBatch batch;
    for (size_t i = 0; i < (*selection)->size(); ++i) {
      ASSERT_TRUE((*selection)->Read(i, 1, batch));
      const std::string id(ToLabels((*selection)->labels(i), (*view)->symbols()).Get("id"));
      const int of_round = std::stoi(id);
      const int s = std::stoi(id.substr(id.find(' ')));
      const auto& samples = batch.series[0];
      if (!samples.v.empty()) ++series_of[of_round];
      // The commit that was cut short may be there or not.
      ASSERT_GE(samples.v.size(), acknowledged[of_round]) << "cut " << cut << " series " << id;
      ASSERT_LE(samples.v.size(), acknowledged[of_round] + 1) << "cut " << cut << " series " << id;
      for (size_t k = 0; k < samples.v.size(); ++k) {
        ASSERT_EQ(samples.v[k], of_round * 1000 + s) << "cut " << cut << " series " << id;
        ASSERT_EQ(samples.t[k], base + of_round * 2 * kReclaimHour + static_cast<int64_t>(k) * 1'800'000);
      }
    }
    for (const auto& [of_round, scrapes] : acknowledged) {
      if (scrapes > 0) {
        ASSERT_EQ(series_of[of_round], size_t{kSeries}) << "cut " << cut << " round " << of_round;
      }
    }
    EXPECT_TRUE(db->replay_report().damage.empty()) << "cut " << cut;
    if (!killed) break;  // the cut lies behind the end
  }
  EXPECT_GT(starts_after_reuse, 10u);
}

// Should the record be lost that says that a series is gone, whoever gets its symbol's number does not rename it.
TEST_F(ReclaimTest, ASymbolDefinedAgainDoesNotRenameASeries) {
  ASSERT_TRUE(head_.RestoreGroup(0, {GroupIdentity::Kind::kScrape, "target"}));
  for (const uint32_t id : {0u, 1u}) ASSERT_TRUE(head_.RestoreSeries(0, id, 1, 0));
  const std::vector<LabelSymbols> kept{{SymbolId{0}, SymbolId{1}}};
  const std::vector<LabelSymbols> gone{{SymbolId{0}, SymbolId{2}}};
  ASSERT_TRUE(head_.RestoreSymbol(SymbolId{0}, "pod"));
  ASSERT_TRUE(head_.RestoreSymbol(SymbolId{1}, "pod 1"));
  ASSERT_TRUE(head_.RestoreSymbol(SymbolId{2}, "pod 2"));
  ASSERT_TRUE(head_.IndexSeries(0, 1, kept));
  ASSERT_TRUE(head_.IndexSeries(1, 1, gone));
  EXPECT_FALSE(head_.RestoreSymbol(SymbolId{2}, "pod 3"));
  head_.FinishReplay();
  EXPECT_NE(head_.Find({{"pod", "pod 1"}}), kNoSeries);
  EXPECT_EQ(head_.Find({{"pod", "pod 2"}}), kNoSeries);
  EXPECT_EQ(head_.Find({{"pod", "pod 3"}}), kNoSeries);
  EXPECT_EQ(head_.series_count(), 1u);
}

// A symbol that nobody uses is retired without a word in the log; its text may come back under another number.
TEST_F(ReclaimTest, ATextThatComesBackUnderAnotherNumberIsRestored) {
  ASSERT_TRUE(head_.RestoreGroup(0, {GroupIdentity::Kind::kScrape, "target"}));
  ASSERT_TRUE(head_.RestoreSeries(0, 0, 1, 0));
  ASSERT_TRUE(head_.RestoreRemoved(0));
  ASSERT_TRUE(head_.RestoreSeries(0, 0, 3, 5));
  ASSERT_TRUE(head_.RestoreSymbol(SymbolId{0}, "pod"));
  ASSERT_TRUE(head_.RestoreSymbol(SymbolId{1}, "pod 1"));
  ASSERT_TRUE(head_.IndexSeries(0, 1, std::vector<LabelSymbols>{{SymbolId{0}, SymbolId{1}}}));
  ASSERT_TRUE(head_.RestoreSymbol(SymbolId{2}, "pod 1"));
  ASSERT_TRUE(head_.IndexSeries(0, 3, std::vector<LabelSymbols>{{SymbolId{0}, SymbolId{2}}}));
  ASSERT_TRUE(head_.RestoreSymbol(SymbolId{1}, "pod 2"));
  head_.FinishReplay();
  EXPECT_NE(head_.Find({{"pod", "pod 1"}}), kNoSeries);
  EXPECT_EQ(head_.Find({{"pod", "pod 2"}}), kNoSeries);
  EXPECT_EQ(head_.series_count(), 1u);
}

}  // namespace
}  // namespace epi::tsdb
