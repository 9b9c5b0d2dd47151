#include "web/api/search_score.h"

#include <algorithm>
#include <cstdint>

#include "model/case_mapping.h"
#include "model/utf8.h"

namespace epi::web {
namespace {

// A score below 1 for everything that is not equal.
constexpr double kNonExactScale = 0.999;

std::u32string Decode(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  while (!text.empty()) {
    uint32_t rune = kReplacementRune;
    const size_t length = std::max<size_t>(DecodeUtf8(text, rune), 1);
    out += static_cast<char32_t>(rune);
    text.remove_prefix(length);
  }
  return out;
}

// The raw score of the greedy match that begins at `start`, where the first characters are equal; nothing when the term
// does not fit behind it.
std::optional<double> ScoreFrom(const std::u32string& term, const std::u32string& text, size_t start) {
  const double per_character = 1.0 / static_cast<double>(text.size());
  double score = 0;
  size_t matched = 0, at = start, previous_end = 0;
  while (matched < term.size()) {
    at = text.find(term[matched], at);
    if (at == std::u32string::npos) return std::nullopt;
    const size_t gap = at - previous_end;
    score -= static_cast<double>(gap) * per_character;
    size_t run = 0;
    while (matched < term.size() && at < text.size() && text[at] == term[matched]) {
      ++at;
      ++matched;
      ++run;
    }
    score += static_cast<double>(run * run);
    previous_end = at;
  }
  return score - static_cast<double>(text.size() - previous_end) * per_character * 0.5;
}

struct CommonCharacters {
  double matches = 0;
  double transpositions = 0;
};

// Characters that both have within Jaro's window, and how many of them stand in another order. `shorter` is the shorter
// one.
CommonCharacters Common(const std::u32string& shorter, const std::u32string& longer) {
  const auto window = static_cast<ptrdiff_t>(std::max<size_t>(longer.size() / 2, 1) - 1);
  std::vector<bool> in_shorter(shorter.size()), in_longer(longer.size());
  CommonCharacters common;
  for (size_t i = 0; i < shorter.size(); ++i) {
    const auto center = static_cast<ptrdiff_t>(i);
    const auto from = static_cast<size_t>(std::max<ptrdiff_t>(center - window, 0));
    const auto to = std::min(static_cast<size_t>(center + window + 1), longer.size());
    for (size_t j = from; j < to; ++j) {
      if (in_longer[j] || shorter[i] != longer[j]) continue;
      in_shorter[i] = in_longer[j] = true;
      ++common.matches;
      break;
    }
  }
  size_t j = 0;
  for (size_t i = 0; i < shorter.size(); ++i) {
    if (!in_shorter[i]) continue;
    while (!in_longer[j]) ++j;
    if (shorter[i] != longer[j]) ++common.transpositions;
    ++j;
  }
  return common;
}

}  // namespace

std::optional<double> SubstringScore(std::string_view term, std::string_view value) {
  const auto at = value.find(term);
  if (at == std::string_view::npos) return std::nullopt;
  if (at == 0) return 1;
  const auto position = static_cast<double>(Decode(value.substr(0, at)).size());
  const auto last = static_cast<double>(Decode(value).size()) - static_cast<double>(Decode(term).size());
  return last <= 0 ? 1 : 1 - 0.9 * position / last;
}

double JaroWinklerScore(std::string_view a, std::string_view b) {
  if (a == b) return 1;
  if (a.empty() || b.empty()) return 0;
  std::u32string shorter = Decode(a), longer = Decode(b);
  if (shorter.size() > longer.size()) shorter.swap(longer);
  const CommonCharacters common = Common(shorter, longer);
  const double m = common.matches;
  if (m == 0) return 0;
  const double jaro = (m / static_cast<double>(shorter.size()) + m / static_cast<double>(longer.size()) +
                       (m - common.transpositions / 2) / m) /
                      3;
  constexpr size_t kLongestPrefix = 4;
  constexpr double kPrefixWeight = 0.1;
  size_t prefix = 0;
  while (prefix < std::min(kLongestPrefix, shorter.size()) && shorter[prefix] == longer[prefix]) ++prefix;
  return jaro + static_cast<double>(prefix) * kPrefixWeight * (1 - jaro);
}

double SubsequenceScore(std::string_view term, std::string_view text) {
  if (term.empty() || term == text) return 1;
  if (text.empty() || term.size() > text.size()) return 0;
  const std::u32string wanted = Decode(term), in = Decode(text);
  if (wanted.size() > in.size()) return 0;
  double best = -1;
  for (size_t start = 0; start <= in.size() - wanted.size(); ++start) {
    if (in[start] != wanted[0]) continue;
    const auto score = ScoreFrom(wanted, in, start);
    if (!score) break;  // nor does it fit behind any later start
    best = std::max(best, *score);
  }
  if (best < 0) return 0;
  return best / static_cast<double>(wanted.size() * wanted.size()) * kNonExactScale;
}

SearchFilter::SearchFilter(const std::vector<std::string_view>& terms, double threshold, FuzzyAlgorithm algorithm,
                           bool case_sensitive)
    : threshold_(threshold), algorithm_(algorithm), case_sensitive_(case_sensitive) {
  for (const auto term : terms)
    if (!term.empty()) terms_.push_back(case_sensitive ? std::string(term) : ToLowerUtf8(term));
}

std::optional<double> SearchFilter::TermScore(const std::string& term, std::string_view value) const {
  if (algorithm_ == FuzzyAlgorithm::kSubsequence) {
    if (value.starts_with(term)) return 1;
    const double score = SubsequenceScore(term, value);
    return score > 0 && score >= threshold_ ? std::optional(score) : std::nullopt;
  }
  if (const auto score = SubstringScore(term, value)) return score;
  if (threshold_ <= 0) return std::nullopt;
  const double score = JaroWinklerScore(term, value);
  return score >= threshold_ ? std::optional(score) : std::nullopt;
}

std::optional<double> SearchFilter::Score(std::string_view value) const {
  if (terms_.empty()) return 1;
  const std::string folded = case_sensitive_ ? std::string() : ToLowerUtf8(value);
  std::optional<double> best;
  for (const auto& term : terms_) {
    const auto score = TermScore(term, case_sensitive_ ? value : std::string_view(folded));
    if (score && (!best || *score > *best)) best = score;
  }
  return best;
}

}  // namespace epi::web
