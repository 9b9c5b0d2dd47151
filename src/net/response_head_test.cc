#include "net/response_head.h"

#include <gtest/gtest.h>

namespace epi::net {
namespace {

std::string Error(const Result<void>& result) { return result ? "" : result.error().message(); }

TEST(ResponseHead, LinesThatAreNoHeaders) {
  for (const char* good : {"a: b", "A-b_c!: ", "a b: c", "a:\tb\xc3\xbc", " continued", "\tcontinued: x"})
    EXPECT_EQ(Error(CheckHeaderLine(good)), "") << good;
  EXPECT_EQ(Error(CheckHeaderLine("no header")), R"(malformed MIME header: missing colon: "no header")");
  EXPECT_EQ(Error(CheckHeaderLine(": v")), R"(malformed MIME header line: ": v")");
  EXPECT_EQ(Error(CheckHeaderLine("f(o)o: v")), R"(malformed MIME header line: "f(o)o: v")");
  EXPECT_EQ(Error(CheckHeaderLine("x-fOO: a\x01")), R"(malformed MIME header line: "X-Foo: a\x01")");
  EXPECT_EQ(Error(CheckHeaderLine(" a\x7f")), R"(malformed MIME header line: " a\x7f")");
}

HttpHeaders Make(std::initializer_list<std::pair<const char*, const char*>> fields) {
  HttpHeaders out;
  for (const auto& [name, value] : fields) out.Add(name, value);
  return out;
}

TEST(ResponseHead, LengthsThatAreNone) {
  EXPECT_EQ(Error(CheckFraming({}, 200)), "");
  EXPECT_EQ(Error(CheckFraming(Make({{"content-length", "9223372036854775807"}}), 200)), "");
  EXPECT_EQ(Error(CheckFraming(Make({{"Content-Length", "4"}, {"Content-Length", " 4"}}), 200)), "");
  EXPECT_EQ(Error(CheckFraming(Make({{"Content-Length", "4"}, {"Content-Length", "5"}}), 200)),
            R"(http: message cannot contain multiple Content-Length headers; got ["4" "5"])");
  EXPECT_EQ(Error(CheckFraming(Make({{"Content-Length", ""}}), 200)), R"(invalid empty Content-Length "")");
  for (const char* bad : {"+4", "0x4", "4 4", "4, 4", "9223372036854775808", "99999999999999999999"})
    EXPECT_EQ(Error(CheckFraming(Make({{"Content-Length", bad}}), 200)),
              "bad Content-Length \"" + std::string(bad) + "\"");
  EXPECT_EQ(Error(CheckFraming(Make({{"Content-Length", "x"}}), 304)), "");
}

TEST(ResponseHead, CodingsThatAreUnknown) {
  EXPECT_EQ(Error(CheckFraming(Make({{"Transfer-Encoding", "CHUNKED"}, {"Content-Length", "x"}}), 200)), "");
  EXPECT_EQ(Error(CheckFraming(Make({{"Transfer-Encoding", "gzip, chunked"}}), 200)),
            R"(unsupported transfer encoding: "gzip, chunked")");
  EXPECT_EQ(Error(CheckFraming(Make({{"Transfer-Encoding", "chunked"}, {"transfer-encoding", "chunked"}}), 200)),
            R"(too many transfer encodings: ["chunked" "chunked"])");
}

}  // namespace
}  // namespace epi::net
