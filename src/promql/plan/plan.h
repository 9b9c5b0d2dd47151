// The logical plan of one query: the syntax tree with everything decided that depends on the query's time, and without
// what means nothing to evaluation (parentheses, unary plus, duration expressions).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
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
  PlanPtr folded;     // kNumber: the part of the query that this is the value of; null for a literal
  std::string text;   // kString

  // kSelector, kRangeSelector, and, but for matchers and hints, kSubquery. Times as the query has them.
  std::vector<Matcher> matchers;
  size_t pushed = 0;  // that many of the matchers, the last ones, came from the other side of a join
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

  // The only labels that anything above looks at, none of them __name__, __type__ or __unit__; nothing: all may matter.
  std::optional<std::vector<std::string>> needed_labels;
};

struct PlanContext {
  TimestampMs start = 0;
  TimestampMs end = 0;
  int64_t step_ms = 0;  // 0: instant
  int64_t lookback_ms = 0;
  int64_t default_step_ms = 0;
  bool type_and_unit_labels = false;
  bool optimize = true;  // false: without the passes that change nothing but cost
  bool use_start_timestamps = false;
  bool native_histograms = true;  // false: what is read holds none
};

// How often a pass found something to do, for explain.
struct PassReport {
  std::string_view name;  // a literal
  size_t changes = 0;
};

// From syntax to plan, through the passes below in their order. kInvalid for duration expressions that make no
// duration. `reports`, when given, receives a line for each pass that ran.
Result<PlanPtr> MakePlan(const Expr& expr, const PlanContext& context, std::vector<PassReport>* reports = nullptr);

// Passes. Each is given the whole tree and answers how many places it changed. Common subexpressions are found after
// them, see subtrees.h.

// start(), end(), range() and step() have become numbers, and durations and @ start()/end() times, while the tree was
// built. This one wraps the largest parts whose value is the same at every step.
size_t WrapStepInvariants(PlanPtr& plan);
// Replaces the largest parts that are made of numbers alone by their value.
size_t FoldConstants(PlanPtr& plan);
// Hands matchers to the other side of joins, where series that fail them can match nothing.
size_t PushMatchers(PlanNode& plan, const PlanContext& context);
// Notes, for what is below aggregations, that only the grouping labels are looked at.
size_t ProjectLabels(PlanNode& plan);
// Marks the selectors of whose native histograms only count and sum are used. Prometheus reads these without buckets,
// which shows: counter resets are then found between all samples read, and stand in the hints.
size_t MarkHistogramStats(PlanNode& plan);
// What is read from storage for each selector: time range, and what Prometheus tells storage beside.
void AssignSelectHints(PlanNode& plan, const PlanContext& context);

// Whether the series of this vector are those of one selector, and that one fixes the metric name: then labels differ
// without __name__ too, unless __type__ or __unit__ make the difference. False for vectors that are joined, grouped or
// relabeled.
bool HasOneName(const PlanNode& node);
// The child of a node that its output has one series for each series of (but not a join's): the vector an elementwise
// operator or function maps, the range of a range function, what a subquery evaluates. Null: there is none such.
const PlanNode* MappedChild(const PlanNode& node);

// The times that selectors of the plan read.
TimeRange ReadRange(const PlanNode& plan);

// One line a node, children indented: for explain and tests.
std::string Describe(const PlanNode& plan);
// The line of the node alone, and with it those of range selectors below it, which are no operators of their own.
std::string DescribeOperator(const PlanNode& node);

}  // namespace epi::promql
