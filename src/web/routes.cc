// The table of every path, and the rules that hold for all of them.
#include <array>

#include "model/anchored_regex.h"
#include "web/api/answer.h"
#include "web/handlers.h"
#include "web/label_scope.h"

namespace epi::web {
namespace {

using net::Compression;
using net::kDeleteMethod;
using net::kGetMethod;
using net::kHeadMethod;
using net::kOptionsMethod;
using net::kPostMethod;
using net::kPutMethod;
using net::Param;
using net::Role;
using net::Route;
using Lane = net::Admission::Lane;

template <HandlerFunction* function>
Result<void> Bind(net::HandlerContext& context, const net::Request& request, net::ResponseWriter& response) {
  return function(static_cast<Services&>(context), request, response);
}

constexpr uint64_t kFormBytes = 10u << 20;  // what Go's ParseForm reads
// As they come; what they inflate to has limits of its own.
constexpr uint64_t kRemoteBytes = 32u << 20;
constexpr uint64_t kImportBytes = 64u << 20;

constexpr Param kTimeout = {"timeout", "duration", false, false, "Evaluation timeout; at most --query.timeout."};
constexpr Param kLimit = {"limit", "integer", false, false, "Maximum number of returned series or entries; 0: all."};
constexpr Param kLookback = {"lookback_delta", "duration", false, false, "Overrides the lookback for this query."};
constexpr Param kStats = {"stats", "string", false, false, "Statistics in the answer: true or all."};
constexpr Param kExpression = {"query", "string", true, false, "PromQL expression."};
constexpr Param kStart = {"start", "time", false, false, "Start of the time range, included."};
constexpr Param kEnd = {"end", "time", false, false, "End of the time range, included."};
constexpr Param kMatch = {"match[]", "selector", false, true, "Selects series; several are a union."};
constexpr Param kRequiredMatch = {"match[]", "selector", true, true, "Selects series; several are a union."};
constexpr Param kMetric = {"metric", "string", false, false, "Metric family; all of them when absent."};
constexpr Param kPool = {"scrapePool", "string", false, false, "Scrape pool; all of them when absent."};
constexpr Param kRequiredPool = {"scrapePool", "string", true, false, "Scrape pool."};

constexpr Param kQueryParams[] = {kExpression, {"time", "time", false, false, "Evaluation time; now when absent."},
                                  kTimeout,    kLimit,
                                  kLookback,   kStats};
constexpr Param kRangeParams[] = {kExpression,
                                  {"start", "time", true, false, "First evaluation time."},
                                  {"end", "time", true, false, "Last evaluation time."},
                                  {"step", "duration", true, false, "Distance of evaluation times."},
                                  kTimeout,
                                  kLimit,
                                  kLookback,
                                  kStats,
                                  {"nocache", "boolean", false, false, "1: evaluates every step anew."}};
constexpr Param kExplainParams[] = {
    kExpression,
    {"time", "time", false, false, "Evaluation time; now when absent."},
    {"start", "time", false, false, "First evaluation time, with step."},
    {"end", "time", false, false, "Last evaluation time, with step."},
    {"step", "duration", false, false, "Makes it a range query."},
    {"run", "boolean", false, false, "false: estimates only; just the sides of joins are evaluated."},
    kTimeout,
    kLookback};
constexpr Param kExemplarParams[] = {kExpression, kStart, kEnd};
constexpr Param kExpressionParams[] = {kExpression};
constexpr Param kNamesParams[] = {kMatch, kStart, kEnd, kLimit};
constexpr Param kSeriesParams[] = {kRequiredMatch, kStart, kEnd, kLimit};
constexpr Param kMetadataParams[] = {
    kLimit, {"limit_per_metric", "integer", false, false, "Maximum number of entries per metric."}, kMetric};
constexpr Param kTargetMetadataParams[] = {
    {"match_target", "selector", false, false, "Matches labels of targets."}, kMetric, kLimit};
constexpr Param kTargetsParams[] = {{"state", "string", false, false, "active, dropped or any."}, kPool};
constexpr Param kPoolParams[] = {kRequiredPool};
constexpr Param kRelabelParams[] = {kRequiredPool,
                                    {"labels", "string", true, false, "Labels to begin with, as a JSON object."}};
constexpr Param kRulesParams[] = {{"type", "string", false, false, "alert or record."},
                                  {"rule_name[]", "string", false, true, "Names of rules."},
                                  {"rule_group[]", "string", false, true, "Names of groups."},
                                  {"file[]", "string", false, true, "Files of groups."},
                                  {"match[]", "selector", false, true, "Matches configured labels of rules."},
                                  {"exclude_alerts", "boolean", false, false, "Leaves active alerts out."},
                                  {"group_limit", "integer", false, false, "Groups per page."},
                                  {"group_next_token", "string", false, false, "Continues after a page."}};
constexpr Param kBacktestParams[] = {
    {"rules", "string", false, false, "A rule file; the loaded rules when absent."},
    {"rule_group[]", "string", false, true, "Names of loaded groups; all when absent."},
    kStart,
    kEnd,
    {"progress", "boolean", false, false, "Lines of progress before the answer."}};
constexpr Param kBackfillParams[] = {{"start", "time", true, false, "First time of the past that is filled."},
                                     {"end", "time", false, false, "Last one; now when absent."},
                                     {"rule_group[]", "string", false, true, "Names of loaded groups."},
                                     {"rule_name[]", "string", false, true, "Names of recording rules."}};
constexpr Param kAlertHistoryParams[] = {{"rule_name", "string", false, false, "Name of the rule."},
                                         {"rule_group", "string", false, false, "Group as <file>;<name>."},
                                         {"match[]", "selector", false, true, "Matches labels of alerts."},
                                         kStart,
                                         kEnd,
                                         {"limit", "integer", false, false, "The newest so many events; 1000."}};
constexpr Param kTsdbParams[] = {{"limit", "integer", false, false, "Rows of each list, 1 to 10000."}};
constexpr Param kSelfMetricsParams[] = {
    {"metric_name_pattern", "string", false, false, "Anchored regular expression over names."}};
constexpr Param kDeleteParams[] = {kRequiredMatch, kStart, kEnd};
constexpr Param kSnapshotParams[] = {{"skip_head", "boolean", false, false, "Leaves the head out."}};
#define EPI_SEARCH_PARAMS                                                                                          \
  {"search[]", "string", false, true, "Terms; any of them."},                                                      \
      {"fuzz_threshold", "integer", false, false, "Lowest score in percent."},                                     \
      {"fuzz_alg", "string", false, false, "subsequence or jarowinkler."},                                         \
      {"case_sensitive", "boolean", false, false, "Whether case counts; true when absent."},                       \
      {"sort_by", "string", false, false, "alpha or score."}, {"sort_dir", "string", false, false, "asc or dsc."}, \
      {"include_score", "boolean", false, false, "Adds scores."},                                                  \
      {"batch_size", "integer", false, false, "Results per line."}, kMatch, kStart, kEnd, kLimit
constexpr Param kSearchParams[] = {EPI_SEARCH_PARAMS};
constexpr Param kSearchMetricParams[] = {EPI_SEARCH_PARAMS,
                                         {"include_metadata", "boolean", false, false, "Adds type, help and unit."}};
constexpr Param kSearchValuesParams[] = {EPI_SEARCH_PARAMS, {"label", "string", true, false, "Whose values."}};
#undef EPI_SEARCH_PARAMS
constexpr Param kOpenApiParams[] = {{"openapi_version", "string", false, false, "3.1 or 3.2."}};
constexpr Param kExtraLabel = {"extra_label", "string", false, true, "name=value, for every imported series."};
constexpr Param kImportParams[] = {kExtraLabel};
constexpr Param kImportTextParams[] = {
    kExtraLabel, {"timestamp", "time", false, false, "Of samples that come without one; now when absent."}};
constexpr Param kExportParams[] = {kRequiredMatch, kStart, kEnd};
constexpr Param kFederateParams[] = {kMatch};
constexpr Param kMetricsParams[] = {{"name[]", "string", false, true, "Families to show."}};

// An endpoint of /api/v1 that answers with the JSON envelope.
constexpr Route Api(net::MethodSet methods, std::string_view path, net::Handler handler, std::string_view doc,
                    std::span<const Param> params = {}, Lane lane = Lane::kNormal) {
  Route route;
  route.methods = methods;
  route.path = path;
  route.params = params;
  route.handler = handler;
  route.doc = doc;
  route.lane = lane;
  route.max_body_bytes = kFormBytes;
  route.compression = Compression::kGzipOrDeflate;
  route.cors = true;
  return route;
}

// The same, but not there in agent mode.
constexpr Route ServerApi(net::MethodSet methods, std::string_view path, net::Handler handler, std::string_view doc,
                          std::span<const Param> params = {}, Lane lane = Lane::kNormal) {
  Route route = Api(methods, path, handler, doc, params, lane);
  route.server_only = true;
  return route;
}

constexpr Route Admin(std::string_view path, net::Handler handler, std::string_view doc,
                      std::span<const Param> params = {}) {
  Route route = ServerApi(kPostMethod | kPutMethod, path, handler, doc, params);
  route.role = Role::kAdmin;
  return route;
}

constexpr Route Ingest(std::string_view path, net::Handler handler, std::string_view doc, Role role, uint64_t bytes) {
  Route route;
  route.methods = kPostMethod;
  route.path = path;
  route.role = role;
  route.handler = handler;
  route.doc = doc;
  route.max_body_bytes = bytes;
  return route;
}

constexpr Route Import(std::string_view path, net::Handler handler, std::string_view doc,
                       std::span<const Param> params) {
  Route route = ServerApi(kPostMethod, path, handler, doc, params);
  route.role = Role::kWrite;
  route.max_body_bytes = kImportBytes;
  return route;
}

// Where Prometheus reads parameters one by one, and so multipart forms, too. Where it parses the form first it does
// not.
constexpr Route WithFormParts(Route route) {
  route.form_parts = true;
  return route;
}

// Served while starting and stopping, by the workers that no query can take.
constexpr Route Always(net::MethodSet methods, std::string_view path, net::Handler handler, std::string_view doc,
                       Role role = Role::kNone) {
  Route route;
  route.methods = methods;
  route.path = path;
  route.role = role;
  route.handler = handler;
  route.doc = doc;
  route.lane = Lane::kQuick;
  route.before_ready = true;
  return route;
}

constexpr Route With(Route route, Lane lane) {
  route.lane = lane;
  return route;
}
// What shows or touches the requests of everybody.
constexpr Route WithRole(Route route, Role role) {
  route.role = role;
  return route;
}
constexpr Route BeforeReady(Route route) {
  route.before_ready = true;
  route.compression = Compression::kNone;
  return route;
}
constexpr Route WithParams(Route route, std::span<const Param> params, Compression compression) {
  route.params = params;
  route.compression = compression;
  return route;
}

constexpr net::MethodSet kGetOrPost = kGetMethod | kPostMethod;

// Lines that the client reads as they come, and other bodies that Prometheus does not compress.
constexpr Route Uncompressed(std::string_view path, net::Handler handler, std::string_view doc,
                             std::span<const Param> params, net::MethodSet methods = kGetOrPost) {
  Route route = Api(methods, path, handler, doc, params);
  route.compression = Compression::kNone;
  return route;
}

constexpr Route WithoutCors(Route route) {
  route.cors = false;
  return route;
}

constexpr Route kRoutes[] = {
    WithFormParts(ServerApi(kGetOrPost, "/api/v1/query", &Bind<ServeQuery>, "Evaluates an expression at one time.",
                            kQueryParams)),
    WithFormParts(ServerApi(kGetOrPost, "/api/v1/query_range", &Bind<ServeQueryRange>,
                            "Evaluates an expression over a range of time.", kRangeParams)),
    WithFormParts(ServerApi(kGetOrPost, "/api/v1/query_exemplars", &Bind<ServeQueryExemplars>,
                            "Exemplars of the selected series.", kExemplarParams)),
    WithFormParts(ServerApi(kGetOrPost, "/api/v1/format_query", &Bind<ServeFormatQuery>, "Formats an expression.",
                            kExpressionParams)),
    WithFormParts(ServerApi(kGetOrPost, "/api/v1/parse_query", &Bind<ServeParseQuery>,
                            "The syntax tree of an expression.", kExpressionParams)),
    WithFormParts(ServerApi(kGetOrPost, "/api/v1/query_explain", &Bind<ServeQueryExplain>,
                            "The plan of a query, with what each operator would do and did.", kExplainParams)),
    WithRole(ServerApi(kGetMethod, "/api/v1/status/active_queries", &Bind<ServeActiveQueries>,
                       "Queries that wait or run now.", {}, Lane::kQuick),
             Role::kAdmin),
    WithRole(ServerApi(kDeleteMethod, "/api/v1/status/active_queries/:id", &Bind<ServeStopQuery>, "Stops a query.", {},
                       Lane::kQuick),
             Role::kAdmin),
    WithFormParts(ServerApi(kGetOrPost, "/api/v1/labels", &Bind<ServeLabels>, "Names of labels.", kNamesParams)),
    ServerApi(kGetMethod, "/api/v1/label/:name/values", &Bind<ServeLabelValues>, "Values of a label.", kNamesParams),
    ServerApi(kGetOrPost, "/api/v1/series", &Bind<ServeSeries>, "Label sets of the selected series.", kSeriesParams),
    Api(kGetMethod, "/api/v1/scrape_pools", &Bind<ServeScrapePools>, "Names of scrape pools.", {}, Lane::kQuick),
    Api(kGetMethod, "/api/v1/scrape_pools/config", &Bind<ServeScrapePoolConfig>, "Configuration of a scrape pool.",
        kPoolParams, Lane::kQuick),
    Api(kGetMethod, "/api/v1/targets", &Bind<ServeTargets>, "Scrape targets and their health.", kTargetsParams),
    Api(kGetMethod, "/api/v1/targets/metadata", &Bind<ServeTargetMetadata>, "Metadata of metrics, by target.",
        kTargetMetadataParams),
    Api(kGetMethod, "/api/v1/targets/relabel_steps", &Bind<ServeRelabelSteps>, "Relabeling, rule by rule.",
        kRelabelParams),
    ServerApi(kGetMethod, "/api/v1/alertmanagers", &Bind<ServeAlertmanagers>, "Alertmanagers in use.", {},
              Lane::kQuick),
    Api(kGetMethod, "/api/v1/metadata", &Bind<ServeMetadata>, "Metadata of metrics.", kMetadataParams),
    Api(kGetMethod, "/api/v1/status/config", &Bind<ServeConfig>, "The configuration in force.", {}, Lane::kQuick),
    Api(kGetMethod, "/api/v1/status/runtimeinfo", &Bind<ServeRuntimeInfo>, "Facts about this process.", {},
        Lane::kQuick),
    Api(kGetMethod, "/api/v1/status/buildinfo", &Bind<ServeBuildInfo>, "Version and build.", {}, Lane::kQuick),
    Api(kGetMethod, "/api/v1/status/flags", &Bind<ServeFlags>, "Command-line flags.", {}, Lane::kQuick),
    ServerApi(kGetMethod, "/api/v1/status/tsdb", &Bind<ServeTsdbStatus>, "Cardinality of the head.", kTsdbParams),
    ServerApi(kGetMethod, "/api/v1/status/tsdb/cost", &Bind<ServeTsdbCost>,
              "What metrics and labels take, in memory and on disk.", kTsdbParams),
    ServerApi(kGetMethod, "/api/v1/status/tsdb/blocks", &Bind<ServeTsdbBlocks>, "Blocks on disk."),
    Api(kGetMethod, "/api/v1/status/self_metrics", &Bind<ServeSelfMetrics>, "The server's own metrics as JSON.",
        kSelfMetricsParams),
    Api(kGetMethod, "/api/v1/features", &Bind<ServeFeatures>, "What this server can do.", {}, Lane::kQuick),
    BeforeReady(
        Api(kGetMethod, "/api/v1/status/walreplay", &Bind<ServeWalReplay>, "How far loading is.", {}, Lane::kQuick)),
    BeforeReady(Api(kGetMethod, "/api/v1/notifications", &Bind<ServeNotifications>, "Messages about the server.", {},
                    Lane::kQuick)),
    With(BeforeReady(Api(kGetMethod, "/api/v1/notifications/live", &Bind<ServeNotificationsLive>,
                         "Messages about the server, as they come.")),
         Lane::kStream),
    ServerApi(kGetMethod, "/api/v1/alerts", &Bind<ServeAlerts>, "Active alerts."),
    ServerApi(kPostMethod, "/api/v1/rules/backtest", &Bind<ServeRulesBacktest>, "What rules would have done.",
              kBacktestParams),
    ServerApi(kGetMethod, "/api/v1/alerts/history", &Bind<ServeAlertHistory>,
              "What happened to alerts, and what Alertmanagers answered.", kAlertHistoryParams),
    ServerApi(kGetMethod, "/api/v1/rules", &Bind<ServeRules>, "Rules and their state.", kRulesParams),
    Uncompressed("/api/v1/search/metric_names", &Bind<ServeSearchMetricNames>, "Searches metric names.",
                 kSearchMetricParams),
    Uncompressed("/api/v1/search/label_names", &Bind<ServeSearchLabelNames>, "Searches label names.", kSearchParams),
    Uncompressed("/api/v1/search/label_values", &Bind<ServeSearchLabelValues>, "Searches label values.",
                 kSearchValuesParams),
    WithoutCors(
        Uncompressed("/api/v1/openapi.yaml", &Bind<ServeOpenApi>, "This description.", kOpenApiParams, kGetMethod)),
    Admin("/api/v1/admin/rules/backfill", &Bind<ServeRulesBackfill>, "Gives recording rules a past.", kBackfillParams),
    Admin("/api/v1/admin/tsdb/delete_series", &Bind<ServeDeleteSeries>, "Deletes samples.", kDeleteParams),
    Admin("/api/v1/admin/tsdb/clean_tombstones", &Bind<ServeCleanTombstones>, "Removes deleted samples from disk."),
    Admin("/api/v1/admin/tsdb/snapshot", &Bind<ServeSnapshot>, "Makes a snapshot of the database.", kSnapshotParams),
    Ingest("/api/v1/write", &Bind<ServeRemoteWrite>, "Remote write, 1.0 and 2.0.", Role::kWrite, kRemoteBytes),
    Ingest("/api/v1/read", &Bind<ServeRemoteRead>, "Remote read.", Role::kRead, kRemoteBytes),
    Ingest("/api/v1/otlp/v1/metrics", &Bind<ServeOtlpWrite>, "OTLP metrics.", Role::kWrite, kRemoteBytes),
    Import("/api/v1/import/prometheus", &Bind<ServeImportText>, "Import of exposition text of any age.",
           kImportTextParams),
    Import("/api/v1/import", &Bind<ServeImportLines>, "Import of series as lines of JSON.", kImportParams),
    ServerApi(kGetOrPost, "/api/v1/export", &Bind<ServeExport>, "Export of series as lines of JSON.", kExportParams),
    Api(kOptionsMethod, "/api/v1/*path", &Bind<ServeOptions>, "CORS preflight.", {}, Lane::kQuick),

    WithParams(
        [] {
          Route route;
          route.path = "/federate";
          route.handler = &Bind<ServeFederate>;
          route.doc = "The newest samples of the selected series.";
          return route;
        }(),
        kFederateParams, Compression::kGzipOrDeflate),
    WithParams(Always(net::kAnyMethod, "/metrics", &Bind<ServeMetrics>, "The server's own metrics.", Role::kMetrics),
               kMetricsParams, Compression::kGzipOrZstd),
    Always(kGetMethod, "/version", &Bind<ServeVersion>, "Version and build.", Role::kRead),
    Always(kGetMethod | kHeadMethod, "/-/healthy", &Bind<ServeHealthy>, "Whether the process is alive."),
    [] {
      Route route = Always(kGetMethod | kHeadMethod, "/-/ready", &Bind<ServeReady>, "Whether queries can be served.");
      route.before_ready = false;
      return route;
    }(),
    With(Always(kPostMethod | kPutMethod, "/-/reload", &Bind<ServeReload>, "Reloads the configuration.", Role::kAdmin),
         Lane::kNormal),
    Always(kGetMethod, "/-/reload", &Bind<ServeLifecycleGet>, "Says how to reload."),
    Always(kPostMethod | kPutMethod, "/-/quit", &Bind<ServeQuit>, "Ends the server.", Role::kAdmin),
    Always(kGetMethod, "/-/quit", &Bind<ServeLifecycleGet>, "Says how to end the server."),
    Always(kGetMethod, "/", &Bind<ServeRoot>, "Redirects to the query page."),
    Always(kGetMethod, "/favicon.ico", &Bind<ServeNoAsset>, "Part of the user interface: there is none."),
    Always(kGetMethod, "/favicon.svg", &Bind<ServeNoAsset>, "Part of the user interface: there is none."),
    Always(kGetMethod, "/manifest.json", &Bind<ServeNoAsset>, "Part of the user interface: there is none."),
    Always(kGetMethod, "/graph", &Bind<ServeGraph>, "Redirects to the query page."),
    Always(kGetMethod, "/query", &Bind<ServePage>, "Says what is running and where the API is."),
    Always(kGetMethod, "/alerts", &Bind<ServePage>, "User interface."),
    Always(kGetMethod, "/rules", &Bind<ServePage>, "User interface."),
    Always(kGetMethod, "/targets", &Bind<ServePage>, "User interface."),
    Always(kGetMethod, "/service-discovery", &Bind<ServePage>, "User interface."),
    Always(kGetMethod, "/alertmanager-discovery", &Bind<ServePage>, "User interface."),
    Always(kGetMethod, "/status", &Bind<ServePage>, "User interface."),
    Always(kGetMethod, "/tsdb-status", &Bind<ServePage>, "User interface."),
    Always(kGetMethod, "/config", &Bind<ServePage>, "User interface."),
    Always(kGetMethod, "/flags", &Bind<ServePage>, "User interface."),
    Always(kGetMethod, "/agent", &Bind<ServeAgentPage>, "User interface of an agent."),
    Always(kGetOrPost, "/debug/*subpath", &Bind<ServeDebug>, "Not available.", Role::kAdmin),
};

void SetCors(const Services& services, const net::Request& request, net::ResponseWriter& response) {
  response.headers().Add("Vary", "Origin");
  const auto origin = request.headers.Get("Origin");
  if (origin.empty()) return;
  response.headers().Set("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin");
  response.headers().Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  response.headers().Set("Access-Control-Expose-Headers", "Date");
  if (services.options.cors_origin == ".*") {
    response.headers().Set("Access-Control-Allow-Origin", "*");
  } else if (services.cors_pattern && services.cors_pattern->Matches(origin)) {
    response.headers().Set("Access-Control-Allow-Origin", std::string(origin));
  }
}

// Readiness, CORS and agent mode. False when the answer has been given.
bool Before(net::HandlerContext& context, const Route& route, net::Request& request, net::ResponseWriter& response) {
  const auto& services = static_cast<const Services&>(context);
  const Readiness readiness = services.readiness.load();
  if (readiness != Readiness::kReady && !route.before_ready) {
    response.SetStatus(503);
    response.headers().Set("X-Prometheus-Stopping", readiness == Readiness::kStopping ? "true" : "false");
    static_cast<void>(response.Write("Service Unavailable"));
    return false;
  }
  if (route.cors) SetCors(services, request, response);
  if (route.server_only && services.options.agent_mode) {
    WriteApiError(Error(ErrorCode::kExecution, "unavailable with Prometheus Agent"), response);
    return false;
  }
  return true;
}

bool OpenToScoped(const Route& route) { return ScopeRuleOf(route.path) != ScopeRule::kClosed; }

void Audit(net::HandlerContext& context, const net::Request& request, int status) {
  const auto& services = static_cast<const Services&>(context);
  if (services.audit) services.audit(request, status);
}

void AnswerError(net::HandlerContext&, const net::Request&, const Error& error, net::ResponseWriter& response) {
  WriteApiError(error, response);
}

}  // namespace

std::span<const net::Route> Routes() { return kRoutes; }

net::Router::Options RouterOptions(std::string prefix, const Logger& logger) {
  while (prefix.ends_with('/')) prefix.pop_back();
  net::Router::Options options;
  options.prefix = std::move(prefix);
  options.mount = "/api/v1";
  options.write_error = &AnswerError;
  options.before = &Before;
  options.open_to_scoped = &OpenToScoped;
  options.audit = &Audit;
  options.logger = logger;
  return options;
}

}  // namespace epi::web
