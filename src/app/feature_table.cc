#include "app/feature_table.h"

#include "discovery/discoverer.h"
#include "promql/parser/function_signatures.h"

namespace epi::app {
namespace {

constexpr std::string_view kOperators[] = {
    "!=",           "!~",    "%",   "*",   "+",  "-",        "/",      "<",      "</",  "<=",      "==",
    "=~",           ">",     ">/",  ">=",  "@",  "^",        "and",    "atan2",  "avg", "bottomk", "count",
    "count_values", "group", "max", "min", "or", "quantile", "stddev", "stdvar", "sum", "topk",    "unless"};
constexpr std::string_view kProviders[] = {
    "aws",        "azure",       "consul",    "digitalocean", "dns",      "docker",  "dockerswarm", "ec2",
    "ecs",        "elasticache", "eureka",    "file",         "gce",      "hetzner", "http",        "ionos",
    "kubernetes", "kuma",        "lightsail", "linode",       "marathon", "msk",     "nerve",       "nomad",
    "oci",        "openstack",   "outscale",  "ovhcloud",     "puppetdb", "rds",     "scaleway",    "serverset",
    "stackit",    "static",      "triton",    "uyuni",        "vultr"};
constexpr std::string_view kTemplateFunctions[] = {"args",
                                                   "externalURL",
                                                   "first",
                                                   "graphLink",
                                                   "humanize",
                                                   "humanize1024",
                                                   "humanizeDuration",
                                                   "humanizePercentage",
                                                   "humanizeTimestamp",
                                                   "label",
                                                   "match",
                                                   "now",
                                                   "parseDuration",
                                                   "pathPrefix",
                                                   "query",
                                                   "reReplaceAll",
                                                   "safeHtml",
                                                   "sortByLabel",
                                                   "stripDomain",
                                                   "stripPort",
                                                   "strvalue",
                                                   "tableLink",
                                                   "title",
                                                   "toDuration",
                                                   "toLower",
                                                   "toTime",
                                                   "toUpper",
                                                   "urlQueryEscape",
                                                   "value"};

std::map<std::string, bool> AllOn(std::span<const std::string_view> names) {
  std::map<std::string, bool> out;
  for (const auto name : names) out[std::string(name)] = true;
  return out;
}

std::map<std::string, bool> FunctionTable(const config::Features& features) {
  std::map<std::string, bool> out;
  for (const auto& function : promql::Functions()) {
    out[std::string(function.name)] = !function.experimental || features.promql_experimental_functions;
  }
  if (features.use_start_timestamps) out["start_timestamp"] = true;
  return out;
}

std::map<std::string, bool> OperatorTable(const config::Features& features) {
  auto out = AllOn(kOperators);
  out["limitk"] = out["limit_ratio"] = features.promql_experimental_functions;
  return out;
}

std::map<std::string, bool> ProviderTable() {
  std::map<std::string, bool> out;
  for (const auto name : kProviders) out[std::string(name)] = false;
  for (const auto name : discovery::BuiltDiscoveries()) out[std::string(name)] = true;
  return out;
}

}  // namespace

web::FeatureTable MakeFeatureTable(const config::Flags& flags, const config::Features& features) {
  web::FeatureTable out;
  out["api"] = {{"admin", flags.web_enable_admin_api},
                {"exclude_alerts", true},
                {"label_values_match", true},
                {"lifecycle", flags.web_enable_lifecycle},
                {"openapi_3.1", true},
                {"openapi_3.2", true},
                {"otlp_write_receiver", flags.web_enable_otlp_receiver},
                {"query_stats", true},
                {"query_warnings", true},
                {"remote_write_receiver", flags.web_enable_remote_write_receiver},
                {"search", features.search_api},
                {"search_fuzz_alg_jarowinkler", true},
                {"search_fuzz_alg_subsequence", true},
                {"time_range_labels", true},
                {"time_range_series", true}};
  out["otlp_receiver"] = {{"delta_conversion", features.otlp_delta_to_cumulative},
                          {"native_delta_ingestion", features.otlp_native_delta_ingestion}};
  out["prometheus"] = {{"agent_mode", false},
                       {"auto_reload_config", flags.config_auto_reload || features.auto_reload_config},
                       {"server_mode", true},
                       {"stringlabels", true}};
  const bool fill = features.promql_binop_fill_modifiers;
  const bool extended = features.promql_extended_range_selectors;
  out["promql"] = {{"anchored", extended},
                   {"at_modifier", true},
                   {"bool", true},
                   {"by", true},
                   {"delayed_name_removal", features.promql_delayed_name_removal},
                   {"duration_expr", true},
                   {"fill", fill},
                   {"fill_left", fill},
                   {"fill_right", fill},
                   {"group_left", true},
                   {"group_right", true},
                   {"ignoring", true},
                   {"negative_offset", true},
                   {"offset", true},
                   {"on", true},
                   {"per_query_lookback_delta", true},
                   {"per_step_stats", features.promql_per_step_stats},
                   {"smoothed", extended},
                   {"subqueries", true},
                   {"type_and_unit_labels", features.type_and_unit_labels},
                   {"without", true}};
  out["promql_functions"] = FunctionTable(features);
  out["promql_operators"] = OperatorTable(features);
  out["rules"] = {
      {"concurrent_rule_eval", features.concurrent_rule_eval}, {"keep_firing_for", true}, {"query_offset", true}};
  out["scrape"] = {{"extra_scrape_metrics", true},
                   {"start_timestamp_zero_ingestion", features.created_timestamp_zero_ingestion},
                   {"type_and_unit_labels", features.type_and_unit_labels}};
  out["service_discovery_providers"] = ProviderTable();
  out["templating_functions"] = AllOn(kTemplateFunctions);
  out["tsdb"] = {{"delayed_compaction", features.delayed_compaction},
                 {"exemplar_storage", features.exemplar_storage},
                 {"histograms_st_encoding", features.histograms_st_encoding},
                 {"isolation", true},
                 {"native_histograms", true},
                 {"st_storage", features.st_storage},
                 {"use_uncached_io", features.use_uncached_io},
                 {"xor2_encoding", true}};
  out["ui"] = {{"ui_v2", features.old_ui}, {"ui_v3", !features.old_ui}};
  return out;
}

}  // namespace epi::app
