#include "net/http_message.h"

namespace epi::net {
namespace {

std::string_view FirstValue(const QueryParams& params, std::string_view key) {
  for (const auto& [name, value] : params)
    if (name == key) return value;
  return {};
}

std::vector<std::string_view> AllValues(const QueryParams& params, std::string_view key) {
  std::vector<std::string_view> values;
  for (const auto& [name, value] : params)
    if (name == key) values.push_back(value);
  return values;
}

}  // namespace

std::string_view MethodName(Method method) {
  static constexpr std::string_view kNames[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", ""};
  return kNames[static_cast<unsigned>(method)];
}

std::string_view Request::FormValue(std::string_view key) const { return FirstValue(form, key); }
std::string_view Request::QueryValue(std::string_view key) const { return FirstValue(query, key); }
std::vector<std::string_view> Request::FormValues(std::string_view key) const { return AllValues(form, key); }
std::vector<std::string_view> Request::QueryValues(std::string_view key) const { return AllValues(query, key); }
std::string_view Request::PathParam(std::string_view name) const { return FirstValue(path_params, name); }

bool Request::HasForm(std::string_view key) const {
  for (const auto& field : form)
    if (field.first == key) return true;
  return false;
}

}  // namespace epi::net
