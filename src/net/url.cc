#include "net/url.h"

#include <algorithm>
#include <optional>

#include "base/ascii.h"
#include "base/escaping.h"

namespace epi::net {
namespace {

constexpr char kUpperHex[] = "0123456789ABCDEF";

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsUnreserved(char c) {
  return IsAsciiLetter(c) || IsAsciiDigit(c) || c == '-' || c == '_' || c == '.' || c == '~';
}

Result<std::string> Unescape(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size() || HexDigit(text[i + 1]) < 0 || HexDigit(text[i + 2]) < 0)
        return Fail(ErrorCode::kInvalid, "invalid URL escape " + Quoted(text.substr(i, 3)));
      out += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    }
  }
  return out;
}

template <typename Keep>
std::string Escape(std::string_view text, bool space_as_plus, const Keep& keep) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (IsUnreserved(c) || keep(c)) {
      out += c;
    } else if (c == ' ' && space_as_plus) {
      out += '+';
    } else {
      out += '%';
      out += kUpperHex[static_cast<unsigned char>(c) >> 4];
      out += kUpperHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

// What a path may hold as it stands, escapes too.
bool IsPathCharacter(char c) {
  return IsUnreserved(c) || std::string_view("!$&'()*+,;=:@/[]%").find(c) != std::string_view::npos;
}

// Splits off "scheme:" when there is one.
Result<void> TakeScheme(std::string_view& rest, std::string& scheme) {
  for (size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    if (IsAsciiLetter(c)) continue;
    if (IsAsciiDigit(c) || c == '+' || c == '-' || c == '.') {
      if (i == 0) return {};
      continue;
    }
    if (c != ':') return {};
    if (i == 0) return Fail(ErrorCode::kInvalid, "missing protocol scheme");
    scheme = LowerAscii(rest.substr(0, i));
    rest.remove_prefix(i + 1);
    return {};
  }
  return {};
}

bool IsValidOptionalPort(std::string_view port) {
  if (port.empty()) return true;
  if (port.front() != ':') return false;
  return std::all_of(port.begin() + 1, port.end(), IsAsciiDigit);
}

Result<void> CheckHostCharacters(std::string_view host, bool beyond_ascii) {
  for (const char c : host) {
    const bool plain = static_cast<unsigned char>(c) >= 0x80 ? beyond_ascii : IsUnreserved(c);
    if (!plain && std::string_view("!$&'()*+,;=:[]<>\"%").find(c) == std::string_view::npos)
      return Fail(ErrorCode::kInvalid, "invalid character " + Quoted(std::string_view(&c, 1)) + " in host name");
  }
  return {};
}

Result<std::string> ParseHost(std::string_view host) {
  if (host.starts_with('[')) {
    const auto close = host.rfind(']');
    if (close == std::string_view::npos) return Fail(ErrorCode::kInvalid, "missing ']' in host");
    if (!IsValidOptionalPort(host.substr(close + 1)))
      return Fail(ErrorCode::kInvalid, "invalid port " + Quoted(host.substr(close + 1)) + " after host");
    EPI_TRY(CheckHostCharacters(host, false));
    EPI_TRY(Unescape(host, false));  // a zone stays as it was written, but its escapes are well formed
    return std::string(host);
  }
  const auto colon = host.rfind(':');
  if (colon != std::string_view::npos && !IsValidOptionalPort(host.substr(colon)))
    return Fail(ErrorCode::kInvalid, "invalid port " + Quoted(host.substr(colon)) + " after host");
  EPI_TRY(CheckHostCharacters(host, true));
  // Only what no plain character could stand for may be escaped, and '%' itself.
  for (size_t i = 0; i + 2 < host.size(); ++i)
    if (host[i] == '%' && HexDigit(host[i + 1]) < 8 && host.substr(i, 3) != "%25")
      return Fail(ErrorCode::kInvalid, "invalid URL escape " + Quoted(host.substr(i, 3)));
  return Unescape(host, false);
}

Result<void> ParseAuthority(std::string_view authority, Url& url) {
  const auto at = authority.rfind('@');
  if (at != std::string_view::npos) {
    url.userinfo = authority.substr(0, at);
    for (const char c : url.userinfo)
      if (!IsUnreserved(c) && std::string_view(":@!$&'()*+,;=%").find(c) == std::string_view::npos)
        return Fail(ErrorCode::kInvalid, "net/url: invalid userinfo");
    authority.remove_prefix(at + 1);
  }
  EPI_ASSIGN(url.host, ParseHost(authority));
  url.has_authority = true;
  return {};
}

Result<Url> Parse(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return Fail(ErrorCode::kInvalid, "net/url: invalid control character in URL");
  Url url;
  std::string_view rest = text;
  const auto hash = rest.find('#');
  if (hash != std::string_view::npos) {
    EPI_ASSIGN(url.fragment, Unescape(rest.substr(hash + 1), false));
    rest = rest.substr(0, hash);
  }
  if (rest == "*") {
    url.path = url.raw_path = "*";
    return url;
  }
  EPI_TRY(TakeScheme(rest, url.scheme));
  const auto question = rest.find('?');
  if (question != std::string_view::npos) {
    url.raw_query = rest.substr(question + 1);
    rest = rest.substr(0, question);
  }
  if (!rest.starts_with('/')) {
    if (!url.scheme.empty()) {
      url.opaque = rest;
      return url;
    }
    const auto segment = rest.substr(0, rest.find('/'));
    if (segment.find(':') != std::string_view::npos)
      return Fail(ErrorCode::kInvalid, "first path segment in URL cannot contain colon");
  }
  if (rest.starts_with("//") && (!url.scheme.empty() || !rest.starts_with("///"))) {
    rest.remove_prefix(2);
    const auto slash = std::min(rest.find('/'), rest.size());
    EPI_TRY(ParseAuthority(rest.substr(0, slash), url));
    rest.remove_prefix(slash);
  }
  url.raw_path = rest;
  EPI_ASSIGN(url.path, Unescape(rest, false));
  return url;
}

// RFC 3986 5.2.4, without touching double slashes.
std::string RemoveDotSegments(std::string_view path) {
  std::vector<std::string_view> kept;
  const bool absolute = path.starts_with('/');
  if (absolute) path.remove_prefix(1);
  bool directory = false;  // the last segment was "." or ".."
  while (true) {
    const auto slash = path.find('/');
    const auto segment = path.substr(0, slash);
    directory = segment == "." || segment == "..";
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (segment != ".") {
      kept.push_back(segment);
    }
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  std::string out = absolute ? "/" : "";
  for (size_t i = 0; i < kept.size(); ++i) {
    if (i > 0) out += '/';
    out += kept[i];
  }
  if (directory && !kept.empty()) out += '/';
  return out;
}

}  // namespace

std::string Url::Hostname() const {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.rfind(':'));
}

