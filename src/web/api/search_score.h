// How well a name fits what somebody types: the scorers of the search endpoints. Scores are in [0, 1]; lengths and
// positions are counted in code points.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epi::web {

// Where the term first occurs: 1 at the front, falling to 0.1 at the end. Nothing when it does not occur.
std::optional<double> SubstringScore(std::string_view term, std::string_view value);
// Jaro-Winkler similarity with the usual prefix bonus (4 characters, 0.1 each).
double JaroWinklerScore(std::string_view a, std::string_view b);
// Characters of the term in their order: long runs count by their squares, gaps cost. 1 only for equal texts, 0 when
// they do not all occur. Greedy from each possible start; not the best of all matches.
double SubsequenceScore(std::string_view term, std::string_view text);

enum class FuzzyAlgorithm : unsigned char { kSubsequence, kJaroWinkler };

// All that a search asks of one value. Immutable.
class SearchFilter {
 public:
  // Empty terms are left out. `threshold` is in [0, 1].
  SearchFilter(const std::vector<std::string_view>& terms, double threshold, FuzzyAlgorithm algorithm,
               bool case_sensitive);
  // The best score of any term, or nothing when no term accepts the value; 1 without terms.
  std::optional<double> Score(std::string_view value) const;

 private:
  std::optional<double> TermScore(const std::string& term, std::string_view value) const;

  std::vector<std::string> terms_;
  double threshold_;
  FuzzyAlgorithm algorithm_;
  bool case_sensitive_;
};

}  // namespace epi::web
