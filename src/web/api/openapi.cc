// The description of the v1 API, made from the route table: what is documented is what is served.
#include <map>

#include "base/escaping.h"
#include "web/api/answer.h"
#include "web/handlers.h"

namespace epi::web {
namespace {

constexpr std::string_view kPrefix = "/api/v1";

std::string DoubleQuoted(std::string_view text) {
  std::string out;
  AppendJsonString(out, text, JsonStyle::kIterator);  // a JSON string is a YAML string
  return out;
}

// "/label/:name/values" as "/label/{name}/values".
std::string Template(std::string_view path) {
  std::string out;
  bool in_name = false;
  for (const char c : path) {
    if (c == '/' && in_name) {
      out += '}';
      in_name = false;
    }
    if (c == ':') {
      out += '{';
      in_name = true;
    } else {
      out += c;
    }
  }
  return in_name ? out + "}" : out;
}

void AppendParameter(std::string& out, std::string_view name, std::string_view where, bool required,
                     std::string_view schema, std::string_view doc) {
  out += "                - name: " + DoubleQuoted(name) + "\n                  in: " + std::string(where);
  out += "\n                  description: " + DoubleQuoted(doc);
  out += "\n                  required: " + std::string(required ? "true" : "false");
  out += "\n                  schema:\n" + std::string(schema);
}

std::string SchemaOf(const net::Param& param, const std::string& indent) {
  static const std::map<std::string_view, std::string_view> kTypes = {{"integer", "integer"}, {"boolean", "boolean"}};
  const auto at = kTypes.find(param.type);
  const std::string type = "type: " + (at == kTypes.end() ? "string" : std::string(at->second)) + "\n";
  if (!param.repeated) return indent + type;
  return indent + "type: array\n" + indent + "items:\n" + indent + "    " + type;
}

// "/search/label_names" is SearchLabelNamesPostInputBody.
std::string FormName(std::string_view path) {
  std::string out;
  bool upper = true;
  for (const char c : path.substr(kPrefix.size())) {
    const bool letter = c >= 'a' && c <= 'z';
    if (letter) out += upper ? static_cast<char>(c - 'a' + 'A') : c;
    upper = !letter;
  }
  return out + "PostInputBody";
}

// Where a GET asks the same, a POST brings the parameters as a form.
bool TakesForm(const net::Route& route) {
  constexpr net::MethodSet kBoth = net::kGetMethod | net::kPostMethod;
  return (route.methods & kBoth) == kBoth && !route.params.empty();
}

void AppendForm(std::string& out, const net::Route& route) {
  out += "        " + FormName(route.path) + ":\n            type: object\n            properties:\n";
  std::string required;
  for (const auto& param : route.params) {
    out += "                " + DoubleQuoted(param.name) + ":\n" + SchemaOf(param, std::string(20, ' '));
    out += "                    description: " + DoubleQuoted(param.doc) + "\n";
    if (param.required) required += "                - " + DoubleQuoted(param.name) + "\n";
  }
  if (!required.empty()) out += "            required:\n" + required;
  out += "            additionalProperties: false\n";
}

void AppendPathParameter(std::string& out, std::string_view path) {
  const size_t at = path.find("/:");
  const std::string_view name = path.substr(at + 2, path.find('/', at + 2) - (at + 2));
  AppendParameter(out, name, "path", true, "                    type: string\n", "Part of the path.");
}

void AppendOperation(std::string& out, const net::Route& route, net::Method method) {
  std::string name(net::MethodName(method));
  for (char& c : name) c = static_cast<char>(c - 'A' + 'a');
  out += "        " + name + ":\n            summary: " + DoubleQuoted(route.doc) + "\n";
  const bool named = route.path.find("/:") != std::string_view::npos;
  const bool form = method == net::Method::kPost && TakesForm(route);
  if (named || (!form && !route.params.empty())) out += "            parameters:\n";
  if (named) AppendPathParameter(out, route.path);
  if (form) {
    out +=
        "            requestBody:\n                required: true\n                content:\n"
        "                    application/x-www-form-urlencoded:\n                        schema:\n"
        "                            $ref: '#/components/schemas/" +
        FormName(route.path) + "'\n";
  } else {
    for (const auto& param : route.params)
      AppendParameter(out, param.name, "query", param.required, SchemaOf(param, std::string(20, ' ')), param.doc);
  }
  out +=
      "            responses:\n                2XX:\n                    description: \"Success.\"\n"
      "                default:\n                    description: \"An error.\"\n                    content:\n"
      "                        application/json:\n                            schema:\n"
      "                                $ref: '#/components/schemas/Error'\n";
}

constexpr std::string_view kErrorSchema = R"(        Error:
            type: object
            properties:
                status:
                    type: string
                    enum: [error]
                errorType:
                    type: string
                error:
                    type: string
            required:
                - status
                - errorType
                - error
)";

}  // namespace

Result<void> ServeOpenApi(Services& services, const net::Request& request, net::ResponseWriter& response) {
  const bool newer = request.FormValue("openapi_version").starts_with("3.2");
  std::string out = std::string("openapi: ") + (newer ? "3.2.0" : "3.1.0") + "\ninfo:\n    title: \"Prometheus API\"\n";
  out += "    version: " + DoubleQuoted(services.build.version) +
         "\nservers:\n    - url: " + DoubleQuoted(services.options.external_url + std::string(kPrefix)) + "\npaths:\n";
  for (const auto& route : Routes()) {
    if (!route.path.starts_with(kPrefix) || route.path.find('*') != std::string_view::npos) continue;
    out += "    " + Template(route.path.substr(kPrefix.size())) + ":\n";
    for (const net::Method method : {net::Method::kGet, net::Method::kPost, net::Method::kPut, net::Method::kDelete})
      if ((route.methods & net::MethodBit(method)) != 0) AppendOperation(out, route, method);
  }
  out += "components:\n    schemas:\n" + std::string(kErrorSchema);
  for (const auto& route : Routes())
    if (route.path.starts_with(kPrefix) && TakesForm(route)) AppendForm(out, route);
  response.headers().Set("Content-Type", "application/yaml; charset=utf-8");
  response.headers().Set("Cache-Control", "no-cache, no-store, must-revalidate");
  return response.Write(out);
}

}  // namespace epi::web
