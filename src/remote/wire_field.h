// Walking the fields of a protobuf message whose bytes come from outside.
#pragma once

#include <string_view>

namespace protozero {
class pbf_reader;
}

namespace epi::remote {

// Moves to the next field that `types` knows, in the wire type that belongs to its number: the letter at position
// number - 1 is 'v' for varint, 'd' for 64 bits, 'b' for bytes or a message, 'V' for varints packed or single, 'D' for
// doubles packed or single; ' ' for no such field. Fields that do not fit are skipped, as unknown ones are: the
// reader's accessors must never meet them. False at the end.
bool NextField(protozero::pbf_reader& message, std::string_view types);
// The varint the reader stands at, as a flag. protozero's own get_bool looks at its first byte even where the message
// ends before it.
bool ReadFlag(protozero::pbf_reader& message);

}  // namespace epi::remote
