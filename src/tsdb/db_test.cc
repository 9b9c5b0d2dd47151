#include "tsdb/db.h"

#include <gtest/gtest.h>

#include <map>

#include "testing/memory_file_system.h"
#include "testing/simulated_clock.h"
#include "testing/temp_dir.h"

namespace epi::tsdb {
namespace {

using testing::MemoryFileSystem;
using Points = std::vector<std::pair<TimestampMs, double>>;
using DbContent = std::map<std::string, Points>;

DbContent ReadAll(const Storage& db) {
  Budget budget("test");
  DbContent out;
  auto view = db.OpenView({});
  EXPECT_TRUE(view);
  SelectHints hints;
  auto selection = (*view)->Select(std::vector{*Matcher::Make(MatchType::kRegexp, "__name__", ".+")}, hints, budget);
  EXPECT_TRUE(selection);
  SeriesBatch batch;
  for (size_t i = 0; i < (*selection)->size(); ++i) {
    EXPECT_TRUE((*selection)->Read(i, 1, batch));
    Points& points = out[ToLabels((*selection)->labels(i), (*view)->symbols()).ToString()];
    for (size_t k = 0; k < batch.series[0].t.size(); ++k)
      points.emplace_back(batch.series[0].t[k], batch.series[0].v[k]);
  }
  return out;
}

class DbTest : public ::testing::Test {
 protected:
  std::unique_ptr<Db> Open(DbOptions options = {}) {
    options.directory = "/data";
    if (small_segments_) options.wal_segment_bytes = 2000;
    options.head.group.phase_entries = 10;
    auto db = Db::Open(options, {fs_, clock_, SystemRandom(), log_});
    if (!db) return nullptr;
    if (!(*db)->Load()) return nullptr;
    return std::move(*db);
  }
  static void LogLine(void* context, std::string_view line) {
    static_cast<DbTest*>(context)->log_text_.append(line).append("\n");
  }

  MemoryFileSystem fs_;
  testing::SimulatedClock clock_;
  std::string log_text_;
  Logger log_ = Logger::ToFunction(LogLevel::kInfo, LogFormat::kLogfmt, &LogLine, this);
  bool small_segments_ = false;
};

TEST_F(DbTest, AnswersNotReadyUntilLoaded) {
  auto db = Db::Open({.directory = "/data"}, {fs_, clock_, SystemRandom(), log_});
  ASSERT_TRUE(db);
  EXPECT_EQ((*db)->OpenView({}).error().message(), "TSDB not ready");
  EXPECT_EQ((*db)->OpenGroup({}).error().code(), ErrorCode::kUnavailable);
  (*db)->Start();
  EXPECT_TRUE((*db)->AwaitReady());
  EXPECT_TRUE((*db)->OpenView({}));
  EXPECT_TRUE((*db)->Close());
  EXPECT_FALSE(fs_.Exists("/data/lock"));
}

TEST_F(DbTest, TheLockKeepsASecondServerOut) {
  auto first = Open();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->clean_start(), 1);
  const auto second = Db::Open({.directory = "/data"}, {fs_, clock_, SystemRandom(), log_});
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().message().starts_with("lock DB directory: ")) << second.error().message();
  fs_.Restart(MemoryFileSystem::Loss::kProcess);
  first.reset();
  static_cast<void>(fs_.Open("/data/lock", OpenMode::kAppend));
  EXPECT_EQ(Open()->clean_start(), 0);
}

