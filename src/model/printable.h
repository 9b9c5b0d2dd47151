// Which characters Go's strconv.Quote prints as they are.
#pragma once

#include <cstdint>

namespace epi {

// Go's unicode.IsPrint: letters, marks, numbers, punctuation, symbols and the ASCII space.
bool IsPrintable(uint32_t rune);

}  // namespace epi
