// Attribute values of any type as the text that labels get.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace epi::remote::otlp {

// Strings are themselves; these are the others.
std::string DoubleText(double value);
inline std::string_view BoolText(bool value) { return value ? "true" : "false"; }
std::string BytesText(std::string_view bytes);  // base64

// Lists and maps become JSON as Go's encoding/json writes it without escaping for HTML.

// A list or map under construction. Elements are JSON texts.
class CompositeText {
 public:
  void Add(std::string json) { elements_.push_back(std::move(json)); }
  void Set(std::string_view key, std::string json) { members_.insert_or_assign(std::string(key), std::move(json)); }
  // A number that JSON cannot hold makes the whole value empty.
  void Poison() { poisoned_ = true; }
  bool poisoned() const { return poisoned_; }
  std::string List() const;
  std::string Map() const;  // keys in order

 private:
  std::vector<std::string> elements_;
  std::map<std::string, std::string, std::less<>> members_;
  bool poisoned_ = false;
};

// How deep values may be nested.
inline constexpr int kMaxValueDepth = 64;

// What a decoder builds for one value: its text, and its form inside lists and maps.
struct ValueText {
  std::string text;
  std::string json = "null";
  bool poisoned = false;
};
ValueText StringValue(std::string_view value);
// A string that stands in no list or map: its JSON form is not made.
inline ValueText PlainText(std::string_view value) { return {std::string(value), {}, false}; }
ValueText BoolValue(bool value);
ValueText IntValue(int64_t value);
ValueText DoubleValue(double value);
ValueText BytesValue(std::string_view value);
ValueText ListValue(const CompositeText& value);
ValueText MapValue(const CompositeText& value);

}  // namespace epi::remote::otlp