// Everything a batch can carry comes back, with refs to new series beside old ones.
TEST_F(DbTest, ReopenBringsEverythingBack) {
  DbContent expected;
  DbOptions options;
  options.head.max_exemplars = 10;
  options.head.out_of_order_window_ms = 100'000;
  for (int life = 0; life < 3; ++life) {
    auto db = Open(options);
    ASSERT_NE(db, nullptr);
    EXPECT_EQ(ReadAll(*db), expected);
    auto appender = *db->OpenGroup({GroupIdentity::Kind::kScrape, "target"});
    auto other = *db->OpenGroup({GroupIdentity::Kind::kRules, "rules" + std::to_string(life)});
    for (int t = 0; t < 50; ++t) {
      const TimestampMs now = 1'000'000 + life * 100'000 + t * 1000;
      for (int i = 0; i < 20; ++i) {
        if ((t + i) % 7 == 0) continue;
        const Labels labels{{"__name__", "m"}, {"i", std::to_string(i + life * 5)}};
        appender->Add(*appender->Intern(labels), i * t);
        expected[labels.ToString()].emplace_back(now, i * t);
      }
      EXPECT_TRUE(appender->Commit(now)->all_accepted());
      const Labels labels{{"__name__", "r"}, {"life", std::to_string(life)}};
      const auto ref = *other->Intern(labels);
      other->AddAt(ref, now + 500, t * 0.1, now - 5);
      other->AddExemplar(ref, {{{"id", "x"}}, 1.0 * t, now, true});
      other->SetMetadata(ref, {MetricType::kGauge, "", "help"});
      expected[labels.ToString()].emplace_back(now + 500, t * 0.1);
      EXPECT_TRUE(other->Commit(now)->all_accepted());
    }
    const Labels late{{"__name__", "r"}, {"life", std::to_string(life)}};
    other->AddAt(*other->Intern(late), 1'000'000 + life * 100'000 + 48'700, 7);
    EXPECT_TRUE(other->Commit(0)->all_accepted());
    auto& points = expected[late.ToString()];
    points.insert(points.end() - 1, {1'000'000 + life * 100'000 + 48'700, 7});
    EXPECT_EQ(ReadAll(*db), expected);
    EXPECT_EQ(db->head().Metadata("r")->help, "help");
    EXPECT_EQ(db->head().exemplars().stats().exemplars, 10u);
    appender.reset();
    other.reset();
    EXPECT_TRUE(db->Close());
  }
}

// The encoding byte of the first chunk of a block: it stands behind the file's header and the chunk's length.
int FirstEncoding(MemoryFileSystem& fs, const std::string& ulid) {
  const std::string file = fs.ReadFile("/data/" + ulid + "/chunks/000001").value_or("");
  size_t at = 8;
  while (at < file.size() && (file[at] & 0x80) != 0) ++at;
  return at + 1 < file.size() ? file[at + 1] : -1;
}