std::string Url::Port() const {
  const auto colon = host.rfind(':');
  if (colon == std::string::npos || (host.starts_with('[') && colon < host.rfind(']'))) return "";
  return host.substr(colon + 1);
}

std::string Url::EffectivePort() const {
  std::string port = Port();
  if (!port.empty()) return port;
  return scheme == "https" ? "443" : scheme == "http" ? "80" : "";
}

std::string Url::ToString() const {
  std::string out;
  if (!scheme.empty()) out += scheme + ":";
  if (!opaque.empty()) {
    out += opaque;
  } else {
    if (has_authority && !(host.empty() && path.empty() && userinfo.empty())) {
      out += "//";
      if (!userinfo.empty()) out += userinfo + "@";
      // An address in brackets still has the escapes of its zone.
      const bool bracketed = host.starts_with('[');
      out += Escape(host, false, [bracketed](char c) {
        return std::string_view("!$&'()*+,;=:[]<>\"").find(c) != std::string_view::npos || (bracketed && c == '%');
      });
    }
    const auto decoded = Unescape(raw_path, false);
    const bool as_written =
        decoded && *decoded == path && std::all_of(raw_path.begin(), raw_path.end(), IsPathCharacter);
    const std::string shown = as_written ? raw_path : EscapePath(path);
    if (has_authority && !shown.empty() && shown.front() != '/') out += '/';
    // What stands before a colon would be taken for a scheme: RFC 3986, 4.2.
    if (out.empty() && shown.substr(0, shown.find('/')).find(':') != std::string::npos) out += "./";
    out += shown;
  }
  if (!raw_query.empty()) out += "?" + raw_query;
  if (!fragment.empty())
    out += "#" + Escape(fragment, false,
                        [](char c) { return std::string_view("$&+,/:;=?@!()*").find(c) != std::string_view::npos; });
  return out;
}

