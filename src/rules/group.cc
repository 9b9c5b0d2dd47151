#include "rules/group.h"

#include <map>
#include <thread>

#include "model/number_format.h"
#include "rules/group_metrics.h"
#include "rules/journal/alert_journal.h"
#include "rules/log_text.h"
#include "rules/recording_rule.h"
#include "rules/template/go_time.h"
#include "storage/view.h"

namespace epi::rules {
namespace {

constexpr double kNsPerSecond = 1e9;

bool SameRule(const RuleSpec& a, const RuleSpec& b) {
  return a.record == b.record && a.alert == b.alert && a.expr == b.expr && a.for_ms == b.for_ms &&
         a.keep_firing_for_ms == b.keep_firing_for_ms && a.labels == b.labels && a.annotations == b.annotations;
}

// What makes a rule the same one after a reload.
std::string RuleIdentity(const Rule& rule) { return rule.name() + RuleLabelsText(rule.labels()); }

// Iterations after a start in which data that alerts need may still be missing.
constexpr int kIterationsBefore = 2;

}  // namespace

bool GroupSettings::same_content(const GroupSettings& other) const {
  if (file != other.file || spec.name != other.spec.name || interval_ms != other.interval_ms ||
      query_offset_ms != other.query_offset_ms || spec.limit != other.spec.limit || spec.labels != other.spec.labels ||
      spec.rules.size() != other.spec.rules.size()) {
    return false;
  }
  for (size_t i = 0; i < spec.rules.size(); ++i) {
    if (!SameRule(spec.rules[i], other.spec.rules[i])) return false;
  }
  return true;
}

Group::Group(GroupSettings settings, const RuleOptions& options, bool restore, GroupMetrics* metrics)
    : settings_(std::move(settings)),
      key_(GroupKey(settings_.file, settings_.spec.name)),
      options_(options),
      metrics_(metrics),
      logger_(options.logger),
      writer_(*options.storage, key_),
      restore_(restore) {
  origin_.rule_file = settings_.file;
  origin_.rule_group = settings_.spec.name;
}

Group::~Group() = default;

Result<std::unique_ptr<Group>> Group::Make(GroupSettings settings, const RuleOptions& options, bool restore,
                                           GroupMetrics* metrics) {
  std::unique_ptr<Group> group(new Group(std::move(settings), options, restore, metrics));
  const TemplateCounters templates = metrics == nullptr ? TemplateCounters() : metrics->all.templates;
  for (const RuleSpec& spec : group->settings_.spec.rules) {
    EPI_ASSIGN(auto query, options.querier->Parse(spec.expr));
    RuleLabels labels = MergedLabels(group->settings_.spec, spec);
    if (spec.alert.empty()) {
      group->rules_.push_back(std::make_shared<RecordingRule>(spec.record, std::move(labels), std::move(query)));
    } else {
      EPI_ASSIGN(auto rule, AlertingRule::Make(spec, std::move(labels), std::move(query), !restore, templates));
      group->rules_.push_back(std::move(rule));
    }
  }
  std::map<std::string, size_t> copies;
  for (const auto& rule : group->rules_) {
    std::string key = RuleIdentity(*rule);
    if (const size_t copy = copies[key]++; copy > 0) key += "#" + std::to_string(copy);
    rule->SetId(std::make_shared<const RuleId>(RuleId{group->key_, rule->name(), std::move(key)}));
  }
  group->previous_.resize(group->rules_.size());
  if (options.concurrent_rules) {
    group->dependencies_ = AnalyseDependencies(group->rules_);
    group->batches_ = group->dependencies_.Batches();
  }
  if (metrics != nullptr) {
    metrics->interval.Set(static_cast<double>(group->settings_.interval_ms) / 1000);
    metrics->rules.Set(static_cast<double>(group->rules_.size()));
  }
  return group;
}

int64_t Group::SlotOffsetNs() const {
  const int64_t interval = settings_.interval_ms * 1'000'000;
  const Labels identity{{"name", settings_.spec.name}, {"file", settings_.file}};
  return static_cast<int64_t>(identity.PrometheusHash() % static_cast<uint64_t>(interval));
}

int64_t Group::SlotNs(int64_t now_ns) const {
  const int64_t offset = SlotOffsetNs();
  const int64_t shifted = now_ns - offset;
  return shifted - shifted % (settings_.interval_ms * 1'000'000) + offset;
}

void Group::CountMissed(int64_t slots) {
  if (metrics_ == nullptr || slots <= 0) return;
  metrics_->missed.Increment(static_cast<double>(slots));
  metrics_->iterations.Increment(static_cast<double>(slots));
}

void Group::Iterate(TimestampMs slot, const GroupSurroundings& surroundings) {
  Clock& clock = *options_.clock;
  const MonotonicNs start = clock.Monotonic();
  const int64_t start_wall = clock.NowNs();
  if (metrics_ != nullptr) metrics_->iterations.Increment();
  RuleContext context;
  context.querier = options_.querier;
  context.origin = &origin_;
  context.time = slot;
  context.query_offset_ms = settings_.query_offset_ms;
  context.limit = settings_.spec.limit;
  context.external_url = options_.external_url;
  context.path_prefix = options_.path_prefix;
  context.external_labels = surroundings.external_labels;
  context.logger = logger_;
  stored_ = 0;
  RestoreFromJournal(slot);
  if (batches_.empty()) {
    for (size_t i = 0; i < rules_.size(); ++i) EvaluateRule(i, context);
  } else {
    for (const auto& batch : batches_) {
      if (batch.size() == 1 || options_.max_concurrent_rules == 0) {
        for (const size_t i : batch) EvaluateRule(i, context);
        continue;
      }
      ThreadPool pool(std::min(options_.max_concurrent_rules, batch.size() - 1));
      pool.ParallelFor(batch.size(), options_.max_concurrent_rules, [&](size_t i) { EvaluateRule(batch[i], context); });
    }
  }
  if (!stale_.empty()) {
    MarkStale(stale_, slot);
    stale_.clear();
  }
  ++iterations_;
  if (options_.journal != nullptr) options_.journal->NoteAlive(slot);
  const double seconds = static_cast<double>(clock.Monotonic() - start) / kNsPerSecond;
  double rule_seconds = 0;
  for (const auto& rule : rules_) rule_seconds += rule->outcome().evaluation_seconds;
  {
    const std::lock_guard lock(status_mutex_);
    status_ = {seconds, start_wall};
  }
  if (metrics_ == nullptr) return;
  metrics_->all.group_duration.Observe(seconds);
  metrics_->all.group_duration_histogram.Observe(seconds);
  metrics_->last_duration.Set(seconds);
  metrics_->last_rule_duration_sum.Set(rule_seconds);
  metrics_->last_samples.Set(static_cast<double>(stored_));
  metrics_->last_evaluation.Set(static_cast<double>(start_wall) / kNsPerSecond);
}

void Group::EvaluateRule(size_t index, RuleContext context) {
  if (stop_.load(std::memory_order_relaxed)) return;
  Rule& rule = *rules_[index];
  std::vector<AlertEvent> events;
  if (options_.journal != nullptr && rule.alerting()) context.events = &events;
  const RuleHealth before = rule.outcome().health;
  Clock& clock = *options_.clock;
  const MonotonicNs start = clock.Monotonic();
  const int64_t start_wall = clock.NowNs();
  if (metrics_ != nullptr) metrics_->evaluations.Increment();
  auto samples = rule.Evaluate(context);
  if (samples) {
    rule.SetHealth(RuleHealth::kOk, {});
  } else {
    rule.SetHealth(RuleHealth::kErr, samples.error().message());
  }
  // A query that was canceled ends with the server; that is no failure to speak of.
  const bool canceled = !samples && samples.error().code() == ErrorCode::kCanceled;
  // On disk before anybody is told.
  if (!canceled) NoteEvents(rule, before, context.time, std::move(events));
  if (samples) {
    if (rule.alerting() && options_.alerts != nullptr) {
      const int64_t valid_for = 4 * std::max(settings_.interval_ms, options_.resend_delay_ms);
      auto alerts =
          static_cast<AlertingRule&>(rule).TakeAlertsToSend(context.time, options_.resend_delay_ms, valid_for);
      if (!alerts.empty()) options_.alerts->Send(rule.query_text(), std::move(alerts));
    }
    Store(index, std::move(*samples), context);
  } else {
    if (metrics_ != nullptr) metrics_->failures.Increment();
    if (!canceled) {
      LogRule(LogLevel::kWarn, index, "Evaluating rule failed",
              {{"rule", RuleYaml(rule)}, {"err", samples.error().message()}});
    }
  }
  const double seconds = static_cast<double>(clock.Monotonic() - start) / kNsPerSecond;
  rule.SetEvaluation(seconds, start_wall);
  if (metrics_ == nullptr) return;
  metrics_->all.evaluation_duration.Observe(seconds);
  metrics_->all.evaluation_duration_histogram.Observe(seconds);
}

void Group::NoteEvents(const Rule& rule, RuleHealth before, TimestampMs time, std::vector<AlertEvent> events) {
  if (options_.journal == nullptr || !rule.alerting()) return;
  const Rule::Outcome outcome = rule.outcome();
  const bool failed = outcome.health == RuleHealth::kErr;
  if (failed != (before == RuleHealth::kErr)) {
    AlertEvent event;
    event.kind = failed ? AlertEventKind::kRuleFailed : AlertEventKind::kRuleRecovered;
    event.time = time;
    event.alert.rule = rule.id();
    event.alert.state = AlertState::kInactive;
    event.detail = outcome.last_error;
    events.push_back(std::move(event));
  }
  options_.journal->Record(events);
}

// Alerts go on where the last run left them. After too long an outage, or when the last run was Prometheus, there is
// nothing to go on from and storage is asked as Prometheus does.
void Group::RestoreFromJournal(TimestampMs slot) {
  if (!restore_ || iterations_ > 0 || options_.journal == nullptr) return;
  const auto alive = options_.journal->alive_at();
  if (!alive || slot - *alive > options_.outage_tolerance_ms) return;
  AlertingRule::RestoreTerms terms;
  terms.now = slot;
  constexpr int64_t kMs = 1'000'000;
  terms.down_at = std::min(slot, SlotNs((*alive + 1) * kMs - 1) / kMs);  // slots are cut to milliseconds
  terms.interval_ms = settings_.interval_ms;
  terms.for_grace_period_ms = options_.for_grace_period_ms;
  terms.settle_ms = kIterationsBefore * std::max(settings_.interval_ms, options_.resend_delay_ms);
  std::vector<AlertEvent> events;
  for (const auto& rule : rules_) {
    if (!rule->alerting()) continue;
    auto& alerting = static_cast<AlertingRule&>(*rule);
    alerting.RestoreAlerts(options_.journal->StateOf(*rule->id()), terms, events);
    alerting.SetRestored();
  }
  options_.journal->Record(events);
  restore_ = false;
}

void Group::Store(size_t index, std::vector<RuleSample> samples, const RuleContext& context) {
  Rule& rule = *rules_[index];
  const std::lock_guard lock(write_mutex_);
  stored_ += samples.size();
  if (samples.empty() && previous_[index].empty()) return;
  const auto outcome = writer_.Write(samples, context.SampleTime(), previous_[index]);
  if (!outcome) {
    rule.SetHealth(RuleHealth::kErr, outcome.error().message());
    if (metrics_ != nullptr) metrics_->failures.Increment();
    LogRule(LogLevel::kWarn, index, "Rule sample appending failed", {{"err", outcome.error().message()}});
    return;
  }
  if (outcome->discarded.empty()) return;
  rule.SetHealth(RuleHealth::kErr, outcome->discarded.back().error);
  LogDiscarded(index, *outcome);
}

// What is expected now and then is told in one line, each sample only to who debugs.
void Group::LogDiscarded(size_t index, const WriteOutcome& outcome) const {
  struct Expected {
    RejectReason reason;
    std::string_view text;
    uint32_t count = 0;
  };
  Expected expected[] = {
      {RejectReason::kOutOfOrder, "Error on ingesting out-of-order result from rule evaluation"},
      {RejectReason::kTooOld, "Error on ingesting too old result from rule evaluation"},
      {RejectReason::kDuplicate,
       "Error on ingesting results from rule evaluation with different value but same timestamp"},
  };
  for (const WriteOutcome::Discarded& discarded : outcome.discarded) {
    LogLevel level = LogLevel::kWarn;
    for (Expected& kind : expected) {
      if (discarded.reason != kind.reason) continue;
      ++kind.count;
      level = LogLevel::kDebug;
    }
    if (!logger_.enabled(level)) continue;
    LogRule(level, index, "Rule evaluation result discarded",
            {{"err", discarded.error}, {"sample", SampleText(*discarded.sample)}});
  }
  for (const Expected& kind : expected) {
    if (kind.count > 0) LogRule(LogLevel::kWarn, index, kind.text, {{"num_dropped", kind.count}});
  }
}

void Group::Log(LogLevel level, std::string_view text, std::initializer_list<LogField> details) const {
  std::vector<LogField> fields{{"file", settings_.file}, {"group", settings_.spec.name}};
  fields.insert(fields.end(), details.begin(), details.end());
  logger_.Write(level, text, fields);
}

void Group::LogRule(LogLevel level, size_t index, std::string_view text,
                    std::initializer_list<LogField> details) const {
  std::vector<LogField> fields{{"name", rules_[index]->name()}, {"index", index}};
  fields.insert(fields.end(), details.begin(), details.end());
  fields.insert(fields.begin(), {{"file", settings_.file}, {"group", settings_.spec.name}});
  logger_.Write(level, text, fields);
}

void Group::MarkStale(const std::vector<Labels>& series, TimestampMs now) {
  const std::lock_guard lock(write_mutex_);
  if (auto marked = writer_.MarkStale(series, now - settings_.query_offset_ms); !marked) {
    Log(LogLevel::kWarn, "Stale sample appending for previous configuration failed",
        {{"err", marked.error().message()}});
  }
}

std::vector<Labels> Group::TakeSeries() {
  const std::lock_guard lock(write_mutex_);
  std::vector<Labels> out = std::move(stale_);
  for (SeriesSet& series : previous_) {
    for (const auto& entry : series) out.push_back(entry.first);
    series.clear();
  }
  return out;
}

Group::Status Group::status() const {
  const std::lock_guard lock(status_mutex_);
  return status_;
}

void Group::CopyState(const Group& from) {
  {
    const std::lock_guard lock(status_mutex_);
    status_ = from.status();
  }
  // Rules that are written several times are matched in their order.
  std::map<std::string, std::vector<size_t>> unmatched;
  for (size_t i = from.rules_.size(); i-- > 0;) unmatched[RuleIdentity(*from.rules_[i])].push_back(i);
  for (size_t i = 0; i < rules_.size(); ++i) {
    auto& candidates = unmatched[RuleIdentity(*rules_[i])];
    if (candidates.empty()) continue;
    const size_t old = candidates.back();
    candidates.pop_back();
    previous_[i] = from.previous_[old];
    if (!rules_[i]->alerting() || !from.rules_[old]->alerting()) continue;
    static_cast<AlertingRule&>(*rules_[i]).CopyAlerts(static_cast<const AlertingRule&>(*from.rules_[old]));
  }
  stale_ = from.stale_;
  for (const auto& entry : unmatched) {
    for (const size_t old : entry.second) {
      for (const auto& series : from.previous_[old]) stale_.push_back(series.first);
    }
  }
}

void Group::RestoreIfDue() {
  // The first iteration may have come before the data that the rules need.
  if (!restore_ || iterations_ < kIterationsBefore) return;
  const MonotonicNs start = options_.clock->Monotonic();
  RestoreForState(options_.clock->NowMs());
  restore_ = false;
  const double seconds = static_cast<double>(options_.clock->Monotonic() - start) / kNsPerSecond;
  if (metrics_ != nullptr) metrics_->last_restore_duration.Set(seconds);
  LogField duration("duration_seconds", FormatFloatGeneral(seconds));
  duration.is_text = false;
  Log(LogLevel::kDebug, "'for' state restoration completed", {duration});
}

void Group::RestoreForState(TimestampMs now) {
  std::shared_ptr<const View> view;
  for (const auto& rule : rules_) {
    if (!rule->alerting()) continue;
    auto& alerting = static_cast<AlertingRule&>(*rule);
    // Shorter ones fire on their own before the grace period is over.
    if (alerting.hold_ms() >= options_.for_grace_period_ms) {
      if (view == nullptr) {
        auto opened = options_.storage->OpenView({now - options_.outage_tolerance_ms, now});
        if (!opened) {
          Log(LogLevel::kError, "Failed to get Querier", {{"err", opened.error().message()}});
          return;
        }
        view = std::move(*opened);
      }
      RestoreRule(alerting, *view, now);
    }
    alerting.SetRestored();
  }
}

namespace {

// Go's layout of that name.
constexpr std::string_view kRfc850 = "Monday, 02-Jan-06 15:04:05 MST";

// The last float of a series, when it has one that is no stale marker.
struct LastSample {
  TimestampMs t = 0;
  double v = 0;
};

}  // namespace

void Group::RestoreRule(AlertingRule& rule, const View& view, TimestampMs now) {
  const std::vector<Matcher> matchers{Matcher::Equal(std::string(kMetricName), std::string(kAlertForStateMetric)),
                                      Matcher::Equal(std::string(kAlertNameLabel), rule.name())};
  SelectHints hints;
  hints.range = {now - options_.outage_tolerance_ms, now};
  Budget budget("restore");
  const auto failed = [&](std::string_view stage, const Error& error) {
    Log(LogLevel::kError, "Failed to restore 'for' state",
        {{"alertname", rule.name()}, {"stage", stage}, {"err", error.message()}});
  };
  const auto selection = view.Select(matchers, hints, budget);
  if (!selection) {
    failed("Select", selection.error());
    return;
  }
  std::map<Labels, LastSample> found;
  SeriesBatch batch;
  for (size_t first = 0; first < (*selection)->size(); first += SeriesBatch::kMaxSeries) {
    const size_t count = std::min(SeriesBatch::kMaxSeries, (*selection)->size() - first);
    if (auto read = (*selection)->Read(first, count, batch); !read) {
      failed("Iterator", read.error());
      return;
    }
    for (size_t i = 0; i < count; ++i) {
      const SeriesSamples& samples = batch.series[i];
      if (samples.t.empty()) continue;
      const Labels labels = epi::ToLabels((*selection)->labels(first + i), view.symbols()).Without(kMetricName);
      found[labels] = {samples.t.back(), samples.v.back()};
    }
  }
  if (found.empty()) {
    Log(LogLevel::kDebug, "No series found to restore the 'for' state of the alert rule", {{"alertname", rule.name()}});
    return;
  }
  rule.ForEachAlert([&](Alert& alert) {
    const auto series = found.find(alert.labels);
    if (series == found.end() || IsStaleNaN(series->second.v)) return;
    // Whole seconds, as the value is.
    const TimestampMs down_at = series->second.t / 1000 * 1000;
    TimestampMs active_at = static_cast<int64_t>(series->second.v) * 1000;
    const int64_t remaining = rule.hold_ms() - (down_at - active_at);
    if (remaining <= 0) {
      // It was firing; the next evaluation finds it firing again.
    } else if (remaining < options_.for_grace_period_ms) {
      active_at = now + options_.for_grace_period_ms - rule.hold_ms();
    } else {
      active_at += now - down_at;  // the outage does not count
    }
    alert.active_at = active_at;
    Log(LogLevel::kDebug, "'for' state restored",
        {{"alertname", rule.name()},
         {"restored_time", FormatTime({active_at / 1000, 0}, kRfc850)},
         {"labels", alert.labels.ToString()}});
  });
}

}  // namespace epi::rules
