#include "config/byte_size.h"

#include <array>
#include <limits>
#include <optional>

#include "base/ascii.h"

namespace epi::config {
namespace {

constexpr std::string_view kPrefixes = "KMGTPE";

// The factor of a unit; `binary` asks for the iB suffix.
std::optional<double> Factor(std::string_view unit, bool binary) {
  if (unit == "B") return 1;
  const std::string_view suffix = binary ? "iB" : "B";
  const size_t prefix = unit.empty() ? std::string_view::npos : kPrefixes.find(unit.front());
  if (prefix == std::string_view::npos || unit.substr(1) != suffix) return std::nullopt;
  double factor = 1;
  for (size_t i = 0; i <= prefix; ++i) factor *= 1024;
  return factor;
}

// Digits at the front; nullopt when there are more than fit whatever the last one is. `count` is how many there were.
std::optional<double> LeadingInteger(std::string_view& text, size_t& count) {
  uint64_t value = 0;
  count = 0;
  while (!text.empty() && IsAsciiDigit(text.front())) {
    if (value >= ((uint64_t{1} << 63) - 10) / 10) return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(text.front() - '0');
    text.remove_prefix(1);
    ++count;
  }
  return static_cast<double>(value);
}

Result<int64_t> Parse(std::string_view original, bool binary) {
  const auto invalid = [&] { return Fail(ErrorCode::kInvalid, "units: invalid " + std::string(original)); };
  std::string_view text = original;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return 0;
  if (text.empty()) return invalid();
  double total = 0;
  while (!text.empty()) {
    if (text.front() != '.' && !IsAsciiDigit(text.front())) return invalid();
    size_t whole_digits = 0;
    const auto whole = LeadingInteger(text, whole_digits);
    if (!whole) return invalid();
    double number = *whole;
    size_t fraction_digits = 0;
    if (text.starts_with('.')) {
      text.remove_prefix(1);
      const auto fraction = LeadingInteger(text, fraction_digits);
      if (!fraction) return invalid();
      double scale = 1;
      for (size_t i = 0; i < fraction_digits; ++i) scale *= 10;
      number += *fraction / scale;
    }
    if (whole_digits + fraction_digits == 0) return invalid();
    size_t length = 0;
    while (length < text.size() && text[length] != '.' && !IsAsciiDigit(text[length])) ++length;
    const std::string_view unit = text.substr(0, length);
    text.remove_prefix(length);
    const auto factor = Factor(unit, binary);
    if (!factor)
      return Fail(ErrorCode::kInvalid, "units: unknown unit " + std::string(unit) + " in " + std::string(original));
    total += number * *factor;
  }
  if (total > 0x1p63) return Fail(ErrorCode::kInvalid, "units: overflow parsing unit");
  // Go takes this one and makes it the smallest number, which limits nothing.
  if (total == 0x1p63) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(negative ? -total : total);
}

}  // namespace

Result<int64_t> ParseByteSize(std::string_view text) {
  auto binary = Parse(text, true);
  return binary ? binary : Parse(text, false);
}

std::string FormatByteSize(int64_t bytes) {
  constexpr std::array<std::string_view, 7> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes == 0) return "0B";
  std::string out;
  for (const auto unit : kUnits) {
    const int64_t part = bytes % 1024;
    if (part != 0) out = std::to_string(part) + std::string(unit) + out;
    bytes /= 1024;
    if (bytes == 0) break;
  }
  return out;
}

}  // namespace epi::config
