#include "net/http_headers.h"

#include <algorithm>

#include "base/ascii.h"

namespace epi::net {

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return LowerAscii(x) == LowerAscii(y); });
}

void HttpHeaders::Set(std::string_view name, std::string value) {
  Remove(name);
  fields_.emplace_back(std::string(name), std::move(value));
}

void HttpHeaders::Remove(std::string_view name) {
  std::erase_if(fields_, [&](const auto& field) { return EqualsIgnoreCase(field.first, name); });
}

std::string_view HttpHeaders::Get(std::string_view name) const {
  for (const auto& field : fields_)
    if (EqualsIgnoreCase(field.first, name)) return field.second;
  return {};
}

bool HttpHeaders::Has(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(),
                     [&](const auto& field) { return EqualsIgnoreCase(field.first, name); });
}

std::string HttpHeaders::Joined(std::string_view name) const {
  std::string out;
  bool first = true;
  for (const auto& field : fields_) {
    if (!EqualsIgnoreCase(field.first, name)) continue;
    if (!first) out += ", ";
    first = false;
    out += field.second;
  }
  return out;
}

}  // namespace epi::net
