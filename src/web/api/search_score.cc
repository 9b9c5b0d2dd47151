#include "web/api/search_score.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>

#include "base/utf8.h"
#include "model/case_mapping.h"

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

// A stretch of a text, its end not included.
struct Run {
  size_t begin;
  size_t end;
};

// Where the characters of `term` stand in `text` from `start` on, each as early as the one before lets it. False when
// not all of them do.
bool FindRuns(const std::u32string& term, const std::u32string& text, size_t start, std::vector<Run>& runs) {
  runs.clear();
  for (const char32_t wanted : term) {
    const size_t at = text.find(wanted, runs.empty() ? start : runs.back().end);
    if (at == std::u32string::npos) return false;
    if (runs.empty() || at != runs.back().end) runs.push_back({at, at});
    runs.back().end = at + 1;
  }
  return true;
}

// Long runs count by their square; characters between them cost a fraction of the text each, those behind half of it.
double RunScore(const std::vector<Run>& runs, size_t text_size) {
  const double share = 1.0 / static_cast<double>(text_size);
  double score = 0;
  size_t seen = 0;
  for (const auto& run : runs) {
    const size_t length = run.end - run.begin;
    score -= static_cast<double>(run.begin - seen) * share;
    score += static_cast<double>(length * length);
    seen = run.end;
  }
  return score - static_cast<double>(text_size - seen) * share * 0.5;
}

// The characters that two texts have in common at places close to each other, in the order of each.
struct SharedCharacters {
  std::u32string in_first, in_second;
};

SharedCharacters Share(const std::u32string& first, const std::u32string& second) {
  constexpr char32_t kTaken = 0xffffffff;  // no character
  const size_t reach = std::max<size_t>(std::max(first.size(), second.size()) / 2, 1) - 1;
  SharedCharacters out;
  std::u32string left = second;
  std::vector<size_t> places;
  for (size_t i = 0; i < first.size(); ++i) {
    const size_t from = i > reach ? i - reach : 0;
    if (from >= left.size()) break;
    const size_t at = std::u32string_view(left).substr(from, i + reach + 1 - from).find(first[i]);
    if (at == std::u32string_view::npos) continue;
    out.in_first += first[i];
    places.push_back(from + at);
    left[from + at] = kTaken;
  }
  std::sort(places.begin(), places.end());
  for (const size_t place : places) out.in_second += second[place];
  return out;
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
  const auto [in_shorter, in_longer] = Share(shorter, longer);
  if (in_shorter.empty()) return 0;
  const auto common = static_cast<double>(in_shorter.size());
  const double moved = std::inner_product(in_shorter.begin(), in_shorter.end(), in_longer.begin(), 0.0, std::plus<>(),
                                          std::not_equal_to<>());
  const double jaro = (common / static_cast<double>(shorter.size()) + common / static_cast<double>(longer.size()) +
                       (common - moved / 2) / common) /
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
  std::vector<Run> runs;
  for (size_t start = in.find(wanted[0]); start != std::u32string::npos && start + wanted.size() <= in.size();
       start = in.find(wanted[0], start + 1)) {
    if (!FindRuns(wanted, in, start, runs)) break;  // nor would it from a later start
    best = std::max(best, RunScore(runs, in.size()));
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
