// Writing YAML exactly as go-yaml v2 does: what /api/v1/status/config shows and tools compare.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epi::config {

// A value to be written. Build it with the static functions; mappings keep their order unless Sorted() is called.
class YamlValue {
 public:
  static YamlValue Null();
  static YamlValue Bool(bool value);
  static YamlValue Int(int64_t value);
  static YamlValue Uint(uint64_t value);
  static YamlValue Float(double value);
  static YamlValue String(std::string text);  // quoted where a plain scalar would read as something else
  static YamlValue Sequence(std::vector<YamlValue> items = {});
  static YamlValue Mapping();
  static YamlValue Strings(const std::vector<std::string>& items);
  static YamlValue StringMap(
      const std::vector<std::pair<std::string, std::string>>& pairs);  // sorted as go-yaml sorts maps

  YamlValue& Set(std::string key, YamlValue value);  // of a mapping; appended
  YamlValue& Add(YamlValue item);                    // of a sequence
  YamlValue& Flow();                                 // written in one line: [a, b]
  YamlValue& Sorted();                               // a mapping's keys in go-yaml's natural order
  bool IsEmptyMapping() const { return kind_ == Kind::kMapping && entries_.empty(); }
  // The whole document, with a line feed at its end.
  std::string Text() const;

 private:
  friend class YamlEmitter;
  enum class Kind : unsigned char { kPlain, kString, kSequence, kMapping };
  Kind kind_ = Kind::kPlain;
  bool flow_ = false;
  std::string text_ = "null";
  std::vector<YamlValue> items_;
  std::vector<std::pair<std::string, YamlValue>> entries_;
};

// go-yaml's order of map keys: numbers inside keys compare as numbers, letters come after other characters.
bool YamlKeyLess(std::string_view a, std::string_view b);

}  // namespace epi::config