Result<Url> ParseUrl(std::string_view text) {
  auto url = Parse(text);
  if (url) return url;
  return Fail(url.error().WithContext("parse " + Quoted(text)));
}

Url ResolveReference(const Url& base, const Url& reference) {
  Url out = reference;
  if (!reference.scheme.empty() || reference.has_authority) {
    if (out.scheme.empty()) out.scheme = base.scheme;
    out.raw_path = RemoveDotSegments(reference.raw_path);
  } else {
    out.scheme = base.scheme;
    out.has_authority = base.has_authority;
    out.userinfo = base.userinfo;
    out.host = base.host;
    if (reference.raw_path.empty()) {
      out.raw_path = base.raw_path;
      if (reference.raw_query.empty()) out.raw_query = base.raw_query;
    } else if (reference.raw_path.front() == '/') {
      out.raw_path = RemoveDotSegments(reference.raw_path);
    } else {
      const auto slash = base.raw_path.rfind('/');
      const std::string directory = slash == std::string::npos ? "/" : base.raw_path.substr(0, slash + 1);
      out.raw_path = RemoveDotSegments(directory + reference.raw_path);
    }
  }
  out.path = Unescape(out.raw_path, false).value_or(out.raw_path);
  return out;
}

std::string CleanPath(std::string_view path) {
  std::vector<std::string_view> kept;
  const bool trailing = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
  while (!path.empty()) {
    const auto slash = std::min(path.find('/'), path.size());
    const auto segment = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (segment.empty() || segment == ".") continue;
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else {
      kept.push_back(segment);
    }
  }
  std::string out;
  for (const auto segment : kept) {
    out += '/';
    out += segment;
  }
  if (out.empty() || trailing) out += '/';
  return out;
}

Result<std::string> UnescapePath(std::string_view text) { return Unescape(text, false); }
Result<std::string> UnescapeQuery(std::string_view text) { return Unescape(text, true); }

std::string EscapePathSegment(std::string_view text) {
  return Escape(text, false, [](char c) { return std::string_view("$&+:=@").find(c) != std::string_view::npos; });
}
std::string EscapeQuery(std::string_view text) {
  return Escape(text, true, [](char) { return false; });
}
std::string EscapeReserved(std::string_view text) {
  return Escape(text, false, [](char) { return false; });
}
std::string EscapePath(std::string_view path) {
  return Escape(path, false, [](char c) { return std::string_view("$&+,/:;=@").find(c) != std::string_view::npos; });
}

QueryParams ParseQueryString(std::string_view text, std::string* error) {
  QueryParams params;
  const auto report = [&](std::string message) {
    if (error != nullptr && error->empty()) *error = std::move(message);
  };
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    const auto pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    if (pair.find(';') != std::string_view::npos) {
      report("invalid semicolon separator in query");
      continue;
    }
    const auto equals = std::min(pair.find('='), pair.size());
    auto key = Unescape(pair.substr(0, equals), true);
    auto value = Unescape(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!key || !value) {
      report(!key ? key.error().message() : value.error().message());
      continue;
    }
    params.emplace_back(std::move(*key), std::move(*value));
  }
  return params;
}

std::string EncodeQueryString(const QueryParams& params) {
  std::string out;
  for (const auto& [key, value] : params) {
    if (!out.empty()) out += '&';
    out += EscapeQuery(key);
    out += '=';
    out += EscapeQuery(value);
  }
  return out;
}

}  // namespace epi::net
