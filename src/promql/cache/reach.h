// What the answer of a range query at one step depends on: whether on nothing but the step, and on which times of the
// stored samples. Only then can the answer at a step be kept and put into another answer.
#pragma once

#include <optional>
#include <vector>

#include "model/sample.h"
#include "promql/engine/features.h"
#include "promql/parser/ast.h"
#include "promql/plan/plan.h"

namespace epi::promql {

struct Reach {
  // Selectors that move with the step: at step t samples in [t + low, t + high] are read.
  bool moving = false;
  int64_t low = 0;
  int64_t high = 0;
  // Selectors that stand still (@): samples in `fixed` are read, whatever the step.
  bool standing = false;
  TimeRange fixed;
  // What each selector reads over the whole query.
  std::vector<TimeRange> selectors;

  // What the steps from `first` to `last` read.
  TimeRange Read(TimestampMs first, TimestampMs last) const;
  // The latest step that reads nothing at or after `time`; no step does when this is min.
  TimestampMs LastStepBefore(TimestampMs time) const;
};

// Nothing when the answer at a step may depend on the bounds of the query, or on labels of series at other steps:
//  - start(), end(), range() and @ start(), @ end();
//  - what looks at all series of the range at once: label_replace, label_join, info, selectors that do not name one
//    metric (series may become equal when the name is dropped, which is an error even at different steps), and `or`
//    under a minus sign or in a subquery;
//  - native histograms read without buckets, whose resets are found between all samples read; anchored and smoothed
//    selectors;
//  - features that change names or samples at the end of the query.
// Nothing either for queries that read nothing. `plan` is of the whole query, from `start` to `end`.
std::optional<Reach> FindReach(const Expr& expr, const PlanNode& plan, TimestampMs start, TimestampMs end,
                               const FeatureSwitches& features);

}  // namespace epi::promql
