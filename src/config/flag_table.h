// The table of command-line flags: one row a flag, from which flags.cc reads and flag_usage.cc explains.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/flags.h"

namespace epi::config {

enum class FlagKind : unsigned char {
  kBool,
  kText,
  kTexts,  // may be repeated
  kInt,    // kingpin's Int: read as a floating-point number, its fraction dropped
  kInt64,  // kingpin's Int64: a Go integer, 0x, 0o and 0b included
  kFloat,
  kDuration,    // Prometheus's, in milliseconds
  kGoDuration,  // Go's, in nanoseconds
  kSize,
  kChoice,
  kLogLevel,  // a choice in any case
  kLogFormat,
};
enum class FlagMode : unsigned char { kBoth, kServer, kAgent };

using FlagField = std::variant<bool Flags::*, std::string Flags::*, std::vector<std::string> Flags::*, int64_t Flags::*,
                               double Flags::*>;

struct FlagSpec {
  std::string_view name;
  FlagKind kind;
  FlagField field;
  std::string_view fallback;  // the default, as it would be given
  FlagMode mode = FlagMode::kBoth;
  bool hidden = false;  // not in --help
  std::string_view help;
  std::string_view choices = {};      // of kChoice and its kin: separated by ','
  std::string_view placeholder = {};  // in usage, where there is no default
};

// In the order of --help.
std::span<const FlagSpec> FlagTable();
// nullptr when there is none of that name.
const FlagSpec* FindFlag(std::string_view name);

}  // namespace epi::config
