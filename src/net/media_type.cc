#include "net/media_type.h"

#include <optional>

#include "base/ascii.h"
#include "base/trim.h"

namespace epi::net {
namespace {

bool IsTokenChar(char c) {
  static constexpr std::string_view kSpecials = "()<>@,;:\\\"/[]?=";
  return c > 0x20 && c < 0x7f && kSpecials.find(c) == std::string_view::npos;
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view TrimLeft(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  return text;
}

std::string_view TakeToken(std::string_view& text) {
  size_t length = 0;
  while (length < text.size() && IsTokenChar(text[length])) ++length;
  const std::string_view token = text.substr(0, length);
  text.remove_prefix(length);
  return token;
}

Error MimeError(std::string_view what) { return Error(ErrorCode::kInvalid, "mime: " + std::string(what)); }

Result<void> CheckMediaType(std::string_view type) {
  std::string_view rest = type;
  if (TakeToken(rest).empty()) return Fail(MimeError("no media type"));
  if (rest.empty()) return {};
  if (rest[0] != '/') return Fail(MimeError("expected slash after first token"));
  rest.remove_prefix(1);
  if (TakeToken(rest).empty()) return Fail(MimeError("expected token after slash"));
  if (!rest.empty()) return Fail(MimeError("unexpected content after media subtype"));
  return {};
}

// A token or a quoted string; nothing when it is neither.
std::optional<std::string> TakeValue(std::string_view& text) {
  if (text.empty() || text[0] != '"') {
    const std::string_view token = TakeToken(text);
    if (token.empty()) return std::nullopt;
    return std::string(token);
  }
  std::string value;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return value;
    }
    if (text[i] == '\r' || text[i] == '\n') return std::nullopt;
    if (text[i] == '\\' && i + 1 < text.size() && !IsTokenChar(text[i + 1])) ++i;
    value += text[i];
  }
  return std::nullopt;
}

struct Parameter {
  std::string name;
  std::string value;
};

// "; name=value" at the front of `text`; nothing, and `text` unchanged, when there is none.
std::optional<Parameter> TakeParameter(std::string_view& text) {
  std::string_view rest = TrimLeft(text);
  if (rest.empty() || rest[0] != ';') return std::nullopt;
  rest = TrimLeft(rest.substr(1));
  const std::string name = LowerAscii(TakeToken(rest));
  rest = TrimLeft(rest);
  if (name.empty() || rest.empty() || rest[0] != '=') return std::nullopt;
  rest = TrimLeft(rest.substr(1));
  auto value = TakeValue(rest);
  if (!value) return std::nullopt;
  text = rest;
  return Parameter{name, std::move(*value)};
}

}  // namespace

Result<MediaType> ParseMediaType(std::string_view header) {
  const size_t semicolon = header.find(';');
  MediaType out;
  out.type = LowerAscii(Trimmed(header.substr(0, semicolon), kSpaces));
  EPI_TRY(CheckMediaType(out.type));
  std::string_view rest = semicolon == std::string_view::npos ? std::string_view() : header.substr(semicolon);
  while (!rest.empty()) {
    rest = TrimLeft(rest);
    if (rest.empty()) break;
    auto parameter = TakeParameter(rest);
    if (!parameter) {
      if (Trimmed(rest, kSpaces) == ";") break;  // a trailing semicolon is let pass
      return Fail(MimeError("invalid media parameter"));
    }
    const auto [at, fresh] = out.parameters.try_emplace(std::move(parameter->name), parameter->value);
    if (!fresh && at->second != parameter->value) return Fail(MimeError("duplicate parameter name"));
  }
  return out;
}

}  // namespace epi::net
