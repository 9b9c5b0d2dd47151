// Regular expressions that may match anywhere in a text, with Go's meaning of replacing: for templates.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace epi {

// Immutable and thread-safe.
class SearchRegex {
 public:
  // kInvalid with Go's text.
  static Result<std::shared_ptr<const SearchRegex>> Compile(std::string_view pattern);
  ~SearchRegex();
  bool Matches(std::string_view text) const;
  // Replaces every match, as Go's Regexp.ReplaceAllString: $1, ${1}, ${name} and $$ in `replacement`. kLimit when the
  // result would pass `max_bytes`.
  Result<std::string> ReplaceAll(std::string_view text, std::string_view replacement, size_t max_bytes) const;

 private:
  SearchRegex();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace epi
