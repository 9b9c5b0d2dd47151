#include "remote/wire_message.h"

#include <gtest/gtest.h>

#include "remote/otlp/otlp_messages.h"
#include "remote/remote_messages.h"

namespace epi::remote {
namespace {

std::string ErrorOf(std::string_view bytes, const WireMessage& message) {
  const auto checked = CheckWire(bytes, message);
  return checked ? "" : checked.error().message();
}

template <size_t N>
std::string_view Bytes(const char (&text)[N]) {
  return {text, N - 1};
}

TEST(CheckWire, KnownFieldsHaveTheTypeOfTheirKind) {
  EXPECT_EQ(ErrorOf("", wire::kSample), "");
  EXPECT_EQ(ErrorOf(Bytes("\x09\0\0\0\0\0\0\0\0\x10\x05"), wire::kSample), "");
  EXPECT_EQ(ErrorOf(Bytes("\x08\x05"), wire::kSample), "proto: wrong wireType = 0 for field Value");
  EXPECT_EQ(ErrorOf(Bytes("\x15\0\0\0\0"), wire::kSample), "proto: wrong wireType = 5 for field Timestamp");
  EXPECT_EQ(ErrorOf(Bytes("\x17"), wire::kSample), "proto: wrong wireType = 7 for field Timestamp");
  // The start time came with version 2.0: before it the field is unknown, and of any type.
  EXPECT_EQ(ErrorOf(Bytes("\x1a\x01x"), wire::kSample), "");
  EXPECT_EQ(ErrorOf(Bytes("\x1a\x01x"), wire::kSampleV2), "proto: wrong wireType = 2 for field StartTimestamp");
}

TEST(CheckWire, InnerMessagesAreLookedAtEvenWhereNothingIsReadOfThem) {
  EXPECT_EQ(ErrorOf(Bytes("\x1a\x02\x12\x05"), wire::kWriteRequest), "unexpected EOF");  // metadata, a name of 5 bytes
  EXPECT_EQ(ErrorOf(Bytes("\x1a\x02\x18\x05"), wire::kWriteRequest), "");                // a field it does not have
  EXPECT_EQ(ErrorOf(Bytes("\x0a\x04\x0a\x02\x10\x01"), wire::kWriteRequest),
            "proto: wrong wireType = 0 for field Value");
}

TEST(CheckWire, UnknownFieldsHaveAnyTypeThatThereIs) {
  EXPECT_EQ(ErrorOf(Bytes("\x28\x01\x29\0\0\0\0\0\0\0\0\x2a\x01x\x2d\0\0\0\0"), wire::kLabel), "");
  EXPECT_EQ(ErrorOf(Bytes("\x2e"), wire::kLabel), "proto: illegal wireType 6");
  EXPECT_EQ(ErrorOf(Bytes("\x2b\x2c"), wire::kLabel), "proto: groups are not supported");
  EXPECT_EQ(ErrorOf(Bytes("\x2b\x33\x34"), wire::kLabel), "unexpected EOF");  // one of two ends
  EXPECT_EQ(ErrorOf(Bytes("\x2b\x2c\x08"), wire::kLabel), "proto: wrong wireType = 0 for field Name");
  EXPECT_EQ(ErrorOf(Bytes("\xf8\xff\xff\xff\x1f\x01"), wire::kLabel), "proto: a field number above 536870911");
  EXPECT_EQ(ErrorOf(Bytes("\x2d\0\0\0"), wire::kLabel), "unexpected EOF");
}

TEST(CheckWire, TagsAndLengthsAreNumbers) {
  EXPECT_EQ(ErrorOf(Bytes("\x02\x00"), wire::kLabel), "proto: Label: illegal tag 0 (wire type 2)");
  EXPECT_EQ(ErrorOf(Bytes("\x0c"), wire::kLabel), "proto: Label: wiretype end group for non-group");
  EXPECT_EQ(ErrorOf(Bytes("\x80"), wire::kLabel), "unexpected EOF");
  EXPECT_EQ(ErrorOf(std::string(11, '\x80'), wire::kLabel), "proto: integer overflow");
  EXPECT_EQ(ErrorOf("\x0a" + std::string(9, '\xff') + "\x01", wire::kLabel),
            "proto: negative length found during unmarshaling");
  EXPECT_EQ(ErrorOf(Bytes("\x0a\x80\x80\x80\x80\x08"), wire::kLabel), "unexpected EOF");
}

TEST(CheckWire, RepeatedNumbersComePackedOrOneByOne) {
  EXPECT_EQ(ErrorOf(Bytes("\x0a\x02\x01\x02\x08\x03"), wire::kTimeSeriesV2), "");
  EXPECT_EQ(ErrorOf(Bytes("\x0a\x01\x80"), wire::kTimeSeriesV2), "unexpected EOF");
  EXPECT_EQ(ErrorOf(Bytes("\x0d\0\0\0\0"), wire::kTimeSeriesV2), "proto: wrong wireType = 5 for field LabelsRefs");
}

TEST(CheckWire, OtlpSaysItInItsOwnWords) {
  EXPECT_EQ(ErrorOf(Bytes("\x02\x00"), otlp::wire::kRequest), "proto: Link: illegal field=0 (tag=2, pos=1)");
  EXPECT_EQ(ErrorOf(Bytes("\x14\x00"), otlp::wire::kRequest), "proto: unexpected end of group");
  EXPECT_EQ(ErrorOf(Bytes("\x14"), otlp::wire::kRequest), "unexpected EOF");
  EXPECT_EQ(ErrorOf(Bytes("\x2a\x01x"), otlp::wire::kExemplar), "unmarshal: invalid TraceID length");
  EXPECT_EQ(ErrorOf(Bytes("\x2a\x00\x22\x01x"), otlp::wire::kExemplar), "unmarshal: invalid SpanID length");
  EXPECT_EQ(ErrorOf(Bytes("\x32\x07\0\0\0\0\0\0\0"), otlp::wire::kHistogramPoint),
            "proto: invalid field len = 7 for field BucketCounts");
}

// A list of a list of a list, deeper than any stack.
TEST(CheckWire, NestingHasAnEnd) {
  const auto nested = [](int lists) {
    std::string value;
    for (int i = 0; i < lists; ++i) {
      for (const char tag : {'\x0a', '\x2a'}) {  // a value of the list, and the list of a value
        std::string length;
        for (size_t size = value.size();; size >>= 7) {
          length += static_cast<char>(size < 0x80 ? size : (size & 0x7f) | 0x80);
          if (size < 0x80) break;
        }
        value = tag + length + value;
      }
    }
    return value;
  };
  EXPECT_EQ(ErrorOf(nested(kMaxWireDepth / 2), otlp::wire::kAnyValue), "");
  EXPECT_EQ(ErrorOf(nested(kMaxWireDepth / 2 + 1), otlp::wire::kAnyValue), "attribute values are nested too deeply");
}

}  // namespace
}  // namespace epi::remote
