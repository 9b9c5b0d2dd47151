#include "remote/wire_message.h"

#include <cstdint>
#include <protozero/pbf_reader.hpp>
#include <string>

namespace epi::remote {
namespace {

// The wire types of the protobuf encoding.
enum : unsigned {
  kVarintType = 0,
  kFixed64Type = 1,
  kLengthType = 2,
  kGroupType = 3,
  kGroupEndType = 4,
  kFixed32Type = 5
};

constexpr uint64_t kFirstTag = 8;  // of field 1
constexpr size_t kTraceIdBytes = 16;
constexpr size_t kSpanIdBytes = 8;

const WireField& FieldOf(const WireMessage& shape, uint32_t number) {
  static constexpr WireField kNone;
  // 0 wraps around.
  return number - 1 < shape.fields.size() ? shape.fields[number - 1] : kNone;
}

unsigned TypeOf(WireKind kind) {
  switch (kind) {
    case WireKind::kVarint:
    case WireKind::kVarints:
      return kVarintType;
    case WireKind::kFixed64:
    case WireKind::kFixed64s:
      return kFixed64Type;
    default:
      return kLengthType;
  }
}

// Each function is false where the message is wrong; error_ then says how.
class Checker {
 public:
  bool Message(std::string_view bytes, const WireMessage& shape, int depth) {
    if (depth > kMaxWireDepth) return Wrong("attribute values are nested too deeply");
    const std::string_view whole = bytes;
    while (!bytes.empty()) {
      uint64_t tag = 0;
      if (!Varint(bytes, tag)) return false;
      const auto type = static_cast<unsigned>(tag & 7);
      const bool usual = tag >= kFirstTag && tag >> 31 == 0 && type != kGroupEndType;
      if (!usual && !CheckTag(tag, shape, whole.size() - bytes.size())) return false;
      const WireField& field = FieldOf(shape, static_cast<uint32_t>(tag >> 3));
      if (!(field.kind == WireKind::kAbsent ? Unknown(bytes, type, shape, whole.size())
                                            : Known(bytes, type, field, depth)))
        return false;
    }
    return true;
  }
  // Only for what Prometheus would take.
  bool Readable() {
    if (grouped_) return Wrong("proto: groups are not supported");
    return !far_ || Wrong("proto: a field number above 536870911");
  }
  std::string& error() { return error_; }

 private:
  bool Wrong(std::string text) {
    error_ = std::move(text);
    return false;
  }
  bool Ends() { return Wrong("unexpected EOF"); }

  bool CheckTag(uint64_t tag, const WireMessage& shape, size_t position) {
    const auto number = static_cast<int32_t>(tag >> 3);
    const bool named = !shape.name.empty();
    if (named && (tag & 7) == kGroupEndType) {
      return Wrong("proto: " + std::string(shape.name) + ": wiretype end group for non-group");
    }
    if (number <= 0) {
      return Wrong(named ? "proto: " + std::string(shape.name) + ": illegal tag " + std::to_string(number) +
                               " (wire type " + std::to_string(tag) + ")"
                         : "proto: Link: illegal field=" + std::to_string(number) + " (tag=" + std::to_string(tag) +
                               ", pos=" + std::to_string(position) + ")");
    }
    far_ |= tag >> 32 != 0;
    return true;
  }

  // Most are of one byte.
  bool Varint(std::string_view& bytes, uint64_t& value) {
    if (bytes.empty() || static_cast<unsigned char>(bytes.front()) >= 0x80) return LongVarint(bytes, value);
    value = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    return true;
  }
  bool LongVarint(std::string_view& bytes, uint64_t& value) {
    value = 0;
    for (unsigned shift = 0, at = 0;; shift += 7, ++at) {
      if (shift >= 64) return Wrong("proto: integer overflow");
      if (at >= bytes.size()) return Ends();
      const auto byte = static_cast<unsigned char>(bytes[at]);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte >= 0x80) continue;
      bytes.remove_prefix(at + 1);
      return true;
    }
  }

  bool Skip(std::string_view& bytes, size_t count) {
    if (bytes.size() < count) return Ends();
    bytes.remove_prefix(count);
    return true;
  }

