// The description of the v1 API, made from the route table: what is documented is what is served.
#include <map>

#include "web/api/answer.h"
#include "web/handlers.h"

namespace epi::web {
namespace {

constexpr std::string_view kPrefix = "/api/v1";

std::string Quoted(std::string_view text) {
  std::string out;
  AppendJsonText(out, text, false);  // a JSON string is a YAML string
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
  out += "                - name: " + Quoted(name) + "\n                  in: " + std::string(where);
  out += "\n                  description: " + Quoted(doc);
  out += "\n                  required: " + std::string(required ? "true" : "false");
  out += "\n                  schema:\n" + std::string(schema);
}

std::string SchemaOf(const net::Param& param) {
  static const std::map<std::string_view, std::string_view> kTypes = {{"integer", "integer"}, {"boolean", "boolean"}};
  const auto at = kTypes.find(param.type);
  const std::string type = at == kTypes.end() ? "string" : std::string(at->second);
  if (!param.repeated) return "                    type: " + type + "\n";
  return "                    type: array\n                    items:\n                        type: " + type + "\n";
}

void AppendOperation(std::string& out, const net::Route& route, net::Method method) {
  std::string name(net::MethodName(method));
  for (char& c : name) c = static_cast<char>(c - 'A' + 'a');
  out += "        " + name + ":\n            summary: " + Quoted(route.doc) + "\n";
  const bool named = route.path.find("/:") != std::string_view::npos;
  if (named || !route.params.empty()) out += "            parameters:\n";
  if (named) AppendParameter(out, "name", "path", true, "                    type: string\n", "Name of a label.");
  for (const auto& param : route.params)
    AppendParameter(out, param.name, "query", param.required, SchemaOf(param), param.doc);
  out +=
      "            responses:\n                \"200\":\n                    description: \"Success.\"\n"
      "                default:\n                    description: \"An error.\"\n";
}

}  // namespace

Result<void> ServeOpenApi(Services& services, const net::Request& request, net::ResponseWriter& response) {
  const bool newer = request.FormValue("openapi_version").starts_with("3.2");
  std::string out = std::string("openapi: ") + (newer ? "3.2.0" : "3.1.0") + "\ninfo:\n    title: \"Prometheus API\"\n";
  out += "    version: " + Quoted(services.build.version) +
         "\nservers:\n    - url: " + Quoted(services.options.external_url + std::string(kPrefix)) + "\npaths:\n";
  for (const auto& route : Routes()) {
    if (!route.path.starts_with(kPrefix) || route.path.find('*') != std::string_view::npos) continue;
    out += "    " + Template(route.path.substr(kPrefix.size())) + ":\n";
    for (const net::Method method : {net::Method::kGet, net::Method::kPost, net::Method::kPut})
      if ((route.methods & net::MethodBit(method)) != 0) AppendOperation(out, route, method);
  }
  response.headers().Set("Content-Type", "application/yaml; charset=utf-8");
  response.headers().Set("Cache-Control", "no-cache, no-store, must-revalidate");
  return response.Write(out);
}

}  // namespace epi::web
