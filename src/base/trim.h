// Text without the blanks around it.
#pragma once

#include <string_view>

namespace epi {

inline constexpr std::string_view kBlanks = " \t";          // around the parts of HTTP header values
inline constexpr std::string_view kSpaces = " \t\n\v\f\r";  // all that ASCII has

// A part of `text`, whose owner it shares.
constexpr std::string_view Trimmed(std::string_view text, std::string_view blanks) {
  const size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

}  // namespace epi
