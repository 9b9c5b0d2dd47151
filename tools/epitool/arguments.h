// Command-line arguments of one command, read as promtool reads its: --flag=value, --flag value, --switch, --no-switch,
// a single dash for one-letter flags, and "--" before arguments that look like flags.
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
enum class ValueForm { kText, kInteger };

struct FlagSpec {
  std::string_view name;      // without dashes
  bool takes_value = false;   // otherwise a switch
  std::string_view fallback;  // value when it is not given; a switch is off
  std::string_view help;
  bool repeats = false;
  char letter = 0;  // -r for --human-readable; 0 = none
  ValueForm form = ValueForm::kText;
};

class Arguments {
 public:
  // kInvalid with promtool's words: `unknown long flag '--x'`, `expected argument for flag '--x'`,
  // `strconv.ParseInt: parsing "x": invalid syntax`.
  static Result<Arguments> Parse(std::span<const std::string> words, std::span<const FlagSpec> flags);

  bool On(std::string_view flag) const { return Value(flag) == "true"; }
  // The last value given, or the fallback.
  std::string_view Value(std::string_view flag) const;
  // Of a flag of the form kInteger.
  int64_t Integer(std::string_view flag) const;
  const std::vector<std::string>& Values(std::string_view flag) const;
  const std::vector<std::string>& positional() const { return positional_; }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::map<std::string, std::string, std::less<>> fallbacks_;
  std::vector<std::string> positional_;
};

}  // namespace epi::tool
