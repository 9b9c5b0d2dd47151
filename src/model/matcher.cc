#include "model/matcher.h"

#include "base/escaping.h"
#include "model/anchored_regex.h"
#include "model/labels.h"

namespace epi {

std::string_view MatchTypeSymbol(MatchType type) {
  constexpr std::string_view kSymbols[] = {"=", "!=", "=~", "!~"};
  return kSymbols[static_cast<size_t>(type)];
}

Matcher::Matcher(MatchType type, std::string name, std::string value, std::shared_ptr<const AnchoredRegex> regex)
    : name_(std::move(name)), value_(std::move(value)), regex_(std::move(regex)), type_(type) {}

Result<Matcher> Matcher::Make(MatchType type, std::string name, std::string value) {
  std::shared_ptr<const AnchoredRegex> regex;
  if (type == MatchType::kRegexp || type == MatchType::kNotRegexp) {
    EPI_ASSIGN(regex, AnchoredRegex::Compile(value));
  }
  return Matcher(type, std::move(name), std::move(value), std::move(regex));
}

Matcher Matcher::Equal(std::string name, std::string value) {
  return Matcher(MatchType::kEqual, std::move(name), std::move(value), nullptr);
}

Matcher Matcher::OneOf(std::string name, std::vector<std::string> values) {
  auto regex = AnchoredRegex::OneOf(std::move(values));
  std::string pattern = regex->pattern();
  return Matcher(MatchType::kRegexp, std::move(name), std::move(pattern), std::move(regex));
}

Matcher Matcher::Inverse() const {
  constexpr MatchType kInverse[] = {MatchType::kNotEqual, MatchType::kEqual, MatchType::kNotRegexp, MatchType::kRegexp};
  return Matcher(kInverse[static_cast<size_t>(type_)], name_, value_, regex_);
}

bool Matcher::Matches(std::string_view value) const {
  switch (type_) {
    case MatchType::kEqual:
      return value == value_;
    case MatchType::kNotEqual:
      return value != value_;
    case MatchType::kRegexp:
      return regex_->Matches(value);
    case MatchType::kNotRegexp:
      return !regex_->Matches(value);
  }
  return false;
}

std::span<const std::string> Matcher::SetMatches() const {
  if (regex_ == nullptr) return {};
  return regex_->set_matches();
}

std::string_view Matcher::Prefix() const {
  return regex_ == nullptr ? std::string_view() : std::string_view(regex_->prefix());
}

std::string Matcher::ToString() const {
  std::string out;
  if (IsLegacyLabelName(name_)) {
    out = name_;
  } else {
    AppendQuoted(out, name_);
  }
  out += MatchTypeSymbol(type_);
  AppendQuoted(out, value_);
  return out;
}

}  // namespace epi
