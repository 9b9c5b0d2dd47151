// What can be said about a regular expression without an automaton: most expressions in dashboards and configuration
// are literals, sets of literals, or literals joined by ".*". Their shape answers a match with a few comparisons, gives
// the index the finite set of strings to look up, and the prefix to walk a sorted dictionary by.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace epi {

struct RegexPart {
  enum class Kind : unsigned char {
    kLiteral,  // `text`; when `fold`, letters match both cases and `text` is lower case ASCII
    kGap,      // any characters, at least `min_bytes` (0 or 1)
    kOpaque,   // something not described here; matches an unknown set of strings
    kBegin,    // ^ (only while analysing)
    kEnd,      // $ (only while analysing)
  };
  Kind kind = Kind::kLiteral;
  bool fold = false;
  unsigned char min_bytes = 0;
  std::string text;
  friend bool operator==(const RegexPart&, const RegexPart&) = default;
};

using RegexSequence = std::vector<RegexPart>;

struct RegexShape {
  // A string matches the whole expression exactly when it matches one of these; with an opaque part in any of them they
  // are only necessary conditions. Never empty.
  std::vector<RegexSequence> alternatives;
  // Every matching string begins with this.
  std::string prefix;
  // No opaque part anywhere: alternatives decide by themselves.
  bool exact = false;
  // Anchors sit inside some alternatives and not in others; the set of strings is then not handed to an index.
  bool uneven_anchors = false;
  // A case-folding literal has a letter that also folds to a letter beyond ASCII (k and the Kelvin sign, s and long s):
  // alternatives decide only for texts that are ASCII throughout.
  bool ascii_text_only = false;
};

// `pattern` must be accepted by RE2 with dot matching newline; it is matched anchored at both ends.
RegexShape AnalyseRegex(std::string_view pattern);

// Whether the pattern is valid UTF-8 text without any special character but '|': a list of literals that needs no
// parsing.
bool IsLiteralAlternation(std::string_view pattern);

// Whether `text` as a whole matches the sequence, which has no opaque part.
bool MatchesSequence(const RegexSequence& sequence, std::string_view text);

// False when `text` surely does not match the sequence, opaque parts or not: its first and last literal decide.
bool MayMatchSequence(const RegexSequence& sequence, std::string_view text);

}  // namespace epi
