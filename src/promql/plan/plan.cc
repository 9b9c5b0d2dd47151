#include "promql/plan/plan.h"

#include <algorithm>
#include <limits>

#include "model/label_names.h"
#include "model/number_format.h"
#include "promql/functions/elementwise.h"
#include "promql/functions/native_histogram.h"
#include "promql/functions/range_kernel.h"
#include "promql/parser/duration_expr.h"

namespace epi::promql {
namespace {

class Builder {
 public:
  explicit Builder(const PlanContext& context) : context_(context), durations_{context.step_ms, Length(context)} {}

  Result<PlanPtr> Build(const Expr& expr) {
    return std::visit([&](const auto& node) { return Convert(expr, node); }, expr.node);
  }

 private:
  static int64_t Length(const PlanContext& context) {
    const uint64_t length = static_cast<uint64_t>(context.end) - static_cast<uint64_t>(context.start);
    return static_cast<int64_t>(std::min<uint64_t>(length, std::numeric_limits<int64_t>::max()));
  }

  static PlanPtr Node(PlanKind kind, const Expr& expr) {
    auto node = std::make_unique<PlanNode>();
    node->kind = kind;
    node->type = TypeOf(expr);
    node->pos = expr.pos;
    return node;
  }

  Result<void> AddChild(PlanNode& parent, const Expr& child) {
    EPI_ASSIGN(PlanPtr built, Build(child));
    parent.children.push_back(std::move(built));
    return {};
  }

  Result<int64_t> Duration(int64_t literal, const DurationExprPtr& expr, bool allow_negative) const {
    if (expr == nullptr) return literal;
    return EvaluateDuration(*expr, durations_, allow_negative);
  }

  Result<void> SetTime(const TimeModifiers& time, PlanNode& node) const {
    EPI_ASSIGN(node.offset_ms, Duration(time.offset_ms, time.offset_expr, true));
    node.at = time.timestamp_ms;
    if (time.at == AtPreprocessor::kStart) node.at = context_.start;
    if (time.at == AtPreprocessor::kEnd) node.at = context_.end;
    // There are no samples so far away, and nearer no sum of offsets and ranges (292 years each at most) can overflow.
    constexpr TimestampMs kFarAway = TimestampMs{1} << 61;
    if (node.at) node.at = std::clamp(*node.at, -kFarAway, kFarAway);
    return {};
  }

  Result<PlanPtr> Convert(const Expr& expr, const NumberLiteral& literal) {
    PlanPtr node = Node(PlanKind::kNumber, expr);
    node->number = literal.value;
    return node;
  }

  Result<PlanPtr> Convert(const Expr& expr, const StringLiteral& literal) {
    PlanPtr node = Node(PlanKind::kString, expr);
    node->text = literal.value;
    return node;
  }

  Result<PlanPtr> Convert(const Expr& expr, const VectorSelector& selector) {
    PlanPtr node = Node(PlanKind::kSelector, expr);
    node->matchers = selector.matchers;
    node->anchored = selector.anchored;
    node->smoothed = selector.smoothed;
    node->is_info_labels = selector.is_info_labels;
    EPI_TRY(SetTime(selector.time, *node));
    return node;
  }

  Result<PlanPtr> Convert(const Expr& expr, const MatrixSelector& selector) {
    PlanPtr node = Node(PlanKind::kRangeSelector, expr);
    node->matchers = selector.selector.matchers;
    node->anchored = selector.selector.anchored;
    node->smoothed = selector.selector.smoothed;
    EPI_TRY(SetTime(selector.selector.time, *node));
    EPI_ASSIGN(node->range_ms, Duration(selector.range_ms, selector.range_expr, false));
    return node;
  }

