// What is appended while the head is loading is there afterwards as if it had been appended then, and whatever was
// acknowledged survives.
#include "tsdb/early/early_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>

#include "base/crc32c.h"
#include "testing/gated_file_system.h"
#include "testing/memory_file_system.h"
#include "testing/simulated_clock.h"
#include "tsdb/db.h"

namespace epi::tsdb {
namespace {

using testing::MemoryFileSystem;
using EarlyPoints = std::vector<std::pair<TimestampMs, double>>;
using EarlyContent = std::map<std::string, EarlyPoints>;

constexpr TimestampMs kEarlyBase = 1'700'000'000'000;
constexpr const char* kEarlyFile = "/data/epimetheus/early/00000001.early";

// Bits, so that stale markers are equal; histograms by their count.
EarlyContent ContentOf(const Storage& db) {
  Budget budget("test");
  EarlyContent out;
  const auto view = db.OpenView({});
  EXPECT_TRUE(view);
  const auto selection =
      (*view)->Select(std::vector{*Matcher::Make(MatchType::kRegexp, "__name__", ".+")}, SelectHints{}, budget);
  EXPECT_TRUE(selection);
  SeriesBatch batch;
  for (size_t i = 0; i < (*selection)->size(); ++i) {
    EXPECT_TRUE((*selection)->Read(i, 1, batch));
    EarlyPoints& points = out[ToLabels((*selection)->labels(i), (*view)->symbols()).ToString()];
    const SeriesSamples& series = batch.series[0];
    for (size_t k = 0; k < series.t.size(); ++k)
      points.emplace_back(series.t[k], IsStaleNaN(series.v[k]) ? -4711.0 : series.v[k]);
    for (const auto& point : series.histograms) points.emplace_back(point.t, point.h->count);
  }
  return out;
}

class EarlyLogTest : public ::testing::Test {
 protected:
  // Opens and loads; `meanwhile` runs when the log is about to be replayed.
  Result<std::unique_ptr<Db>> Open(const std::function<void(Db&)>& meanwhile = {}) {
    options_.directory = "/data";
    EPI_ASSIGN(auto db, Db::Open(options_, {gate_, clock_, random_, Logger()}));
    bool done = false;
    gate_.SetHook([&](const std::string& path) {
      if (done || !meanwhile || !db->early_log().open() || !path.ends_with("/snapshot")) return;
      done = true;
      meanwhile(*db);
    });
    const auto loaded = db->Load();
    gate_.SetHook({});
    EPI_TRY(loaded);
    EXPECT_TRUE(done || !meanwhile);
    return db;
  }
  static std::unique_ptr<BatchAppender> Target(Storage& db, const std::string& name = "target") {
    auto appender = db.OpenGroup({GroupIdentity::Kind::kScrape, name});
    EXPECT_TRUE(appender.has_value());
    return std::move(*appender);
  }
  // A few batches before anything is early, so that there is something to load.
  void Prepare() {
    const auto db = Open();
    const auto appender = Target(**db);
    for (int i = 0; i < 3; ++i) {
      appender->Add(*appender->Intern({{"__name__", "m"}, {"i", "0"}}), i);
      EXPECT_TRUE(appender->Commit(kEarlyBase + i * 1000));
    }
    EXPECT_TRUE((*db)->Close());
  }
  bool Exists(const char* path) { return fs_.Exists(path); }