// What a view says of native histograms: nothing until there is one, and the same after a start.
TEST_F(DbTest, OutsideItsSamplesTheHeadShowsNothing) {
  const auto db = Open();
  ASSERT_NE(db, nullptr);
  auto appender = *db->OpenGroup({GroupIdentity::Kind::kScrape, "target"});
  appender->Add(*appender->Intern(Labels{{"__name__", "m"}}), 1);
  ASSERT_TRUE(appender->Commit(1'000'000));
  Budget budget("test");
  const auto seen = [&](TimeRange range) {
    const auto view = *db->OpenView(range);
    SelectHints hints;
    hints.range = range;
    const std::vector<Matcher> any = {*Matcher::Make(MatchType::kRegexp, "__name__", ".+")};
    return std::vector<size_t>{view->LabelNames({}, 0, budget)->size(),
                               view->LabelValues("__name__", {}, 0, budget)->size(),
                               view->LabelNames(any, 0, budget)->size(), (*view->Select(any, hints, budget))->size()};
  };
  EXPECT_EQ(seen({0, 999'999}), (std::vector<size_t>{0, 0, 0, 0}));
  EXPECT_EQ(seen({0, 1'000'000}), (std::vector<size_t>{1, 1, 1, 1}));
  EXPECT_EQ(seen({1'000'000, 2'000'000}), (std::vector<size_t>{1, 1, 1, 1}));
  EXPECT_EQ(seen({1'000'001, 2'000'000}), (std::vector<size_t>{0, 0, 0, 0}));
}

TEST_F(DbTest, ViewsKnowWhetherThereAreHistograms) {
  const auto held = [](const Db& db) { return (*db.OpenView({}))->MayHoldHistograms(); };
  {
    auto db = Open();
    ASSERT_NE(db, nullptr);
    auto appender = *db->OpenGroup({GroupIdentity::Kind::kScrape, "target"});
    appender->Add(*appender->Intern({{"__name__", "m"}}), 1);
    EXPECT_TRUE(appender->Commit(1'000'000)->all_accepted());
    EXPECT_FALSE(held(*db));
    auto histogram = std::make_shared<FloatHistogram>();
    appender->AddHistogram({*appender->Intern({{"__name__", "h"}}), 1'001'000, 0, nullptr, histogram});
    EXPECT_TRUE(appender->Commit(1'001'000)->all_accepted());
    EXPECT_TRUE(held(*db));
    EXPECT_TRUE(db->Close());
  }
  auto db = Open();
  ASSERT_NE(db, nullptr);
  EXPECT_TRUE(held(*db));
}

TEST_F(DbTest, BlocksAreWrittenInTheEncodingOfTheDay) {
  DbOptions options;
  options.head.group.block_range_ms = 100'000;
  auto db = Open(options);
  ASSERT_NE(db, nullptr);
  auto appender = *db->OpenGroup({GroupIdentity::Kind::kScrape, "target"});
  TimestampMs now = 1'000'000;
  const auto fill = [&] {
    for (int i = 0; i < 200; ++i, now += 1000) {
      appender->Add(*appender->Intern(Labels{{"__name__", "m"}}), i * 0.1);
      ASSERT_TRUE(appender->Commit(now)->all_accepted());
    }
    const auto done = db->Maintain();
    ASSERT_TRUE(done) << done.error().message();
  };
  const auto newest = [&] { return FirstEncoding(fs_, db->blocks().blocks()->back()->meta().ulid.ToString()); };
  fill();
  ASSERT_FALSE(db->blocks().blocks()->empty());
  EXPECT_EQ(newest(), static_cast<int>(ChunkEncoding::kXor));
  db->SetFloatEncoding(ChunkEncoding::kXor2);
  fill();
  EXPECT_EQ(newest(), static_cast<int>(ChunkEncoding::kXor2));
  EXPECT_EQ(ReadAll(*db).begin()->second.size(), 400u);
}

// One run of a workload until an operation fails. `shown` is what the last view that was opened had.
struct Shown {
  DbContent content;
  TimestampMs now = 1'000'000;
};

void Work(Db& db, Random& random, Shown& shown, int batches) {
  auto appender = db.OpenGroup({GroupIdentity::Kind::kScrape, "target"});
  if (!appender) return;
  for (int n = 0; n < batches; ++n) {
    shown.now += 1000;
    DbContent after = shown.content;
    for (int i = 0; i < 8; ++i) {
      if (random.Below(4) == 0) continue;
      const Labels labels{{"__name__", "m"},
                          {"i", std::to_string(random.Below(2) == 0 ? i : static_cast<int>(random.Below(500)))}};
      auto ref = (*appender)->Intern(labels);
      if (!ref) return;
      const double value = random.Below(3) == 0 ? random.Unit() : static_cast<double>(n);
      auto& points = after[labels.ToString()];
      if (!points.empty() && points.back().first == shown.now) continue;
      (*appender)->Add(*ref, value);
      points.emplace_back(shown.now, value);
    }
    const auto report = (*appender)->Commit(shown.now);
    if (!report) return;
    // A batch that was acknowledged is what a view may show.
    shown.content = std::move(after);
    if (random.Below(16) == 0 && !db.head().group_count()) return;
  }
}

// Everything that was acknowledged. A batch that was being committed when it ended may be there, too.
void ExpectHolds(const DbContent& has, const DbContent& must) {
  for (const auto& [name, points] : must) {
    const auto found = has.find(name);
    ASSERT_NE(found, has.end()) << name;
    for (const auto& point : points) {
      EXPECT_NE(std::find(found->second.begin(), found->second.end(), point), found->second.end())
          << name << " at " << point.first;
    }
  }
}

// The process is killed at every operation: all that was acknowledged is there after the next start.
TEST_F(DbTest, KillAtEveryOperationLosesNothingAcknowledged) {
  small_segments_ = true;
  for (uint64_t cut = 1; cut < 140; ++cut) {
    fs_.Format();
    SeededRandom random{cut};
    Shown shown;
    fs_.CutAfter(cut);
    for (int life = 0; life < 2; ++life) {
      if (auto db = Open()) {
        ExpectHolds(ReadAll(*db), shown.content);
        Work(*db, random, shown, 40);
      }
      fs_.Restart(MemoryFileSystem::Loss::kProcess);
      if (life == 0) fs_.CutAfter(random.Below(60));
    }
    auto db = Open();
    ASSERT_NE(db, nullptr) << "cut " << cut << log_text_;
    ExpectHolds(ReadAll(*db), shown.content);
    EXPECT_TRUE(db->replay_report().damage.empty()) << "cut " << cut;
    if (HasFatalFailure()) return;
  }
}

// With a sync per commit the same holds for power loss.
TEST_F(DbTest, PowerLossAtEveryOperationLosesNothingSynced) {
  small_segments_ = true;
  DbOptions options;
  options.sync_each_commit = true;
  for (uint64_t cut = 1; cut < 180; ++cut) {
    fs_.Format();
    SeededRandom random{cut};
    Shown shown;
    fs_.CutAfter(cut);
    for (int life = 0; life < 3; ++life) {
      if (auto db = Open(options)) {
        ExpectHolds(ReadAll(*db), shown.content);
        Work(*db, random, shown, 30);
      }
      fs_.Restart(MemoryFileSystem::Loss::kPower, &random);
      fs_.CutAfter(life == 2 ? UINT64_MAX / 2 : random.Below(100));
      if (HasFailure()) FAIL() << "cut " << cut << " life " << life;
    }
    auto db = Open(options);
    ASSERT_NE(db, nullptr) << "cut " << cut;
    ExpectHolds(ReadAll(*db), shown.content);
    if (HasFailure()) FAIL() << "cut " << cut;
  }
}

// Without it power loss may cost the end, but what is left is a state that was once shown, never a mixture.
TEST_F(DbTest, PowerLossWithoutSyncLeavesAnEarlierState) {
  small_segments_ = true;
  for (uint64_t seed = 1; seed < 60; ++seed) {
    fs_.Format();
    SeededRandom random{seed};
    Shown shown;
    {
      auto db = Open();
      Work(*db, random, shown, 20);
      fs_.Restart(MemoryFileSystem::Loss::kPower, &random);
    }
    auto db = Open();
    ASSERT_NE(db, nullptr);
    const DbContent has = ReadAll(*db);
    for (const auto& [name, points] : has) {
      for (const auto& point : points) {
        const auto& all = shown.content[name];
        EXPECT_NE(std::find(all.begin(), all.end(), point), all.end()) << name << " " << point.first;
      }
    }
  }
}

TEST_F(DbTest, DamageIsReportedSetAsideAndNeverStopsAStart) {
  small_segments_ = true;
  Shown shown;
  SeededRandom random{9};
  {
    auto db = Open();
    Work(*db, random, shown, 100);
    EXPECT_TRUE(db->Close());
  }
  ASSERT_TRUE(fs_.RemoveAll("/data/epimetheus/snapshot"));
  const std::string victim = "/data/epimetheus/wal/00000002.wal";
  fs_.Corrupt(victim, 300, 0x40);
  {
    auto db = Open();
    ASSERT_NE(db, nullptr);
    ASSERT_EQ(db->replay_report().damage.size(), 1u);
    EXPECT_EQ(db->replay_report().damage[0].file, victim);
    EXPECT_EQ(db->replay_report().damage[0].kept_as, "/data/epimetheus/damaged/00000002.wal");
    EXPECT_TRUE(fs_.Exists("/data/epimetheus/damaged/00000002.wal"));
    EXPECT_EQ(db->corruptions(), 1u);
    size_t kept = 0;
    for (const auto& [name, points] : ReadAll(*db)) kept += points.size();
    size_t all = 0;
    for (const auto& [name, points] : shown.content) all += points.size();
    EXPECT_GT(kept, all * 3 / 4);
    EXPECT_LT(kept, all);
    EXPECT_NE(log_text_.find("offset="), std::string::npos) << log_text_;
    EXPECT_TRUE(db->Close());
  }
  auto db = Open();
  EXPECT_TRUE(db->replay_report().damage.empty()) << "reported once";
}

TEST_F(DbTest, EveryFlippedBitOfTheFilesIsSurvived) {
  Shown shown;
  SeededRandom random{4};
  {
    auto db = Open();
    Work(*db, random, shown, 6);
    EXPECT_TRUE(db->Close());
  }
  for (const std::string path : {"/data/epimetheus/wal/00000001.wal", "/data/epimetheus/series/00000001.series"}) {
    const std::string original = *fs_.ReadFile(path);
    for (size_t byte = 0; byte < original.size(); ++byte) {
      std::string damaged = original;
      damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << (byte % 8)));
      ASSERT_TRUE(fs_.WriteFileAtomically(path, damaged));
      if (byte >= 4 && byte < 8) continue;  // the version: a later one is refused, see below
      ASSERT_TRUE(fs_.RemoveAll("/data/epimetheus/snapshot"));
      auto db = Open();
      ASSERT_NE(db, nullptr) << path << " byte " << byte;
      for (const auto& [name, points] : ReadAll(*db)) {
        for (const auto& point : points) {
          const auto& all = shown.content[name];
          EXPECT_NE(std::find(all.begin(), all.end(), point), all.end()) << name;
        }
      }
      EXPECT_TRUE(db->Close());
    }
    ASSERT_TRUE(fs_.WriteFileAtomically(path, original));
  }
}

TEST_F(DbTest, AFullDiskRefusesBatchesAndRecovers) {
  auto db = Open();
  auto appender = *db->OpenGroup({GroupIdentity::Kind::kScrape, "target"});
  const auto ref = *appender->Intern({{"__name__", "m"}});
  appender->Add(ref, 1);
  ASSERT_TRUE(appender->Commit(1000));
  fs_.SetSpace(10);
  appender->Add(ref, 2);
  EXPECT_FALSE(appender->Commit(2000));
  EXPECT_EQ(ReadAll(*db).begin()->second, (Points{{1000, 1}})) << "an error means that nothing was stored";
  fs_.SetSpace(UINT64_MAX);
  appender->Add(ref, 2);
  EXPECT_TRUE(appender->Commit(2000)->all_accepted()) << "the same batch again is no duplicate";
  appender.reset();
  db.reset();
  db = Open();
  EXPECT_EQ(ReadAll(*db).begin()->second, (Points{{1000, 1}, {2000, 2}}));
}

TEST_F(DbTest, TheTimerSyncsAndAFailedSyncStartsANewSegment) {
  auto db = std::move(*Db::Open({.directory = "/data"}, {fs_, clock_, SystemRandom(), log_}));
  db->Start();
  ASSERT_TRUE(db->AwaitReady());
  auto appender = *db->OpenGroup({GroupIdentity::Kind::kScrape, "target"});
  const auto ref = *appender->Intern({{"__name__", "m"}});
  appender->Add(ref, 1);
  ASSERT_TRUE(appender->Commit(1000));
  // The timer and the maintenance thread: with only one of them waiting it may be the other, and the timer would take
  // its deadline from the time moved below.
  clock_.AwaitWaiters(2);
  const uint64_t segment = db->wal().current_segment();
  fs_.FailSyncs(true);
  clock_.AdvanceMs(1000);
  while (db->wal().current_segment() == segment) std::this_thread::yield();
  fs_.FailSyncs(false);
  appender->Add(ref, 2);
  ASSERT_TRUE(appender->Commit(2000));
  EXPECT_TRUE(fs_.Exists("/data/epimetheus/wal/00000002.wal"));
  appender.reset();
  EXPECT_TRUE(db->Close());
}

TEST(DbPosixTest, WorksOnTheRealFileSystem) {
  testing::TempDir dir;
  for (int life = 0; life < 2; ++life) {
    auto db = Db::Open({.directory = dir.path() + "/data"}, {PosixFileSystem(), SystemClock(), SystemRandom(), {}});
    ASSERT_TRUE(db) << db.error().message();
    (*db)->Start();
    ASSERT_TRUE((*db)->AwaitReady());
    auto appender = *(*db)->OpenGroup({GroupIdentity::Kind::kScrape, "target"});
    appender->Add(*appender->Intern({{"__name__", "m"}}), life);
    ASSERT_TRUE(appender->Commit(1000 + life));
    EXPECT_EQ(ReadAll(**db).begin()->second.size(), static_cast<size_t>(life + 1));
    appender.reset();
    EXPECT_TRUE((*db)->Close());
  }
}

}  // namespace
}  // namespace epi::tsdb
