#include "rules/backtest/backtest.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "rules/backtest/backtest_plan.h"
#include "rules/backtest/rule_backfill.h"
#include "rules/journal/alert_journal.h"
#include "testing/rules_fixture.h"
#include "testing/temp_dir.h"

namespace epi::rules {
namespace {

constexpr TimestampMs kBacktestStart = 1'700'000'000'000;
constexpr int64_t kBacktestMinute = 60'000;
constexpr int64_t kBacktestMinutes = 900;  // more than two chunks

std::vector<GroupSettings> SettingsOf(const std::string& text) {
  auto outcome = ParseRuleFile(text, {});
  EXPECT_TRUE(outcome.ok()) << (outcome.errors.empty() ? "" : outcome.errors.front());
  std::vector<GroupSettings> out;
  for (RuleGroupSpec& spec : outcome.file.groups) {
    GroupSettings& settings = out.emplace_back();
    settings.file = "f.yml";
    settings.interval_ms = spec.interval_ms == 0 ? kBacktestMinute : spec.interval_ms;
    settings.query_offset_ms = spec.query_offset_ms.value_or(0);
    settings.spec = std::move(spec);
  }
  return out;
}

// Samples every minute and a bit, with gaps, jumps and a series that comes and goes.
void Fill(testing::MemoryStorage& storage) {
  SeededRandom random{1};
  const auto number = [&](uint64_t below) { return random.Next() % below; };
  double counters[6] = {};
  for (int64_t i = -20; i < kBacktestMinutes + 5; ++i) {
    const TimestampMs t = kBacktestStart + i * kBacktestMinute + 7'777;
    for (int s = 0; s < 6; ++s) {
      const std::string instance = std::string(1, static_cast<char>('a' + s));
      if (number(25) == 0) continue;  // a scrape that failed
      counters[s] += static_cast<double>(number(i / 100 % 2 == 0 ? 30 : 200));
      storage.Append({{"__name__", "requests_total"}, {"instance", instance}, {"job", s < 3 ? "x" : "y"}}, t,
                     counters[s]);
      if (s != 4 || i / 60 % 2 == 0) {
        storage.Append({{"__name__", "up"}, {"instance", instance}, {"job", s < 3 ? "x" : "y"}}, t + 11,
                       number(6) == 0 ? 0 : 1);
      }
    }
  }
}

// What is compared: everything that says what happened.
std::string TextOf(const AlertEvent& event) {
  return std::to_string((event.time - kBacktestStart) / 1000) + " " + std::string(AlertEventKindName(event.kind)) +
         " " + event.alert.rule->key + event.alert.labels.ToString() + RuleLabelsText(event.alert.annotations) + " " +
         std::to_string(event.alert.value) + " " + std::to_string(event.alert.active_at) + " " +
         std::to_string(event.alert.keep_firing_since.value_or(0)) + " " + event.detail;
}

class BacktestTest : public ::testing::Test {
 protected:
  // As a server evaluates: groups take turns by their slots.
  std::vector<std::string> Live(const std::vector<GroupSettings>& settings) {
    AlertJournalOptions journal_options;
    journal_options.directory = directory_.path() + "/alerts";
    auto journal = *AlertJournal::Open(PosixFileSystem(), fixture_.clock, journal_options, {});
    fixture_.options.journal = journal.get();
    std::vector<std::unique_ptr<Group>> groups;
    std::multimap<TimestampMs, Group*> turns;
    for (const GroupSettings& one : settings) {
      groups.push_back(*Group::Make(one, fixture_.options, false, nullptr));
      TimestampMs slot = groups.back()->SlotNs(kBacktestStart * 1'000'000) / 1'000'000;
      if (slot < kBacktestStart) slot += one.interval_ms;
      turns.emplace(slot, groups.back().get());
    }
    while (turns.begin()->first <= End()) {
      const auto [slot, group] = *turns.begin();
      turns.erase(turns.begin());
      group->Iterate(slot, {});
      turns.emplace(slot + group->settings().interval_ms, group);
    }
    HistoryQuery all;
    all.end = INT64_MAX;
    all.limit = 1'000'000;
    std::vector<std::string> out;
    const std::vector<HistoryEntry> entries = *journal->History(all);
    for (const HistoryEntry& entry : entries) {
      if (entry.event.alert.labels.empty()) continue;  // that a rule failed
      out.push_back(TextOf(entry.event));
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  static TimestampMs End() { return kBacktestStart + kBacktestMinutes * kBacktestMinute; }

  std::vector<std::string> Backtest(const std::vector<GroupSettings>& settings, ThreadPool* pool = nullptr) {
    BacktestOptions options;
    options.engine = &fixture_.engine;
    options.storage = &fixture_.storage;
    options.external_url = fixture_.options.external_url;
    options.pool = pool;
    const auto rules = RunBacktest(settings, kBacktestStart, End(), options);
    EXPECT_TRUE(rules) << rules.error().message();
    std::vector<std::string> out;
    for (const BacktestRule& rule : *rules) {
      for (const AlertEvent& event : rule.events) out.push_back(TextOf(event));
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  void ExpectLikeLive(const std::string& text) {
    Fill(fixture_.storage);
    const auto settings = SettingsOf(text);
    const std::vector<std::string> before = Backtest(settings);
    const std::vector<std::string> live = Live(settings);
    EXPECT_GT(live.size(), 20U);
    EXPECT_EQ(before, live);
    // What the rules have written meanwhile is not taken for data.
    ThreadPool pool(2);
    EXPECT_EQ(Backtest(settings, &pool), live);
  }

  testing::TempDir directory_;
  RulesFixture fixture_;
};

constexpr const char* kChained = R"yaml(
groups:
- name: recorded
  labels: {team: t}
  rules:
  - record: job:requests:rate5m
    expr: sum by (job) (rate(requests_total[5m]))
  - record: job:requests:max
    expr: max_over_time(job:requests:rate5m[10m])
  - record: only_down
    expr: up == 0
- name: alerts
  interval: 1m
  rules:
  - alert: Busy
    expr: job:requests:rate5m > 0.7
    for: 5m
    keep_firing_for: 3m
    labels: {severity: '{{ if gt $value 2.0 }}high{{ else }}low{{ end }}'}
    annotations: {summary: '{{ $labels.job }} at {{ $value | humanize }}', empty: ''}
  - alert: Down
    expr: up == 0
    annotations: {q: '{{ query "sum(up)" | first | value }}'}
  - alert: Limp
    expr: only_down unless on (instance) (up == 1)
    for: 1m
  - alert: Clash
    expr: up * on (job) group_right sum by (job) (up) > 2
- name: slow
  interval: 7m
  rules:
  - alert: ManyBusy
    expr: count(ALERTS{alertname="Busy", alertstate="firing"}) > 0
    for: 14m
)yaml";

TEST_F(BacktestTest, ChunksGiveWhatLiveEvaluationGives) { ExpectLikeLive(kChained); }

TEST_F(BacktestTest, RulesThatReadThemselvesGiveWhatLiveEvaluationGives) {
  ExpectLikeLive(R"(
groups:
- name: g
  limit: 5
  rules:
  - alert: Early
    expr: counted > 3 and counted % 7 < 3
    for: 1m
  - record: counted
    expr: (counted offset 1m) + 1 or vector(0)
  - alert: TooMany
    expr: up == 1
    annotations: {text: '{{ $labels.instance }}'}
)");
}

TEST_F(BacktestTest, OffsetsAndRangeBoundsGiveWhatLiveEvaluationGives) {
  ExpectLikeLive(R"(
groups:
- name: late
  query_offset: 2m
  rules:
  - record: late_up
    expr: sum by (job) (up)
  - alert: Few
    expr: late_up < 3
    for: 2m
- name: now
  rules:
  - alert: Fewer
    expr: late_up < 2
  - alert: AtEnd
    expr: up @ end() == 0
)");
}

// Templates read what other rules write, in other groups and behind them in the file.
TEST_F(BacktestTest, QueriesOfTemplatesGiveWhatLiveEvaluationGives) {
  ExpectLikeLive(R"yaml(
groups:
- name: asks
  rules:
  - alert: Down
    expr: up == 0
    labels: {busiest: '{{ with query "topk(1, job:requests:rate5m)" }}{{ . | first | label "job" }}{{ end }}'}
    annotations:
      sum: '{{ range query (printf "in_all:%s{job=%q}" "requests" $labels.job) }}{{ .Value }}{{ end }}'
      others: '{{ query "count(ALERTS{alertname=\"Few\"})" | len }} {{ query "up == 0" | len }}'
- name: records
  rules:
  - record: job:requests:rate5m
    expr: sum by (job) (rate(requests_total[5m]))
- name: later
  rules:
  - alert: Few
    expr: sum by (job) (up) < 2
    annotations: {rate: '{{ query "job:requests:rate5m offset 1m" | len }}'}
)yaml");
}

TEST_F(BacktestTest, LimitsAndKeepingGiveWhatLiveEvaluationGives) {
  ExpectLikeLive(R"yaml(
groups:
- name: limited
  limit: 3
  query_offset: 1m
  rules:
  - record: down
    expr: up == 0
  - alert: Down
    expr: up == 0
    for: 1m
    keep_firing_for: 4m
  - alert: Recorded
    expr: down
    keep_firing_for: 2m
    annotations: {v: '{{ $value }}'}
)yaml");
}

TEST_F(BacktestTest, PlansPutReadersBehindWhatTheyRead) {
  std::vector<std::unique_ptr<Group>> groups;
  for (const GroupSettings& one : SettingsOf(R"(
groups:
- {name: a, rules: [{record: r, expr: s}, {record: lone, expr: up}]}
- {name: b, rules: [{record: s, expr: up}]}
- {name: c, rules: [{record: t, expr: up}, {record: u, expr: 'u offset 1m'}]}
)")) {
    groups.push_back(*Group::Make(one, fixture_.options, false, nullptr));
  }
  const BacktestPlan plan = PlanBacktest(groups);
  ASSERT_EQ(plan.parts.size(), 2U);
  std::vector<std::unique_ptr<Group>> chained;
  for (const GroupSettings& one : SettingsOf(kChained)) {
    chained.push_back(*Group::Make(one, fixture_.options, false, nullptr));
  }
  EXPECT_EQ(PlanBacktest(chained).parts.at(0).order.size(), 8U);  // by chunks
  const BacktestPart& both = plan.parts[0].groups.size() == 2 ? plan.parts[0] : plan.parts[1];
  const BacktestPart& turns = plan.parts[0].groups.size() == 2 ? plan.parts[1] : plan.parts[0];
  ASSERT_EQ(both.order.size(), 3U);
  EXPECT_EQ(both.order[2].group, 0U);
  EXPECT_EQ(both.order[2].rule, 0U);
  EXPECT_TRUE(turns.order.empty());
  EXPECT_TRUE(plan.is_read[1][0]);
  EXPECT_FALSE(plan.is_read[0][1]);
}

// Keeps what it is given.
class KeptBackfill final : public BackfillAppender {
 public:
  Result<void> Add(const Labels& labels, TimestampMs time, double value, TimestampMs) override {
    samples[labels.ToString()].emplace_back(time, IsStaleNaN(value) ? -1 : value);
    return {};
  }
  Result<void> AddHistogram(const Labels&, TimestampMs, const Histogram&, TimestampMs) override { return {}; }
  Result<void> AddHistogram(const Labels&, TimestampMs, const FloatHistogram&, TimestampMs) override { return {}; }
  Result<BackfillReport> Commit() override { return BackfillReport{}; }
  std::map<std::string, std::vector<std::pair<TimestampMs, double>>> samples;
};

TEST_F(BacktestTest, BackfilledRulesGiveWhatLiveEvaluationStores) {
  Fill(fixture_.storage);
  const auto settings = SettingsOf(kChained);
  BacktestOptions options;
  options.engine = &fixture_.engine;
  options.storage = &fixture_.storage;
  KeptBackfill kept;
  const auto report = BackfillRules(settings, kBacktestStart, End(), kept, options);
  ASSERT_TRUE(report) << report.error().message();
  Live(settings);
  size_t series = 0;
  for (const Labels& labels : fixture_.storage.SeriesLabels()) {
    const std::string_view name = labels.MetricName();
    if (name != "job:requests:rate5m" && name != "job:requests:max" && name != "only_down") continue;
    ++series;
    std::vector<std::pair<TimestampMs, double>> want;
    for (const auto& sample : fixture_.storage.Samples(labels)) {
      want.emplace_back(sample.t, IsStaleNaN(sample.value) ? -1 : sample.value);
    }
    EXPECT_EQ(kept.samples[labels.ToString()], want) << labels.ToString();
  }
  EXPECT_EQ(series, 10U);
  EXPECT_EQ(kept.samples.size(), series);
}

TEST_F(BacktestTest, ItCanBeCanceledAndTellsHowFarItIs) {
  Fill(fixture_.storage);
  BacktestOptions options;
  options.engine = &fixture_.engine;
  options.storage = &fixture_.storage;
  std::stop_source stop;
  options.stop = stop.get_token();
  double last = 0;
  options.progress = [&](double part) {
    EXPECT_GE(part, last);
    last = part;
    if (part > 0.3) stop.request_stop();
  };
  const auto canceled = RunBacktest(SettingsOf(kChained), kBacktestStart, End(), options);
  ASSERT_FALSE(canceled);
  EXPECT_EQ(canceled.error().code(), ErrorCode::kCanceled);
  EXPECT_LT(last, 0.9);
  options.stop = {};
  options.progress = [&](double part) { last = part; };
  EXPECT_TRUE(RunBacktest(SettingsOf(kChained), kBacktestStart, End(), options));
  EXPECT_NEAR(last, 1, 0.01);
  options.max_events = 10;
  const auto too_many = RunBacktest(SettingsOf(kChained), kBacktestStart, End(), options);
  ASSERT_FALSE(too_many);
  EXPECT_EQ(too_many.error().code(), ErrorCode::kLimit);
}

}  // namespace
}  // namespace epi::rules
