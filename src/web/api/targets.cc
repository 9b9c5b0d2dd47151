#include <algorithm>
#include <map>

#include "base/ascii.h"
#include "discovery/json.h"
#include "model/relabel.h"
#include "net/url.h"
#include "scrape/status.h"
#include "web/api/answer.h"
#include "web/api/parameters.h"
#include "web/handlers.h"

namespace epi::web {
namespace {

std::vector<std::string> PoolNames(const Services& services) {
  return services.scrape == nullptr ? std::vector<std::string>() : services.scrape->PoolNames();
}

void WriteActiveTarget(JsonWriter& json, const scrape::ActiveTarget& target, const scrape::ExternalAddress& external) {
  const auto global = scrape::GlobalUrl(target.scrape_url, external);
  std::string last_error = target.last_error;
  if (!global.error.empty()) last_error += ": " + global.error;
  json.BeginObject();
  json.Key("discoveredLabels");
  json.LabelSet(target.discovered);
  json.Key("labels");
  json.LabelSet(target.labels);
  json.Key("scrapePool");
  json.String(target.scrape_pool);
  json.Key("scrapeUrl");
  json.String(target.scrape_url.ToString());
  json.Key("globalUrl");
  json.String(global.url);
  json.Key("lastError");
  json.String(last_error);
  json.Key("lastScrape");
  json.Time(target.last_scrape_ns == 0 ? kNever : target.last_scrape_ns);
  json.Key("lastScrapeDuration");
  json.Number(target.last_duration_seconds);
  json.Key("health");
  json.String(scrape::TargetHealthText(target.health));
  json.Key("scrapeInterval");
  json.String(target.interval);
  json.Key("scrapeTimeout");
  json.String(target.timeout);
  // An addition of ours, and only of targets whose job has sample_limit_action drop_new.
  if (target.refused_new_series > 0) {
    json.Key("refusedNewSeries");
    json.Unsigned(target.refused_new_series);
  }
  json.EndObject();
}

scrape::ExternalAddress ExternalAddressOf(const Services& services) {
  scrape::ExternalAddress external;
  external.listen_address = services.options.listen_address;
  if (const auto url = net::ParseUrl(services.options.external_url)) {
    external.scheme = url->scheme;
    external.host = url->host;
  }
  return external;
}

// An optional number of the form; -1 when absent.
Result<int64_t> NumberOrNone(const net::Request& request, std::string_view name) {
  const auto text = request.FormValue(name);
  if (text.empty()) return -1;
  auto number = ParseGoInteger(text);
  if (!number) return Fail(ErrorCode::kInvalid, std::string(name) + " must be a number");
  return number;
}

void WriteRelabelRule(JsonWriter& json, const RelabelConfig& rule) {
  json.BeginObject();
  if (!rule.source_labels.empty()) {
    json.Key("source_labels");
    json.BeginArray();
    for (const auto& name : rule.source_labels) json.String(name);
    json.EndArray();
  }
  json.Key("separator");
  json.String(rule.separator);
  if (rule.regex) {
    json.Key("regex");
    json.String(rule.regex->pattern());
  }
  if (rule.modulus != 0) {
    json.Key("modulus");
    json.Unsigned(rule.modulus);
  }
  if (!rule.target_label.empty()) {
    json.Key("target_label");
    json.String(rule.target_label);
  }
  json.Key("replacement");
  json.String(rule.replacement);
  json.Key("action");
  json.String(RelabelActionName(rule.action));
  json.EndObject();
}

Result<Labels> ParseLabelsJson(std::string_view text) {
  using discovery::Json;
  const auto failed = [](std::string_view why) {
    return Fail(ErrorCode::kInvalid, "error parsing labels: " + std::string(why));
  };
  const auto is_not = [&](const Json& value, std::string_view type) {
    return failed("json: cannot unmarshal " + std::string(Json::KindName(value.kind())) + " into Go value of type " +
                  std::string(type));
  };
  const auto parsed = Json::Parse(text);
  if (!parsed) return failed(parsed.error().message());
  LabelsBuilder labels;
  if (parsed->IsNull()) return labels.Build();
  if (!parsed->IsObject()) return is_not(*parsed, "map[string]string");
  for (const auto& [name, value] : parsed->members()) {
    if (!value.IsNull() && !value.IsString()) return is_not(value, "string");
    labels.Set(name, value.text());  // null is an empty string
  }
  return labels.Build();
}

Result<std::string> RequiredPool(const net::Request& request) {
  const auto pool = request.FormValue("scrapePool");
  if (pool.empty()) return Fail(ErrorCode::kInvalid, "no scrapePool parameter provided");
  return std::string(pool);
}

// Every number of metadata families that targets expose is bounded by what was scraped; the answer collects them
// sorted.
using MetadataByFamily = std::map<std::string, std::vector<MetricMetadata>>;

}  // namespace

Result<void> ServeTargets(Services& services, const net::Request& request, net::ResponseWriter& response) {
  const auto wanted_pool = request.QueryValue("scrapePool");
  const std::string state = LowerAscii(request.QueryValue("state"));
  const bool any = state.empty() || state == "any";
  const bool show_active = any || state == "active", show_dropped = any || state == "dropped";
  const auto pools = PoolNames(services);
  const auto external = ExternalAddressOf(services);
  const auto wanted = [&](const std::string& pool) { return wanted_pool.empty() || pool == wanted_pool; };

  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  json.Key("activeTargets");
  json.BeginArray();
  for (const auto& pool : pools) {
    if (!show_active || !wanted(pool)) continue;
    for (const auto& target : services.scrape->ActiveTargets(pool)) {
      WriteActiveTarget(json, target, external);
      if (!json.Drain()) break;
    }
  }
  json.EndArray();
  json.Key("droppedTargets");
  json.BeginArray();
  for (const auto& pool : pools) {
    if (!show_dropped || !wanted(pool)) continue;
    for (const auto& labels : services.scrape->DroppedTargets(pool)) {
      json.BeginObject();
      json.Key("discoveredLabels");
      json.LabelSet(labels);
      json.Key("scrapePool");
      json.String(pool);
      json.EndObject();
      if (!json.Drain()) break;
    }
  }
  json.EndArray();
  json.Key("droppedTargetCounts");
  if (show_dropped) {
    json.BeginObject();
    for (const auto& pool : pools) {
      json.DataKey(pool);
      json.Unsigned(services.scrape->DroppedCount(pool));
    }
    json.EndObject();
  } else {
    json.Null();
  }
  json.EndObject();
  return answer.Finish();
}

Result<void> ServeTargetMetadata(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_ASSIGN(const int64_t limit, NumberOrNone(request, "limit"));
  std::vector<Matcher> matchers;
  if (const auto selector = request.FormValue("match_target"); !selector.empty()) {
    auto parsed = promql::ParseMetricSelector(selector, services.parse_options);
    if (!parsed) return Fail(InvalidParameter("match_target", parsed.error()));
    matchers = std::move(*parsed);
  }
  const auto metric = request.FormValue("metric");
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginArray();
  // The limit is looked at between targets, as Prometheus does: a target is shown whole or not at all.
  int64_t shown = 0;
  bool open = true, matches = false, first = true;
  Labels current;
  const auto visit = [&](const Labels& target, const scrape::FamilyMetadata& family) {
    if (first || !(target == current)) {
      first = false;
      current = target;
      open = open && (limit < 0 || shown < limit);
      matches = MatchesAll(target, matchers);
    }
    if (!open || !matches || (!metric.empty() && metric != family.family) || !json.Drain()) return;
    ++shown;
    json.BeginObject();
    json.Key("target");
    json.LabelSet(target);
    if (metric.empty()) {
      json.Key("metric");
      json.String(family.family);
    }
    json.Key("type");
    json.String(MetricTypeName(family.metadata.type));
    json.Key("help");
    json.String(family.metadata.help);
    json.Key("unit");
    json.String(family.metadata.unit);
    json.EndObject();
  };
  if (services.scrape != nullptr) services.scrape->ForEachMetadata(visit);
  json.EndArray();
  return answer.Finish();
}

Result<void> ServeMetadata(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_ASSIGN(const int64_t limit, NumberOrNone(request, "limit"));
  EPI_ASSIGN(const int64_t limit_per_metric, NumberOrNone(request, "limit_per_metric"));
  const auto metric = request.FormValue("metric");
  MetadataByFamily families;
  if (services.scrape != nullptr) {
    services.scrape->ForEachMetadata([&](const Labels&, const scrape::FamilyMetadata& family) {
      if (!metric.empty() && metric != family.family) return;
      auto& list = families[family.family];
      if (limit_per_metric > 0 && static_cast<int64_t>(list.size()) >= limit_per_metric) return;
      if (std::find(list.begin(), list.end(), family.metadata) == list.end()) list.push_back(family.metadata);
    });
  }
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  int64_t shown = 0;
  for (const auto& [family, list] : families) {
    if ((limit >= 0 && shown++ >= limit) || !json.Drain()) break;
    json.DataKey(family);
    json.BeginArray();
    for (const auto& metadata : list) {
      json.BeginObject();
      json.Key("type");
      json.String(MetricTypeName(metadata.type));
      json.Key("unit");
      json.String(metadata.unit);
      json.Key("help");
      json.String(metadata.help);
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  return answer.Finish();
}

Result<void> ServeScrapePools(Services& services, const net::Request&, net::ResponseWriter& response) {
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  json.Key("scrapePools");
  json.BeginArray();
  for (const auto& pool : PoolNames(services)) json.String(pool);
  json.EndArray();
  json.EndObject();
  return answer.Finish();
}

Result<void> ServeScrapePoolConfig(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_ASSIGN(const std::string pool, RequiredPool(request));
  if (!services.scrape_config_yaml)
    return Fail(ErrorCode::kInvalid, "error retrieving scrape config: no scrape manager");
  const auto yaml = services.scrape_config_yaml(pool);
  if (!yaml) return Fail(ErrorCode::kInvalid, "error retrieving scrape config: " + yaml.error().message());
  ApiAnswer answer(response);
  answer.json().BeginObject();
  answer.json().Key("yaml");
  answer.json().String(*yaml);
  answer.json().EndObject();
  return answer.Finish();
}

Result<void> ServeRelabelSteps(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_ASSIGN(const std::string pool, RequiredPool(request));
  const auto text = request.FormValue("labels");
  if (text.empty()) return Fail(ErrorCode::kInvalid, "no labels parameter provided");
  EPI_ASSIGN(const Labels labels, ParseLabelsJson(text));
  if (services.scrape == nullptr) return Fail(ErrorCode::kInvalid, "error retrieving scrape config: no scrape manager");
  const auto steps = services.scrape->RelabelSteps(pool, labels);
  if (!steps) return Fail(ErrorCode::kInvalid, "error retrieving scrape config: " + steps.error().message());
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  json.Key("steps");
  json.BeginArray();
  for (const auto& step : *steps) {
    json.BeginObject();
    json.Key("rule");
    WriteRelabelRule(json, step.rule);
    json.Key("output");
    json.LabelSet(step.output);
    json.Key("keep");
    json.Bool(step.keep);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return answer.Finish();
}

Result<void> ServeAlertmanagers(Services& services, const net::Request&, net::ResponseWriter& response) {
  const auto* source = services.alertmanagers;
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  const auto write = [&](std::string_view key, const std::vector<std::string>& urls) {
    json.Key(key);
    json.BeginArray();
    for (const auto& url : urls) {
      json.BeginObject();
      json.Key("url");
      json.String(url);
      json.EndObject();
    }
    json.EndArray();
  };
  json.BeginObject();
  write("activeAlertmanagers", source == nullptr ? std::vector<std::string>() : source->Active());
  write("droppedAlertmanagers", source == nullptr ? std::vector<std::string>() : source->Dropped());
  json.EndObject();
  return answer.Finish();
}

}  // namespace epi::web
