#include "remote/wire_message.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

// Each function says where the bytes go on, or null where they are wrong; error_ then says how.
class Checker {
 public:
  bool Message(const char* at, const char* end, const WireMessage& shape, int depth) {
    if (depth > kMaxWireDepth) return Wrong("attribute values are nested too deeply") != nullptr;
    const char* const begin = at;
    while (at != end) {
      uint64_t tag = 0;
      at = Varint(at, end, tag);
      if (at == nullptr) return false;
      const auto type = static_cast<unsigned>(tag & 7);
      const bool usual = tag >= kFirstTag && tag >> 31 == 0 && type != kGroupEndType;
      if (!usual && !CheckTag(tag, shape, at - begin)) return false;
      const WireField& field = FieldOf(shape, static_cast<uint32_t>(tag >> 3));
      at = field.kind == WireKind::kAbsent ? Unknown(at, end, type, shape, begin) : Known(at, end, type, field, depth);
      if (at == nullptr) return false;
    }
    return true;
  }
  // Only for what Prometheus would take.
  bool Readable() {
    if (grouped_) return Wrong("proto: groups are not supported") != nullptr;
    return !far_ || Wrong("proto: a field number above 536870911") != nullptr;
  }
  std::string& error() { return error_; }

 private:
  [[gnu::cold]] const char* Wrong(std::string text) {
    error_ = std::move(text);
    return nullptr;
  }
  // Texts are made outside of the functions that are called for every field.
  [[gnu::cold]] const char* WrongType(unsigned type, const WireField& field) {
    return Wrong("proto: wrong wireType = " + std::to_string(type) + " for field " + std::string(field.name));
  }
  [[gnu::cold]] const char* WrongLength(size_t length, const WireField& field) {
    return Wrong("proto: invalid field len = " + std::to_string(length % 8) + " for field " + std::string(field.name));
  }
  [[gnu::cold]] const char* Wrong(const char* text) { return Wrong(std::string(text)); }
  [[gnu::cold]] const char* Ends() { return Wrong("unexpected EOF"); }

  [[gnu::cold]] bool CheckTag(uint64_t tag, const WireMessage& shape, std::ptrdiff_t position) {
    const auto number = static_cast<int32_t>(tag >> 3);
    const bool named = !shape.name.empty();
    if (named && (tag & 7) == kGroupEndType) {
      Wrong("proto: " + std::string(shape.name) + ": wiretype end group for non-group");
      return false;
    }
    if (number <= 0) {
      Wrong(named ? "proto: " + std::string(shape.name) + ": illegal tag " + std::to_string(number) + " (wire type " +
                        std::to_string(tag) + ")"
                  : "proto: Link: illegal field=" + std::to_string(number) + " (tag=" + std::to_string(tag) +
                        ", pos=" + std::to_string(position) + ")");
      return false;
    }
    far_ |= tag >> 32 != 0;
    return true;
  }

  // Most are of one byte.
  const char* Varint(const char* at, const char* end, uint64_t& value) {
    if (at == end || static_cast<unsigned char>(*at) >= 0x80) return LongVarint(at, end, value);
    value = static_cast<unsigned char>(*at);
    return at + 1;
  }
  [[gnu::noinline]] const char* LongVarint(const char* at, const char* end, uint64_t& value) {
    value = 0;
    for (unsigned shift = 0;; shift += 7) {
      if (shift >= 64) return Wrong("proto: integer overflow");
      if (at == end) return Ends();
      const auto byte = static_cast<unsigned char>(*at++);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return at;
    }
  }
  // Times take six bytes, which are looked at all at once.
  const char* PassVarint(const char* at, const char* end) {
    constexpr uint64_t kGoesOn = 0x8080808080808080;
    if (end - at >= 8) {
      uint64_t bytes = 0;
      std::memcpy(&bytes, at, 8);
      if (const uint64_t last = ~bytes & kGoesOn; last != 0) return at + std::countr_zero(last) / 8 + 1;
    }
    uint64_t value = 0;
    return Varint(at, end, value);
  }

