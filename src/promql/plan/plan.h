// The logical plan of one query: the syntax tree with everything decided that depends on the query's time, and without
// what means nothing to evaluation (parentheses, unary plus, duration expressions).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/matcher.h"
#include "model/sample.h"
#include "promql/engine/steps.h"
#include "promql/parser/ast.h"
#include "promql/parser/function_signatures.h"
#include "storage/view.h"

namespace epi::promql {

enum class PlanKind : unsigned char {
  kNumber,
  kString,
  kSelector,       // instant vector selector
  kRangeSelector,  // range vector selector
  kSubquery,       // child: expression
  kCall,           // children: arguments
  kAggregate,      // children: expression, then the parameter if there is one
  kBinary,         // children: left, right
  kNegate,         // child
  kStepInvariant,  // child: the same at every step, evaluated once
};

struct PlanNode;
using PlanPtr = std::unique_ptr<PlanNode>;

struct PlanNode {
  PlanKind kind = PlanKind::kNumber;
  ValueType type = ValueType::kScalar;
  PositionRange pos;
  std::vector<PlanPtr> children;

  double number = 0;  // kNumber
  std::string text;   // kString

  // kSelector, kRangeSelector, and, but for matchers and hints, kSubquery. Times as the query has them.
  std::vector<Matcher> matchers;
  int64_t range_ms = 0;
  int64_t step_ms = 0;  // kSubquery: resolved, never 0
  int64_t offset_ms = 0;
  std::optional<TimestampMs> at;
  bool anchored = false;
  bool smoothed = false;
  bool is_info_labels = false;
  bool histogram_stats = false;  // only count and sum of native histograms matter
  SelectHints hints;

  const Function* function = nullptr;  // kCall

  AggregateOp aggregate = AggregateOp::kSum;  // kAggregate
  std::vector<std::string> grouping;
  bool without = false;

  BinaryOp op = BinaryOp::kAdd;  // kBinary
  bool return_bool = false;
  std::optional<VectorMatching> matching;  // both sides are vectors
};

struct PlanContext {
  TimestampMs start = 0;
  TimestampMs end = 0;
  int64_t step_ms = 0;  // 0: instant
  int64_t lookback_ms = 0;
  int64_t default_step_ms = 0;
};

// From syntax to plan, through the passes below in their order. kInvalid for duration expressions that make no
// duration.
Result<PlanPtr> MakePlan(const Expr& expr, const PlanContext& context);

// Passes. Each is given the whole tree.

// start(), end(), range() and step() have become numbers, and durations and @ start()/end() times, while the tree was
// built. This one wraps the largest parts whose value is the same at every step.
void WrapStepInvariants(PlanPtr& plan);
// Marks the selectors of whose native histograms only count and sum are used. Prometheus reads these without buckets,
// which shows: counter resets are then found between all samples read, and stand in the hints.
void MarkHistogramStats(PlanNode& plan);
// What is read from storage for each selector: time range, and what Prometheus tells storage beside.
void AssignSelectHints(PlanNode& plan, const PlanContext& context);

// The times that selectors of the plan read.
TimeRange ReadRange(const PlanNode& plan);

// One line a node, children indented: for explain and tests.
std::string Describe(const PlanNode& plan);
// The line of the node alone, and with it those of range selectors below it, which are no operators of their own.
std::string DescribeOperator(const PlanNode& node);

}  // namespace epi::promql
