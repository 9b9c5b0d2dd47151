#include <algorithm>

#include "base/ascii.h"
#include "base/escaping.h"
#include "net/digest.h"
#include "web/api/answer.h"
#include "web/api/parameters.h"
#include "web/api/rules_json.h"
#include "web/handlers.h"

namespace epi::web {
namespace {

// What of the rules is asked for.
struct RuleFilter {
  std::vector<std::string_view> names, groups, files;
  std::vector<std::vector<Matcher>> matcher_sets;
  bool alerting = true, recording = true;

  static bool Has(const std::vector<std::string_view>& list, std::string_view text) {
    return list.empty() || std::find(list.begin(), list.end(), text) != list.end();
  }
  bool Wants(const RuleGroupStatus& group) const { return Has(groups, group.name) && Has(files, group.file); }
  bool Wants(const RuleStatus& rule) const {
    if (!(rule.alerting ? alerting : recording) || !Has(names, rule.name)) return false;
    if (matcher_sets.empty()) return true;
    LabelsBuilder labels;
    for (const auto& [name, value] : rule.labels) labels.Set(name, value);
    return std::any_of(matcher_sets.begin(), matcher_sets.end(),
                       [labels = labels.Build()](const auto& set) { return MatchesAll(labels, set); });
  }
};

struct Page {
  int64_t max_groups = 0;  // 0: all
  std::string token;
};

Result<Page> ReadPage(const net::Request& request) {
  Page page;
  page.token = request.QueryValue("group_next_token");
  const auto text = request.QueryValue("group_limit");
  const auto bad = [](std::string_view name, std::string why) {
    return Fail(InvalidParameter(name, Error(ErrorCode::kInvalid, std::move(why))));
  };
  if (text.empty()) {
    if (!page.token.empty())
      return bad("group_next_token", "group_limit needs to be present in order to paginate over the groups");
    return page;
  }
  const auto number = ParseGoInteger(text);
  if (number && *number != static_cast<int32_t>(*number)) {
    return bad("group_limit", "group_limit needs to be a valid number: strconv.ParseInt: parsing \"" +
                                  std::string(text) + "\": value out of range");
  }
  if (!number) {
    std::string why = number.error().message();
    why.replace(0, std::string_view("strconv.Atoi").size(), "strconv.ParseInt");
    return bad("group_limit", "group_limit needs to be a valid number: " + why);
  }
  if (*number <= 0) return bad("group_limit", "group_limit needs to be greater than 0");
  page.max_groups = *number;
  return page;
}

std::string TokenOf(const RuleGroupStatus& group) { return net::Sha256Hex(group.file + ";" + group.name); }

Result<RuleFilter> ReadFilter(const Services& services, const net::Request& request) {
  RuleFilter filter;
  filter.names = request.FormValues("rule_name[]");
  filter.groups = request.FormValues("rule_group[]");
  filter.files = request.FormValues("file[]");
  EPI_ASSIGN(filter.matcher_sets, MatcherSets(request, services.parse_options));
  const std::string type = LowerAscii(request.QueryValue("type"));
  if (!type.empty() && type != "alert" && type != "record") {
    std::string why = "not supported value ";
    AppendQuoted(why, type);
    return Fail(InvalidParameter("type", Error(ErrorCode::kInvalid, why)));
  }
  filter.alerting = type != "record";
  filter.recording = type != "alert";
  return filter;
}

Result<bool> ReadExcludeAlerts(const net::Request& request) {
  const std::string text = LowerAscii(request.QueryValue("exclude_alerts"));
  if (text.empty()) return false;
  const auto exclude = ParseGoBool(text);
  if (!exclude)
    return Fail(InvalidParameter("exclude_alerts", exclude.error().WithContext("error converting exclude_alerts")));
  return *exclude;
}

}  // namespace

Result<void> ServeRules(Services& services, const net::Request& request, net::ResponseWriter& response) {
  if (!request.form_error.empty()) return Fail(ErrorCode::kInvalid, "error parsing form values: " + request.form_error);
  EPI_ASSIGN(const RuleFilter filter, ReadFilter(services, request));
  EPI_ASSIGN(const bool exclude_alerts, ReadExcludeAlerts(request));
  EPI_ASSIGN(const Page page, ReadPage(request));

  auto groups = services.rules == nullptr ? std::vector<RuleGroupStatus>() : services.rules->Groups();
  std::vector<RuleGroupStatus> shown;
  std::string next_token;
  bool found = page.token.empty();
  for (auto& group : groups) {
    if (!found && TokenOf(group) != page.token) continue;
    found = true;
    if (!filter.Wants(group)) continue;
    std::erase_if(group.rules, [&](const RuleStatus& rule) { return !filter.Wants(rule); });
    if (group.rules.empty()) continue;
    if (page.max_groups > 0 && static_cast<int64_t>(shown.size()) == page.max_groups) {
      next_token = TokenOf(group);
      break;
    }
    shown.push_back(std::move(group));
  }
  if (!found) {
    return Fail(InvalidParameter(
        "group_next_token",
        Error(ErrorCode::kInvalid, "invalid group_next_token '" + page.token + "'. were rule groups changed?")));
  }
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  json.Key("groups");
  json.BeginArray();
  for (const auto& group : shown) WriteRuleGroup(json, group, !exclude_alerts);
  json.EndArray();
  if (!next_token.empty()) {
    json.Key("groupNextToken");
    json.String(next_token);
  }
  json.EndObject();
  return answer.Finish();
}

Result<void> ServeAlerts(Services& services, const net::Request&, net::ResponseWriter& response) {
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  json.Key("alerts");
  json.BeginArray();
  if (services.rules != nullptr) {
    for (const auto& group : services.rules->Groups())
      for (const auto& rule : group.rules) WriteAlerts(json, rule.alerts);
  }
  json.EndArray();
  json.EndObject();
  return answer.Finish();
}

}  // namespace epi::web