  bool Length(std::string_view& bytes, std::string_view& part) {
    uint64_t length = 0;
    if (!Varint(bytes, length)) return false;
    if (static_cast<int64_t>(length) < 0) return Wrong("proto: negative length found during unmarshaling");
    if (length > bytes.size()) return Ends();
    part = bytes.substr(0, length);
    bytes.remove_prefix(length);
    return true;
  }

  bool Unknown(std::string_view& bytes, unsigned type, const WireMessage& shape, size_t whole) {
    if (bytes.empty() && shape.name.empty()) return Ends();  // OTLP's decoder looks no further then
    return type == kGroupType ? Group(bytes, shape, whole) : Value(bytes, type);
  }

  bool Value(std::string_view& bytes, unsigned type) {
    uint64_t value = 0;
    std::string_view part;
    switch (type) {
      case kVarintType:
        return Varint(bytes, value);
      case kFixed64Type:
        return Skip(bytes, 8);
      case kLengthType:
        return Length(bytes, part);
      case kFixed32Type:
        return Skip(bytes, 4);
      case kGroupEndType:
        return Wrong("proto: unexpected end of group");
      default:
        return Wrong("proto: illegal wireType " + std::to_string(type));
    }
  }

  // To its end. OTLP's decoder takes the first field in a group for all of it.
  bool Group(std::string_view& bytes, const WireMessage& shape, size_t whole) {
    grouped_ = true;
    const bool named = !shape.name.empty();
    for (size_t open = 1; open > 0;) {
      if (bytes.empty()) return Ends();
      uint64_t tag = 0;
      if (!Varint(bytes, tag)) return false;
      if (!named && (!CheckTag(tag, shape, whole - bytes.size()) || (bytes.empty() && !Ends()))) return false;
      const auto type = static_cast<unsigned>(tag & 7);
      if (type == kGroupType) {
        ++open;
      } else if (type == kGroupEndType) {
        --open;
      } else {
        if (!Value(bytes, type)) return false;
        if (!named) return true;
      }
    }
    return true;
  }

  bool Known(std::string_view& bytes, unsigned type, const WireField& field, int depth) {
    const bool packs = field.kind == WireKind::kVarints || field.kind == WireKind::kFixed64s;
    if (type != TypeOf(field.kind) && !(packs && type == kLengthType)) {
      return Wrong("proto: wrong wireType = " + std::to_string(type) + " for field " + std::string(field.name));
    }
    uint64_t value = 0;
    if (type == kVarintType) return Varint(bytes, value);
    if (type == kFixed64Type) return Skip(bytes, 8);
    std::string_view part;
    if (!Length(bytes, part)) return false;
    switch (field.kind) {
      case WireKind::kMessage:
        return Message(part, *field.message, depth + 1);
      case WireKind::kVarints:
        while (!part.empty()) {
          if (!Varint(part, value)) return false;
        }
        return true;
      case WireKind::kFixed64s:
        return part.size() % 8 == 0 || Wrong("proto: invalid field len = " + std::to_string(part.size() % 8) +
                                             " for field " + std::string(field.name));
      case WireKind::kTraceId:
        return part.empty() || part.size() == kTraceIdBytes || Wrong("unmarshal: invalid TraceID length");
      case WireKind::kSpanId:
        return part.empty() || part.size() == kSpanIdBytes || Wrong("unmarshal: invalid SpanID length");
      default:
        return true;
    }
  }

  std::string error_;
  bool grouped_ = false;
  bool far_ = false;
};

}  // namespace

Result<void> CheckWire(std::string_view bytes, const WireMessage& message) {
  Checker checker;
  if (checker.Message(bytes, message, 0) && checker.Readable()) return {};
  return Fail(ErrorCode::kInvalid, std::move(checker.error()));
}

bool NextField(protozero::pbf_reader& message, const WireMessage& shape) {
  while (message.next()) {
    if (FieldOf(shape, message.tag()).kind != WireKind::kAbsent) return true;
    message.skip();
  }
  return false;
}

bool ReadFlag(protozero::pbf_reader& message) { return message.get_uint64() != 0; }

}  // namespace epi::remote
