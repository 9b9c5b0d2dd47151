#include "discovery/json_shape.h"

#include <algorithm>

#include "base/ascii.h"

namespace epi::discovery {
namespace {

constexpr std::string_view kAnyName = "*";

bool IsInteger(const Json& value) {
  return std::all_of(value.text().begin(), value.text().end(), [](char c) { return c == '-' || IsAsciiDigit(c); });
}

// The first value that has another shape, null when there is none; `path` becomes the names that lead to it.
const Json* FindMisfit(const Json& value, const Json& example, const Json*& wanted, std::string& path) {
  if (value.IsNull() || example.IsNull()) return nullptr;
  wanted = &example;
  if (value.kind() != example.kind() || (value.kind() == Json::Kind::kNumber && !IsInteger(value))) return &value;
  for (const auto& item : value.items()) {
    if (const Json* misfit = FindMisfit(item, example.at(0), wanted, path)) return misfit;
  }
  const Json& any = example[kAnyName];
  for (const auto& [name, member] : value.members()) {
    const Json* misfit = FindMisfit(member, any.IsNull() ? example[name] : any, wanted, path);
    if (misfit == nullptr) continue;
    path.insert(0, path.empty() ? name : name + ".");
    return misfit;
  }
  return nullptr;
}

}  // namespace

JsonShape::JsonShape(std::string_view example) {
  auto parsed = Json::Parse(example);
  EPI_CHECK(parsed.has_value());
  example_ = std::move(*parsed);
}

Result<void> JsonShape::Check(const Json& value) const {
  const Json* wanted = nullptr;
  std::string path;
  const Json* misfit = FindMisfit(value, example_, wanted, path);
  if (misfit == nullptr) return {};
  std::string text = "json: cannot unmarshal " + std::string(Json::KindName(misfit->kind()));
  if (misfit->kind() == Json::Kind::kNumber) text += " " + misfit->text();
  text += " into " + (path.empty() ? "an answer" : path) + " of type ";
  text += wanted->kind() == Json::Kind::kNumber ? "integer" : Json::KindName(wanted->kind());
  return Fail(ErrorCode::kInvalid, std::move(text));
}

}  // namespace epi::discovery
