// JSON answers of APIs as small trees: the only place of this module that sees the JSON library.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace epi::discovery {

// A value; missing things are null values, so that a path through an answer needs no checks:
// json["Spec"]["Name"].text().
class Json {
 public:
  enum class Kind : unsigned char { kNull, kBool, kNumber, kString, kArray, kObject };
  // kInvalid with the words of Prometheus's library (json_syntax.h); nesting beyond 200 and more than 8 Mi values are
  // refused. What is not UTF-8, and half of a surrogate pair, is read as U+FFFD.
  static Result<Json> Parse(std::string_view text);

  // "bool", "number", "array", …
  static std::string_view KindName(Kind kind);

  Kind kind() const { return kind_; }
  bool IsNull() const { return kind_ == Kind::kNull; }
  bool IsString() const { return kind_ == Kind::kString; }
  bool IsArray() const { return kind_ == Kind::kArray; }
  bool IsObject() const { return kind_ == Kind::kObject; }
  bool boolean() const { return kind_ == Kind::kBool && text_ == "true"; }
  // A string's text, a number as it was written, "true" or "false"; empty otherwise.
  const std::string& text() const { return text_; }
  int64_t integer() const;  // of a number; 0 otherwise
  const std::vector<Json>& items() const { return items_; }
  const std::vector<std::pair<std::string, Json>>& members() const { return members_; }
  const Json& operator[](std::string_view key) const;  // of an object, the last of duplicates
  const Json& at(size_t index) const;                  // of an array
  std::vector<Json>& mutable_items() { return items_; }
  void Remove(std::string_view key);           // of an object, every member with that name
  Json* mutable_member(std::string_view key);  // null when there is none

 private:
  friend class JsonBuilder;
  Kind kind_ = Kind::kNull;
  std::string text_;
  std::vector<Json> items_;
  std::vector<std::pair<std::string, Json>> members_;
};

}  // namespace epi::discovery
