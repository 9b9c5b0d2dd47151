#include "net/response_head.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/escaping.h"

namespace epi::net {
namespace {

tl::unexpected<Error> Malformed(std::string_view what, std::string_view text) {
  std::string message(what);
  AppendQuoted(message, text);
  return Fail(ErrorCode::kInvalid, std::move(message));
}

bool IsAsciiDigit(char c) { return c >= '0' && c <= '9'; }

// A token character (RFC 9110, 5.6.2), or a space, which Go lets pass.
bool IsNameCharacter(char c) {
  return IsAsciiDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~ ").find(c) != std::string_view::npos;
}

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

// "content-type" as "Content-Type"; names with spaces stay as they are.
std::string Canonical(std::string_view name) {
  std::string out(name);
  if (name.find(' ') != std::string_view::npos) return out;
  bool first = true;
  for (char& c : out) {
    const bool lower = c >= 'a' && c <= 'z';
    const bool upper = c >= 'A' && c <= 'Z';
    if (first ? lower : upper) c = static_cast<char>(c ^ 0x20);
    first = c == '-';
  }
  return out;
}

std::string_view WithoutOuterBlanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> Values(const HttpHeaders& headers, std::string_view wanted) {
  std::vector<std::string_view> out;
  for (const auto& [name, value] : headers.fields()) {
    if (EqualsIgnoreCase(name, wanted)) out.push_back(WithoutOuterBlanks(value));
  }
  return out;
}

// ["a" "b"], as Go prints lists of strings quoted.
std::string Listed(const std::vector<std::string_view>& values) {
  std::string out = "[";
  for (const auto value : values) {
    if (out.size() > 1) out += ' ';
    AppendQuoted(out, value);
  }
  return out + "]";
}

Result<void> CheckLength(std::string_view text) {
  constexpr std::string_view kLargest = "9223372036854775807";
  if (text.empty()) return Malformed("invalid empty Content-Length ", text);
  if (!std::all_of(text.begin(), text.end(), IsAsciiDigit)) return Malformed("bad Content-Length ", text);
  const std::string_view digits = text.substr(std::min(text.find_first_not_of('0'), text.size()));
  const bool fits = digits.size() < kLargest.size() || (digits.size() == kLargest.size() && digits <= kLargest);
  if (!fits) return Malformed("bad Content-Length ", text);
  return {};
}

}  // namespace

Result<void> CheckHeaderLine(std::string_view line) {
  constexpr std::string_view kBadLine = "malformed MIME header line: ";
  const bool continued = line.starts_with(' ') || line.starts_with('\t');
  const size_t colon = continued ? 0 : line.find(':');
  if (colon == std::string_view::npos) return Malformed("malformed MIME header: missing colon: ", line);
  const std::string_view name = line.substr(0, colon);
  if (!continued && (name.empty() || !std::all_of(name.begin(), name.end(), IsNameCharacter)))
    return Malformed(kBadLine, line);
  const std::string_view value = line.substr(colon);
  if (std::any_of(value.begin(), value.end(), IsControl))
    return Malformed(kBadLine, Canonical(name) + std::string(value));
  return {};
}

Result<void> CheckFraming(const HttpHeaders& headers, int status) {
  const auto codings = Values(headers, "Transfer-Encoding");
  if (codings.size() > 1) return Fail(ErrorCode::kInvalid, "too many transfer encodings: " + Listed(codings));
  if (!codings.empty() && !EqualsIgnoreCase(codings[0], "chunked"))
    return Malformed("unsupported transfer encoding: ", codings[0]);
  const auto lengths = Values(headers, "Content-Length");
  if (!codings.empty() || lengths.empty()) return {};
  if (std::any_of(lengths.begin(), lengths.end(), [&](std::string_view other) { return other != lengths[0]; })) {
    return Fail(ErrorCode::kInvalid,
                "http: message cannot contain multiple Content-Length headers; got " + Listed(lengths));
  }
  constexpr int kNoContent = 204, kNotModified = 304;
  return status == kNoContent || status == kNotModified ? Result<void>() : CheckLength(lengths[0]);
}

}  // namespace epi::net
