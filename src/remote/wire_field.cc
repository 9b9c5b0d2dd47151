#include "remote/wire_field.h"

#include <protozero/pbf_reader.hpp>

namespace epi::remote {
namespace {

bool Fits(char type, protozero::pbf_wire_type wire) {
  using Wire = protozero::pbf_wire_type;
  switch (type) {
    case 'v':
      return wire == Wire::varint;
    case 'd':
      return wire == Wire::fixed64;
    case 'b':
      return wire == Wire::length_delimited;
    case 'V':
      return wire == Wire::varint || wire == Wire::length_delimited;
    case 'D':
      return wire == Wire::fixed64 || wire == Wire::length_delimited;
    default:
      return false;
  }
}

}  // namespace

bool NextField(protozero::pbf_reader& message, std::string_view types) {
  while (message.next()) {
    if (message.tag() <= types.size() && Fits(types[message.tag() - 1], message.wire_type())) return true;
    message.skip();
  }
  return false;
}

bool ReadFlag(protozero::pbf_reader& message) { return message.get_uint64() != 0; }

}  // namespace epi::remote
