// The database's own metrics: Prometheus's list of them, and what they say after something has happened.
#include "tsdb/db_metrics.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "testing/memory_file_system.h"
#include "testing/simulated_clock.h"
#include "testing/temp_dir.h"
#include "tsdb/db.h"

namespace epi::tsdb {
namespace {

using testing::MemoryFileSystem;
constexpr TimestampMs kHour = 3'600'000;

class DbMetricsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Db> Open(DbOptions options = {}) {
    options.directory = "/data";
    auto db = Db::Open(options, {fs_, clock_, random_, Logger(), &registry_});
    EXPECT_TRUE(db && (*db)->Load());
    return std::move(*db);
  }
  // Commits one sample at each of the times.
  void Write(Db& db, TimestampMs from, TimestampMs to, TimestampMs step) {
    const auto appender = *db.OpenGroup({GroupIdentity::Kind::kScrape, "target"});
    for (TimestampMs t = from; t < to; t += step) {
      appender->Add(*appender->Intern(Labels{{"__name__", "m"}}), static_cast<double>(t));
      ASSERT_TRUE(appender->Commit(t)->all_accepted());
    }
  }
  MetricFamily Family(const std::string& name) const {
    for (auto& family : registry_.Collect())
      if (family.name == name) return family;
    ADD_FAILURE() << "there is no " << name;
    return {};
  }
  double Value(const std::string& name, const MetricLabels& labels = {}) const {
    for (const auto& point : Family(name).points)
      if (point.labels == labels) return point.value;
    ADD_FAILURE() << name << " has no such member";
    return -1;
  }
  const MetricPoint Only(const std::string& name) const {
    const MetricFamily family = Family(name);
    return family.points.size() == 1 ? family.points[0] : MetricPoint();
  }

  MemoryFileSystem fs_;
  testing::SimulatedClock clock_;
  SeededRandom random_{1};
  MetricRegistry registry_;
};

// --- the list ---

// A metric as the surface names it: the ways in which its abbreviated name may be meant, and its type.
struct Named {
  std::string written;
  std::vector<std::string> readings;
  char type = ' ';  // C, G, H or S
};

std::vector<std::string> Alternatives(const std::string& name) {
  const size_t open = name.find('{');
  const size_t close = name.find('}');
  if (open == std::string::npos || close == std::string::npos) return {name};
  std::vector<std::string> out;
  std::istringstream choices(name.substr(open + 1, close - open - 1));
  for (std::string choice; std::getline(choices, choice, ',');)
    out.push_back(name.substr(0, open) + choice + name.substr(close + 1));
  return out;
}

// "_b_total" after "x_a_b_seconds": "x_a_b_total" when its first word is in the name before, otherwise any beginning of
// that name may be meant.
std::vector<std::string> Completions(const std::string& full, const std::string& rest) {
  const std::string word = rest.substr(0, rest.find('_', 1));
  std::vector<std::string> out;
  for (size_t cut = full.find('_'); cut != std::string::npos; cut = full.find('_', cut + 1)) {
    const size_t end = cut + word.size();
    const bool here = full.compare(cut, word.size(), word) == 0 && (end == full.size() || full[end] == '_');
    if (here) return {full.substr(0, cut) + rest};
    out.push_back(full.substr(0, cut) + rest);
  }
  return out;
}

constexpr std::string_view kEllipsis = "…";

void AddRow(const std::string& names, const std::string& types, std::vector<Named>& out) {
  std::vector<std::string> full;
  const size_t first = out.size();
  size_t untyped = first;  // the first that has no type yet
  for (size_t at = 0; at < names.size(); ++at) {
    // A type in parentheses is that of the names before it: "(S Q3)", but not "(ms)".
    if (names[at] == '(' && std::string_view("CGHS").find(names[at + 1]) != std::string_view::npos) {
      for (; untyped < out.size(); ++untyped) out[untyped].type = names[at + 1];
    }
    if (names[at] != '`') continue;
    const size_t end = names.find('`', at + 1);
    std::string name = names.substr(at + 1, end - at - 1);
    at = end;
    if (name.ends_with(kEllipsis)) {  // what is common to the names that follow
      if (!full.empty() && !full.back().ends_with('_')) full.clear();
      full.push_back(name.substr(0, name.size() - kEllipsis.size()));
      continue;
    }
    if (name.starts_with(kEllipsis)) {  // it goes with each of the names before it
      name = name.substr(kEllipsis.size());
      const size_t before = out.size();
      for (size_t i = first; i < before; ++i) out.push_back({name, Completions(out[i].readings[0], name)});
      continue;
    }
    if (name.starts_with("prometheus_")) {
      full = Alternatives(name);
      for (const auto& one : full) out.push_back({one, {one}});
      continue;
    }
    for (const auto& prefix : full) {
      if (name.starts_with('_')) {
        out.push_back({name, Completions(prefix, name)});
      } else {
        out.push_back({name, {prefix + name}});
      }
    }
  }
  for (; untyped < out.size(); ++untyped) out[untyped].type = types.empty() ? ' ' : types[0];
}

// The rows of the table behind the line "TSDB" of the list of metrics.
std::vector<Named> SurfaceMetrics() {
  const auto text =
      PosixFileSystem().ReadFile(JoinPath(testing::ConformanceDir(), "../reference/prometheus-surface.md"));
  std::vector<Named> out;
  if (testing::ConformanceDir().empty() || !text) return out;
  std::istringstream lines(*text);
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == "TSDB") inside = true;
    if (!inside || !line.starts_with("| `")) {
      if (inside && !line.empty() && line != "TSDB" && !line.starts_with('|')) break;
      continue;
    }
    const size_t second = line.find(" |", 2);
    const size_t third = line.find(" |", second + 2);
    const std::string types = line.substr(second + 2, third - second - 2);
    AddRow(
        line.substr(2, second - 2),
        types.substr(types.find_first_not_of(' ') == std::string::npos ? types.size() : types.find_first_not_of(' ')),
        out);
  }
  return out;
}

