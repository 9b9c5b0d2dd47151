// The route table against Prometheus's own description of its API.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/file_system.h"
#include "testing/temp_dir.h"
#include "testing/web_fixture.h"

namespace epi::web {
namespace {

// method -> names of query parameters.
using Operations = std::map<std::string, std::set<std::string>>;

// Reads the "paths" of an OpenAPI document as Prometheus writes them: four blanks a level.
std::map<std::string, Operations> ReadPaths(std::string_view text) {
  std::map<std::string, Operations> paths;
  Operations* path = nullptr;
  std::set<std::string>* operation = nullptr;
  std::string parameter;
  bool inside = false;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t indent = std::min(line.find_first_not_of(' '), line.size());
    line.remove_prefix(indent);
    if (indent == 0) {
      inside = line == "paths:";
    } else if (!inside) {
      continue;
    } else if (indent == 4 && line.starts_with('/')) {
      path = &paths[std::string(line.substr(0, line.size() - 1))];
    } else if (indent == 8 && path != nullptr && line.ends_with(':')) {
      operation = &(*path)[std::string(line.substr(0, line.size() - 1))];
    } else if (indent == 16 && line.starts_with("- name: ")) {
      parameter = line.substr(8);
      std::erase(parameter, '"');
    } else if (indent == 18 && line == "in: query" && operation != nullptr) {
      operation->insert(parameter);
    }
  }
  return paths;
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

class RoutesTest : public WebFixture {};

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

TEST_F(RoutesTest, OurOwnDescriptionNamesEveryRoute) {
  const auto answer = Ask("GET", "/api/v1/openapi.yaml?openapi_version=3.2");
  EXPECT_EQ(answer.status, 200);
  const auto paths = ReadPaths(answer.body);
  for (const auto& [path, operations] : paths)
    for (const auto& [method, parameters] : operations) EXPECT_NE(FindRoute(path, method), nullptr) << path;
  EXPECT_EQ(paths.at("/query").at("post").count("lookback_delta"), 1u);
  EXPECT_EQ(paths.count("/label/{name}/values"), 1u);
}

}  // namespace
}  // namespace epi::web
