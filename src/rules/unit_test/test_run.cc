#include "rules/unit_test/test_run.h"
#include "base/escaping.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>

#include "config/glob.h"
#include "model/duration.h"
#include "model/histogram_format.h"
#include "model/number_format.h"
#include "model/search_regex.h"
#include "net/url.h"
#include "promql/engine/engine.h"
#include "promql/parser/parser.h"
#include "rules/alerting_rule.h"
#include "rules/engine_querier.h"
#include "rules/group.h"
#include "rules/unit_test/test_text.h"

namespace epi::rules {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kMsPerSecond = 1000;
constexpr int64_t kSecondNs = kNsPerMs * kMsPerSecond;

// One rule file, read once for all groups of a test file.
struct TestRuleFile {
  std::string path;
  RuleFile file;
};

std::string_view TrimmedLine(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\n\r";
  const size_t first = line.find_first_not_of(kBlanks);
  return first == std::string_view::npos ? "" : line.substr(first, line.find_last_not_of(kBlanks) - first + 1);
}

// Series of a test as they are written bit by bit.
class TestInput {
 public:
  // The text error of the first series that cannot be read.
  static Result<TestInput> Make(const RuleTestGroup& group) {
    TestInput input;
    input.interval_ms_ = group.interval_ms;
    input.start_ = group.start;
    // Prometheus makes a script of them, whose first line says how far apart the values are.
    int line = 0;
    for (const TestSeries& series : group.input_series) {
      const std::string text = series.series + " " + series.values;
      EPI_ASSIGN(promql::SeriesDescription description,
                 promql::ParseSeriesDescription(TrimmedLine(text), promql::kMaxSeriesValues, ++line));
      input.series_.push_back(std::move(description));
    }
    return input;
  }

  // Writes what lies at or before `time` and is not written yet.
  Result<void> WriteUntil(TimestampMs time, BatchAppender& appender) {
    for (; next_ < Length() && TimeOf(next_) <= time; ++next_) {
      bool any = false;
      for (const promql::SeriesDescription& series : series_) any |= Queue(series, appender);
      if (!any) continue;
      EPI_TRY(appender.Commit(TimeOf(next_)));
    }
    return {};
  }

 private:
  size_t Length() const {
    size_t length = 0;
    for (const promql::SeriesDescription& series : series_) length = std::max(length, series.values.size());
    return length;
  }
  TimestampMs TimeOf(size_t index) const { return start_ + static_cast<int64_t>(index) * interval_ms_; }

  bool Queue(const promql::SeriesDescription& series, BatchAppender& appender) const {
    if (next_ >= series.values.size() || series.values[next_].omitted) return false;
    const promql::SequenceValue& value = series.values[next_];
    const auto ref = appender.Intern(series.labels);
    if (!ref) return false;
    if (value.histogram != nullptr) {
      appender.AddHistogram({*ref, TimeOf(next_), 0, nullptr, value.histogram});
    } else {
      appender.AddAt(*ref, TimeOf(next_), value.value);
    }
    return true;
  }

  int64_t interval_ms_ = 0;
  TimestampMs start_ = 0;
  std::vector<promql::SeriesDescription> series_;
  size_t next_ = 0;
};

// One test group: storage, engine and rule groups of its own.
class TestGroupRun {
 public:
  TestGroupRun(const RuleTestGroup& test, const RuleTestFile& file, const RuleTestOptions& options)
      : test_(test), file_(file), options_(options), storage_(options.make_storage()) {
    promql::EngineOptions engine;
    engine.features = options.features;
    engine.clock = options.clock;
    engine_ = std::make_unique<promql::Engine>(engine);
    engine_->SetDefaultStepMs(file.evaluation_interval_ms);
    querier_ = std::make_unique<EngineQuerier>(*engine_, *storage_);
    rules_.storage = storage_.get();
    rules_.querier = querier_.get();
    rules_.files = options.files;
    rules_.clock = options.clock;
    rules_.logger = options.logger;
    rules_.external_url = test.external_url;
    if (const auto url = net::ParseUrl(test.external_url)) rules_.path_prefix = url->path;
    surroundings_.external_labels = LabelsValue(ToLabels(test.external_labels));
  }

