#include "rules/template/go_string.h"

#include "base/utf8.h"

namespace epi::rules {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

struct Unit {
  uint32_t value = 0;
  bool byte = false;  // a byte as it is, not a character
};

// One character or escape from the front of `text`.
std::optional<Unit> TakeUnit(std::string_view& text, char quote) {
  if (text.empty() || text.front() == quote || text.front() == '\n') return std::nullopt;
  if (text.front() != '\\') {
    uint32_t rune = 0;
    const size_t width = DecodeUtf8(text, rune);
    if (width == 0) {
      const auto byte = static_cast<unsigned char>(text.front());
      text.remove_prefix(1);
      return Unit{byte, true};
    }
    text.remove_prefix(width);
    return Unit{rune, false};
  }
  if (text.size() < 2) return std::nullopt;
  const char letter = text[1];
  text.remove_prefix(2);
  switch (letter) {
    case 'a':
      return Unit{'\a', false};
    case 'b':
      return Unit{'\b', false};
    case 'f':
      return Unit{'\f', false};
    case 'n':
      return Unit{'\n', false};
    case 'r':
      return Unit{'\r', false};
    case 't':
      return Unit{'\t', false};
    case 'v':
      return Unit{'\v', false};
    case '\\':
      return Unit{'\\', false};
    case '\'':
    case '"':
      if (letter != quote) return std::nullopt;
      return Unit{static_cast<uint32_t>(letter), false};
    default:
      break;
  }
  const bool octal = letter >= '0' && letter <= '7';
  const size_t digits = octal ? 2 : letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
  if (digits == 0 || text.size() < digits) return std::nullopt;
  uint64_t value = octal ? static_cast<uint64_t>(letter - '0') : 0;
  for (size_t i = 0; i < digits; ++i) {
    const int digit = HexValue(text[i]);
    if (digit >= (octal ? 8 : 16)) return std::nullopt;
    value = value * (octal ? 8 : 16) + static_cast<uint64_t>(digit);
  }
  text.remove_prefix(digits);
  const bool byte = octal || letter == 'x';
  if (byte ? value > 255 : (value > 0x10ffff || !IsValidRune(static_cast<uint32_t>(value)))) return std::nullopt;
  return Unit{static_cast<uint32_t>(value), byte};
}

}  // namespace

std::optional<std::string> UnquoteGoString(std::string_view quoted) {
  if (quoted.size() < 2 || quoted.front() != quoted.back()) return std::nullopt;
  const char quote = quoted.front();
  std::string_view body = quoted.substr(1, quoted.size() - 2);
  std::string out;
  if (quote == '`') {
    for (const char c : body) {
      if (c != '\r') out += c;
    }
    return out;
  }
  while (!body.empty()) {
    const auto unit = TakeUnit(body, quote);
    if (!unit) return std::nullopt;
    if (unit->byte) {
      out += static_cast<char>(unit->value);
    } else {
      AppendUtf8(out, unit->value);
    }
  }
  return out;
}

Result<int32_t> UnquoteGoRune(std::string_view quoted) {
  std::string_view body = quoted.substr(1, quoted.size() - 2);
  const auto unit = TakeUnit(body, '\'');
  if (!unit) return Fail(ErrorCode::kInvalid, "invalid syntax");
  if (!body.empty()) return Fail(ErrorCode::kInvalid, "malformed character constant: " + std::string(quoted));
  return static_cast<int32_t>(unit->value);
}

}  // namespace epi::rules
