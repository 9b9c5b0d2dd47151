#include "model/label_names.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "base/ascii.h"
#include "base/utf8.h"

namespace epi {
namespace {

constexpr std::string_view kValuesPrefix = "U__";
constexpr size_t kMaxHexDigits = 6;  // of the last code point, 10ffff

// Whether the character may stand at byte `position` of a legacy metric name.
bool IsLegacyRune(uint32_t rune, size_t position) {
  return (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z') || rune == '_' || rune == ':' ||
         (rune >= '0' && rune <= '9' && position > 0);
}

void AppendEscaped(std::string& out, uint32_t rune, size_t position, NameEscaping escaping) {
  const bool legacy = IsLegacyRune(rune, position);
  if (escaping == NameEscaping::kUnderscores) {
    out += legacy ? static_cast<char>(rune) : '_';
  } else if (rune == '_') {
    out += "__";
  } else if (escaping == NameEscaping::kDots && rune == '.') {
    out += "_dot_";
  } else if (legacy) {
    out += static_cast<char>(rune);
  } else if (escaping == NameEscaping::kDots) {
    out += "__";
  } else {
    char digits[8];
    const auto end = std::to_chars(digits, digits + sizeof digits, rune, 16).ptr;
    out += '_';
    out.append(digits, end);
    out += '_';
  }
}

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (size_t at = text.find(from); at != std::string_view::npos; at = text.find(from)) {
    out += text.substr(0, at);
    out += to;
    text.remove_prefix(at + from.size());
  }
  return out += text;
}

// The escaped part of a name written with kValues; false when it is not well-formed.
bool UnescapeValues(std::string_view escaped, std::string& out) {
  for (size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != '_') {
      out += escaped[i];
      continue;
    }
    if (++i >= escaped.size()) return false;
    if (escaped[i] == '_') {
      out += '_';
      continue;
    }
    const size_t close = escaped.find('_', i);
    if (close == std::string_view::npos || close - i >= kMaxHexDigits) return false;
    uint32_t rune = 0;
    const auto [end, error] = std::from_chars(escaped.data() + i, escaped.data() + close, rune, 16);
    if (error != std::errc() || end != escaped.data() + close || !IsValidRune(rune)) return false;
    AppendUtf8(out, rune);
    i = close;
  }
  return true;
}

}  // namespace

std::string_view NameSchemeText(NameScheme scheme) { return scheme == NameScheme::kUtf8 ? "utf8" : "legacy"; }

std::string_view NameEscapingText(NameEscaping escaping) {
  constexpr std::string_view kTexts[] = {"allow-utf-8", "underscores", "dots", "values"};
  return kTexts[static_cast<size_t>(escaping)];
}

bool IsValidMetricName(std::string_view name, NameScheme scheme) {
  return scheme == NameScheme::kLegacy ? IsLegacyMetricName(name) : !name.empty() && IsValidUtf8(name);
}

bool IsValidLabelName(std::string_view name, NameScheme scheme) {
  return scheme == NameScheme::kLegacy ? IsLegacyLabelName(name) : !name.empty() && IsValidUtf8(name);
}

bool AreValidLabels(const Labels& labels, NameScheme scheme) {
  return std::all_of(labels.begin(), labels.end(), [&](const LabelView& label) {
    if (label.name == kMetricName && !IsValidMetricName(label.value, scheme)) return false;
    return IsValidLabelName(label.name, scheme) && IsValidUtf8(label.value);
  });
}

std::string EscapeName(std::string_view name, NameEscaping escaping) {
  if (escaping == NameEscaping::kNone || name.empty()) return std::string(name);
  if (escaping != NameEscaping::kDots && IsLegacyMetricName(name)) return std::string(name);
  std::string out;
  if (escaping == NameEscaping::kValues) out = kValuesPrefix;
  for (size_t position = 0; position < name.size();) {
    uint32_t rune = kReplacementRune;
    const size_t length = DecodeUtf8(name.substr(position), rune);
    AppendEscaped(out, length == 0 ? kReplacementRune : rune, position, escaping);
    position += std::max<size_t>(length, 1);
  }
  return out;
}

std::string UnescapeName(std::string_view name, NameEscaping escaping) {
  if (escaping == NameEscaping::kDots) return ReplaceAll(ReplaceAll(name, "_dot_", "."), "__", "_");
  if (escaping == NameEscaping::kValues && name.starts_with(kValuesPrefix)) {
    std::string out;
    if (UnescapeValues(name.substr(kValuesPrefix.size()), out)) return out;
  }
  return std::string(name);
}

std::string SanitizeLabelName(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const char c = text.front();
    const bool kept = IsAsciiLetter(c) || IsAsciiDigit(c) || c == '_';
    out += kept ? c : '_';
    uint32_t rune = 0;
    text.remove_prefix(std::max<size_t>(DecodeUtf8(text, rune), 1));
  }
  return out;
}

std::string SanitizeFullLabelName(std::string_view text) {
  if (text.empty()) return "_";
  std::string out = SanitizeLabelName(text);
  if (IsAsciiDigit(out.front())) out.front() = '_';
  return out;
}

}  // namespace epi