  std::vector<std::string> Run(const std::vector<TestRuleFile>& files, const std::map<std::string, size_t>& order) {
    std::vector<std::string> failures;
    for (const AlertTest& test : test_.alert_tests) {
      if (!test.alertname.empty()) continue;
      const std::string in_group = test_.name.empty() ? "" : " (in TestGroup " + test_.name + ")";
      return {"an item under alert_rule_test misses required attribute alertname at eval_time " +
              FormatDuration(test.eval_time_ms) + in_group};
    }
    if (auto made = MakeGroups(files, order); !made) return {made.error().message()};
    auto input = TestInput::Make(test_);
    if (!input) return {input.error().message()};
    auto appender = storage_->OpenGroup({GroupIdentity::Kind::kImport, "input"});
    if (!appender) return {appender.error().message()};
    const TimestampMs end = test_.start + test_.LastEvalTimeMs();
    for (TimestampMs time = test_.start; time <= end; time += file_.evaluation_interval_ms) {
      if (auto written = input->WriteUntil(time, **appender); !written) return {written.error().message()};
      // A rule that fails ends the group; a test that fails does not.
      if (!Evaluate(time, failures)) return failures;
      CompareAlerts(time, failures);
    }
    // Expressions may look between two evaluations.
    if (auto written = input->WriteUntil(end, **appender); !written) return {written.error().message()};
    for (const ExpressionTest& test : test_.expression_tests) CompareExpression(test, failures);
    if (options_.debug) DumpSamples();
    return failures;
  }

 private:
  Result<void> MakeGroups(const std::vector<TestRuleFile>& files, const std::map<std::string, size_t>& order) {
    for (const TestRuleFile& file : files) {
      for (const RuleGroupSpec& spec : file.file.groups) {
        GroupSettings settings;
        settings.file = file.path;
        settings.spec = spec;
        settings.interval_ms = spec.interval_ms == 0 ? test_.interval_ms : spec.interval_ms;
        settings.query_offset_ms = spec.query_offset_ms.value_or(0);
        EPI_ASSIGN(auto group, Group::Make(std::move(settings), rules_, false, nullptr));
        groups_.push_back(std::move(group));
      }
    }
    const auto place = [&order](const std::unique_ptr<Group>& group) {
      const auto known = order.find(group->settings().spec.name);
      return known == order.end() ? size_t{0} : known->second;
    };
    std::stable_sort(groups_.begin(), groups_.end(), [&](const auto& a, const auto& b) { return place(a) < place(b); });
    return {};
  }

  // False when a rule failed.
  bool Evaluate(TimestampMs time, std::vector<std::string>& failures) {
    const size_t before = failures.size();
    for (const auto& group : groups_) {
      group->Iterate(time, surroundings_);
      for (const auto& rule : group->rules()) {
        const std::string error = rule->outcome().last_error;
        if (error.empty()) continue;
        failures.push_back("    rule: " + rule->name() + ", time: " + FormatGoDuration(time * kNsPerMs) +
                           ", err: " + error);
      }
    }
    return failures.size() == before;
  }

