#include <gtest/gtest.h>

#include <string>

#include "base/crc32c.h"
#include "base/random.h"
#include "base/xxhash64.h"

namespace epi {
namespace {

TEST(Crc32c, KnownVectors) {
  // RFC 3720, appendix B.4.
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
}

TEST(Crc32c, BothFormsAgreeAndPiecesAddUp) {
  SeededRandom random{1};
  for (size_t size = 0; size < 100; ++size) {
    std::string data(size, '\0');
    for (auto& c : data) c = static_cast<char>(random.Next());
    EXPECT_EQ(Crc32c(data), internal::Crc32cPortable(data, 0));
    const size_t cut = size / 3;
    EXPECT_EQ(Crc32c(data.substr(cut), Crc32c(data.substr(0, cut))), Crc32c(data));
  }
}

TEST(XxHash64, KnownVectors) {
  // From the algorithm's own documentation and its reference program.
  EXPECT_EQ(XxHash64(""), 0xef46db3751d8e999u);
  EXPECT_EQ(XxHash64("a"), 0xd24ec4f1a98c6e5bu);
  EXPECT_EQ(XxHash64("as"), 0x1c330fb2d66be179u);
  EXPECT_EQ(XxHash64("asdf"), 0x415872f599cea71eu);
  EXPECT_EQ(XxHash64("Call me Ishmael. Some years ago--never mind how long precisely-"), 0x02a2e85470d6fd96u);
}

}  // namespace
}  // namespace epi
