// Reading, checking and writing UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace epi {

inline constexpr uint32_t kReplacementRune = 0xfffd;  // what Go reads for a byte that is not valid UTF-8

// Length of the valid UTF-8 sequence at the front of `text`, its code point in `rune`; 0 when it is not valid. `text`
// is not empty.
size_t DecodeUtf8(std::string_view text, uint32_t& rune);
void AppendUtf8(std::string& out, uint32_t rune);  // `rune` is valid
bool IsValidRune(uint32_t rune);                   // a code point that is no surrogate
bool IsValidUtf8(std::string_view text);
// The text with kReplacementRune for every byte that is not valid.
std::string ToValidUtf8(std::string_view text);

}  // namespace epi
