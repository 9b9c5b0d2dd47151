// Prometheus's regular expressions: RE2 syntax, anchored at both ends, dot matches newline; literal, set, prefix,
// suffix and contains forms are recognised and answered without the automaton.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace epi {

// Immutable and thread-safe.
//
// Syntax is Go's. It differs from RE2's in little: \C is refused, (?<name>…) is accepted. Two differences stay: the
// automaton lets '.' match only whole UTF-8 characters (Go takes a broken byte for one character), and the limit on the
// size of an expression is RE2's memory budget instead of Go's instruction count.
class AnchoredRegex {
 public:
  // How the anchors are put on, which shows in unbalanced patterns and in what an error text quotes.
  enum class Form : unsigned char {
    kMatcher,  // the pattern is an expression by itself: label matchers
    kWrapped,  // the pattern is put into ^(?s:…)$ as text: relabeling, label_replace
  };
  // kInvalid with Go's text, "error parsing regexp: missing closing ): `foo(`", when the pattern is none.
  static Result<std::shared_ptr<const AnchoredRegex>> Compile(std::string_view pattern, Form form = Form::kMatcher);
  // Matches these texts and no others, as the alternation of them, quoted, would; without the cost of compiling it.
  static std::shared_ptr<const AnchoredRegex> OneOf(std::vector<std::string> texts);
  ~AnchoredRegex();
  bool Matches(std::string_view text) const;
  const std::string& pattern() const;
  const std::vector<std::string>& set_matches() const;  // see Matcher::SetMatches
  const std::string& prefix() const;                    // see Matcher::Prefix
  // Replaces the whole of `text` by `replacement` ($1, ${1}, ${name}, $$ as in Go's Regexp.Expand). False, and out
  // untouched, when `text` does not match. Used by relabeling and label_replace.
  bool Expand(std::string_view text, std::string_view replacement, std::string& out) const;
  // The same for two templates at once, with one match; both outputs are replaced.
  bool ExpandBoth(std::string_view text, std::string_view first, std::string_view second, std::string& first_out,
                  std::string& second_out) const;

 private:
  AnchoredRegex();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace epi
