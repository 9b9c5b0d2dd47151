// /api/v1/admin/rules/backfill: gives recording rules the past that they would have.
#include <algorithm>

#include "rules/backtest/rule_backfill.h"
#include "rules/manager.h"
#include "storage/storage.h"
#include "web/api/answer.h"
#include "web/api/parameters.h"
#include "web/api/rules_json.h"
#include "web/handlers.h"

namespace epi::web {
namespace {

bool IsChosen(const std::vector<std::string_view>& names, std::string_view name) {
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<rules::GroupSettings> ChosenGroups(const Services& services, const net::Request& request) {
  const auto groups = request.FormValues("rule_group[]");
  const auto names = request.FormValues("rule_name[]");
  std::vector<rules::GroupSettings> out;
  if (services.rule_manager == nullptr) return out;
  for (rules::GroupSettings& settings : services.rule_manager->Settings()) {
    if (!IsChosen(groups, settings.spec.name)) continue;
    std::erase_if(settings.spec.rules, [&](const rules::RuleSpec& rule) { return !IsChosen(names, rule.record); });
    if (!settings.spec.rules.empty()) out.push_back(std::move(settings));
  }
  return out;
}

}  // namespace

Result<void> ServeRulesBackfill(Services& services, const net::Request& request, net::ResponseWriter& response) {
  if (!services.options.enable_admin_api) return Fail(ErrorCode::kUnavailable, "admin APIs disabled");
  if (!request.form_error.empty()) return Fail(ErrorCode::kInvalid, "error parsing form values: " + request.form_error);
  if (services.backfill_storage == nullptr || services.engine == nullptr) {
    return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  }
  if (!request.HasForm("start")) {
    return Fail(InvalidParameter("start", Error(ErrorCode::kInvalid, "a start time is required")));
  }
  EPI_ASSIGN(const TimestampMs start, TimeParameter(request, "start", 0));
  EPI_ASSIGN(const TimestampMs end, TimeParameter(request, "end", services.clock->NowMs()));
  if (end < start) {
    return Fail(InvalidParameter("end", Error(ErrorCode::kInvalid, "end timestamp must not be before start time")));
  }
  std::vector<rules::GroupSettings> groups = ChosenGroups(services, request);
  if (groups.empty()) return Fail(ErrorCode::kNotFound, "no recording rule is loaded under that name");
  services.logger.Info(
      "Administration request",
      {{"action", "rules_backfill"}, {"remote", request.remote_address}, {"user", request.identity.name}});
  EPI_ASSIGN(const auto appender, services.backfill_storage->OpenBackfill({}));
  rules::BacktestOptions options;
  options.engine = services.engine;
  options.storage = services.storage;
  options.pool = services.pool;
  options.logger = services.logger;
  options.stop = request.stop;
  const auto report = BackfillRules(std::move(groups), start, end, *appender, options);
  if (!report) return Fail(InternalError(report.error()));
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  json.Key("stored");
  json.Unsigned(report->stored.stored);
  json.Key("tooOld");
  json.Unsigned(report->stored.too_old);
  json.Key("tooNew");
  json.Unsigned(report->stored.too_new);
  json.Key("blocks");
  json.BeginArray();
  for (const std::string& block : report->stored.blocks) json.String(block);
  json.EndArray();
  json.Key("rules");
  json.BeginArray();
  for (const rules::BacktestRule& rule : report->rules) WriteBacktestRule(json, rule);
  json.EndArray();
  json.EndObject();
  return answer.Finish();
}

}  // namespace epi::web
