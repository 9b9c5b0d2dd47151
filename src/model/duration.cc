#include "model/duration.h"

#include <array>
#include <charconv>
#include <cstring>
#include <limits>

#include "base/ascii.h"
#include "base/escaping.h"
#include "model/labels.h"

namespace epi {
namespace {

constexpr int64_t kMsPerSecond = 1000;
constexpr int64_t kMsPerDay = 24 * 3600 * kMsPerSecond;
// Go holds durations as int64 nanoseconds.
constexpr int64_t kMaxMs = std::numeric_limits<int64_t>::max() / 1'000'000;

struct Unit {
  std::string_view name;
  int64_t ms;
  bool exact_only;  // printed only when nothing is left over: 23d, not 3w2d
};
// From the largest down, the order in which they may be written.
constexpr std::array<Unit, 7> kUnits{{{"y", 365 * kMsPerDay, true},
                                      {"w", 7 * kMsPerDay, true},
                                      {"d", kMsPerDay, false},
                                      {"h", 3600 * kMsPerSecond, false},
                                      {"m", 60 * kMsPerSecond, false},
                                      {"s", kMsPerSecond, false},
                                      {"ms", 1, false}}};

Error BadDuration(std::string_view text, std::string_view what) {
  std::string message(what);
  AppendQuoted(message, text);
  return Error(ErrorCode::kInvalid, std::move(message));
}

void AppendInt(std::string& out, uint64_t value) {
  std::array<char, 24> text;
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
}

// A magnitude of nanoseconds as "1.5" in the given unit: trailing zeros of the fraction dropped.
void AppendFraction(std::string& out, uint64_t value, uint64_t unit) {
  AppendInt(out, value / unit);
  uint64_t rest = value % unit;
  if (rest == 0) return;
  out += '.';
  for (uint64_t place = unit / 10; rest != 0; place /= 10) {
    out += static_cast<char>('0' + rest / place);
    rest %= place;
  }
}

struct GoUnit {
  std::string_view name;
  uint64_t ns;
};
constexpr std::array<GoUnit, 8> kGoUnits{{{"ns", 1},
                                          {"us", 1000},
                                          {"\xc2\xb5s", 1000},  // U+00B5, micro sign
                                          {"\xce\xbcs", 1000},  // U+03BC, Greek letter mu
                                          {"ms", 1'000'000},
                                          {"s", 1'000'000'000},
                                          {"m", 60'000'000'000},
                                          {"h", 3600'000'000'000}}};

}  // namespace

Result<DurationMs> ParseDuration(std::string_view text) {
  if (text == "0") return 0;
  if (text.empty()) return Fail(ErrorCode::kInvalid, "empty duration string");
  constexpr auto kNotValid = "not a valid duration string: ";
  const std::string_view whole = text;
  DurationMs total = 0;
  bool overflow = false;
  size_t next_unit = 0;
  while (!text.empty()) {
    size_t digits = 0;
    while (digits < text.size() && IsAsciiDigit(text[digits])) ++digits;
    uint64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + digits, number);
    if (read.ec != std::errc()) return Fail(BadDuration(whole, kNotValid));  // no digit, or beyond 64 bits
    text.remove_prefix(digits);
    size_t letters = 0;
    while (letters < text.size() && !IsAsciiDigit(text[letters])) ++letters;
    if (letters == 0) return Fail(BadDuration(whole, kNotValid));
    const std::string_view name = text.substr(0, letters);
    text.remove_prefix(letters);
    size_t unit = 0;
    while (unit < kUnits.size() && kUnits[unit].name != name) ++unit;
    if (unit == kUnits.size()) {
      std::string message = "unknown unit ";
      AppendQuoted(message, name);
      message += " in duration ";
      AppendQuoted(message, whole);
      return Fail(ErrorCode::kInvalid, std::move(message));
    }
    if (unit < next_unit) return Fail(BadDuration(whole, kNotValid));
    next_unit = unit + 1;
    if (number > static_cast<uint64_t>(kMaxMs / kUnits[unit].ms)) {
      overflow = true;
    } else {
      total += static_cast<int64_t>(number) * kUnits[unit].ms;
      if (total > kMaxMs) overflow = true;
    }
    if (overflow) return Fail(ErrorCode::kInvalid, "duration out of range");
  }
  return total;
}

Result<DurationMs> ParseDurationAllowNegative(std::string_view text) {
  if (text.empty() || text.front() != '-') return ParseDuration(text);
  EPI_ASSIGN(const DurationMs magnitude, ParseDuration(text.substr(1)));
  return -magnitude;
}

std::string FormatDuration(DurationMs duration) {
  if (duration == 0) return "0s";
  std::string out;
  auto left = static_cast<uint64_t>(duration);
  if (duration < 0) {
    out += '-';
    left = ~left + 1;
  }
  for (const Unit& unit : kUnits) {
    const auto size = static_cast<uint64_t>(unit.ms);
    if (unit.exact_only && left % size != 0) continue;
    const uint64_t count = left / size;
    if (count == 0) continue;
    AppendInt(out, count);
    out += unit.name;
    left -= count * size;
  }
  return out;
}

std::string FormatGoDuration(int64_t nanoseconds) {
  if (nanoseconds == 0) return "0s";
  std::string out;
  auto left = static_cast<uint64_t>(nanoseconds);
  if (nanoseconds < 0) {
    out += '-';
    left = ~left + 1;
  }
  constexpr uint64_t kSecond = 1'000'000'000;
  if (left < kSecond) {
    const GoUnit& unit = left < 1000 ? kGoUnits[0] : left < 1'000'000 ? kGoUnits[2] : kGoUnits[4];
    AppendFraction(out, left, unit.ns);
    out += unit.name;
    return out;
  }
  const uint64_t minutes = left / (60 * kSecond);
  if (minutes >= 60) {
    AppendInt(out, minutes / 60);
    out += 'h';
  }
  if (minutes > 0) {
    AppendInt(out, minutes % 60);
    out += 'm';
  }
  AppendFraction(out, left % (60 * kSecond), kSecond);
  out += 's';
  return out;
}

Result<int64_t> ParseGoDuration(std::string_view text) {
  const std::string_view whole = text;
  constexpr auto kInvalid = "time: invalid duration ";
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text == "0") return 0;
  if (text.empty()) return Fail(BadDuration(whole, kInvalid));
  unsigned __int128 total = 0;
  constexpr auto kLimit = static_cast<unsigned __int128>(1) << 63;
  while (!text.empty()) {
    unsigned __int128 number = 0;
    size_t digits = 0;
    for (; digits < text.size() && IsAsciiDigit(text[digits]); ++digits) {
      number = number * 10 + static_cast<unsigned>(text[digits] - '0');
      if (number > kLimit) return Fail(BadDuration(whole, kInvalid));
    }
    bool any_digits = digits > 0;
    text.remove_prefix(digits);
    double fraction = 0;
    if (!text.empty() && text.front() == '.') {
      text.remove_prefix(1);
      uint64_t value = 0;
      double scale = 1;
      size_t places = 0;
      for (; places < text.size() && IsAsciiDigit(text[places]); ++places) {
        if (value > (uint64_t{1} << 63) / 10 - 1) continue;  // further digits cannot change nanoseconds
        value = value * 10 + static_cast<uint64_t>(text[places] - '0');
        scale *= 10;
      }
      any_digits = any_digits || places > 0;
      text.remove_prefix(places);
      fraction = static_cast<double>(value) / scale;
    }
    if (!any_digits) return Fail(BadDuration(whole, kInvalid));
    size_t letters = 0;
    while (letters < text.size() && text[letters] != '.' && !IsAsciiDigit(text[letters])) ++letters;
    const std::string_view name = text.substr(0, letters);
    if (name.empty()) return Fail(BadDuration(whole, "time: missing unit in duration "));
    text.remove_prefix(letters);
    const GoUnit* unit = nullptr;
    for (const GoUnit& candidate : kGoUnits) {
      if (candidate.name == name) unit = &candidate;
    }
    if (unit == nullptr) {
      std::string message = "time: unknown unit ";
      AppendQuoted(message, name);
      message += " in duration ";
      AppendQuoted(message, whole);
      return Fail(ErrorCode::kInvalid, std::move(message));
    }
    total += number * unit->ns + static_cast<uint64_t>(fraction * static_cast<double>(unit->ns));
    if (total > kLimit) return Fail(BadDuration(whole, kInvalid));
  }
  if (!negative && total == kLimit) return Fail(BadDuration(whole, kInvalid));
  const auto magnitude = static_cast<uint64_t>(total);
  return static_cast<int64_t>(negative ? ~magnitude + 1 : magnitude);
}

}  // namespace epi
