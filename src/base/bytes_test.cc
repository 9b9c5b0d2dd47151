#include "base/bytes.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/random.h"

namespace epi {
namespace {

TEST(Bytes, VarintsRoundTripAtEveryWidth) {
  for (int bit = 0; bit < 64; ++bit) {
    for (const uint64_t value : {uint64_t{1} << bit, (uint64_t{1} << bit) - 1, ~(uint64_t{1} << bit)}) {
      std::string out;
      ByteWriter writer(out);
      writer.Uvarint(value);
      writer.Varint(static_cast<int64_t>(value));
      ByteReader reader(out);
      EXPECT_EQ(reader.Uvarint(), value);
      EXPECT_EQ(reader.Varint(), static_cast<int64_t>(value));
      EXPECT_TRUE(reader.ok());
      EXPECT_TRUE(reader.empty());
    }
  }
}

TEST(Bytes, ReadingPastTheEndFailsForGood) {
  std::string out;
  ByteWriter writer(out);
  writer.Big32(7);
  writer.UvarintString("hello");
  for (size_t cut = 0; cut < out.size(); ++cut) {
    ByteReader reader(std::string_view(out).substr(0, cut));
    reader.Big32();
    reader.UvarintString();
    EXPECT_FALSE(reader.ok()) << cut;
    EXPECT_EQ(reader.U8(), 0);
  }
}

TEST(Bytes, AVarintOfMoreThan64BitsIsRefused) {
  const std::string eleven = std::string(10, '\xff') + '\x01';
  ByteReader reader(eleven);
  EXPECT_EQ(reader.Uvarint(), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(Bytes, BigAndLittleEndianLayouts) {
  std::string out;
  ByteWriter writer(out);
  writer.Big16(0x0102);
  writer.Little32(0x03040506);
  EXPECT_EQ(out, std::string("\x01\x02\x06\x05\x04\x03", 6));
}

}  // namespace
}  // namespace epi
