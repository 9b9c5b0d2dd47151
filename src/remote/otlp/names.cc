#include "remote/otlp/names.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/ascii.h"
#include "base/escaping.h"
#include "base/trim.h"
#include "base/utf8.h"
#include "model/labels.h"

namespace epi::remote::otlp {
namespace {

struct UnitWord {
  std::string_view unit;
  std::string_view word;
};
constexpr std::array<UnitWord, 26> kUnitWords = {
    {{"d", "days"},          {"h", "hours"},        {"min", "minutes"},   {"s", "seconds"},      {"ms", "milliseconds"},
     {"us", "microseconds"}, {"ns", "nanoseconds"}, {"By", "bytes"},      {"KiBy", "kibibytes"}, {"MiBy", "mebibytes"},
     {"GiBy", "gibibytes"},  {"TiBy", "tibibytes"}, {"KBy", "kilobytes"}, {"MBy", "megabytes"},  {"GBy", "gigabytes"},
     {"TBy", "terabytes"},   {"m", "meters"},       {"V", "volts"},       {"A", "amperes"},      {"J", "joules"},
     {"W", "watts"},         {"g", "grams"},        {"Cel", "celsius"},   {"Hz", "hertz"},       {"1", ""},
     {"%", "percent"}}};
constexpr std::array<UnitWord, 7> kPerWords = {
    {{"s", "second"}, {"m", "minute"}, {"h", "hour"}, {"d", "day"}, {"w", "week"}, {"mo", "month"}, {"y", "year"}}};

std::string_view WordFor(std::span<const UnitWord> words, std::string_view unit) {
  const auto at = std::find_if(words.begin(), words.end(), [&](const UnitWord& w) { return w.unit == unit; });
  return at == words.end() ? unit : at->word;
}

bool IsTokenChar(char c) { return IsAsciiLetter(c) || IsAsciiDigit(c) || c == ':'; }
bool OnlyUnderscores(std::string_view text) { return text.find_first_not_of('_') == std::string_view::npos; }

// The parts of a text between characters that `keep` refuses. Characters beyond ASCII are refused byte by byte, which
// makes no difference: runs count once.
std::vector<std::string> Tokens(std::string_view text, bool (*keep)(char)) {
  std::vector<std::string> out;
  bool inside = false;
  for (const char c : text) {
    const bool kept = keep(c);
    if (kept && !inside) out.emplace_back();
    if (kept) out.back() += c;
    inside = kept;
  }
  return out;
}
std::string Joined(const std::vector<std::string>& tokens) {
  std::string out;
  for (const auto& token : tokens) {
    if (!out.empty()) out += '_';
    out += token;
  }
  return out;
}

// A unit's two sides as words: "By/s" is {"bytes", "per_second"}. Annotations in braces say nothing.
struct UnitParts {
  std::string main;
  std::string per;
};
UnitParts PartsOf(std::string_view unit) {
  const auto usable = [](std::string_view part) {
    return !part.empty() && part.find_first_of("{}") == std::string_view::npos;
  };
  UnitParts out;
  const size_t slash = unit.find('/');
  const auto main = Trimmed(unit.substr(0, slash), kSpaces);
  if (usable(main)) out.main = WordFor(kUnitWords, main);
  if (slash == std::string_view::npos) return out;
  const auto per = Trimmed(unit.substr(slash + 1), kSpaces);
  if (usable(per)) out.per = "per_" + std::string(WordFor(kPerWords, per));
  return out;
}

// A part of a unit as a part of a metric name: one underscore for what may not stand there, none in front.
std::string CleanUnit(std::string_view part) {
  std::string out;
  for (const char c : part) {
    if (IsTokenChar(c)) {
      out += c;
    } else if (out.empty() || out.back() != '_') {
      out += '_';
    }
  }
  if (out.starts_with('_')) out.erase(0, 1);
  return out;
}

void DropTrailingUnderscore(std::string& text) {
  if (text.ends_with('_')) text.pop_back();
}
bool Holds(const std::vector<std::string>& tokens, const std::string& token) {
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}
// Moves a word to the end, or adds it there.
void PutLast(std::vector<std::string>& tokens, std::string_view word) {
  std::erase(tokens, word);
  tokens.emplace_back(word);
}

std::optional<std::string_view> TypeSuffix(const Metric& metric) {
  if (metric.kind == Kind::kSum && metric.monotonic) return "total";
  if (metric.kind == Kind::kGauge && metric.unit == "1") return "ratio";
  return std::nullopt;
}

std::string EscapedName(const Metric& metric) {
  std::vector<std::string> tokens = Tokens(metric.name, &IsTokenChar);
  const UnitParts unit = PartsOf(metric.unit);
  std::string main = CleanUnit(unit.main);
  std::string per = CleanUnit(unit.per);
  if (per == "per_") per.clear();
  DropTrailingUnderscore(per);
  if (Holds(tokens, main)) main.clear();
  if (Holds(tokens, per)) per.clear();
  if (!per.empty()) DropTrailingUnderscore(main);
  if (!main.empty()) tokens.push_back(main);
  if (!per.empty()) tokens.push_back(per);
  if (const auto suffix = TypeSuffix(metric)) PutLast(tokens, *suffix);
  return Joined(tokens);
}

// "a_total" without "total" is "a", whatever character stands before it.
void DropSuffix(std::string& name, std::string_view suffix) {
  if (name.ends_with(suffix) && name.size() > suffix.size() + 1) name.resize(name.size() - suffix.size() - 1);
}

std::string FreeName(const Metric& metric) {
  std::string name(metric.name);
  const auto type = TypeSuffix(metric);
  const UnitParts unit = PartsOf(metric.unit);
  if (type) DropSuffix(name, *type);
  if (!unit.per.empty()) DropSuffix(name, unit.per);
  if (!unit.main.empty() && !name.ends_with(unit.main)) name += '_' + unit.main;
  if (!unit.per.empty()) name += '_' + unit.per;
  if (type) name += '_' + std::string(*type);
  return name;
}

std::string QuotedText(std::string_view text) {
  std::string out;
  AppendQuoted(out, text);
  return out;
}

}  // namespace

Namer::Namer(const config::OtlpConfig& config)
    : escape_(config.translation_strategy == "UnderscoreEscapingWithSuffixes" ||
              config.translation_strategy == "UnderscoreEscapingWithoutSuffixes" ||
              config.translation_strategy.empty()),
      suffixes_(config.translation_strategy == "UnderscoreEscapingWithSuffixes" ||
                config.translation_strategy == "NoUTF8EscapingWithSuffixes" || config.translation_strategy.empty()),
      prefix_single_underscore_(config.label_name_underscore_sanitization),
      keep_underscore_runs_(config.label_name_preserve_multiple_underscores) {}

Result<std::string> Namer::MetricName(const Metric& metric) const {
  if (!escape_) return suffixes_ ? FreeName(metric) : std::string(metric.name);
  std::string name =
      suffixes_ ? EscapedName(metric) : Joined(Tokens(metric.name, [](char c) { return IsTokenChar(c) || c == '_'; }));
  if (!name.empty() && IsAsciiDigit(name.front())) name.insert(0, 1, '_');
  if (name.empty()) {
    return Fail(ErrorCode::kInvalid, "normalization for metric " + QuotedText(metric.name) + " resulted in empty name");
  }
  if (name != metric.name && OnlyUnderscores(name)) {
    return Fail(ErrorCode::kInvalid, "normalization for metric " + QuotedText(metric.name) +
                                         " resulted in invalid name " + QuotedText(name));
  }
  return name;
}

std::string Namer::UnitName(std::string_view unit) const {
  UnitParts parts = PartsOf(unit);
  if (escape_) {
    parts.main = CleanUnit(parts.main);
    parts.per = CleanUnit(parts.per);
    if (parts.per == "per_") parts.per.clear();
    DropTrailingUnderscore(parts.per);
    if (!parts.per.empty()) DropTrailingUnderscore(parts.main);
  }
  if (parts.per.empty()) return parts.main;
  return parts.main.empty() ? parts.per : parts.main + '_' + parts.per;
}

Result<std::string> Namer::LabelName(std::string_view attribute) const {
  if (attribute.empty()) return Fail(ErrorCode::kInvalid, "label name is empty");
  if (!escape_) {
    if (!OnlyUnderscores(attribute)) return std::string(attribute);
    return Fail(ErrorCode::kInvalid, "label name " + QuotedText(attribute) + " contains only underscores");
  }
  // Reserved names keep their frame; what is inside is cleaned as any other name.
  const bool reserved = attribute.size() > 4 && attribute.starts_with("__") && attribute.ends_with("__");
  std::string_view rest = reserved && !keep_underscore_runs_ ? attribute.substr(2, attribute.size() - 4) : attribute;
  std::string name;
  while (!rest.empty()) {
    const char c = rest.front();
    uint32_t rune = 0;
    rest.remove_prefix(std::max<size_t>(DecodeUtf8(rest, rune), 1));  // a character, or a byte that is none
    if (IsTokenChar(c) && c != ':') {
      name += c;
    } else if (keep_underscore_runs_ || name.empty() || name.back() != '_') {
      name += '_';
    }
  }
  if (reserved && !keep_underscore_runs_) name = "__" + name + "__";
  if (IsAsciiDigit(name.front())) {
    name.insert(0, "key_");
  } else if (prefix_single_underscore_ && name.starts_with('_') && !name.starts_with("__")) {
    name.insert(0, "key");
  }
  if (OnlyUnderscores(name)) {
    return Fail(ErrorCode::kInvalid, "normalization for label name " + QuotedText(attribute) +
                                         " resulted in invalid name " + QuotedText(name));
  }
  return name;
}

}  // namespace epi::remote::otlp
