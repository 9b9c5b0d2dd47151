#include "config/yaml_scalar.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <variant>

#include "base/ascii.h"

namespace epi::config {
namespace {

constexpr std::string_view kNull[] = {"", "~", "null", "Null", "NULL"};
constexpr std::string_view kTrue[] = {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"};
constexpr std::string_view kFalse[] = {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"};

struct NotNumber {};
using Number = std::variant<NotNumber, int64_t, uint64_t, double>;

template <size_t N>
bool IsOneOf(std::string_view text, const std::string_view (&words)[N]) {
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

std::optional<uint64_t> Digits(std::string_view text, int base) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// An integer as Go's ParseInt(text, 0, 64) reads it.
Number Integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 1 && text.front() == '0') {
    const char kind = static_cast<char>(text[1] | 0x20);
    base = kind == 'x' ? 16 : kind == 'b' ? 2 : 8;
    text.remove_prefix(kind == 'x' || kind == 'b' || kind == 'o' ? 2 : 1);
  }
  const auto magnitude = Digits(text, base);
  if (!magnitude) return NotNumber{};
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (!negative) return *magnitude <= kMax ? Number(static_cast<int64_t>(*magnitude)) : Number(*magnitude);
  if (*magnitude > kMax + 1) return NotNumber{};
  return static_cast<int64_t>(~*magnitude + 1);
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool LooksLikeFloat(std::string_view text) {
  const auto digits = [&] {
    size_t count = 0;
    while (!text.empty() && IsAsciiDigit(text.front())) text.remove_prefix(1), ++count;
    return count;
  };
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  const size_t whole = digits();
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (digits() == 0 && whole == 0) return false;
  } else if (whole == 0) {
    return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  return text.empty();
}

std::optional<double> SpecialFloat(std::string_view text) {
  const bool signed_text = text.starts_with('-') || text.starts_with('+');
  const double sign = text.starts_with('-') ? -1 : 1;
  if (signed_text) text.remove_prefix(1);
  if (text == ".inf" || text == ".Inf" || text == ".INF") return sign * std::numeric_limits<double>::infinity();
  if (!signed_text && (text == ".nan" || text == ".NaN" || text == ".NAN"))
    return std::numeric_limits<double>::quiet_NaN();
  return std::nullopt;
}

Number NumberOfText(std::string_view plain) {
  if (plain.empty()) return NotNumber{};
  if (const auto special = SpecialFloat(plain)) return *special;
  const char first = plain.front();
  if (!IsAsciiDigit(first) && first != '-' && first != '+' && first != '.') return NotNumber{};
  std::string text(plain);
  std::erase(text, '_');
  const Number integer = Integer(text);
  if (!std::holds_alternative<NotNumber>(integer)) return integer;
  if (!LooksLikeFloat(text)) return NotNumber{};
  double value = 0;
  const char* begin = text.data() + (text.front() == '+' ? 1 : 0);
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return NotNumber{};
  return value;
}

Number NumberOf(const YamlNode& node) {
  if (!node.IsScalar() || (node.quoted() && node.tag().empty()) || node.tag() == "!!str") return NotNumber{};
  return NumberOfText(node.text());
}

// YYYY-MM-DD, with a time or without: close enough to tell a timestamp from a string in an error text.
bool LooksLikeTimestamp(std::string_view text) {
  if (text.size() < 8 || !std::all_of(text.begin(), text.begin() + 4, IsAsciiDigit) || text[4] != '-') return false;
  const size_t day = text.find('-', 5);
  return day != std::string_view::npos && day <= 7 && day + 1 < text.size() && IsAsciiDigit(text[day + 1]);
}

}  // namespace

std::optional<bool> YamlBool(const YamlNode& node) {
  if (!node.IsScalar() || (node.quoted() && node.tag() != "!!bool") || node.tag() == "!!str") return std::nullopt;
  if (IsOneOf(node.text(), kTrue)) return true;
  if (IsOneOf(node.text(), kFalse)) return false;
  return std::nullopt;
}

std::optional<int64_t> YamlInt(const YamlNode& node) {
  const Number number = NumberOf(node);
  if (const auto* value = std::get_if<int64_t>(&number)) return *value;
  // go-yaml lets a float into an integer field, without its fraction.
  if (const auto* value = std::get_if<double>(&number); value != nullptr && std::abs(*value) < 0x1p63)
    return static_cast<int64_t>(*value);
  return std::nullopt;
}

std::optional<uint64_t> YamlUint(const YamlNode& node) {
  const Number number = NumberOf(node);
  if (const auto* value = std::get_if<uint64_t>(&number)) return *value;
  if (const auto* value = std::get_if<int64_t>(&number); value != nullptr && *value >= 0)
    return static_cast<uint64_t>(*value);
  if (const auto* value = std::get_if<double>(&number); value != nullptr && *value >= 0 && *value <= 0x1p64) {
    // go-yaml lets 2^64 pass too, of which its conversion leaves the top bit.
    return *value < 0x1p64 ? static_cast<uint64_t>(*value) : uint64_t{1} << 63;
  }
  return std::nullopt;
}

std::optional<double> YamlFloat(const YamlNode& node) {
  const Number number = NumberOf(node);
  if (const auto* value = std::get_if<double>(&number)) return *value;
  if (const auto* value = std::get_if<int64_t>(&number)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<uint64_t>(&number)) return static_cast<double>(*value);
  return std::nullopt;
}

std::optional<std::string> YamlString(const YamlNode& node) {
  if (node.IsNull()) return std::string();
  if (!node.IsScalar()) return std::nullopt;
  return node.text();
}

std::string YamlTag(const YamlNode& node) {
  switch (node.kind()) {
    case YamlKind::kNull:
      return "!!null";
    case YamlKind::kSequence:
      return "!!seq";
    case YamlKind::kMapping:
      return "!!map";
    case YamlKind::kScalar:
      break;
  }
  if (!node.tag().empty()) return node.tag();
  return node.quoted() ? "!!str" : YamlTagOfPlain(node.text());
}

std::string YamlTagOfPlain(std::string_view text) {
  if (IsOneOf(text, kNull)) return "!!null";
  if (IsOneOf(text, kTrue) || IsOneOf(text, kFalse)) return "!!bool";
  const Number number = NumberOfText(text);
  if (std::holds_alternative<double>(number)) return "!!float";
  if (!std::holds_alternative<NotNumber>(number)) return "!!int";
  return LooksLikeTimestamp(text) ? "!!timestamp" : "!!str";
}

}  // namespace epi::config
