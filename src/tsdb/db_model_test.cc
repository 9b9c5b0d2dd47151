// The database against plain maps: a seeded random workload of everything that happens to it, compared after every
// step.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <optional>

#include "testing/memory_file_system.h"
#include "testing/simulated_clock.h"
#include "tsdb/db.h"

namespace epi::tsdb {
namespace {

using testing::MemoryFileSystem;

constexpr int64_t kBlockRange = 100'000;
constexpr TimestampMs kStart = 1'000'000;

// A value as text, so that floats, stale markers and histograms compare alike.
using Samples = std::map<TimestampMs, std::string>;
using Content = std::map<std::string, Samples>;

std::string Text(double v) { return IsStaleNaN(v) ? "stale" : std::to_string(std::bit_cast<uint64_t>(v)); }
std::string Text(const FloatHistogram& h) {
  return IsStaleNaN(h.sum) ? "stale histogram" : "histogram " + std::to_string(h.count) + " " + Text(h.sum);
}

Content ReadAll(const Storage& db, TimeRange range, bool sorted) {
  Budget budget("test");
  const auto view = db.OpenView(range);
  EXPECT_TRUE(view) << view.error().message();
  SelectHints hints;
  hints.range = range;
  hints.sorted = sorted;
  const auto selection = (*view)->Select(std::vector{Matcher::Equal("job", "j")}, hints, budget);
  EXPECT_TRUE(selection) << selection.error().message();
  Content out;
  SeriesBatch batch;
  std::optional<Labels> before;
  for (size_t first = 0; first < (*selection)->size(); first += 5) {
    const size_t count = std::min<size_t>(5, (*selection)->size() - first);
    const auto read = (*selection)->Read(first, count, batch);
    EXPECT_TRUE(read) << read.error().message();
    for (size_t i = 0; i < count; ++i) {
      const Labels labels = ToLabels((*selection)->labels(first + i), (*view)->symbols());
      if (sorted && before) {
        EXPECT_LT(*before, labels);
      }
      before = labels;
      const SeriesSamples& series = batch.series[i];
      if (series.t.empty() && series.histograms.empty()) continue;
      Samples& samples = out[labels.ToString()];
      EXPECT_TRUE(samples.empty()) << "twice in one selection: " << labels.ToString();
      for (size_t k = 0; k < series.t.size(); ++k) EXPECT_TRUE(samples.emplace(series.t[k], Text(series.v[k])).second);
      for (const auto& point : series.histograms) EXPECT_TRUE(samples.emplace(point.t, Text(*point.h)).second);
    }
  }
  return out;
}

class Workload {
 public:
  explicit Workload(uint64_t seed) : random_(seed), now_(kStart) {
    options_.directory = "/data";
    options_.wal_segment_bytes = 3000;
    options_.head.group.block_range_ms = kBlockRange;
    options_.head.group.phase_entries = 3 + static_cast<uint32_t>(random_.Below(40));
    options_.head.out_of_order_window_ms = random_.Below(2) == 0 ? 0 : 150'000;
    options_.max_block_duration_ms = kBlockRange * 9;
    options_.head.max_exemplars = 5;
    Open();
  }

  void Step() {
    struct Action {
      unsigned weight;
      const char* name;
      void (Workload::*run)();
    };
    static constexpr Action kActions[] = {{30, "scrape", &Workload::Scrape},
                                          {10, "timed", &Workload::Timed},
                                          {6, "histograms", &Workload::Histograms},
                                          {6, "late", &Workload::Late},
                                          {3, "duplicate", &Workload::Duplicate},
                                          {2, "delete", &Workload::Delete},
                                          {8, "maintain", &Workload::Maintain},
                                          {1, "clean", &Workload::Clean},
                                          {2, "snapshot", &Workload::Snapshot},
                                          {5, "head snapshot", &Workload::HeadSnapshot},
                                          {2, "reopen", &Workload::Reopen},
                                          {3, "kill", &Workload::Kill},
                                          {3, "leap", &Workload::Leap},
                                          {3, "churn", &Workload::Churn},
                                          {1, "hold", &Workload::HoldView}};
    unsigned sum = 0;
    for (const auto& action : kActions) sum += action.weight;
    unsigned pick = static_cast<unsigned>(random_.Below(sum));
    for (const auto& action : kActions) {
      if (pick < action.weight) {
        last_ = action.name;
        (this->*action.run)();
        return;
      }
      pick -= action.weight;
    }
  }

  // What the workload has come across, over all lives of the database.
  struct Seen {
    uint64_t removed_series = 0;
    uint64_t compactions = 0;
    uint64_t late = 0;
    uint64_t segments_removed = 0;
    uint64_t spilled_files = 0;
    uint64_t loaded_snapshots = 0;
    uint64_t refused_snapshots = 0;
  };
  Seen seen() const { return seen_; }

