// The route table against Prometheus's own description of its API.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/file_system.h"
#include "testing/openapi_schema.h"
#include "testing/temp_dir.h"
#include "testing/web_fixture.h"

namespace epi::web {
namespace {

// method -> names of parameters, of the query or of the form that is its body.
using Operations = std::map<std::string, std::set<std::string>>;

// Reads "paths" and "components" of an OpenAPI document as Prometheus writes them: four blanks a level.
std::map<std::string, Operations> ReadPaths(std::string_view text) {
  constexpr std::string_view kReference = "$ref: '#/components/schemas/";
  std::map<std::string, Operations> paths;
  std::map<std::string, std::set<std::string>> schemas;
  std::vector<std::pair<std::set<std::string>*, std::string>> forms;
  Operations* path = nullptr;
  std::set<std::string>* operation = nullptr;
  std::set<std::string>* schema = nullptr;
  std::string parameter;
  std::string_view section, part;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t indent = std::min(line.find_first_not_of(' '), line.size());
    line.remove_prefix(indent);
    std::string name(line.substr(0, line.find(':')));
    std::erase(name, '"');
    if (indent == 12) part = line;
    if (indent == 0) {
      section = line;
    } else if (section == "components:") {
      if (indent == 8) schema = &schemas[name];
      if (indent == 16 && part == "properties:" && schema != nullptr) schema->insert(name);
    } else if (section != "paths:") {
      continue;
    } else if (indent == 4 && line.starts_with('/')) {
      path = &paths[name];
    } else if (indent == 8 && path != nullptr && line.ends_with(':')) {
      operation = &(*path)[name];
    } else if (indent == 16 && line.starts_with("- name: ")) {
      parameter = line.substr(8);
      std::erase(parameter, '"');
    } else if (indent == 18 && line == "in: query" && operation != nullptr) {
      operation->insert(parameter);
    } else if (part == "requestBody:" && indent == 28 && line.starts_with(kReference)) {
      std::string form(line.substr(kReference.size()));
      form.pop_back();
      forms.emplace_back(operation, form);
    }
  }
  for (const auto& [target, name] : forms) target->insert(schemas[name].begin(), schemas[name].end());
  return paths;
}

// A value that is taken and one that shows that it was read: where any text will not do, one that is refused with 400,
// otherwise one that is answered in another way. Empty: the parameter is left out.
struct Sample {
  std::string_view good;
  std::string_view bad;
  std::string_view other = {};
};

// The value that works for one parameter of one path, or of all of them.
Sample SampleOf(std::string_view path, std::string_view parameter) {
  static const std::map<std::string_view, Sample> kSamples = {
      {"query", {"up", "up{"}},
      {"time", {"60", "noon"}},
      {"timeout", {"5s", "soon"}},
      {"lookback_delta", {"1m", "long"}},
      {"stats", {"true", "", ""}},
      {"start", {"0", "early"}},
      {"end", {"60", "late"}},
      {"step", {"15", "wide"}},
      {"limit", {"5", "-1"}},
      {"limit_per_metric", {"5", "few"}},
      {"match[]", {"up", "up{"}},
      {"metric", {"up", "", "nothing"}},
      {"match_target", {"{job=\"a\"}", "{job="}},
      {"scrapePool", {"one", "", "none"}},
      {"state", {"any", "", "dropped"}},
      {"labels", {"{}", "{"}},
      {"type", {"alert", "both"}},
      {"rule_name[]", {"a", "", "none"}},
      {"rule_group[]", {"a", "", "none"}},
      {"file[]", {"a", "", "none"}},
      {"exclude_alerts", {"true", "maybe"}},
      {"group_limit", {"1", "0"}},
      {"group_next_token", {"", "unknown"}},
      {"metric_name_pattern", {"a.*", "("}},
      {"skip_head", {"true", "maybe"}},
      {"search[]", {"u", "", "none"}},
      {"fuzz_threshold", {"10", "101"}},
      {"fuzz_alg", {"subsequence", "other"}},
      {"case_sensitive", {"false", "maybe"}},
      {"sort_by", {"alpha", "size"}},
      {"sort_dir", {"dsc", "up"}},
      {"include_score", {"true", "maybe"}},
      {"include_metadata", {"true", "maybe"}},
      {"batch_size", {"10", "0"}},
      {"label", {"job", "", "user"}},
  };
  const auto at = kSamples.find(parameter);
  EXPECT_NE(at, kSamples.end()) << path << " " << parameter << " has no sample";
  if (at == kSamples.end()) return {};
  if (path == "/metadata" && parameter == "limit") return {"5", "many"};
  if (path == "/targets/metadata" && parameter == "limit") return {"5", "many"};
  if (path == "/rules" && parameter == "match[]") return {"{team=\"a\"}", "up{"};
  if (path == "/scrape_pools/config" && parameter == "scrapePool") return {"one", "", ""};
  return at->second;
}

std::string Encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

const net::Route* FindRoute(const std::string& path, std::string_view method) {
  std::string pattern = "/api/v1" + path;
  for (size_t at = pattern.find('{'); at != std::string::npos; at = pattern.find('{')) {
    pattern[at] = ':';
    pattern.erase(pattern.find('}'), 1);
  }
  std::string upper(method);
  for (char& c : upper) c = static_cast<char>(c - 'a' + 'A');
  for (const auto& route : Routes())
    if (route.path == pattern && (route.methods & net::MethodBit(net::MethodFromName(upper))) != 0) return &route;
  return nullptr;
}

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

// The row of the table that has the path, written out.
const net::Route* RouteFor(std::string_view path, std::string_view method) {
  for (const auto& route : Routes()) {
    const bool rest = route.path.ends_with("/*path") || route.path.ends_with("/*subpath");
    const auto fixed = route.path.substr(0, rest ? route.path.rfind('/') + 1 : route.path.find(':'));
    const bool fits = rest || fixed != route.path ? path.starts_with(fixed) : path == fixed;
    if (fits && (route.methods & net::MethodBit(net::MethodFromName(method))) != 0) return &route;
  }
  return nullptr;
}

class RoutesTest : public WebFixture {
 protected:
  RoutesTest() {
    services.options.enable_search = services.options.enable_admin_api = true;
    storage.Append({{"__name__", "up"}, {"job", "unit"}, {"user", "u"}}, 1000, 1);
    scrape.pools = {"one"};
    scrape.steps = {{"one", {}}};
    scrape.active.emplace_back().scrape_pool = "one";
    scrape.metadata = {{{{"job", "a"}}, {"up", {}}}};
    RuleStatus rule;
    rule.alerting = true;
    rule.name = "a";
    rule.labels = {{"team", "a"}};
    rules.groups.push_back({.name = "a", .file = "a", .rules = {rule}});
  }
  // `changed` names the parameter that gets `value`; the others, and all when it is empty, have their good values.
  Answer AskWith(std::string_view path, std::string_view method, const std::set<std::string>& parameters,
                 std::string_view changed, std::string_view changed_value = {}) {
    std::string form;
    for (const auto& name : parameters) {
      const std::string_view value = name == changed ? changed_value : SampleOf(path, name).good;
      if (value.empty()) continue;
      form += (form.empty() ? "" : "&") + Encoded(name) + "=" + Encoded(value);
    }
    std::string target = "/api/v1" + std::string(path);
    if (const auto at = target.find("{name}"); at != std::string::npos) target.replace(at, 6, "job");
    if (method == "get" || path.starts_with("/admin")) {
      target += "?" + form;
      form.clear();
    }
    std::string upper(method);
    for (char& c : upper) c = static_cast<char>(c - 'a' + 'A');
    return Ask(upper, target, form);
  }
};

TEST_F(RoutesTest, EveryDocumentedOperationIsServed) {
  const auto dir = testing::ConformanceDir();
  if (dir.empty()) GTEST_SKIP() << "no conformance data";
  for (const auto* name : {"/api/openapi_3.1_golden.yaml", "/api/openapi_3.2_golden.yaml"}) {
    const auto text = PosixFileSystem().ReadFile(dir + name);
    ASSERT_TRUE(text.has_value());
    const auto paths = ReadPaths(*text);
    EXPECT_GT(paths.size(), 30u);
    for (const auto& [path, operations] : paths) {
      for (const auto& [method, parameters] : operations) {
        const net::Route* const route = FindRoute(path, method);
        EXPECT_NE(route, nullptr) << method << " " << path;
        if (route == nullptr) continue;
        for (const auto& parameter : parameters) {
          EXPECT_TRUE(std::any_of(route->params.begin(), route->params.end(),
                                  [&](const net::Param& param) { return param.name == parameter; }))
              << method << " " << path << " " << parameter;
        }
      }
    }
  }
}

TEST_F(RoutesTest, EveryDocumentedParameterIsRead) {
  const auto dir = testing::ConformanceDir();
  if (dir.empty()) GTEST_SKIP() << "no conformance data";
  const auto text = PosixFileSystem().ReadFile(dir + "/api/openapi_3.2_golden.yaml");
  ASSERT_TRUE(text.has_value());
  const auto schemas = testing::OpenApiSchemas::Read(*text);
  ASSERT_TRUE(schemas.has_value()) << schemas.error().message();
  size_t refused = 0;
  for (const auto& [path, operations] : ReadPaths(*text)) {
    for (const auto& [method, parameters] : operations) {
      if (parameters.empty()) continue;
      const auto good = AskWith(path, method, parameters, "");
      if (path == "/scrape_pools/config") {  // the fake has no job to show
        EXPECT_EQ(good.status, 400);
      } else {
        EXPECT_TRUE(good.status == 200 || good.status == 204) << method << " " << path << " " << good.body;
      }
      for (const auto& parameter : parameters) {
        const Sample sample = SampleOf(path, parameter);
        if (sample.bad.empty()) {
          EXPECT_NE(AskWith(path, method, parameters, parameter, sample.other).body, good.body)
              << method << " " << path << " " << parameter << " " << good.body;
          continue;
        }
        const auto bad = AskWith(path, method, parameters, parameter, sample.bad);
        EXPECT_EQ(bad.status, 400) << method << " " << path << " " << parameter << " " << bad.body;
        EXPECT_EQ(schemas->Problem(path, method, bad.status, bad.body), "") << method << " " << path << " " << bad.body;
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 80u);
}

// The endpoint tables of the surface document: those that Prometheus's own description leaves out, too.
TEST_F(RoutesTest, EveryEndpointOfTheSurfaceIsServed) {
  struct Row {
    std::string_view methods;
    std::string path;  // as it is asked for
    int status;
    std::string_view params = {};
  };
  const Row rows[] = {
      // 4.3, 4.5, 4.6: POST beside GET, and parameters
      {"GET POST", "/api/v1/query", 400, "query time timeout limit lookback_delta stats"},
      {"GET POST", "/api/v1/query_range", 400, "query start end step timeout limit lookback_delta stats"},
      {"GET POST", "/api/v1/query_exemplars", 400, "query start end"},
      {"GET POST", "/api/v1/format_query?query=up", 200, "query"},
      {"GET POST", "/api/v1/parse_query?query=up", 200, "query"},
      {"GET POST", "/api/v1/series?match[]=up", 200, "match[] start end limit"},
      {"GET POST", "/api/v1/labels", 200, "match[] start end limit"},
      {"GET", "/api/v1/label/job/values", 200, "match[] start end limit"},
      {"GET", "/api/v1/metadata", 200, "limit limit_per_metric metric"},
      {"GET", "/api/v1/targets/metadata", 200, "match_target metric limit"},
      {"GET", "/api/v1/targets", 200, "state scrapePool"},
      {"GET", "/api/v1/scrape_pools", 200},
      {"GET", "/api/v1/scrape_pools/config", 400, "scrapePool"},
      {"GET", "/api/v1/targets/relabel_steps?scrapePool=one&labels={}", 200, "scrapePool labels"},
      {"GET", "/api/v1/alertmanagers", 200},
      {"GET POST", "/api/v1/search/metric_names", 200,
       "match[] search[] fuzz_threshold fuzz_alg case_sensitive sort_by sort_dir include_score start end limit "
       "batch_size include_metadata"},
      {"GET POST", "/api/v1/search/label_names", 200,
       "match[] search[] fuzz_threshold fuzz_alg case_sensitive sort_by sort_dir include_score start end limit "
       "batch_size"},
      {"GET POST", "/api/v1/search/label_values?label=job", 200, "label batch_size"},
      // 4.7, 4.8, 4.9
      {"GET", "/api/v1/rules", 200,
       "type rule_name[] rule_group[] file[] match[] exclude_alerts group_limit group_next_token"},
      {"GET", "/api/v1/alerts", 200},
      {"GET", "/api/v1/status/config", 200},
      {"GET", "/api/v1/status/flags", 200},
      {"GET", "/api/v1/status/runtimeinfo", 200},
      {"GET", "/api/v1/status/buildinfo", 200},
      {"GET", "/api/v1/status/tsdb", 200, "limit"},
      {"GET", "/api/v1/status/tsdb/blocks", 200},
      {"GET", "/api/v1/status/self_metrics", 200, "metric_name_pattern"},
      {"GET", "/api/v1/status/walreplay", 200},
      {"GET", "/api/v1/features", 200},
      {"GET", "/api/v1/notifications", 200},
      {"GET", "/api/v1/openapi.yaml", 200, "openapi_version"},
      {"POST PUT", "/api/v1/admin/tsdb/delete_series?match[]=up", 204, "match[] start end"},
      {"POST PUT", "/api/v1/admin/tsdb/clean_tombstones", 204},
      {"POST PUT", "/api/v1/admin/tsdb/snapshot", 200, "skip_head"},
      {"OPTIONS", "/api/v1/anything", 204},
      // 4.10: these are off here, and say so
      {"POST", "/api/v1/write", 404},
      {"POST", "/api/v1/otlp/v1/metrics", 404},
      // 4.11, 4.12
      {"GET", "/", 302},
      {"GET", "/graph", 302},
      {"GET", "/federate?match[]=up", 200, "match[]"},
      {"GET HEAD POST PUT", "/metrics", 200, "name[]"},
      {"GET", "/version", 200},
      {"GET HEAD", "/-/healthy", 200},
      {"GET HEAD", "/-/ready", 200},
      {"POST PUT", "/-/reload", 403},
      {"GET", "/-/reload", 405},
      {"POST PUT", "/-/quit", 403},
      {"GET", "/-/quit", 405},
      {"GET POST", "/debug/pprof/heap", 404},
      {"GET", "/favicon.ico", 404},
      {"GET", "/favicon.svg", 404},
      {"GET", "/manifest.json", 404},
      {"GET", "/query", 200},
      {"GET", "/alerts", 200},
      {"GET", "/rules", 200},
      {"GET", "/targets", 200},
      {"GET", "/service-discovery", 200},
      {"GET", "/alertmanager-discovery", 200},
      {"GET", "/status", 200},
      {"GET", "/tsdb-status", 200},
      {"GET", "/config", 200},
      {"GET", "/flags", 200},
  };
  for (const auto& row : rows) {
    for (const auto method : Words(row.methods)) {
      const net::Route* const route = RouteFor(row.path.substr(0, row.path.find('?')), method);
      ASSERT_NE(route, nullptr) << method << " " << row.path;
      EXPECT_EQ(Ask(method, row.path).status, row.status) << method << " " << row.path;
      for (const auto name : Words(row.params)) {
        EXPECT_TRUE(std::any_of(route->params.begin(), route->params.end(),
                                [&](const net::Param& param) { return param.name == name; }))
            << method << " " << row.path << " " << name;
      }
    }
  }
  EXPECT_NE(RouteFor("/api/v1/notifications/live", "GET"), nullptr);  // would not end; encoding_test asks it
  EXPECT_NE(RouteFor("/api/v1/read", "POST"), nullptr);               // wants a server of its own
}

TEST_F(RoutesTest, OurOwnDescriptionNamesEveryRoute) {
  const auto answer = Ask("GET", "/api/v1/openapi.yaml?openapi_version=3.2");
  EXPECT_EQ(answer.status, 200);
  const auto paths = ReadPaths(answer.body);
  for (const auto& [path, operations] : paths)
    for (const auto& [method, parameters] : operations) EXPECT_NE(FindRoute(path, method), nullptr) << path;
  EXPECT_EQ(paths.at("/query").at("post").count("lookback_delta"), 1u);
  for (const auto& route : Routes()) {
    if (!route.path.starts_with("/api/v1/") || route.path.find_first_of(":*") != std::string_view::npos) continue;
    const auto path = paths.find(std::string(route.path.substr(7)));
    ASSERT_NE(path, paths.end()) << route.path;
    for (const auto& [method, parameters] : path->second) EXPECT_EQ(parameters.size(), route.params.size()) << method;
  }
  EXPECT_EQ(paths.count("/label/{name}/values"), 1u);
}

}  // namespace
}  // namespace epi::web