  const char* Pass(const char* at, const char* end, std::ptrdiff_t count) {
    return end - at < count ? Ends() : at + count;
  }

  // To what the length counts.
  const char* Length(const char* at, const char* end, size_t& length) {
    uint64_t value = 0;
    at = Varint(at, end, value);
    if (at == nullptr) return nullptr;
    if (static_cast<int64_t>(value) < 0) return Wrong("proto: negative length found during unmarshaling");
    if (value > static_cast<size_t>(end - at)) return Ends();
    length = value;
    return at;
  }

  [[gnu::cold]] const char* Unknown(const char* at, const char* end, unsigned type, const WireMessage& shape,
                                    const char* begin) {
    if (at == end && shape.name.empty()) return Ends();  // OTLP's decoder looks no further then
    return type == kGroupType ? Group(at, end, shape, begin) : Value(at, end, type);
  }

  const char* Value(const char* at, const char* end, unsigned type) {
    size_t length = 0;
    switch (type) {
      case kVarintType:
        return PassVarint(at, end);
      case kFixed64Type:
        return Pass(at, end, 8);
      case kLengthType:
        at = Length(at, end, length);
        return at == nullptr ? at : at + length;
      case kFixed32Type:
        return Pass(at, end, 4);
      case kGroupEndType:
        return Wrong("proto: unexpected end of group");
      default:
        return Wrong("proto: illegal wireType " + std::to_string(type));
    }
  }

  // To its end. OTLP's decoder takes the first field in a group for all of it.
  const char* Group(const char* at, const char* end, const WireMessage& shape, const char* begin) {
    grouped_ = true;
    const bool named = !shape.name.empty();
    for (size_t open = 1; open > 0;) {
      if (at == end) return Ends();
      uint64_t tag = 0;
      at = Varint(at, end, tag);
      if (at == nullptr) return nullptr;
      if (!named && !CheckTag(tag, shape, at - begin)) return nullptr;
      if (!named && at == end) return Ends();
      const auto type = static_cast<unsigned>(tag & 7);
      if (type == kGroupType) {
        ++open;
      } else if (type == kGroupEndType) {
        --open;
      } else {
        at = Value(at, end, type);
        if (at == nullptr || !named) return at;
      }
    }
    return at;
  }

  const char* Known(const char* at, const char* end, unsigned type, const WireField& field, int depth) {
    const bool packs = field.kind == WireKind::kVarints || field.kind == WireKind::kFixed64s;
    if (type != TypeOf(field.kind) && !(packs && type == kLengthType)) {
      return WrongType(type, field);
    }
    if (type == kVarintType) return PassVarint(at, end);
    if (type == kFixed64Type) return Pass(at, end, 8);
    size_t length = 0;
    at = Length(at, end, length);
    if (at == nullptr) return nullptr;
    const char* const after = at + length;
    switch (field.kind) {
      case WireKind::kMessage:
        return Message(at, after, *field.message, depth + 1) ? after : nullptr;
      case WireKind::kVarints:
        while (at != after) {
          at = PassVarint(at, after);
          if (at == nullptr) return nullptr;
        }
        return after;
      case WireKind::kFixed64s:
        return length % 8 == 0 ? after : WrongLength(length, field);
      case WireKind::kTraceId:
        return length == 0 || length == kTraceIdBytes ? after : Wrong("unmarshal: invalid TraceID length");
      case WireKind::kSpanId:
        return length == 0 || length == kSpanIdBytes ? after : Wrong("unmarshal: invalid SpanID length");
      default:
        return after;
    }
  }

  std::string error_;
  bool grouped_ = false;
  bool far_ = false;
};

}  // namespace

Result<void> CheckWire(std::string_view bytes, const WireMessage& message) {
  Checker checker;
  const char* const begin = bytes.data();
  if (checker.Message(begin, begin + bytes.size(), message, 0) && checker.Readable()) return {};
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
