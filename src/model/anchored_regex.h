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
class AnchoredRegex {
 public:
  static Result<std::shared_ptr<const AnchoredRegex>> Compile(std::string_view pattern);
  ~AnchoredRegex();
  bool Matches(std::string_view text) const;
  const std::string& pattern() const;
  const std::vector<std::string>& set_matches() const;  // see Matcher::SetMatches
  const std::string& prefix() const;                    // see Matcher::Prefix
  // Replaces the whole of `text` by `replacement` ($1, ${1}, ${name}, $$ as in Go's Regexp.Expand). False, and out
  // untouched, when `text` does not match. Used by relabeling and label_replace.
  bool Expand(std::string_view text, std::string_view replacement, std::string& out) const;

 private:
  AnchoredRegex();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace epi