TEST_F(DbMetricsTest, EveryMetricOfTheSurfaceIsThereWithItsType) {
  const auto wanted = SurfaceMetrics();
  if (wanted.empty()) GTEST_SKIP() << "no reference text; set EPI_CONFORMANCE";
  EXPECT_GT(wanted.size(), 90u);
  DbOptions options;
  options.head.out_of_order_window_ms = kHour;
  const auto db = Open(options);
  std::map<std::string, ExposedType> there;
  for (const auto& family : registry_.Collect()) there[family.name] = family.type;
  const std::map<char, ExposedType> types = {{'C', ExposedType::kCounter},
                                             {'G', ExposedType::kGauge},
                                             {'H', ExposedType::kHistogram},
                                             {'S', ExposedType::kSummary}};
  std::set<std::string> named;
  for (const auto& metric : wanted) {
    const auto found = std::find_if(metric.readings.begin(), metric.readings.end(),
                                    [&](const std::string& name) { return there.contains(name); });
    if (found == metric.readings.end()) {
      ADD_FAILURE() << metric.written << " is missing";
      continue;
    }
    named.insert(*found);
    ASSERT_TRUE(types.contains(metric.type)) << metric.written << " has no type";
    EXPECT_EQ(there[*found], types.at(metric.type)) << *found;
  }
  // And no others under Prometheus's prefix.
  for (const auto& [name, type] : there) {
    EXPECT_TRUE(!name.starts_with("prometheus_") || named.contains(name)) << name << " is not one of Prometheus's";
  }
}

// --- values ---

TEST_F(DbMetricsTest, AnEmptyHeadHasTheTimesOfPrometheus) {
  const auto db = Open();
  EXPECT_EQ(Value("prometheus_tsdb_head_min_time"), 9.223372036854776e+18);
  EXPECT_EQ(Value("prometheus_tsdb_head_max_time"), -9.223372036854776e+18);
  EXPECT_EQ(Value("prometheus_tsdb_lowest_timestamp"), 9.223372036854776e+18);
}