  Result<PlanPtr> Convert(const Expr& expr, const Subquery& subquery) {
    PlanPtr node = Node(PlanKind::kSubquery, expr);
    EPI_TRY(SetTime(subquery.time, *node));
    EPI_ASSIGN(node->step_ms, Duration(subquery.step_ms, subquery.step_expr, false));
    if (node->step_ms == 0) node->step_ms = context_.default_step_ms;
    node->step_ms = std::max<int64_t>(node->step_ms, 1);
    EPI_ASSIGN(node->range_ms, Duration(subquery.range_ms, subquery.range_expr, false));
    EPI_TRY(AddChild(*node, *subquery.expr));
    return node;
  }

  Result<PlanPtr> Convert(const Expr&, const ParenExpr& paren) { return Build(*paren.expr); }

  Result<PlanPtr> Convert(const Expr& expr, const UnaryExpr& unary) {
    if (unary.op == UnaryOp::kPlus) return Build(*unary.expr);
    PlanPtr node = Node(PlanKind::kNegate, expr);
    EPI_TRY(AddChild(*node, *unary.expr));
    return node;
  }

  Result<PlanPtr> Convert(const Expr& expr, const BinaryExpr& binary) {
    PlanPtr node = Node(PlanKind::kBinary, expr);
    node->op = binary.op;
    node->return_bool = binary.return_bool;
    if (binary.matching) node->matching = *binary.matching;
    EPI_TRY(AddChild(*node, *binary.lhs));
    EPI_TRY(AddChild(*node, *binary.rhs));
    return node;
  }

  Result<PlanPtr> Convert(const Expr& expr, const AggregateExpr& aggregate) {
    PlanPtr node = Node(PlanKind::kAggregate, expr);
    node->aggregate = aggregate.op;
    node->grouping = aggregate.grouping;
    node->without = aggregate.without;
    EPI_TRY(AddChild(*node, *aggregate.expr));
    if (aggregate.param) EPI_TRY(AddChild(*node, *aggregate.param));
    return node;
  }

  Result<PlanPtr> Convert(const Expr& expr, const Call& call) {
    if (const auto constant = QueryConstant(call.function->id)) {
      PlanPtr number = Node(PlanKind::kNumber, expr);
      number->number = *constant;
      return number;
    }
    PlanPtr node = Node(PlanKind::kCall, expr);
    node->function = call.function;
    for (const auto& arg : call.args) EPI_TRY(AddChild(*node, *arg));
    return node;
  }

  std::optional<double> QueryConstant(FunctionId id) const {
    switch (id) {
      case FunctionId::kStart:
        return static_cast<double>(context_.start) / 1000;
      case FunctionId::kEnd:
        return static_cast<double>(context_.end) / 1000;
      case FunctionId::kRange:
        return static_cast<double>(durations_.range_ms) / 1000;
      case FunctionId::kStep:
        return context_.start == context_.end ? 0 : static_cast<double>(context_.step_ms) / 1000;
      default:
        return std::nullopt;
    }
  }

