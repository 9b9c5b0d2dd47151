// How Go prints characters.
#pragma once

#include <cstdint>
#include <string>

namespace epi {

// Go's unicode.IsPrint: letters, marks, numbers, punctuation, symbols and the ASCII space.
bool IsPrintable(uint32_t rune);

// Go's %#U: "U+0063 'c'", the character only when it can be printed.
std::string CodePointNotation(uint32_t rune);

}  // namespace epi
