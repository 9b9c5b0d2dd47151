// Finds where numbers, durations and escape sequences end. What they are worth is found when they are parsed.
#pragma once

#include <optional>
#include <string>

#include "model/character_cursor.h"

namespace epi::promql {

// Takes what looks like a number: decimal, hexadecimal, with exponents and underscores. False when it breaks off; the
// cursor is then behind what it broke at. `in_series`: a number of a series description, where 0x3 is "zero, three
// times".
bool ScanNumber(CharacterCursor& in, bool in_series);

// Takes the units and further numbers behind the first number of a duration. When they are no duration, the character
// that shows it is taken as well.
bool ScanDurationTail(CharacterCursor& in);

// Takes what follows the backslash in a string between `quote` characters. The error's text, if there is one.
std::optional<std::string> ScanEscape(CharacterCursor& in, int32_t quote);

}  // namespace epi::promql
