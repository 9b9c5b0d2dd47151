// Label matchers: =, !=, =~ and !~ over one label. Regular expressions are RE2's, anchored at both ends, dot matches
// newline.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace epi {

enum class MatchType : unsigned char { kEqual, kNotEqual, kRegexp, kNotRegexp };

std::string_view MatchTypeSymbol(MatchType type);  // "=", "!=", "=~", "!~"

class AnchoredRegex;

// Immutable; copies share the compiled expression. Thread-safe.
class Matcher {
 public:
  // kInvalid, with Prometheus's text, when the regular expression does not compile.
  static Result<Matcher> Make(MatchType type, std::string name, std::string value);
  static Matcher Equal(std::string name, std::string value);
  // name=~"a|b|c" for these values, quoted where they need it. Cheap for very many.
  static Matcher OneOf(std::string name, std::vector<std::string> values);
  // The matcher that selects exactly what this one does not: = and !=, =~ and !~ change places.
  Matcher Inverse() const;

  MatchType type() const { return type_; }
  const std::string& name() const { return name_; }
  const std::string& value() const { return value_; }
  // Whether a series whose label has this value ("" when absent) is selected.
  bool Matches(std::string_view value) const;
  bool MatchesEmpty() const { return Matches({}); }
  bool negative() const { return type_ == MatchType::kNotEqual || type_ == MatchType::kNotRegexp; }
  // For =~ and !~: all strings the expression matches, when it is a small finite set ("a|b|c"); empty otherwise.
  std::span<const std::string> SetMatches() const;
  // For =~ and !~: what every matched string begins with, so that a sorted dictionary can be walked by range; may be
  // empty.
  std::string_view Prefix() const;
  std::string ToString() const;  // name="value", as PromQL prints it
  friend bool operator==(const Matcher& a, const Matcher& b) {
    return a.type_ == b.type_ && a.name_ == b.name_ && a.value_ == b.value_;
  }

 private:
  Matcher(MatchType type, std::string name, std::string value, std::shared_ptr<const AnchoredRegex> regex);
  std::string name_;
  std::string value_;
  std::shared_ptr<const AnchoredRegex> regex_;  // only for =~ and !~
  MatchType type_;
};

}  // namespace epi
