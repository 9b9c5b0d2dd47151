#include "epitool/arguments.h"

#include "config/flag_number.h"
#include "model/duration.h"
#include "net/url.h"

namespace epi::tool {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

// The value as it is kept: integers in decimal.
Result<std::string> Checked(ValueForm form, std::string value) {
  switch (form) {
    case ValueForm::kText:
      break;
    case ValueForm::kInt: {
      EPI_ASSIGN(const int64_t integer, config::ParseFlagInt(value));
      return std::to_string(integer);
    }
    case ValueForm::kInt64: {
      EPI_ASSIGN(const int64_t integer, config::ParseFlagInt64(value));
      return std::to_string(integer);
    }
    case ValueForm::kDuration:
      if (const auto duration = ParseGoDuration(value); !duration) return Fail(duration.error());
      break;
    case ValueForm::kLabel:
      if (value.find_first_of("=:") != std::string::npos) break;
      return Fail(ErrorCode::kInvalid, "expected KEY=VALUE got '" + value + "'");
    case ValueForm::kUrl:
      if (const auto url = net::ParseUrl(value); !url) return Fail(url.error().WithContext("invalid URL"));
      break;
  }
  return value;
}

}  // namespace

Arguments::Arguments(std::span<const FlagSpec> flags) {
  for (const auto& flag : flags) fallbacks_.emplace(flag.name, flag.takes_value ? flag.fallback : "false");
}

Result<void> Arguments::Set(const FlagSpec& flag, std::string value) {
  auto& values = values_[std::string(flag.name)];
  if (!values.empty() && !flag.repeats) {
    return Fail(ErrorCode::kInvalid, "flag '" + std::string(flag.name) + "' cannot be repeated");
  }
  EPI_ASSIGN(values.emplace_back(), Checked(flag.form, std::move(value)));
  return {};
}

std::string_view Arguments::Value(std::string_view flag) const {
  if (const auto given = values_.find(flag); given != values_.end()) return given->second.back();
  const auto fallback = fallbacks_.find(flag);
  return fallback == fallbacks_.end() ? std::string_view() : std::string_view(fallback->second);
}

// Values were checked when they were set.
int64_t Arguments::Integer(std::string_view flag) const { return config::ParseFlagInt64(Value(flag)).value_or(0); }

int64_t Arguments::DurationMs(std::string_view flag) const {
  return ParseGoDuration(Value(flag)).value_or(0) / kNsPerMs;
}

const std::vector<std::string>& Arguments::Values(std::string_view flag) const {
  static const std::vector<std::string> kNone;
  const auto given = values_.find(flag);
  return given == values_.end() ? kNone : given->second;
}

}  // namespace epi::tool
