// For tests: answers held against the schemas of an OpenAPI description.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/yaml.h"

namespace epi::testing {

class OpenApiSchemas {
 public:
  using json = nlohmann::json;
  using YamlNode = config::YamlNode;

  static Result<OpenApiSchemas> Read(std::string_view text) {
    EPI_ASSIGN(auto document, config::YamlDocument::Parse(text));
    return OpenApiSchemas(std::move(document));
  }

  std::vector<std::string> Paths() const {
    std::vector<std::string> out;
    const auto paths = document_.root().Find("paths");
    for (const auto& entry : paths->entries()) out.push_back(entry.key.text());
    return out;
  }
  bool Describes(const std::string& path, const std::string& method) const {
    return Walk(document_.root(), {"paths", path, method}).has_value();
  }
  // What does not fit, and where in the body; empty when all does. `method` in lower case, `path` as the description
  // writes it. A status that is not described stands under "default".
  std::string Problem(const std::string& path, const std::string& method, int status, const std::string& body) const {
    if (status == 204) return body.empty() ? "" : "204 with a body";  // is not described, and always without one
    const auto operation = Walk(document_.root(), {"paths", path, method, "responses"});
    if (!operation) return "no such operation";
    auto response = operation->Find(std::to_string(status));
    if (!response) response = operation->Find("default");
    if (!response) return "status " + std::to_string(status) + " is not described";
    const auto schema = Walk(*response, {"content", "application/json", "schema"});
    if (!schema) return body.empty() ? "" : "a body is not described";
    const json value = json::parse(body, nullptr, false);
    return value.is_discarded() ? "not JSON" : Check(*schema, value, "body");
  }

 private:
  explicit OpenApiSchemas(config::YamlDocument document) : document_(std::move(document)) {}

  static std::optional<YamlNode> Walk(YamlNode from, std::initializer_list<std::string_view> keys) {
    std::optional<YamlNode> at = from;
    for (const auto key : keys) {
      if (at) at = at->Find(key);
    }
    return at;
  }

  std::string Check(YamlNode schema, const json& value, const std::string& at) const {
    if (const auto reference = schema.Find("$ref")) {
      const std::string& target = reference->text();
      const auto found = Walk(document_.root(), {"components", "schemas", target.substr(target.rfind('/') + 1)});
      return found ? Check(*found, value, at) : at + ": " + target + " is not described";
    }
    for (const auto* kind : {"anyOf", "oneOf"}) {
      const auto choices = schema.Find(kind);
      if (!choices) continue;
      std::string problems;
      for (const YamlNode choice : choices->items()) {
        const std::string problem = Check(choice, value, at);
        if (problem.empty()) return "";
        problems += (problems.empty() ? "" : "; ") + problem;
      }
      return problems;
    }
    if (const auto type = schema.Find("type"); type && !IsOfType(*type, value)) {
      return at + " is " + value.dump().substr(0, 100);
    }
    if (const auto allowed = schema.Find("enum")) {
      const auto items = allowed->items();
      const bool fits = std::any_of(items.begin(), items.end(), [&](YamlNode item) { return item.text() == value; });
      if (!fits) return at + " is " + value.dump();
    }
    if (const auto format = schema.Find("format"); format && format->text() == "date-time") {
      static const std::regex kTime(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))");
      if (!std::regex_match(value.get<std::string>(), kTime)) return at + " is " + value.dump();
    }
    if (value.is_object()) return CheckObject(schema, value, at);
    return value.is_array() ? CheckArray(schema, value, at) : "";
  }

  static bool IsOfType(YamlNode type, const json& value) {
    if (type.IsSequence()) {
      const auto items = type.items();
      return std::any_of(items.begin(), items.end(), [&](YamlNode item) { return IsOfType(item, value); });
    }
    const std::string& name = type.text();
    return (name == "object" && value.is_object()) || (name == "array" && value.is_array()) ||
           (name == "string" && value.is_string()) || (name == "boolean" && value.is_boolean()) ||
           (name == "integer" && value.is_number_integer()) || (name == "number" && value.is_number()) ||
           (name == "null" && value.is_null());
  }

  std::string CheckObject(YamlNode schema, const json& value, const std::string& at) const {
    if (const auto required = schema.Find("required")) {
      for (const YamlNode name : required->items())
        if (!value.contains(name.text())) return at + " has no " + name.text();
    }
    const auto properties = schema.Find("properties");
    const auto additional = schema.Find("additionalProperties");
    for (const auto& [name, member] : value.items()) {
      const std::string where = at + "." + name;
      auto described = properties ? properties->Find(name) : std::nullopt;
      if (!described && additional && additional->text() == "false") return where + " is not described";
      if (!described && additional && additional->IsMapping()) described = additional;
      if (!described) continue;
      if (auto problem = Check(*described, member, where); !problem.empty()) return problem;
    }
    return "";
  }

  std::string CheckArray(YamlNode schema, const json& value, const std::string& at) const {
    const auto bound = [&](const char* name, size_t otherwise) {
      const auto given = schema.Find(name);
      return given ? std::stoul(given->text()) : otherwise;
    };
    if (value.size() < bound("minItems", 0) || value.size() > bound("maxItems", value.size())) {
      return at + " has " + std::to_string(value.size()) + " elements";
    }
    const auto items = schema.Find("items");
    for (size_t i = 0; items && i < value.size(); ++i) {
      if (auto problem = Check(*items, value[i], at + "[" + std::to_string(i) + "]"); !problem.empty()) return problem;
    }
    return "";
  }

  config::YamlDocument document_;
};

}  // namespace epi::testing
