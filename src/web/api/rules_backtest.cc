// /api/v1/rules/backtest: what rules would have done in the past.
//
// With progress=true the answer is a stream of lines, one JSON object each: {"progress":0.25} and its like, and at the
// end the usual envelope. Closing the connection cancels the run.
#include <algorithm>
#include <thread>

#include "model/number_format.h"
#include "net/url.h"
#include "promql/engine/engine.h"
#include "rules/backtest/backtest.h"
#include "rules/manager.h"
#include "rules/rule_file.h"
#include "web/api/answer.h"
#include "web/api/parameters.h"
#include "web/api/rules_json.h"
#include "web/handlers.h"

namespace epi::web {
namespace {

constexpr int64_t kBacktestNsPerMs = 1'000'000;

// The groups of a rule file in the request, or the loaded ones that the parameters choose.
Result<std::vector<rules::GroupSettings>> GroupsOf(Services& services, const net::Request& request) {
  std::vector<rules::GroupSettings> out;
  if (const std::string_view text = request.FormValue("rules"); !text.empty()) {
    rules::RuleFileOptions options;
    options.parser = services.parse_options;
    rules::RuleFileOutcome outcome = ParseRuleFile(text, options);
    if (!outcome.ok()) {
      return Fail(InvalidParameter("rules", Error(ErrorCode::kInvalid, outcome.errors.front())));
    }
    const rules::RuleConfig config =
        services.rule_manager == nullptr ? rules::RuleConfig() : services.rule_manager->config();
    for (rules::RuleGroupSpec& spec : outcome.file.groups) {
      rules::GroupSettings& settings = out.emplace_back();
      settings.file = "backtest";
      settings.interval_ms = spec.interval_ms == 0 ? config.interval_ms : spec.interval_ms;
      settings.query_offset_ms = spec.query_offset_ms.value_or(config.query_offset_ms);
      settings.spec = std::move(spec);
    }
    return out;
  }
  const auto names = request.FormValues("rule_group[]");
  std::vector<rules::GroupSettings> loaded;
  if (services.rule_manager != nullptr) loaded = services.rule_manager->Settings();
  for (rules::GroupSettings& settings : loaded) {
    const bool wanted = names.empty() || std::find(names.begin(), names.end(), settings.spec.name) != names.end();
    if (wanted) out.push_back(std::move(settings));
  }
  if (out.empty() && !names.empty()) return Fail(ErrorCode::kNotFound, "no rule group is loaded under that name");
  return out;
}

// Writes one line for each percent. Only the handler's thread writes; others leave it to the next time that one tells.
class ProgressLines {
 public:
  explicit ProgressLines(net::ResponseWriter& response) : response_(response), thread_(std::this_thread::get_id()) {}
  void Tell(double done) {
    constexpr double kEvery = 0.01;
    if (std::this_thread::get_id() != thread_ || failed_ || done < told_ + kEvery) return;
    told_ = done;
    if (!begun_) response_.headers().Set("Content-Type", "application/x-ndjson");
    begun_ = true;
    auto written = response_.Write("{\"progress\":" + FormatFloatPrecision(done, 'f', 2) + "}\n");
    if (written) written = response_.Flush();
    failed_ = !written;  // the request's stop token ends the run
  }
  bool begun() const { return begun_; }

 private:
  net::ResponseWriter& response_;
  std::thread::id thread_;
  double told_ = 0;
  bool begun_ = false;
  bool failed_ = false;
};

}  // namespace

void WriteBacktestRule(JsonWriter& json, const rules::BacktestRule& rule) {
  json.BeginObject();
  json.Key("ruleGroup");
  json.String(rule.rule->group);
  json.Key("name");
  json.String(rule.rule->name);
  json.Key("type");
  json.String(rule.alerting ? "alerting" : "recording");
  json.Key("query");
  json.String(rule.query);
  json.Key("evaluations");
  json.Unsigned(rule.evaluations);
  json.Key("failures");
  json.Unsigned(rule.failures);
  if (rule.failures > 0) {
    json.Key("firstError");
    json.String(rule.first_error);
    json.Key("firstErrorTime");
    json.Time(rule.first_error_time * kBacktestNsPerMs);
  }
  if (rule.alerting) {
    json.Key("events");
    json.BeginArray();
    for (const rules::AlertEvent& event : rule.events) {
      json.BeginObject();
      WriteAlertEvent(json, event);
      json.EndObject();
      if (!json.Drain()) break;
    }
    json.EndArray();
  } else {
    json.Key("samples");
    json.Unsigned(rule.samples);
  }
  json.EndObject();
}

Result<void> ServeRulesBacktest(Services& services, const net::Request& request, net::ResponseWriter& response) {
  if (!request.form_error.empty()) return Fail(ErrorCode::kInvalid, "error parsing form values: " + request.form_error);
  if (services.storage == nullptr || services.engine == nullptr) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  EPI_ASSIGN(const TimestampMs end, TimeParameter(request, "end", services.clock->NowMs()));
  EPI_ASSIGN(const TimestampMs start, TimeParameter(request, "start", end - int64_t{24} * 3600 * 1000));
  if (end < start) {
    return Fail(InvalidParameter("end", Error(ErrorCode::kInvalid, "end timestamp must not be before start time")));
  }
  EPI_ASSIGN(const std::vector<rules::GroupSettings> groups, GroupsOf(services, request));
  rules::BacktestOptions options;
  options.engine = services.engine;
  options.storage = services.storage;
  options.pool = services.pool;
  options.external_url = services.options.external_url;
  if (const auto external = net::ParseUrl(options.external_url)) options.path_prefix = external->path;
  if (services.external_labels) options.external_labels = services.external_labels();
  options.logger = services.logger;
  options.stop = request.stop;
  ProgressLines lines(response);
  if (request.FormValue("progress") == "true") options.progress = [&lines](double done) { lines.Tell(done); };
  const auto rules = RunBacktest(groups, start, end, options);
  if (!rules) {
    const ErrorCode code = rules.error().code();
    const Error error = code == ErrorCode::kInvalid ? rules.error() : ExecutionError(rules.error());
    if (!lines.begun()) return Fail(error);
    WriteApiError(error, response);
    return {};
  }
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  json.Key("rules");
  json.BeginArray();
  for (const rules::BacktestRule& rule : *rules) WriteBacktestRule(json, rule);
  json.EndArray();
  json.EndObject();
  return answer.Finish();
}

}  // namespace epi::web