  const PlanContext& context_;
  const DurationContext durations_;
};

std::string_view KindName(PlanKind kind) {
  static constexpr std::string_view kNames[] = {"number", "string",    "selector", "range selector", "subquery",
                                                "call",   "aggregate", "binary",   "negate",         "step invariant"};
  return kNames[static_cast<size_t>(kind)];
}

void DescribeNode(const PlanNode& node, std::string& out) {
  out += KindName(node.kind);
  if (node.function != nullptr) out.append(" ").append(node.function->name);
  if (node.kind == PlanKind::kAggregate) out.append(" ").append(AggregateOpName(node.aggregate));
  if (node.kind == PlanKind::kBinary) out.append(" ").append(BinaryOpName(node.op));
  if (node.kind == PlanKind::kNumber) out += " " + FormatFloatGeneral(node.number);
  if (node.folded != nullptr) out += " folded";
  for (size_t i = 0; i < node.matchers.size(); ++i) {
    out += i + node.pushed < node.matchers.size() ? " " : " from the join ";
    out += node.matchers[i].ToString();
  }
  const bool reads = node.kind == PlanKind::kSelector || node.kind == PlanKind::kRangeSelector;
  if (!reads || !node.needed_labels) return;
  out += " for";
  if (node.needed_labels->empty()) out += " no labels";
  for (const auto& label : *node.needed_labels) out += " " + label;
}

void DescribeInto(const PlanNode& node, size_t depth, std::string& out) {
  out.append(depth * 2, ' ');
  DescribeNode(node, out);
  out += '\n';
  for (const auto& child : node.children) DescribeInto(*child, depth + 1, out);
}

}  // namespace

Result<PlanPtr> MakePlan(const Expr& expr, const PlanContext& context, std::vector<PassReport>* reports) {
  EPI_ASSIGN(PlanPtr plan, Builder(context).Build(expr));
  const auto report = [&](std::string_view name, size_t changes) {
    if (reports != nullptr) reports->push_back({name, changes});
  };
  report("step invariants", WrapStepInvariants(plan));
  if (context.optimize) {
    report("constant folding", FoldConstants(plan));
    report("matcher push-down", PushMatchers(*plan, context));
    report("label projection", ProjectLabels(*plan));
  }
  report("histogram statistics", MarkHistogramStats(*plan));
  AssignSelectHints(*plan, context);
  return plan;
}

const PlanNode* MappedChild(const PlanNode& node) {
  const auto first_of = [&](auto fits) -> const PlanNode* {
    for (const auto& child : node.children) {
      if (fits(*child)) return child.get();
    }
    return nullptr;
  };
  const auto is_vector = [](const PlanNode& child) { return child.type == ValueType::kVector; };
  switch (node.kind) {
    case PlanKind::kNegate:
    case PlanKind::kSubquery:
    case PlanKind::kStepInvariant:
      return node.children[0].get();
    case PlanKind::kBinary:
      return node.matching ? nullptr : first_of(is_vector);
    case PlanKind::kCall:
      break;
    default:
      return nullptr;
  }
  const FunctionId id = node.function->id;
  if (FindRangeFunction(id) != nullptr && id != FunctionId::kAbsentOverTime) {
    return first_of([](const PlanNode& child) { return child.type == ValueType::kMatrix; });
  }
  const bool maps = FindElementFunction(id) != nullptr || FindHistogramKernel(id) != nullptr ||
                    id == FunctionId::kTimestamp || id == FunctionId::kSort || id == FunctionId::kSortDesc;
  return maps ? first_of(is_vector) : nullptr;
}

bool HasOneName(const PlanNode& node) {
  if (node.kind == PlanKind::kSelector || node.kind == PlanKind::kRangeSelector) {
    return std::any_of(node.matchers.begin(), node.matchers.end(), [](const Matcher& matcher) {
      return matcher.name() == kMetricName && matcher.type() == MatchType::kEqual && !matcher.value().empty();
    });
  }
  const PlanNode* mapped = MappedChild(node);
  return mapped != nullptr && HasOneName(*mapped);
}

TimeRange ReadRange(const PlanNode& plan) {
  TimeRange range{std::numeric_limits<TimestampMs>::max(), std::numeric_limits<TimestampMs>::min()};
  if (plan.kind == PlanKind::kSelector || plan.kind == PlanKind::kRangeSelector) range = plan.hints.range;
  for (const auto& child : plan.children) {
    const TimeRange inner = ReadRange(*child);
    range.min = std::min(range.min, inner.min);
    range.max = std::max(range.max, inner.max);
  }
  return range;
}

std::string Describe(const PlanNode& plan) {
  std::string out;
  DescribeInto(plan, 0, out);
  return out;
}

std::string DescribeOperator(const PlanNode& node) {
  std::string out;
  DescribeNode(node, out);
  for (const auto& child : node.children) {
    if (child->kind != PlanKind::kRangeSelector && child->kind != PlanKind::kSubquery) continue;
    out += " of ";
    DescribeNode(*child, out);
  }
  return out;
}

}  // namespace epi::promql
