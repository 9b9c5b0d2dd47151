// The shapes of protobuf messages that come from outside, and walking their fields.
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"

namespace protozero {
class pbf_reader;
}

namespace epi::remote {

enum class WireKind : unsigned char {
  kAbsent,    // no such field
  kVarint,    // integers, flags, enumerations
  kFixed64,   // doubles and fixed integers
  kBytes,     // text too
  kMessage,   // WireField::message
  kVarints,   // repeated; packed or one by one
  kFixed64s,  // the same
  kTraceId,   // bytes: 16 or none
  kSpanId,    // bytes: 8 or none
};

struct WireMessage;
struct WireField {
  WireKind kind = WireKind::kAbsent;
  std::string_view name;  // as Prometheus's errors have it
  const WireMessage* message = nullptr;
};

struct WireMessage {
  std::string_view name;              // as Prometheus's errors have it; empty in OTLP, whose errors have none
  std::span<const WireField> fields;  // by number, from 1
};

// How deep messages may be nested: more than any but the values of OTLP attributes, whose depth is the sender's choice.
inline constexpr int kMaxWireDepth = 200;

// Whether `bytes` are such a message, to its innermost fields, as strictly as Prometheus looks at it: a field that the
// message knows has the wire type of its kind, others have any. The errors are kInvalid with Prometheus's words.
// Groups, field numbers above 2^29 and nesting beyond kMaxWireDepth are refused, which Prometheus skips or follows. One
// pass over the bytes, nothing is allocated.
Result<void> CheckWire(std::string_view bytes, const WireMessage& message);

// Moves to the next field that `shape` has; false at the end. Only for messages that CheckWire has passed: protozero's
// accessors must never meet a field of another type.
bool NextField(protozero::pbf_reader& message, const WireMessage& shape);
// The varint the reader stands at, as a flag. protozero's own get_bool looks at its first byte even where the message
// ends before it.
bool ReadFlag(protozero::pbf_reader& message);

}  // namespace epi::remote