TEST_F(DbMetricsTest, ACutIsCountedFromTheHeadToTheBlock) {
  const auto db = Open();
  const TimestampMs start = 1'700'006'400'000;  // a multiple of two hours
  Write(*db, start, start + 4 * kHour, 60'000);
  EXPECT_EQ(Value("prometheus_tsdb_head_samples_appended_total", {{"type", "float"}}), 240);
  EXPECT_EQ(Value("prometheus_tsdb_isolation_high_watermark"), 240);
  EXPECT_EQ(Value("prometheus_tsdb_isolation_low_watermark"), 240);
  EXPECT_EQ(Value("prometheus_tsdb_compactions_total"), 0);
  const double created = Value("prometheus_tsdb_head_chunks_created_total");
  EXPECT_GE(created, 2);
  EXPECT_EQ(Value("prometheus_tsdb_head_chunks"), created);
  ASSERT_TRUE(db->Maintain());
  EXPECT_EQ(Value("prometheus_tsdb_compactions_triggered_total"), 1);
  EXPECT_EQ(Value("prometheus_tsdb_compactions_total"), 1);
  EXPECT_EQ(Value("prometheus_tsdb_compactions_failed_total"), 0);
  EXPECT_EQ(Value("prometheus_tsdb_compaction_populating_block"), 0);
  EXPECT_EQ(Only("prometheus_tsdb_compaction_duration_seconds").histogram.sample_count, 1u);
  EXPECT_EQ(Value("prometheus_tsdb_blocks_loaded"), 1);
  EXPECT_GT(Value("prometheus_tsdb_symbol_table_size_bytes"), 0);
  // One block of 120 samples, which are one chunk.
  EXPECT_EQ(Only("prometheus_tsdb_compaction_chunk_samples").histogram.sample_sum, 120);
  EXPECT_EQ(Only("prometheus_tsdb_compaction_chunk_range_seconds").histogram.sample_sum, 119 * 60'000);
  EXPECT_EQ(Only("prometheus_tsdb_compaction_chunk_size_bytes").histogram.sample_count, 1u);
  EXPECT_EQ(Value("prometheus_tsdb_head_truncations_total"), 1);
  EXPECT_EQ(Value("prometheus_tsdb_head_truncations_failed_total"), 0);
  EXPECT_EQ(Only("prometheus_tsdb_head_gc_duration_seconds").sample_count, 1u);
  EXPECT_TRUE(Only("prometheus_tsdb_head_gc_duration_seconds").quantiles.empty());
  EXPECT_EQ(Only("prometheus_tsdb_wal_truncate_duration_seconds").sample_count, 1u);
  EXPECT_EQ(Value("prometheus_tsdb_wal_truncations_total"), 1);
  EXPECT_EQ(Value("prometheus_tsdb_checkpoint_creations_total"), 1);
  EXPECT_EQ(Value("prometheus_tsdb_checkpoint_deletions_total"), 1);
  const double removed = Value("prometheus_tsdb_head_chunks_removed_total");
  EXPECT_GE(removed, 1);
  EXPECT_EQ(Value("prometheus_tsdb_head_chunks"), created - removed);
}

TEST_F(DbMetricsTest, SealedSamplesAreCountedWhenTheyGoToDisk) {
  const auto db = Open();
  Write(*db, 1'700'006'400'000, 1'700'006'400'000 + 3 * kHour, 30'000);
  ASSERT_TRUE(db->Maintain());
  EXPECT_GT(Value("prometheus_tsdb_mmap_chunks_total"), 0);
  EXPECT_GT(Value("prometheus_tsdb_head_chunks_storage_size_bytes"), 0);
  EXPECT_EQ(Value("prometheus_tsdb_mmap_chunk_corruptions_total"), 0);
  const auto names = fs_.List("/data/epimetheus/runs");
  ASSERT_TRUE(names && !names->empty());
  fs_.Corrupt(JoinPath("/data/epimetheus/runs", names->front()), 100, 1);
  Budget budget("test");
  const auto view = *db->OpenView({});
  const auto selection = *view->Select(std::vector{*Matcher::Make(MatchType::kEqual, "__name__", "m")}, {}, budget);
  SeriesBatch batch;
  EXPECT_FALSE(selection->Read(0, 1, batch));
  EXPECT_EQ(Value("prometheus_tsdb_mmap_chunk_corruptions_total"), 1);
}

TEST_F(DbMetricsTest, LateSamplesAreCountedByTypeWithTheirDelay) {
  DbOptions options;
  options.head.out_of_order_window_ms = kHour;
  const auto db = Open(options);
  const TimestampMs now = 1'700'000'000'000;
  Write(*db, now, now + 1, 1);
  const auto appender = *db->OpenGroup({GroupIdentity::Kind::kScrape, "target"});
  const auto ref = *appender->Intern(Labels{{"__name__", "m"}});
  appender->AddAt(ref, now - kHour / 2, 1);
  appender->AddAt(ref, now - 2 * kHour, 1);  // outside the window
  FloatHistogram histogram;
  histogram.count = 3;
  histogram.positive_spans = {{0, 2}};
  histogram.positive_buckets = {1, 2};
  appender->AddHistogram({ref, now - kHour / 4, 0, nullptr, std::make_shared<FloatHistogram>(histogram)});
  ASSERT_TRUE(appender->Commit(now + 1));
  constexpr const char* kLate = "prometheus_tsdb_head_out_of_order_samples_appended_total";
  EXPECT_EQ(Value(kLate, {{"type", "float"}}), 1);
  EXPECT_EQ(Value(kLate, {{"type", "histogram"}}), 1);
  EXPECT_EQ(Value("prometheus_tsdb_too_old_samples_total", {{"type", "float"}}), 1);
  EXPECT_EQ(Value("prometheus_tsdb_too_old_samples_total", {{"type", "histogram"}}), 0);
  const auto delays = Only("prometheus_tsdb_sample_ooo_delta").histogram;
  EXPECT_EQ(delays.sample_count, 3u);
  EXPECT_EQ(delays.sample_sum, 1800 + 7200 + 900);
  // The newest sample in order is a float: no histogram series yet.
  EXPECT_EQ(Value("prometheus_tsdb_head_native_histogram_series"), 0);
  appender->AddHistogram({ref, now + 5, 0, nullptr, std::make_shared<FloatHistogram>(histogram)});
  ASSERT_TRUE(appender->Commit(now + 5));
  EXPECT_EQ(Value("prometheus_tsdb_head_native_histogram_series"), 1);
  EXPECT_EQ(Value("prometheus_tsdb_head_native_histogram_buckets"), 2);
}

TEST_F(DbMetricsTest, CleaningTombstonesIsTimedAndCounted) {
  const auto db = Open();
  const TimestampMs start = 1'700'006'400'000;
  Write(*db, start, start + 4 * kHour, 60'000);
  ASSERT_TRUE(db->Maintain());
  ASSERT_TRUE(db->Delete(std::vector<std::vector<Matcher>>{{*Matcher::Make(MatchType::kEqual, "__name__", "m")}},
                         {start, start + kHour}));
  ASSERT_TRUE(db->CleanTombstones());
  EXPECT_EQ(Only("prometheus_tsdb_tombstone_cleanup_seconds").histogram.sample_count, 1u);
  EXPECT_EQ(Value("prometheus_tsdb_compactions_total"), 2);
  // The block made of it counts as written for the first time, as in Prometheus.
  EXPECT_EQ(Only("prometheus_tsdb_compaction_chunk_samples").histogram.sample_sum, 120 + 59);
}

TEST_F(DbMetricsTest, LimitsSyncsAndExemplarsSayWhatIsSo) {
  DbOptions options;
  options.head.max_exemplars = 2;
  options.retention = {.duration_ms = 90'500, .max_bytes = 1 << 20, .percentage = 12.5, .rules = {}};
  options.sync_each_commit = true;
  const auto db = Open(options);
  EXPECT_EQ(Value("prometheus_tsdb_retention_limit_seconds"), 90.5);
  EXPECT_EQ(Value("prometheus_tsdb_retention_limit_bytes"), 1 << 20);
  EXPECT_EQ(Value("prometheus_tsdb_retention_limit_percentage"), 12.5);
  db->SetRetention({});
  EXPECT_EQ(Value("prometheus_tsdb_retention_limit_bytes"), 0);
  const auto appender = *db->OpenGroup({GroupIdentity::Kind::kScrape, "target"});
  const auto ref = *appender->Intern(Labels{{"__name__", "m"}});
  for (TimestampMs t = 1000; t <= 3000; t += 1000) {
    appender->Add(ref, 1);
    appender->AddExemplar(ref, {{{"id", "x"}}, 1, t, true});
    ASSERT_TRUE(appender->Commit(t));
  }
  EXPECT_EQ(Only("prometheus_tsdb_wal_fsync_duration_seconds").sample_count, 3u);
  // The ring holds the exemplars of 2 s and 3 s: the oldest counts.
  EXPECT_EQ(Value("prometheus_tsdb_exemplar_last_exemplars_timestamp_seconds"), 2);
}

TEST_F(DbMetricsTest, AFailedCutCountsAsAFailedCompaction) {
  const auto db = Open();
  const TimestampMs start = 1'700'006'400'000;
  Write(*db, start, start + 4 * kHour, 60'000);
  fs_.SetSpace(0);
  EXPECT_FALSE(db->Maintain());
  EXPECT_EQ(Value("prometheus_tsdb_compactions_failed_total"), 1);
}

}  // namespace
}  // namespace epi::tsdb
