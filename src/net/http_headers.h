// Header fields of a request or response, shared by client and server.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epi::net {

// Fields in order, names as they came; lookup ignores case. A name may repeat.
class HttpHeaders {
 public:
  void Add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  // Replaces every field of that name.
  void Set(std::string_view name, std::string value);
  void Remove(std::string_view name);
  // The first value, or empty when there is none.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  // All values of a name, joined by ", ", as HTTP allows for lists.
  std::string Joined(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }
  void clear() { fields_.clear(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// ASCII only.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

}  // namespace epi::net
