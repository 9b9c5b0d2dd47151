// What a command was given: flags and positional arguments, already checked.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace epi::tool {

// What the value of a flag has to be.
enum class ValueForm : unsigned char {
  kText,
  kInt,       // kingpin's Int, 1e3 included
  kInt64,     // kingpin's Int64, 0x10 included
  kDuration,  // Go's
  kLabel,     // key=value or key:value
  kUrl,
};

inline constexpr size_t kWholeCommand = SIZE_MAX;

struct FlagSpec {
  std::string_view name;      // without dashes
  bool takes_value = false;   // otherwise a switch
  std::string_view fallback;  // value when it is not given; a switch is off
  std::string_view help;
  bool repeats = false;
  char letter = 0;  // -r for --human-readable; 0 = none
  ValueForm form = ValueForm::kText;
  size_t known_after = kWholeCommand;  // how many words of the command have to stand before it
  bool required = false;
};

class Arguments {
 public:
  Arguments() = default;
  explicit Arguments(std::span<const FlagSpec> flags);

  // kInvalid with kingpin's words: `flag 'x' cannot be repeated`, `strconv.ParseInt: parsing "x": invalid syntax`.
  Result<void> Set(const FlagSpec& flag, std::string value);
  void AddPositional(std::string value) { positional_.push_back(std::move(value)); }

  bool Given(std::string_view flag) const { return values_.contains(flag); }
  bool On(std::string_view flag) const { return Value(flag) == "true"; }
  // The last value given, or the fallback.
  std::string_view Value(std::string_view flag) const;
  // Of a flag of the form kInt or kInt64.
  int64_t Integer(std::string_view flag) const;
  // Of a flag of the form kDuration, in milliseconds.
  int64_t DurationMs(std::string_view flag) const;
  const std::vector<std::string>& Values(std::string_view flag) const;
  const std::vector<std::string>& positional() const { return positional_; }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::map<std::string, std::string, std::less<>> fallbacks_;
  std::vector<std::string> positional_;
};

}  // namespace epi::tool