  std::vector<TestAlert> FiringAlerts(const std::string& name) const {
    std::vector<TestAlert> out;
    for (const auto& group : groups_) {
      for (const auto& rule : group->rules()) {
        if (!rule->alerting() || rule->name() != name) continue;
        for (Alert& alert : static_cast<const AlertingRule&>(*rule).ActiveAlerts()) {
          if (alert.state != AlertState::kFiring) continue;
          out.push_back({std::move(alert.labels), std::move(alert.annotations)});
        }
      }
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  // The tests that look at the time between this evaluation and the next.
  void CompareAlerts(TimestampMs time, std::vector<std::string>& failures) const {
    const int64_t since = time - test_.start;
    std::vector<const AlertTest*> due;
    for (const AlertTest& test : test_.alert_tests) {
      if (test.eval_time_ms >= since && test.eval_time_ms < since + file_.evaluation_interval_ms) due.push_back(&test);
    }
    std::stable_sort(due.begin(), due.end(),
                     [](const AlertTest* a, const AlertTest* b) { return a->eval_time_ms < b->eval_time_ms; });
    for (const AlertTest* test : due) {
      std::vector<TestAlert> expected;
      for (const ExpectedAlert& alert : test->alerts) {
        LabelsBuilder labels(ToLabels(alert.labels));
        labels.Set(kAlertNameLabel, test->alertname);
        expected.push_back({labels.Build(), alert.annotations});
      }
      std::sort(expected.begin(), expected.end());
      const std::vector<TestAlert> got = FiringAlerts(test->alertname);
      if (expected == got) continue;
      std::string text = test_.name.empty() ? "" : "    name: " + test_.name + ",\n";
      text += "    alertname: " + test->alertname + ", time: " + FormatDuration(test->eval_time_ms) + ", \n";
      if (options_.diff) {
        text += "        diff: " + TestAlertsDiff(expected, got);
      } else {
        text += "        exp:" + IndentLines(TestAlertsText(expected), "            ") + ", \n";
        text += "        got:" + IndentLines(TestAlertsText(got), "            ");
      }
      failures.push_back(std::move(text));
    }
  }

  static Result<std::vector<TestSample>> ExpectedSamples(const ExpressionTest& test) {
    std::vector<TestSample> out;
    for (const ExpectedSample& sample : test.samples) {
      const auto context = [&](const std::string& error) {
        std::string text = "labels ";
        AppendQuoted(text, sample.labels);
        return Fail(ErrorCode::kInvalid, text + ": " + error);
      };
      TestSample& made = out.emplace_back();
      if (!sample.labels.empty()) {
        auto labels = promql::ParseMetric(sample.labels);
        if (!labels) return context(labels.error().message());
        made.labels = std::move(*labels);
      }
      made.value = sample.value;
      if (sample.histogram.empty()) continue;
      const auto parsed = promql::ParseSeriesDescription("{} " + sample.histogram);
      if (!parsed) return context(parsed.error().message());
      if (parsed->values.size() != 1) {
        return context("expected 1 value, got " + std::to_string(parsed->values.size()));
      }
      if (parsed->values[0].histogram == nullptr) return context("expected histogram, got value");
      made.histogram = HistogramToTestExpression(*parsed->values[0].histogram);
    }
    return out;
  }

  Result<std::vector<TestSample>> ActualSamples(const ExpressionTest& test) const {
    EPI_ASSIGN(const auto query, engine_->Parse(test.expr));
    EPI_ASSIGN(promql::VectorValue vector, querier_->Evaluate(*query, test_.start + test.eval_time_ms, nullptr));
    std::vector<TestSample> out;
    for (promql::VectorSample& sample : vector) {
      TestSample& made = out.emplace_back();
      made.labels = std::move(sample.labels);
      made.value = sample.v;
      if (sample.h != nullptr) made.histogram = HistogramToTestExpression(*sample.h);
    }
    return out;
  }

  void CompareExpression(const ExpressionTest& test, std::vector<std::string>& failures) const {
    std::string head = "    expr: ";
    AppendQuoted(head, test.expr);
    head += ", time: " + FormatDuration(test.eval_time_ms) + ",";
    auto got = ActualSamples(test);
    if (!got) {
      failures.push_back(head + " err: " + got.error().message());
      return;
    }
    auto expected = ExpectedSamples(test);
    if (!expected) {
      failures.push_back(head + " err: " + expected.error().message());
      return;
    }
    const auto by_labels = [](const TestSample& a, const TestSample& b) { return a.labels < b.labels; };
    std::stable_sort(expected->begin(), expected->end(), by_labels);
    std::stable_sort(got->begin(), got->end(), by_labels);
    if (AreEqual(*expected, *got, file_.fuzzy_compare)) return;
    failures.push_back(head + "\n        exp: " + TestSamplesText(*expected) +
                       "\n        got: " + TestSamplesText(*got));
  }

  // Tells of all samples up to the next whole second behind the last test: a range has no finer unit.
  void DumpSamples() const {
    const int64_t seconds = test_.LastEvalTimeMs() / kMsPerSecond + 1;
    const std::string query = "{__name__=~\".+\"}[" + std::to_string(seconds) + "s]";
    const auto spec = promql::QuerySpec::Instant(query, test_.start + seconds * kMsPerSecond);
    const auto result = engine_->Run(spec, *storage_);
    const auto* matrix = result ? std::get_if<promql::MatrixValue>(&result->value) : nullptr;
    if (matrix == nullptr) return;
    options_.debug("Dump of all data (input_series and rules) at " + FormatGoDuration(seconds * kSecondNs) + ":\n" +
                   TestMatrixText(*matrix));
  }

  const RuleTestGroup& test_;
  const RuleTestFile& file_;
  const RuleTestOptions& options_;
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<promql::Engine> engine_;
  std::unique_ptr<EngineQuerier> querier_;
  RuleOptions rules_;
  GroupSurroundings surroundings_;
  std::vector<std::unique_ptr<Group>> groups_;
};

std::string JoinTestPath(const std::string& directory, const std::string& pattern) {
  if (pattern.starts_with('/') || directory == ".") return pattern;
  return JoinPath(directory, pattern);
}

// Paths that the patterns name, each once.
std::vector<std::string> FindRuleFiles(const std::string& test_path, const RuleTestFile& file,
                                       const RuleTestOptions& options, RuleTestReport& report) {
  const std::string directory(DirectoryName(test_path));
  std::vector<std::string> out;
  for (const std::string& pattern : file.rule_files) {
    const std::string full = JoinTestPath(directory, pattern);
    const auto found = config::Glob(*options.files, full);
    if (!found) {
      report.errors.push_back(found.error().message());
      continue;
    }
    if (found->empty()) report.warnings.push_back("  WARNING: no file match pattern " + full);
    out.insert(out.end(), found->begin(), found->end());
  }
  return out;
}

std::vector<TestRuleFile> ReadRuleFiles(const std::vector<std::string>& paths, const RuleTestOptions& options,
                                        std::vector<std::string>& errors) {
  RuleFileOptions file_options;
  file_options.ignore_unknown_fields = options.ignore_unknown_fields;
  file_options.parser = options.parser;
  std::vector<TestRuleFile> out;
  std::set<std::string> seen;
  for (const std::string& path : paths) {
    if (!seen.insert(path).second) continue;
    const auto text = options.files->ReadFile(path);
    if (!text) {
      errors.push_back(path + ": " + text.error().message());
      continue;
    }
    RuleFileOutcome outcome = ParseRuleFile(*text, file_options);
    for (const std::string& error : outcome.errors) errors.push_back(path + ": " + error);
    out.push_back({path, std::move(outcome.file)});
  }
  return out;
}

Result<std::vector<std::shared_ptr<const SearchRegex>>> CompilePatterns(const std::vector<std::string>& patterns) {
  std::vector<std::shared_ptr<const SearchRegex>> out;
  for (const std::string& pattern : patterns) {
    EPI_ASSIGN(auto compiled, SearchRegex::Compile(pattern));
    out.push_back(std::move(compiled));
  }
  return out;
}

}  // namespace

bool RuleTestReport::ok() const {
  return errors.empty() &&
         std::all_of(groups.begin(), groups.end(), [](const RuleTestOutcome& group) { return group.failures.empty(); });
}

RuleTestReport RunRuleTests(const std::string& path, const RuleTestOptions& options) {
  RuleTestReport report;
  const auto fail = [&report](const Error& error) {
    report.errors.push_back(error.message());
    return report;
  };
  const auto text = options.files->ReadFile(path);
  if (!text) return fail(text.error());
  const auto file = ParseRuleTestFile(*text);
  if (!file) return fail(file.error());
  const auto patterns = CompilePatterns(options.run);
  if (!patterns) return fail(patterns.error());
  const std::vector<std::string> paths = FindRuleFiles(path, *file, options, report);
  if (!report.errors.empty()) return report;
  const auto order = EvaluationOrder(file->group_order);
  if (!order) return fail(order.error());
  std::vector<std::string> rule_errors;
  const std::vector<TestRuleFile> files = ReadRuleFiles(paths, options, rule_errors);
  for (size_t i = 0; i < file->groups.size(); ++i) {
    const RuleTestGroup& group = file->groups[i];
    const bool wanted = patterns->empty() || std::any_of(patterns->begin(), patterns->end(), [&](const auto& pattern) {
                          return pattern->Matches(group.name);
                        });
    if (!wanted) continue;
    RuleTestOutcome& outcome = report.groups.emplace_back();
    outcome.name = group.name.empty() ? "unnamed#" + std::to_string(i) : group.name;
    if (options.debug) options.debug("Starting test " + outcome.name);
    const auto began = options.clock->Monotonic();
    outcome.failures = rule_errors.empty() ? TestGroupRun(group, *file, options).Run(files, *order) : rule_errors;
    if (!options.debug) continue;
    const int64_t took_ns = options.clock->Monotonic() - began;
    options.debug("Test " + outcome.name + " finished, took " + FormatGoDuration(took_ns));
  }
  return report;
}

}  // namespace epi::rules
