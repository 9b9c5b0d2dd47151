// rules backtest: what rule files would have done over the blocks of a data directory.
#include <algorithm>
#include <csignal>
#include <mutex>
#include <ostream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/thread_pool.h"
#include "config/glob.h"
#include "epitool/command.h"
#include "epitool/query_features.h"
#include "epitool/rule_check.h"
#include "epitool/stored_blocks.h"
#include "model/duration.h"
#include "model/number_format.h"
#include "rules/backtest/backtest.h"
#include "rules/rule_file.h"
#include "rules/template/go_time.h"
#include "web/api/parameters.h"
#include "web/api/rules_json.h"

namespace epi::tool {
namespace {

constexpr FlagSpec kBacktestFlags[] = {
    {"storage.tsdb.path", true, "data/", "Data directory whose blocks are read."},
    {"start", true, "", "First time of the backtest, RFC 3339 or Unix seconds; a day before the end when absent."},
    {"end", true, "", "Last time of the backtest; the newest sample when absent."},
    {"eval-interval", true, "60s", "Interval of groups that name none."},
    {"output", true, "text", "text or json."},
    {"quiet", false, "", "No progress."},
    {"threads", true, "2", "How many threads evaluate."},
};

Result<std::vector<rules::GroupSettings>> ReadGroups(const std::vector<std::string>& paths, int64_t interval_ms,
                                                     const promql::ParseOptions& parser, Console& console) {
  rules::RuleFileOptions options;
  options.parser = parser;
  std::vector<rules::GroupSettings> out;
  for (const std::string& path : paths) {
    EPI_ASSIGN(const std::string text, console.files.ReadFile(path));
    rules::RuleFileOutcome outcome = ParseRuleFile(text, options);
    if (!outcome.ok()) return Fail(ErrorCode::kInvalid, path + ": " + outcome.errors.front());
    for (rules::RuleGroupSpec& spec : outcome.file.groups) {
      rules::GroupSettings& settings = out.emplace_back();
      settings.file = path;
      settings.interval_ms = spec.interval_ms == 0 ? interval_ms : spec.interval_ms;
      settings.query_offset_ms = spec.query_offset_ms.value_or(0);
      settings.spec = std::move(spec);
    }
  }
  return out;
}

std::string TimeText(TimestampMs t) {
  return rules::FormatTime({t / 1000, static_cast<int32_t>(t % 1000 * 1'000'000)}, "2006-01-02T15:04:05Z07:00");
}

void PrintRule(const rules::BacktestRule& rule, std::ostream& out) {
  out << rule.rule->group << " " << rule.rule->name << ": " << rule.evaluations << " evaluations, " << rule.failures
      << " failed";
  if (!rule.alerting) out << ", " << rule.samples << " samples";
  out << "\n";
  if (rule.failures > 0) {
    out << "  first failure " << TimeText(rule.first_error_time) << ": " << rule.first_error << "\n";
  }
  for (const rules::AlertEvent& event : rule.events) {
    out << "  " << TimeText(event.time) << " " << AlertEventKindName(event.kind) << " " << event.alert.labels.ToString()
        << " value " << FormatFloatGeneral(event.alert.value) << "\n";
    for (const auto& [name, text] : event.alert.annotations) out << "      " << name << ": " << text << "\n";
  }
}

void PrintJson(const std::vector<rules::BacktestRule>& results, std::ostream& out) {
  web::JsonWriter json([&out](std::string_view text) -> Result<void> {
    out << text;
    return {};
  });
  json.BeginArray();
  for (const rules::BacktestRule& rule : results) {
    web::WriteBacktestRule(json, rule);
    if (!json.Drain()) break;
  }
  json.EndArray();
  if (json.Finish()) out << "\n";
}

// Set by SIGINT and SIGTERM: the run is canceled in order.
std::stop_source* backtest_stop = nullptr;
extern "C" void CancelBacktest(int) { backtest_stop->request_stop(); }

// Progress on standard error, one line that is written over.
class ProgressLine {
 public:
  explicit ProgressLine(std::ostream& out) : out_(out) {}
  void Tell(double done) {
    const std::lock_guard lock(mutex_);
    const int percent = static_cast<int>(done * 100);
    if (percent <= told_) return;
    told_ = percent;
    out_ << "\r" << percent << " %" << std::flush;
  }
  void End() {
    if (told_ >= 0) out_ << "\n";
  }

 private:
  std::ostream& out_;
  std::mutex mutex_;
  int told_ = -1;
};

Result<void> Backtest(const Arguments& arguments, Console& console) {
  const QueryFeatures features = ReadQueryFeatures(arguments, console);
  EPI_ASSIGN(const int64_t interval, ParseDuration(arguments.Value("eval-interval")));
  if (interval <= 0) return Fail(ErrorCode::kInvalid, "eval-interval must be positive");
  EPI_ASSIGN(const auto groups, ReadGroups(arguments.positional(), interval, features.parser, console));
  EPI_ASSIGN(const auto storage, StoredBlocks::Open(console.files, std::string(arguments.Value("storage.tsdb.path"))));
  TimestampMs end = storage->newest_time();
  if (!arguments.Value("end").empty()) {
    EPI_ASSIGN(end, web::ParseTime(arguments.Value("end")));
  }
  constexpr int64_t kDayMs = int64_t{24} * 3600 * 1000;
  TimestampMs start = end - kDayMs;
  if (!arguments.Value("start").empty()) {
    EPI_ASSIGN(start, web::ParseTime(arguments.Value("start")));
  }
  EPI_ASSIGN(const int64_t threads, web::ParseGoInteger(arguments.Value("threads")));

  promql::EngineOptions engine_options;
  engine_options.features = features.engine;
  engine_options.timeout_ms = int64_t{3600} * 1000;
  ThreadPool pool(static_cast<size_t>(std::clamp<int64_t>(threads, 1, 256)));
  engine_options.pool = &pool;
  engine_options.threads = pool.size();
  promql::Engine engine(engine_options);
  engine.SetDefaultStepMs(interval);
  rules::BacktestOptions options;
  options.engine = &engine;
  options.storage = storage.get();
  options.pool = &pool;
  std::stop_source stop;
  options.stop = stop.get_token();
  backtest_stop = &stop;
  std::signal(SIGINT, &CancelBacktest);
  std::signal(SIGTERM, &CancelBacktest);
  ProgressLine progress(console.err);
  if (!arguments.On("quiet")) options.progress = [&progress](double done) { progress.Tell(done); };
  auto results = RunBacktest(groups, start, end, options);
  progress.End();
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  if (!results) return Fail(results.error());
  if (arguments.Value("output") == "json") {
    PrintJson(*results, console.out);
  } else {
    for (const rules::BacktestRule& rule : *results) PrintRule(rule, console.out);
  }
  return {};
}

int RunRulesBacktest(const Arguments& arguments, Console& console) {
  if (auto done = Backtest(arguments, console); !done) {
    console.err << "epitool: error: " << done.error().message() << "\n";
    return kFailure;
  }
  return kSuccess;
}

}  // namespace

const Command kRulesBacktest = {
    "rules backtest", "<rule-files>...", "What rules would have done over stored data.", kBacktestFlags, 1, SIZE_MAX,
    SIZE_MAX,         &RunRulesBacktest,
};

}  // namespace epi::tool