  void Check() {
    const TimestampMs from = kStart + static_cast<TimestampMs>(random_.Below(static_cast<uint64_t>(now_ - kStart) + 1));
    for (const TimeRange range : {TimeRange{}, TimeRange{from, from + 70'000}}) {
      const Content has = ReadAll(*db_, range, random_.Below(2) == 0);
      Content must;
      for (const auto& [name, samples] : model_) {
        for (const auto& [t, value] : samples) {
          if (range.Contains(t)) must[name][t] = value;
        }
      }
      for (const auto& [name, samples] : must) {
        const auto found = has.find(name);
        ASSERT_NE(found, has.end()) << name << " after " << last_;
        ASSERT_EQ(found->second, samples) << name << " after " << last_;
      }
      ASSERT_EQ(has.size(), must.size()) << "after " << last_;
    }
    if (held_ != nullptr) {
      ASSERT_EQ(ReadAll(HeldStorage(*this), {}, false), held_content_) << "a view stands still; after " << last_;
    }
  }

 private:
  // A storage whose only view is the one that is held.
  struct HeldStorage final : Storage {
    explicit HeldStorage(const Workload& of) : workload(of) {}
    Result<std::shared_ptr<const View>> OpenView(TimeRange) const override { return workload.held_; }
    Result<std::unique_ptr<BatchAppender>> OpenGroup(const GroupIdentity&) override {
      return Fail(ErrorCode::kUnsupported, "");
    }
    TimestampMs OldestTime() const override { return 0; }
    const Workload& workload;
  };

  void Open() {
    auto db = Db::Open(options_, {fs_, clock_, SystemRandom(), {}});
    ASSERT_TRUE(db) << db.error().message();
    db_ = std::move(*db);
    const auto loaded = db_->Load();
    ASSERT_TRUE(loaded) << loaded.error().message();
    ASSERT_TRUE(db_->replay_report().damage.empty());
    ASSERT_LE(db_->snapshot_errors(), damaged_snapshot_ ? 1u : 0u);
    damaged_snapshot_ = false;
    seen_.loaded_snapshots += db_->loaded_snapshot() ? 1 : 0;
    seen_.refused_snapshots += db_->snapshot_errors();
  }
  void Close() {
    held_.reset();
    appenders_.clear();
  }
  BatchAppender& Appender(uint64_t group) {
    auto& appender = appenders_[group];
    if (appender == nullptr)
      appender = std::move(*db_->OpenGroup({GroupIdentity::Kind::kScrape, std::to_string(group)}));
    return *appender;
  }
  Labels SeriesLabels(uint64_t group, uint64_t i) const {
    return {{"__name__", "m"},
            {"group", std::to_string(group)},
            {"i", std::to_string(i)},
            {"job", "j"},
            {"life", std::to_string(life_)}};
  }
  SeriesRef Intern(BatchAppender& appender, const Labels& labels) {
    auto ref = appender.Intern(labels);
    EXPECT_TRUE(ref) << ref.error().message();
    return *ref;
  }
  double Value() {
    switch (random_.Below(5)) {
      case 0:
        return 1;
      case 1:
        return random_.Unit();
      case 2:
        return StaleNaN();
      default:
        return static_cast<double>(random_.Below(1000));
    }
  }
  void Tick() { now_ += 1 + static_cast<TimestampMs>(random_.Below(9000)); }
  TimestampMs Newest(const std::string& name) const {
    const auto found = model_.find(name);
    return found == model_.end() || found->second.empty() ? 0 : found->second.rbegin()->first;
  }

  void Scrape() {
    Tick();
    const uint64_t group = random_.Below(3);
    BatchAppender& appender = Appender(group);
    for (uint64_t i = 0; i < 12; ++i) {
      if (random_.Below(8) == 0) continue;
      const Labels labels = SeriesLabels(group, i);
      if (histogram_series_.contains(labels.ToString())) continue;
      const double value = Value();
      appender.Add(Intern(appender, labels), value);
      model_[labels.ToString()][now_] = Text(value);
    }
    appender.AddExemplar(Intern(appender, SeriesLabels(group, 0)), {{{"id", "1"}}, 1, now_, true});
    appender.SetMetadata(Intern(appender, SeriesLabels(group, 0)), {MetricType::kGauge, "", std::to_string(now_)});
    Commit(appender);
  }
  void Commit(BatchAppender& appender) {
    const auto report = appender.Commit(now_);
    ASSERT_TRUE(report) << report.error().message();
    ASSERT_TRUE(report->all_accepted());
  }
  void Timed() {
    Tick();
    const uint64_t group = random_.Below(3);
    BatchAppender& appender = Appender(group);
    for (uint64_t i = 0; i < 12; i += 1 + random_.Below(3)) {
      const Labels labels = SeriesLabels(group, i);
      if (histogram_series_.contains(labels.ToString())) continue;
      for (TimestampMs t = now_ - static_cast<TimestampMs>(random_.Below(400)); t <= now_; t += 90) {
        if (t <= Newest(labels.ToString()) || t <= deleted_until_) continue;
        const double value = Value();
        appender.AddAt(Intern(appender, labels), t, value, random_.Below(2) == 0 ? 0 : t - 50);
        model_[labels.ToString()][t] = Text(value);
      }
    }
    Commit(appender);
  }
  void Histograms() {
    Tick();
    BatchAppender& appender = Appender(1);
    for (uint64_t i = 20; i < 23; ++i) {
      const Labels labels = SeriesLabels(1, i);
      auto h = std::make_shared<Histogram>();
      h->count = h->zero_count = random_.Below(50);
      h->sum = random_.Below(6) == 0 ? StaleNaN() : random_.Unit();
      FloatHistogram f;
      f.count = f.zero_count = static_cast<double>(h->count);
      f.sum = h->sum;
      if (random_.Below(2) == 0) {
        appender.AddHistogram({Intern(appender, labels), now_, 0, h, nullptr});
      } else {
        appender.AddHistogram({Intern(appender, labels), now_, 0, nullptr, std::make_shared<FloatHistogram>(f)});
      }
      model_[labels.ToString()][now_] = Text(f);
      histogram_series_.insert(labels.ToString());
    }
    Commit(appender);
  }
  void Late() {
    const uint64_t group = random_.Below(3);
    BatchAppender& appender = Appender(group);
    const Labels labels = SeriesLabels(group, random_.Below(12));
    const TimestampMs newest = Newest(labels.ToString());
    const TimestampMs t = now_ - 20'000 - static_cast<TimestampMs>(random_.Below(120'000));
    if (newest == 0 || t >= newest || t <= deleted_until_ || t < kStart || model_[labels.ToString()].contains(t))
      return;
    appender.AddAt(Intern(appender, labels), t, 5);
    const auto report = appender.Commit(now_);
    ASSERT_TRUE(report);
    if (options_.head.out_of_order_window_ms == 0) {
      ASSERT_EQ(report->accepted, 0u);
    } else if (report->accepted == 1) {
      model_[labels.ToString()][t] = Text(5.0);
      ++seen_.late;
    }
  }
  void Duplicate() {
    const uint64_t group = random_.Below(3);
    BatchAppender& appender = Appender(group);
    const Labels labels = SeriesLabels(group, random_.Below(12));
    const TimestampMs newest = Newest(labels.ToString());
    const TimestampMs head_newest = std::max<TimestampMs>(db_->head().max_time(), 0);
    const TimestampMs compared = std::max(db_->head().min_valid_time(), head_newest - kBlockRange / 2);
    // An older one would be stored as late, whatever is in the block.
    if (newest == 0 || newest < compared) return;
    appender.AddAt(Intern(appender, labels), newest, 123456.5);
    const auto report = appender.Commit(now_);
    ASSERT_TRUE(report);
    ASSERT_EQ(report->accepted, 0u) << labels.ToString();
  }
  void Delete() {
    const std::string i = std::to_string(random_.Below(12));
    const TimestampMs from = now_ - static_cast<TimestampMs>(random_.Below(300'000));
    const TimestampMs to = from + static_cast<TimestampMs>(random_.Below(100'000));
    ASSERT_TRUE(db_->Delete(std::vector<std::vector<Matcher>>{{Matcher::Equal("i", i)}}, {from, to}));
    for (auto& [name, samples] : model_) {
      if (name.find("i=\"" + i + "\"") == std::string::npos) continue;
      samples.erase(samples.lower_bound(from), samples.upper_bound(to));
    }
    // What comes late into a deleted stretch is hidden, and what of that is kept depends on blocks: not written here.
    deleted_until_ = std::max(deleted_until_, to);
    now_ = std::max(now_, to);
    held_.reset();  // deletions show at once
  }
  void Maintain() {
    const uint64_t removed = db_->head().counters().series_removed.load();
    const uint64_t compactions = db_->blocks().counts().compactions;
    const uint64_t truncations = db_->wal().counters().truncations.load();
    const auto done = db_->Maintain();
    ASSERT_TRUE(done) << done.error().message();
    seen_.spilled_files += fs_.List("/data/epimetheus/runs")->size();
    seen_.removed_series += db_->head().counters().series_removed.load() - removed;
    seen_.compactions += db_->blocks().counts().compactions - compactions;
    seen_.segments_removed += db_->wal().counters().truncations.load() - truncations;
  }
  void Clean() { ASSERT_TRUE(db_->CleanTombstones()); }
  void Snapshot() {
    const auto name = db_->Snapshot(true);
    ASSERT_TRUE(name) << name.error().message();
    DbOptions options;
    options.directory = "/data/snapshots/" + *name;
    options.head.group.block_range_ms = kBlockRange;
    auto copy = std::move(*Db::Open(options, {fs_, clock_, SystemRandom(), {}}));
    ASSERT_TRUE(copy->Load());
    Content must;
    for (const auto& [series, samples] : model_) {
      if (!samples.empty()) must[series] = samples;
    }
    ASSERT_EQ(ReadAll(*copy, {}, true), must);
    copy.reset();
    ASSERT_TRUE(fs_.RemoveAll("/data/snapshots"));
  }
  void Reopen() {
    Close();
    ASSERT_TRUE(db_->Close());
    db_.reset();
    Open();
  }
  void Kill() {
    Close();
    fs_.CutAfter(random_.Below(20));
    switch (random_.Below(3)) {
      case 0:
        static_cast<void>(db_->Maintain());
        break;
      case 1:
        static_cast<void>(db_->SnapshotHead());
        break;
    }
    fs_.CutAfter(0);
    db_.reset();
    fs_.Restart(MemoryFileSystem::Loss::kProcess);
    if (random_.Below(4) == 0) DamageSnapshot();
    Open();
  }
  // The next start replays the log, or finds the damage harmless.
  void DamageSnapshot() {
    const std::string directory = "/data/epimetheus/snapshot";
    if (!fs_.Exists(directory)) return;
    const auto names = *fs_.List(directory);
    if (names.empty()) return;
    const std::string path = directory + "/" + names.back();
    const uint64_t size = fs_.Stat(path)->size;
    damaged_snapshot_ = true;
    switch (random_.Below(3)) {
      case 0:
        ASSERT_TRUE(fs_.RemoveFile(path));
        return;
      case 1:
        fs_.Corrupt(path, random_.Below(size), static_cast<uint8_t>(1 + random_.Below(255)));
        return;
      default:
        ASSERT_TRUE((*fs_.Open(path, OpenMode::kAppend))->Truncate(random_.Below(size)));
    }
  }
  void HeadSnapshot() {
    const auto done = db_->SnapshotHead();
    ASSERT_TRUE(done) << done.error().message();
  }
  void Leap() { now_ += 60'000; }
  void Churn() {
    ++life_;
    histogram_series_.clear();
  }
  void HoldView() {
    held_ = *db_->OpenView({});
    held_content_.clear();
    for (const auto& [name, samples] : model_) {
      if (!samples.empty()) held_content_[name] = samples;
    }
  }

  SeededRandom random_;
  MemoryFileSystem fs_;
  testing::SimulatedClock clock_;
  DbOptions options_;
  std::unique_ptr<Db> db_;
  std::map<uint64_t, std::unique_ptr<BatchAppender>> appenders_;
  std::shared_ptr<const View> held_;
  Content held_content_;
  Content model_;
  std::set<std::string> histogram_series_;
  TimestampMs now_;
  TimestampMs deleted_until_ = 0;
  int life_ = 0;
  bool damaged_snapshot_ = false;
  Seen seen_;
  const char* last_ = "";
};

TEST(DbModelTest, AnswersAreThoseOfPlainMaps) {
  // The long run sets another count of seeds, or where they begin.
  const auto setting = [](const char* name, uint64_t otherwise) {
    const char* set = std::getenv(name);
    return set != nullptr ? std::strtoull(set, nullptr, 10) : otherwise;
  };
  const uint64_t seeds = setting("EPI_MODEL_SEEDS", 50);
  const uint64_t first = setting("EPI_MODEL_FIRST_SEED", 1);
  Workload::Seen seen;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Workload workload(seed);
    for (int step = 0; step < 200; ++step) {
      workload.Step();
      if (!::testing::Test::HasFailure()) workload.Check();
      if (::testing::Test::HasFailure()) {
        ADD_FAILURE() << "step " << step;
        return;
      }
    }
    seen.removed_series += workload.seen().removed_series;
    seen.compactions += workload.seen().compactions;
    seen.late += workload.seen().late;
    seen.spilled_files += workload.seen().spilled_files;
    seen.segments_removed += workload.seen().segments_removed;
    seen.loaded_snapshots += workload.seen().loaded_snapshots;
    seen.refused_snapshots += workload.seen().refused_snapshots;
  }
  EXPECT_GT(seen.removed_series, seeds);
  EXPECT_GT(seen.compactions, seeds);
  EXPECT_GT(seen.late, seeds / 2);
  EXPECT_GT(seen.segments_removed, seeds);
  EXPECT_GT(seen.spilled_files, seeds);
  EXPECT_GT(seen.loaded_snapshots, seeds);
  EXPECT_GT(seen.refused_snapshots, seeds / 4);
}

}  // namespace
}  // namespace epi::tsdb
