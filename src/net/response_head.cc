#include "net/response_head.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "base/ascii.h"
#include "base/escaping.h"
#include "base/trim.h"
#include "net/curl_error_text.h"

namespace epi::net {
namespace {

constexpr int kSwitchingProtocols = 101;

tl::unexpected<Error> Malformed(std::string_view what, std::string_view text) {
  std::string message(what);
  AppendQuoted(message, text);
  return Fail(ErrorCode::kInvalid, std::move(message));
}

tl::unexpected<Error> Ended() { return Fail(ErrorCode::kInvalid, std::string(kEndsEarly)); }

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// A token character (RFC 9110, 5.6.2), or a space, which Go lets pass.
bool IsNameCharacter(char c) {
  return IsAsciiDigit(c) || IsAsciiLetter(c) || std::string_view("!#$%&'*+-.^_`|~ ").find(c) != std::string_view::npos;
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

// Without its line break; the last one may have none. Nothing at the end.
std::optional<std::string_view> TakeLine(std::string_view& bytes) {
  if (bytes.empty()) return std::nullopt;
  const size_t end = bytes.find('\n');
  std::string_view line = bytes.substr(0, end);
  if (end == std::string_view::npos) {
    bytes = {};
    return line;
  }
  if (line.ends_with('\r')) line.remove_suffix(1);
  bytes.remove_prefix(end + 1);
  return line;
}

// The number of three characters, with a sign at most in front.
std::optional<int> StatusNumber(std::string_view code) {
  constexpr size_t kCharacters = 3;
  if (code.size() != kCharacters) return std::nullopt;
  const std::string_view digits = code.substr(code.front() == '+' ? 1 : 0);
  int number = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || number < 0) return std::nullopt;
  return number;
}

bool IsVersion(std::string_view protocol) {
  constexpr std::string_view kForm = "HTTP/x.y";
  return protocol.size() == kForm.size() && protocol.starts_with("HTTP/") && IsAsciiDigit(protocol[5]) &&
         protocol[6] == '.' && IsAsciiDigit(protocol[7]);
}

struct StatusLine {
  std::string_view protocol;
  std::string_view text;
  int status = 0;
};

Result<StatusLine> ReadStatusLine(std::string_view line) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return Malformed("malformed HTTP response ", line);
  StatusLine out;
  out.protocol = line.substr(0, space);
  out.text = line.substr(std::min(line.find_first_not_of(' ', space), line.size()));
  const std::string_view code = out.text.substr(0, out.text.find(' '));
  const auto number = StatusNumber(code);
  if (!number) return Malformed("malformed HTTP status code ", code);
  out.status = *number;
  return out;
}

// One field, with the lines that continue it. `line` is the first.
std::string TakeField(std::string_view line, std::string_view& rest) {
  std::string field(Trimmed(line, kBlanks));
  while (!rest.empty() && IsBlank(rest.front())) {
    while (!rest.empty() && IsBlank(rest.front())) rest.remove_prefix(1);
    field += ' ';
    field += Trimmed(TakeLine(rest).value_or(""), kBlanks);
  }
  return field;
}

Result<void> ReadFields(std::string_view& rest, HttpHeaders& headers) {
  constexpr size_t kLongestShown = 80;
  if (!rest.empty() && IsBlank(rest.front())) {
    const std::string_view line = *TakeLine(rest);
    if (line.size() > kLongestShown) return Fail(ErrorCode::kInvalid, "message too large");
    return Malformed("malformed MIME header initial line: ", line);
  }
  while (true) {
    const auto line = TakeLine(rest);
    if (!line) return Ended();
    if (line->empty()) return {};
    if (line->find(':') == std::string_view::npos) return Malformed("malformed MIME header: missing colon: ", *line);
    constexpr std::string_view kBadLine = "malformed MIME header line: ";
    const std::string field = TakeField(*line, rest);
    const std::string_view name = std::string_view(field).substr(0, field.find(':'));
    if (name.empty() || !std::all_of(name.begin(), name.end(), IsNameCharacter)) return Malformed(kBadLine, field);
    std::string_view value = std::string_view(field).substr(name.size());
    if (std::any_of(value.begin(), value.end(), IsControl))
      return Malformed(kBadLine, Canonical(name) + std::string(value));
    headers.Add(std::string(name), std::string(Trimmed(value.substr(1), kBlanks)));
  }
}

std::vector<std::string_view> Values(const HttpHeaders& headers, std::string_view wanted) {
  std::vector<std::string_view> out;
  for (const auto& [name, value] : headers.fields()) {
    if (EqualsIgnoreCase(name, wanted)) out.push_back(value);
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

// The headers must say how long the body is in one way alone. HTTP/1.0 has no codings.
Result<void> CheckFraming(const HttpHeaders& headers, bool has_codings) {
  const auto codings = has_codings ? Values(headers, "Transfer-Encoding") : std::vector<std::string_view>();
  if (codings.size() > 1) return Fail(ErrorCode::kInvalid, "too many transfer encodings: " + Listed(codings));
  if (!codings.empty() && !EqualsIgnoreCase(codings[0], "chunked"))
    return Malformed("unsupported transfer encoding: ", codings[0]);
  const auto lengths = Values(headers, "Content-Length");
  if (lengths.empty()) return {};
  if (std::any_of(lengths.begin(), lengths.end(), [&](std::string_view other) { return other != lengths[0]; })) {
    return Fail(ErrorCode::kInvalid,
                "http: message cannot contain multiple Content-Length headers; got " + Listed(lengths));
  }
  return CheckLength(lengths[0]);
}

}  // namespace

Result<ResponseHead> ReadResponseHead(std::string_view& bytes) {
  const auto line = TakeLine(bytes);
  if (!line) return Ended();
  EPI_ASSIGN(const StatusLine status, ReadStatusLine(*line));
  if (!IsVersion(status.protocol)) return Malformed("malformed HTTP version ", status.protocol);
  ResponseHead head;
  head.status = status.status;
  head.status_text = status.text;
  EPI_TRY(ReadFields(bytes, head.headers));
  EPI_TRY(CheckFraming(head.headers, status.protocol >= "HTTP/1.1"));
  return head;
}

Result<ResponseHead> ReadFinalHead(std::string_view bytes) {
  while (true) {
    EPI_ASSIGN(ResponseHead head, ReadResponseHead(bytes));
    if (!IsInformational(head.status)) return head;
  }
}

ResponseHead ReadTranslatedHead(std::string_view bytes) {
  ResponseHead head;
  if (const auto status = ReadStatusLine(TakeLine(bytes).value_or(""))) head.status = status->status;
  head.status_text = StatusText(head.status, "");
  static_cast<void>(ReadFields(bytes, head.headers));  // the protocol's own reader has checked them
  return head;
}

bool IsInformational(int status) { return status >= 100 && status < 200 && status != kSwitchingProtocols; }

}  // namespace epi::net
