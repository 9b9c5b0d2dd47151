// Prometheus's functions of numbers: humanize and its kin, and numbers as times and durations.
#include <array>
#include <cmath>

#include "model/number_format.h"
#include "rules/template/go_time.h"
#include "rules/template/template_functions.h"

namespace epi::rules::number {
namespace {

tl::unexpected<Error> NotANumber(std::string message) { return Fail(ErrorCode::kInvalid, std::move(message)); }

// What a number argument may be, as Prometheus converts it.
Result<double> ToFloat(const TemplateValue& v) {
  if (const auto* f = v.As<double>()) return *f;
  if (const auto* i = v.As<int64_t>()) return static_cast<double>(*i);
  if (const auto* u = v.As<uint64_t>()) return static_cast<double>(*u);
  if (const auto* s = v.As<std::string>()) return ParseGoFloatOrError(*s);
  if (const auto* d = v.As<DurationValue>()) return static_cast<double>(d->nanoseconds) / 1e9;
  return NotANumber("can't convert " + v.TypeName() + " to float");
}

std::string FourDigits(double v) { return FormatFloatPrecision(v, 'g', 4); }
bool IsSpecial(double v) { return std::isnan(v) || std::isinf(v); }

constexpr std::array<std::string_view, 8> kLargePrefixes{"k", "M", "G", "T", "P", "E", "Z", "Y"};
constexpr std::array<std::string_view, 8> kSmallPrefixes{"m", "u", "n", "p", "f", "a", "z", "y"};
constexpr std::array<std::string_view, 8> kBinaryPrefixes{"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};

std::string ScaledUp(double v, double step, const std::array<std::string_view, 8>& prefixes) {
  std::string_view prefix;
  for (const std::string_view next : prefixes) {
    if (std::fabs(v) < step) break;
    prefix = next;
    v /= step;
  }
  return FourDigits(v) + std::string(prefix);
}
std::string ScaledDown(double v) {
  std::string_view prefix;
  for (const std::string_view next : kSmallPrefixes) {
    if (std::fabs(v) >= 1) break;
    prefix = next;
    v *= 1000;
  }
  return FourDigits(v) + std::string(prefix);
}

}  // namespace

Result<TemplateValue> Humanize(const TemplateEnvironment&, TemplateArgs args) {
  EPI_ASSIGN(const double v, ToFloat(args[0]));
  if (v == 0 || IsSpecial(v)) return TemplateValue::Text(FourDigits(v));
  return TemplateValue::Text(std::fabs(v) >= 1 ? ScaledUp(v, 1000, kLargePrefixes) : ScaledDown(v));
}

Result<TemplateValue> Humanize1024(const TemplateEnvironment&, TemplateArgs args) {
  EPI_ASSIGN(const double v, ToFloat(args[0]));
  if (std::fabs(v) <= 1 || IsSpecial(v)) return TemplateValue::Text(FourDigits(v));
  return TemplateValue::Text(ScaledUp(v, 1024, kBinaryPrefixes));
}

Result<TemplateValue> HumanizeDuration(const TemplateEnvironment&, TemplateArgs args) {
  EPI_ASSIGN(double v, ToFloat(args[0]));
  if (IsSpecial(v)) return TemplateValue::Text(FourDigits(v));
  if (v == 0) return TemplateValue::Text(FourDigits(v) + "s");
  if (std::fabs(v) < 1) return TemplateValue::Text(ScaledDown(v) + "s");
  std::string out = v < 0 ? "-" : "";
  v = std::fabs(v);
  // Too large a number becomes the smallest integer, as on the machines Prometheus mostly runs on.
  const int64_t whole = v < 0x1p63 ? static_cast<int64_t>(v) : INT64_MIN;
  const auto part = [&out](int64_t count, char unit) { out += std::to_string(count) + unit; };
  const int64_t days = whole / 86'400;
  const int64_t hours = whole / 3600 % 24;
  const int64_t minutes = whole / 60 % 60;
  if (days != 0) {
    part(days, 'd');
    out += ' ';
  }
  if (days != 0 || hours != 0) {
    part(hours, 'h');
    out += ' ';
  }
  if (days == 0 && hours == 0 && minutes == 0) return TemplateValue::Text(out + FourDigits(v) + "s");
  part(minutes, 'm');
  out += ' ';
  part(whole % 60, 's');
  return TemplateValue::Text(std::move(out));
}

Result<TemplateValue> HumanizePercentage(const TemplateEnvironment&, TemplateArgs args) {
  EPI_ASSIGN(const double v, ToFloat(args[0]));
  return TemplateValue::Text(FourDigits(v * 100) + "%");
}

Result<TemplateValue> HumanizeTimestamp(const TemplateEnvironment&, TemplateArgs args) {
  EPI_ASSIGN(const double v, ToFloat(args[0]));
  if (IsSpecial(v)) return TemplateValue::Text(FourDigits(v));
  EPI_ASSIGN(const TimeValue time, TimeFromSeconds(v));
  return TemplateValue::Text(FormatTime(time, kGoDefaultTimeLayout));
}

Result<TemplateValue> ToTime(const TemplateEnvironment&, TemplateArgs args) {
  EPI_ASSIGN(const double v, ToFloat(args[0]));
  if (IsSpecial(v)) return NotANumber("value is NaN or Inf");
  EPI_ASSIGN(TimeValue time, TimeFromSeconds(v));
  time.pointer = true;
  return TemplateValue(TemplateValue::Data(time));
}

Result<TemplateValue> ToDuration(const TemplateEnvironment&, TemplateArgs args) {
  EPI_ASSIGN(const double v, ToFloat(args[0]));
  const double ns = v * 1e9;
  // What does not fit becomes the smallest integer, as on the machines Prometheus mostly runs on.
  const bool fits = ns < 0x1p63 && ns >= -0x1p63;
  return TemplateValue(TemplateValue::Data(DurationValue{fits ? static_cast<int64_t>(ns) : INT64_MIN, true}));
}

}  // namespace epi::rules::number
