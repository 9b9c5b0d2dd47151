#include "net/response_head.h"

#include <gtest/gtest.h>

namespace epi::net {
namespace {

// What is wrong with these bytes, or nothing.
std::string Refusal(std::string_view bytes) {
  const auto head = ReadResponseHead(bytes);
  return head ? "" : head.error().message();
}

std::string OfFields(const std::string& fields) { return Refusal("HTTP/1.1 200 OK\r\n" + fields + "\r\n\r\n"); }

TEST(ResponseHead, IsTakenOffTheFront) {
  std::string_view bytes = "HTTP/1.0  404 Not  There\r\nA-b: x\t\nc: 1\r\n\tand\r\n  2 \r\nA-B:\r\n\r\nbody";
  const auto head = ReadResponseHead(bytes);
  ASSERT_TRUE(head.has_value()) << head.error().message();
  EXPECT_EQ(bytes, "body");
  EXPECT_EQ(head->status, 404);
  EXPECT_EQ(head->status_text, "404 Not  There");
  const std::vector<std::pair<std::string, std::string>> fields = {{"A-b", "x"}, {"c", "1 and 2"}, {"A-B", ""}};
  EXPECT_EQ(head->headers.fields(), fields);
}

TEST(ResponseHead, StatusLinesThatAreNone) {
  for (const char* good : {"HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.0 099 x", "HTTP/1.2 +20 x", "HTTP/9.9 999"})
    EXPECT_EQ(Refusal(std::string(good) + "\r\n\r\n"), "") << good;
  EXPECT_EQ(Refusal(""), "unexpected EOF");
  EXPECT_EQ(Refusal("SSH-2.0-OpenSSH_9.2p1\r\n"), R"(malformed HTTP response "SSH-2.0-OpenSSH_9.2p1")");
  EXPECT_EQ(Refusal("\x15\x03\x01"), R"(malformed HTTP response "\x15\x03\x01")");
  EXPECT_EQ(Refusal("-ERR unknown command\r\n"), R"(malformed HTTP status code "unknown")");
  for (const char* code : {"20", "2000", "abc", "-20", "20.", "0x2", "200\tOK"})
    EXPECT_EQ(Refusal("HTTP/1.1 " + std::string(code) + " x\r\n\r\n"),
              "malformed HTTP status code \"" + std::string(code == std::string("200\tOK") ? "200\\tOK" : code) + '"');
  for (const char* version : {"HTTP/2", "HTTP/11.1", "http/1.1", "HTTP/1.x", "HTTPS/1.", "HTTP/1,1"})
    EXPECT_EQ(Refusal(std::string(version) + " 200 OK\r\n\r\n"),
              "malformed HTTP version \"" + std::string(version) + '"');
}

TEST(ResponseHead, LinesThatAreNoHeaders) {
  for (const char* good : {"a: b", "A-b_c!: ", "a b: c", "a:\tb\xc3\xbc", "a: b\r\n no colon", "a: b\n\tcontinued: x"})
    EXPECT_EQ(OfFields(good), "") << good;
  EXPECT_EQ(OfFields("no header"), R"(malformed MIME header: missing colon: "no header")");
  EXPECT_EQ(Refusal("HTTP/1.1 200 OK\r\n\r"), R"(malformed MIME header: missing colon: "\r")");
  EXPECT_EQ(Refusal("HTTP/1.1 200 OK\r\nA: b\r\n"), "unexpected EOF");
  EXPECT_EQ(Refusal("HTTP/1.1 200 OK\r\nA: b\r\nConte"), R"(malformed MIME header: missing colon: "Conte")");
  EXPECT_EQ(OfFields(" a: b"), R"(malformed MIME header initial line: " a: b")");
  EXPECT_EQ(OfFields(" " + std::string(80, 'a')), "message too large");
  EXPECT_EQ(OfFields(": v"), R"(malformed MIME header line: ": v")");
  EXPECT_EQ(OfFields("f(o)o: v"), R"(malformed MIME header line: "f(o)o: v")");
  EXPECT_EQ(OfFields("x-fOO: a\x01"), R"(malformed MIME header line: "X-Foo: a\x01")");
  EXPECT_EQ(OfFields("a: b\r\n c\x7f"), R"(malformed MIME header line: "A: b c\x7f")");
}

TEST(ResponseHead, LengthsThatAreNone) {
  EXPECT_EQ(OfFields("content-length: 9223372036854775807"), "");
  EXPECT_EQ(OfFields("Content-Length: 4\r\nContent-Length:  4 "), "");
  EXPECT_EQ(OfFields("Content-Length: 4\r\nContent-Length: 5"),
            R"(http: message cannot contain multiple Content-Length headers; got ["4" "5"])");
  EXPECT_EQ(OfFields("Content-Length: "), R"(invalid empty Content-Length "")");
  for (const char* bad : {"+4", "0x4", "4 4", "4, 4", "9223372036854775808", "99999999999999999999"})
    EXPECT_EQ(OfFields("Content-Length: " + std::string(bad)), "bad Content-Length \"" + std::string(bad) + "\"");
  // Whether or not the length counts.
  EXPECT_EQ(Refusal("HTTP/1.1 304 x\r\nContent-Length: x\r\n\r\n"), R"(bad Content-Length "x")");
  EXPECT_EQ(OfFields("Transfer-Encoding: chunked\r\nContent-Length: x"), R"(bad Content-Length "x")");
}

TEST(ResponseHead, CodingsThatAreUnknown) {
  EXPECT_EQ(OfFields("Transfer-Encoding: CHUNKED\r\nContent-Length: 7"), "");
  EXPECT_EQ(OfFields("Transfer-Encoding: gzip, chunked"), R"(unsupported transfer encoding: "gzip, chunked")");
  EXPECT_EQ(OfFields("Transfer-Encoding: chunked\r\ntransfer-encoding: chunked"),
            R"(too many transfer encodings: ["chunked" "chunked"])");
  EXPECT_EQ(Refusal("HTTP/1.0 200 OK\r\nTransfer-Encoding: x\r\n\r\n"), "");
}

TEST(ResponseHead, InformationalOnesArePassedOver) {
  const auto head =
      ReadFinalHead("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 500 Oh\r\n\r\n");
  ASSERT_TRUE(head.has_value()) << head.error().message();
  EXPECT_EQ(head->status_text, "500 Oh");
  EXPECT_TRUE(head->headers.fields().empty());
  EXPECT_EQ(ReadFinalHead("HTTP/1.1 101 Switching\r\n\r\n")->status, 101);
  EXPECT_EQ(ReadFinalHead("HTTP/1.1 100 Continue\r\n\r\n").error().message(), "unexpected EOF");
}

// Whatever is cut off or turned over, what is read is what was there, or nothing.
TEST(ResponseHead, CutAndDamagedHeads) {
  const std::string whole = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nA: b\r\n c\r\nContent-Length: 4\r\n\r\n";
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_NE(Refusal(whole.substr(0, size)), "") << size;
  EXPECT_EQ(Refusal(whole), "");
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      std::string_view bytes = damaged;
      if (const auto head = ReadResponseHead(bytes)) {
        for (const auto& [name, value] : head->headers.fields()) {
          EXPECT_NE(damaged.find(name + ":"), std::string::npos) << at << ' ' << bit;
          EXPECT_LE(value.size(), whole.size());
        }
      }
    }
  }
}

TEST(ResponseHead, OfHttp2HasTheUsualReason) {
  const ResponseHead head = ReadTranslatedHead("HTTP/2 404 \r\ncontent-type: text/plain\r\n\r\n");
  EXPECT_EQ(head.status_text, "404 Not Found");
  EXPECT_EQ(head.headers.Get("Content-Type"), "text/plain");
}

}  // namespace
}  // namespace epi::net
