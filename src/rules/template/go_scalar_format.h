// How Go's fmt prints numbers, texts and truth values under a verb, with flags, width and precision.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace epi::rules {

// What stands between '%' and the verb.
struct FormatFlags {
  bool plus = false;
  bool minus = false;
  bool sharp = false;
  bool space = false;
  bool zero = false;
  bool field_names = false;  // "%+v"
  bool go_syntax = false;    // "%#v"
  int width = -1;            // in runes; -1: none
  int precision = -1;        // -1: none
};

using FormatVerb = uint32_t;  // a rune

struct FormattedInteger {
  uint64_t magnitude = 0;
  bool negative = false;
  bool is_signed = true;
};
constexpr FormattedInteger SignedInteger(int64_t v) {
  return {v < 0 ? ~static_cast<uint64_t>(v) + 1 : static_cast<uint64_t>(v), v < 0, true};
}

// Fills up to the width: with spaces, or with zeros on the left.
void WritePadded(std::string& out, std::string_view text, const FormatFlags& flags);

// False, with nothing written, when the verb is none of the kind's.
bool WriteBool(std::string& out, bool value, FormatVerb verb, const FormatFlags& flags);
bool WriteInteger(std::string& out, const FormattedInteger& value, FormatVerb verb, const FormatFlags& flags);
bool WriteFloat(std::string& out, double value, FormatVerb verb, const FormatFlags& flags);
// Width and precision are those of each part; the second always has a sign.
bool WriteComplex(std::string& out, double real, double imaginary, FormatVerb verb, const FormatFlags& flags);
bool WriteText(std::string& out, std::string_view text, FormatVerb verb, const FormatFlags& flags);

}  // namespace epi::rules
