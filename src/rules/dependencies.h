// Which rules of a group read what earlier ones write, found in their expressions.
#pragma once

#include <memory>
#include <vector>

#include "rules/rule.h"

namespace epi::rules {

// Indices into the group's rules.
struct RuleDependencies {
  struct Links {
    std::vector<size_t> reads;    // earlier rules whose output this one may read
    std::vector<size_t> read_by;  // later rules that may read this one's output
  };
  std::vector<Links> rules;
  // A selector without a metric name may read anything: every rule then stands behind all before it.
  bool indeterminate = false;

  bool HasDependencies(size_t i) const { return indeterminate || !rules[i].reads.empty(); }
  bool HasDependents(size_t i) const { return indeterminate || !rules[i].read_by.empty(); }
  // Rules in the order of evaluation: batches one after the other, the rules of one batch at the same time.
  std::vector<std::vector<size_t>> Batches() const;
};

// Whether some selector of `reader` may find what `writer` writes, wherever the two stand. One without a metric name
// may find anything.
bool MayRead(const Rule& reader, const Rule& writer);

RuleDependencies AnalyseDependencies(const std::vector<std::shared_ptr<Rule>>& rules);

}  // namespace epi::rules