  MemoryFileSystem fs_;
  testing::GatedFileSystem gate_{fs_};
  testing::SimulatedClock clock_;
  SeededRandom random_{1};
  DbOptions options_;
};

// Every way of adding, and what the head has to refuse: late, twice, of two kinds.
void AddEverything(BatchAppender& appender, int round) {
  const TimestampMs now = kEarlyBase + 10'000 + round * 1000;
  const SeriesRef a = *appender.Intern({{"__name__", "m"}, {"i", "0"}});
  const SeriesRef b = *appender.Intern({{"__name__", "b"}});
  const SeriesRef h = *appender.Intern({{"__name__", "h"}});
  appender.Add(a, round);
  appender.Add(a, round + 100);  // twice: the first counts
  appender.AddAt(b, now - 5000, 1.0 * round, now - 9000);
  appender.AddAt(b, now, 2.0 * round);
  appender.AddAt(b, now - 3000, 3.0 * round);
  if (round == 2) appender.Add(b, StaleNaN());
  auto histogram = std::make_shared<Histogram>();
  histogram->count = histogram->zero_count = static_cast<uint64_t>(round) + 1;
  appender.AddHistogram({h, BatchAppender::kBatchTime, 0, histogram, nullptr});
  appender.Add(h, 7);  // a histogram has that time already
  appender.AddExemplar(a, {Labels{{"id", std::to_string(round)}}, 1.0, now, true});
  appender.SetMetadata(a, {MetricType::kGauge, "", "help " + std::to_string(round)});
  EXPECT_TRUE(appender.Commit(now));
  appender.Add(a, 9);
  EXPECT_TRUE(appender.Commit(kEarlyBase + 500));  // out of order
}

TEST_F(EarlyLogTest, EqualsWhatIsAppendedAfterwards) {
  options_.head.max_exemplars = 10;
  Prepare();
  EarlyContent expected;
  {
    MemoryFileSystem other;
    testing::GatedFileSystem gate(other);
    auto db = Db::Open(options_, {gate, clock_, random_, Logger()});
    ASSERT_TRUE(db && (*db)->Load());
    const auto before = Target(**db);
    for (int i = 0; i < 3; ++i) {
      before->Add(*before->Intern({{"__name__", "m"}, {"i", "0"}}), i);
      EXPECT_TRUE(before->Commit(kEarlyBase + i * 1000));
    }
    for (int round = 0; round < 4; ++round) AddEverything(*before, round);
    expected = ContentOf(**db);
  }
  const auto db = Open([&](Db& loading) {
    EXPECT_FALSE(loading.OpenView({}));
    const auto appender = Target(loading);
    for (int round = 0; round < 4; ++round) AddEverything(*appender, round);
  });
  ASSERT_TRUE(db);
  EXPECT_EQ(ContentOf(**db), expected);
  EXPECT_GT(expected.at("{__name__=\"b\"}").size(), 4u);
  EXPECT_EQ((*db)->head().exemplars().stats().exemplars, 4u);
  EXPECT_EQ((*db)->head().Metadata("m")->help, "help 3");
  EXPECT_EQ((*db)->early_log().counters().batches.load(), 8u);
  EXPECT_FALSE(Exists(kEarlyFile));
  EXPECT_FALSE(Exists("/data/epimetheus/early/00000001.merging"));
}

TEST_F(EarlyLogTest, AppendersAndRefsStayGood) {
  Prepare();
  std::unique_ptr<BatchAppender> appender, silent;
  SeriesRef written{}, unwritten{};
  const auto db = Open([&](Db& loading) {
    appender = Target(loading, "other");
    silent = Target(loading, "silent");
    written = *appender->Intern({{"__name__", "w"}});
    appender->Add(written, 1);
    ASSERT_TRUE(appender->Commit(kEarlyBase));
    unwritten = *appender->Intern({{"__name__", "u"}});
  });
  ASSERT_TRUE(db);
  appender->set_list_refusals(true);
  appender->Add(written, StaleNaN());
  appender->Add(unwritten, 2);
  const SeriesRef later = *appender->Intern({{"__name__", "l"}});
  appender->Add(later, 3);
  EXPECT_EQ(appender->Find({{"__name__", "l"}}), later);
  appender->AddAt(written, kEarlyBase - 1, 5);
  const auto report = appender->Commit(kEarlyBase + 1000);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->accepted, 3u);
  EXPECT_TRUE(report->dead.empty());
  ASSERT_EQ(report->refusals.size(), 1u);
  EXPECT_EQ(report->refusals[0].ref, written);
  const EarlyContent has = ContentOf(**db);
  EXPECT_EQ(has.at("{__name__=\"w\"}"), (EarlyPoints{{kEarlyBase, 1}, {kEarlyBase + 1000, -4711.0}}));
  EXPECT_EQ(has.at("{__name__=\"u\"}"), (EarlyPoints{{kEarlyBase + 1000, 2}}));
  silent->Add(*silent->Intern({{"__name__", "s"}}), 1);
  EXPECT_TRUE(silent->Commit(kEarlyBase + 1000)->all_accepted());
  EXPECT_EQ(ContentOf(**db).at("{__name__=\"s\"}").size(), 1u);
  appender.reset();
  silent.reset();
}

// Batches of a target whose series come and go; what was acknowledged is in `shown`.
void WriteEarly(Storage& db, Random& random, TimestampMs& now, EarlyContent& shown) {
  auto appender = db.OpenGroup({GroupIdentity::Kind::kScrape, "target"});
  if (!appender) return;
  std::map<int, SeriesRef> refs;
  for (int n = 0; n < 5; ++n) {
    now += 1000;
    EarlyContent after = shown;
    for (int i = 0; i < 4; ++i) {
      const int series = static_cast<int>(random.Below(9));
      const Labels labels{{"__name__", "m"}, {"i", std::to_string(series)}};
      if (!refs.contains(series)) {
        const auto ref = (*appender)->Intern(labels);
        if (!ref) return;
        refs[series] = *ref;
      }
      EarlyPoints& points = after[labels.ToString()];
      if (!points.empty() && points.back().first == now) continue;
      points.emplace_back(now, n);
      (*appender)->Add(refs[series], n);
    }
    if (!(*appender)->Commit(now)) return;
    shown = std::move(after);
  }
}

// All of `shown`; each sample once.
void ExpectHoldsOnce(const EarlyContent& has, const EarlyContent& shown) {
  for (const auto& [name, points] : shown) {
    ASSERT_TRUE(has.contains(name)) << name;
    const EarlyPoints& found = has.at(name);
    for (const auto& point : points) EXPECT_EQ(std::count(found.begin(), found.end(), point), 1) << name;
  }
}

class EarlyKillTest : public EarlyLogTest {
 protected:
  // Three lives that end at some operation, while loading mostly, then one that reads.
  void Run(MemoryFileSystem::Loss loss, uint64_t step) {
    // With it, a batch that is appended twice would be seen.
    options_.head.out_of_order_window_ms = 1'000'000;
    size_t merged_twice = 0;
    for (uint64_t cut = 1; cut < 160; cut += step) {
      fs_.Format();
      SeededRandom random{cut};
      TimestampMs now = kEarlyBase;
      EarlyContent shown;
      fs_.CutAfter(cut);
      for (int life = 0; life < 3; ++life) {
        {
          bool early = false;
          const auto db = Open([&](Db& loading) {
            early = true;
            WriteEarly(loading, random, now, shown);
          });
          if (db) WriteEarly(**db, random, now, shown);
          merged_twice += early && Exists("/data/epimetheus/early/00000001.merging") ? 1 : 0;
        }
        fs_.Restart(loss, &random);
        fs_.CutAfter(life == 2 ? UINT64_MAX / 2 : random.Below(80));
      }
      const auto db = Open();
      ASSERT_TRUE(db) << "cut " << cut << ": " << db.error().message();
      ExpectHoldsOnce(ContentOf(**db), shown);
      EXPECT_TRUE((*db)->replay_report().damage.empty()) << cut;
      if (HasFailure()) FAIL() << "cut " << cut;
    }
    EXPECT_GT(merged_twice, 5u);
  }
};

TEST_F(EarlyKillTest, AKillAtAnyOperationLosesNothingAcknowledged) { Run(MemoryFileSystem::Loss::kProcess, 1); }

TEST_F(EarlyKillTest, PowerLossAtAnyOperationLosesNothingSynced) {
  options_.sync_each_commit = true;
  Run(MemoryFileSystem::Loss::kPower, 1);
}

// Without a sync a commit, the file is synced once a second.
TEST_F(EarlyLogTest, IsSyncedByTheClock) {
  Prepare();
  auto db = Open([&](Db& loading) {
    const auto appender = Target(loading);
    for (int i = 0; i < 2; ++i) {
      appender->Add(*appender->Intern({{"__name__", "s"}, {"i", std::to_string(i)}}), 1);
      ASSERT_TRUE(appender->Commit(kEarlyBase + 10'000));
      clock_.AdvanceMs(1500);
    }
    fs_.CutAfter(1);
  });
  EXPECT_FALSE(db);
  fs_.Restart(MemoryFileSystem::Loss::kPower);
  db = Open();
  ASSERT_TRUE(db);
  EXPECT_TRUE(ContentOf(**db).contains("{__name__=\"s\", i=\"1\"}"));
}

TEST_F(EarlyLogTest, WhatDoesNotFitIsRefusedAndCounted) {
  Prepare();
  options_.early_bytes_max = 600;
  size_t accepted = 0;
  const auto db = Open([&](Db& loading) {
    const auto appender = Target(loading);
    const SeriesRef ref = *appender->Intern({{"__name__", "s"}});
    for (int i = 0; i < 50; ++i) {
      appender->Add(ref, i);
      const auto report = appender->Commit(kEarlyBase + 10'000 + i);
      accepted += report ? 1 : 0;
      if (!report) {
        EXPECT_EQ(report.error().code(), ErrorCode::kUnavailable);
      }
    }
    // Names that are never written take no memory beyond it either.
    int named = 0;
    while (named < 100 && appender->Intern({{"__name__", "n"}, {"i", std::to_string(named)}})) ++named;
    EXPECT_LT(named, 10);
    EXPECT_LE(fs_.Stat(kEarlyFile)->size, 600u);
  });
  ASSERT_TRUE(db);
  EXPECT_GT(accepted, 2u);
  EXPECT_LT(accepted, 20u);
  EXPECT_EQ(ContentOf(**db).at("{__name__=\"s\"}").size(), accepted);
  EXPECT_EQ((*db)->early_log().counters().refused.load(), 50 - accepted + 1);
}

TEST_F(EarlyLogTest, AFullDiskRefusesAndTheNextBatchIsWhole) {
  Prepare();
  const auto db = Open([&](Db& loading) {
    const auto appender = Target(loading);
    const SeriesRef ref = *appender->Intern({{"__name__", "s"}});
    appender->Add(ref, 1);
    ASSERT_TRUE(appender->Commit(kEarlyBase + 10'000));
    fs_.SetSpace(0);
    appender->Add(ref, 2);
    EXPECT_FALSE(appender->Commit(kEarlyBase + 11'000));
    fs_.SetSpace(UINT64_MAX);
    appender->Add(ref, 3);
    EXPECT_TRUE(appender->Commit(kEarlyBase + 12'000));
  });
  ASSERT_TRUE(db);
  EXPECT_EQ(ContentOf(**db).at("{__name__=\"s\"}"), (EarlyPoints{{kEarlyBase + 10'000, 1}, {kEarlyBase + 12'000, 3}}));
}

// A directory that is refused, or of which that is not known yet, gets no file.
TEST_F(EarlyLogTest, AForeignDirectoryIsNotWrittenTo) {
  Prepare();
  auto file = fs_.Open("/data/epimetheus/wal/00000099.wal", OpenMode::kTruncate);
  std::string header = EncodeFileHeader({RecordFileKind::kWal, 99, 1});
  header[4] = 9;  // the version
  const uint32_t crc = Crc32c(std::string_view(header).substr(0, 28));
  std::memcpy(header.data() + 28, &crc, sizeof crc);
  ASSERT_TRUE((*file)->Append(header));
  bool early = false;
  const auto refused = Open([&](Db&) { early = true; });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
  EXPECT_FALSE(early);
  EXPECT_FALSE(Exists("/data/epimetheus/early"));
}

// What a life left behind, damaged anywhere: the start goes on with the rest, and says so.
TEST_F(EarlyLogTest, DamageCostsNoMoreThanWhatItHit) {
  Prepare();
  EXPECT_FALSE(Open([&](Db& loading) {
    const auto appender = Target(loading);
    for (int i = 0; i < 4; ++i) {
      appender->Add(*appender->Intern({{"__name__", "s"}, {"i", std::to_string(i)}}), i);
      ASSERT_TRUE(appender->Commit(kEarlyBase + 10'000 + i));
    }
    fs_.CutAfter(1);
  }));
  fs_.Restart(MemoryFileSystem::Loss::kProcess);
  const std::string whole = *fs_.ReadFile(kEarlyFile);
  size_t reported = 0;
  const auto start_with = [&](const std::string& bytes) -> size_t {
    MemoryFileSystem other;
    const auto file = other.CreateDirectories("/data/epimetheus/early") ? other.Open(kEarlyFile, OpenMode::kTruncate)
                                                                        : Result<std::unique_ptr<File>>();
    EXPECT_TRUE((*file)->Append(bytes));
    auto db = Db::Open(options_, {other, clock_, random_, Logger()});
    const auto loaded = (*db)->Load();
    EXPECT_TRUE(loaded) << loaded.error().message();
    if (!loaded) return 0;
    reported += (*db)->corruptions();
    EXPECT_FALSE(other.Exists(kEarlyFile));
    return ContentOf(**db).size();
  };
  EXPECT_EQ(start_with(whole), 4u);
  EXPECT_EQ(reported, 0u);
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_LE(start_with(whole.substr(0, size)), 3u) << size;
  EXPECT_EQ(reported, 0u);  // torn, not damaged
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
    // The first record says who the group is; without it nothing is known.
    const size_t kept = start_with(flipped);
    const size_t first_end = kRecordFileHeaderBytes + (whole.size() - kRecordFileHeaderBytes) / 4 + 20;
    if (at < kRecordFileHeaderBytes) {
      EXPECT_EQ(kept, 4u) << at;
    } else if (at > first_end) {
      EXPECT_EQ(kept, 3u) << at;
    }
  }
  EXPECT_GT(reported, whole.size() / 2);
}

}  // namespace
}  // namespace epi::tsdb
