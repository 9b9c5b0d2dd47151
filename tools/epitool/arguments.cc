#include "epitool/arguments.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace epi::tool {
namespace {

const FlagSpec* FindFlag(std::span<const FlagSpec> flags, std::string_view name) {
  const auto found =
      std::find_if(flags.begin(), flags.end(), [name](const FlagSpec& flag) { return flag.name == name; });
  return found == flags.end() ? nullptr : &*found;
}

// A switch given as "-r".
const FlagSpec* FindLetter(std::span<const FlagSpec> flags, std::string_view word) {
  if (word.size() != 2 || word[0] != '-' || word[1] == '-') return nullptr;
  const auto found =
      std::find_if(flags.begin(), flags.end(), [word](const FlagSpec& flag) { return flag.letter == word[1]; });
  return found == flags.end() || found->takes_value ? nullptr : &*found;
}

std::optional<int64_t> ParseInteger(std::string_view text) {
  int64_t value = 0;
  const char* const text_end = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), text_end, value);
  return error == std::errc() && end == text_end ? std::optional(value) : std::nullopt;
}

}  // namespace

Result<Arguments> Arguments::Parse(std::span<const std::string> words, std::span<const FlagSpec> flags) {
  Arguments out;
  for (const auto& flag : flags) out.fallbacks_.emplace(flag.name, flag.takes_value ? flag.fallback : "false");
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "--") {
      out.positional_.insert(out.positional_.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      break;
    }
    if (const FlagSpec* lettered = FindLetter(flags, word)) {
      out.values_[std::string(lettered->name)] = {"true"};
      continue;
    }
    if (!word.starts_with("--") || word.size() == 2) {
      out.positional_.emplace_back(word);
      continue;
    }
    const size_t equals = word.find('=');
    const std::string_view name = word.substr(2, equals == std::string_view::npos ? equals : equals - 2);
    const FlagSpec* flag = FindFlag(flags, name);
    const FlagSpec* negated = name.starts_with("no-") ? FindFlag(flags, name.substr(3)) : nullptr;
    if (flag == nullptr && (negated == nullptr || negated->takes_value)) {
      return Fail(ErrorCode::kInvalid, "unknown long flag '--" + std::string(name) + "'");
    }
    if (flag == nullptr || !flag->takes_value) {
      if (equals != std::string_view::npos)
        return Fail(ErrorCode::kInvalid, "unexpected " + std::string(word.substr(equals + 1)));
      out.values_[std::string(flag != nullptr ? flag->name : negated->name)] = {flag != nullptr ? "true" : "false"};
      continue;
    }
    std::string value;
    if (equals != std::string_view::npos) {
      value.assign(word.substr(equals + 1));
    } else if (i + 1 < words.size()) {
      value = words[++i];
    } else {
      return Fail(ErrorCode::kInvalid, "expected argument for flag '--" + std::string(name) + "'");
    }
    if (flag->form == ValueForm::kInteger && !ParseInteger(value)) {
      return Fail(ErrorCode::kInvalid, "strconv.ParseInt: parsing \"" + value + "\": invalid syntax");
    }
    auto& values = out.values_[std::string(name)];
    if (!values.empty() && !flag->repeats) {
      return Fail(ErrorCode::kInvalid, "flag '" + std::string(name) + "' cannot be repeated");
    }
    values.push_back(std::move(value));
  }
  return out;
}

std::string_view Arguments::Value(std::string_view flag) const {
  if (const auto given = values_.find(flag); given != values_.end()) return given->second.back();
  const auto fallback = fallbacks_.find(flag);
  return fallback == fallbacks_.end() ? std::string_view() : std::string_view(fallback->second);
}

int64_t Arguments::Integer(std::string_view flag) const { return ParseInteger(Value(flag)).value_or(0); }

const std::vector<std::string>& Arguments::Values(std::string_view flag) const {
  static const std::vector<std::string> kNone;
  const auto given = values_.find(flag);
  return given == values_.end() ? kNone : given->second;
}

}  // namespace epi::tool
