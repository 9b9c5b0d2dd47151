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

// A value that is taken and, where any text will not do, one that is refused with 400.
struct Sample {
  std::string_view good;
  std::string_view bad;
};

// The value that works for one parameter of one path, or of all of them.
Sample SampleOf(std::string_view path, std::string_view parameter) {
  static const std::map<std::string_view, Sample> kSamples = {
      {"query", {"up", "up{"}},
      {"time", {"60", "noon"}},
      {"timeout", {"5s", "soon"}},
      {"lookback_delta", {"1m", "long"}},
      {"stats", {"true", ""}},
      {"start", {"0", "early"}},
      {"end", {"60", "late"}},
      {"step", {"15", "wide"}},
      {"limit", {"5", "-1"}},
      {"limit_per_metric", {"5", "few"}},
      {"match[]", {"up", "up{"}},
      {"metric", {"up", ""}},
      {"match_target", {"{job=\"a\"}", "{job="}},
      {"scrapePool", {"one", ""}},
      {"state", {"any", ""}},
      {"labels", {"{}", "{"}},
      {"type", {"alert", "both"}},
      {"rule_name[]", {"a", ""}},
      {"rule_group[]", {"a", ""}},
      {"file[]", {"a", ""}},
      {"exclude_alerts", {"true", "maybe"}},
      {"group_limit", {"1", "0"}},
      {"group_next_token", {"", "unknown"}},
      {"metric_name_pattern", {"a.*", "("}},
      {"skip_head", {"true", "maybe"}},
      {"search[]", {"u", ""}},
      {"fuzz_threshold", {"10", "101"}},
      {"fuzz_alg", {"subsequence", "other"}},
      {"case_sensitive", {"false", "maybe"}},
      {"sort_by", {"alpha", "size"}},
      {"sort_dir", {"dsc", "up"}},
      {"include_score", {"true", "maybe"}},
      {"include_metadata", {"true", "maybe"}},
      {"batch_size", {"10", "0"}},
      {"label", {"job", ""}},
  };
  const auto at = kSamples.find(parameter);
  EXPECT_NE(at, kSamples.end()) << path << " " << parameter << " has no sample";
  if (at == kSamples.end()) return {};
  if (path == "/metadata" && parameter == "limit") return {"5", "many"};
  if (path == "/targets/metadata" && parameter == "limit") return {"5", "many"};
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

class RoutesTest : public WebFixture {
 protected:
  // `broken` names the parameter that gets its bad value; empty: all values are good.
  Answer AskWith(std::string_view path, std::string_view method, const std::set<std::string>& parameters,
                 std::string_view broken) {
    std::string form;
    for (const auto& name : parameters) {
      const Sample sample = SampleOf(path, name);
      const std::string_view value = name == broken ? sample.bad : sample.good;
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
  services.options.enable_search = services.options.enable_admin_api = true;
  scrape.pools = {"one"};
  scrape.steps = {{"one", {}}};
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
        if (SampleOf(path, parameter).bad.empty()) continue;
        const auto bad = AskWith(path, method, parameters, parameter);
        EXPECT_EQ(bad.status, 400) << method << " " << path << " " << parameter << " " << bad.body;
        EXPECT_EQ(schemas->Problem(path, method, bad.status, bad.body), "") << method << " " << path << " " << bad.body;
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 80u);
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
