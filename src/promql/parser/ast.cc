#include "promql/parser/ast.h"

#include <array>

#include "promql/parser/function_signatures.h"

namespace epi::promql {
namespace {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

constexpr std::array<std::string_view, 5> kTypeNames{"none", "scalar", "vector", "matrix", "string"};
constexpr std::array<std::string_view, 5> kDocumentedTypeNames{"none", "scalar", "instant vector", "range vector",
                                                               "string"};
constexpr std::array<std::string_view, 18> kBinaryOpNames{
    "+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "<", "<=", ">", ">=", "</", ">/", "and", "or", "unless"};
constexpr std::array<std::string_view, 14> kAggregateOpNames{
    "sum",    "avg",  "count",   "min",          "max",      "group",  "stddev",
    "stdvar", "topk", "bottomk", "count_values", "quantile", "limitk", "limit_ratio"};
constexpr std::array<std::string_view, 11> kDurationOpNames{"",  "+",    "-",     "*",      "/",     "%",
                                                            "^", "step", "range", "min_of", "max_of"};
constexpr std::array<std::string_view, 4> kCardinalityNames{"one-to-one", "many-to-one", "one-to-many", "many-to-many"};

// Calls visit(ExprPtr&) for every child there is.
template <typename Node, typename Visit>
void ForEachChild(Node& node, const Visit& visit) {
  const auto present = [&visit](auto& child) {
    if (child != nullptr) visit(child);
  };
  std::visit(
      [&](auto& n) {
        using T = std::remove_cvref_t<decltype(n)>;
        if constexpr (std::is_same_v<T, BinaryExpr>) {
          present(n.lhs);
          present(n.rhs);
        } else if constexpr (std::is_same_v<T, AggregateExpr>) {
          present(n.expr);
          present(n.param);
        } else if constexpr (std::is_same_v<T, Call>) {
          for (auto& arg : n.args) present(arg);
        } else if constexpr (std::is_same_v<T, Subquery> || std::is_same_v<T, ParenExpr> ||
                             std::is_same_v<T, UnaryExpr>) {
          present(n.expr);
        }
      },
      node);
}

void TakeChildren(ExprNode& node, std::vector<ExprPtr>& out) {
  ForEachChild(node, [&out](ExprPtr& child) { out.push_back(std::move(child)); });
}

template <typename Pointer, typename Node>
std::vector<Pointer> ChildrenOf(Node& node) {
  std::vector<Pointer> out;
  ForEachChild(node, [&out](auto& child) { out.push_back(child.get()); });
  return out;
}

bool IsScalar(const ExprPtr& expr) { return expr != nullptr && expr->type == ValueType::kScalar; }
ValueType TypeOrNone(const ExprPtr& expr) { return expr == nullptr ? ValueType::kNone : expr->type; }

ValueType NodeType(const ExprNode& node) {
  // Scalars stay scalars through operators; everything else that is computed is an instant vector.
  return std::visit(
      Overloaded{
          [](const NumberLiteral&) { return ValueType::kScalar; },
          [](const StringLiteral&) { return ValueType::kString; },
          [](const VectorSelector&) { return ValueType::kVector; },
          [](const MatrixSelector&) { return ValueType::kMatrix; }, [](const Subquery&) { return ValueType::kMatrix; },
          [](const ParenExpr& n) { return TypeOrNone(n.expr); }, [](const UnaryExpr& n) { return TypeOrNone(n.expr); },
          [](const BinaryExpr& n) {
            return IsScalar(n.lhs) && IsScalar(n.rhs) ? ValueType::kScalar : ValueType::kVector;
          },
          [](const AggregateExpr&) { return ValueType::kVector; },
          [](const Call& n) { return n.function == nullptr ? ValueType::kNone : n.function->return_type; }},
      node);
}

ExprPtr CloneOrNull(const ExprPtr& expr) { return expr == nullptr ? nullptr : Clone(*expr); }
DurationExprPtr CloneOrNull(const DurationExprPtr& expr) { return expr == nullptr ? nullptr : Clone(*expr); }

NumberLiteral CloneNode(const NumberLiteral& n) { return n; }
StringLiteral CloneNode(const StringLiteral& n) { return n; }
VectorSelector CloneNode(const VectorSelector& n) { return Clone(n); }
MatrixSelector CloneNode(const MatrixSelector& n) {
  return {Clone(n.selector), n.selector_pos, n.range_ms, CloneOrNull(n.range_expr)};
}
Subquery CloneNode(const Subquery& n) {
  return {CloneOrNull(n.expr),      n.range_ms,   CloneOrNull(n.range_expr), n.step_ms,
          CloneOrNull(n.step_expr), Clone(n.time)};
}
ParenExpr CloneNode(const ParenExpr& n) { return {CloneOrNull(n.expr)}; }
UnaryExpr CloneNode(const UnaryExpr& n) { return {n.op, CloneOrNull(n.expr)}; }
BinaryExpr CloneNode(const BinaryExpr& n) {
  auto matching = n.matching == nullptr ? nullptr : std::make_unique<VectorMatching>(*n.matching);
  return {n.op, CloneOrNull(n.lhs), CloneOrNull(n.rhs), n.return_bool, std::move(matching), n.op_pos};
}
AggregateExpr CloneNode(const AggregateExpr& n) {
  return {n.op, CloneOrNull(n.expr), CloneOrNull(n.param), n.grouping, n.without};
}
Call CloneNode(const Call& n) {
  Call out;
  out.function = n.function;
  for (const ExprPtr& arg : n.args) out.args.push_back(CloneOrNull(arg));
  return out;
}

}  // namespace

std::string_view ValueTypeName(ValueType type) { return kTypeNames[static_cast<size_t>(type)]; }
std::string_view DocumentedValueTypeName(ValueType type) { return kDocumentedTypeNames[static_cast<size_t>(type)]; }
std::string_view BinaryOpName(BinaryOp op) { return kBinaryOpNames[static_cast<size_t>(op)]; }
std::string_view AggregateOpName(AggregateOp op) { return kAggregateOpNames[static_cast<size_t>(op)]; }
std::string_view DurationOpName(DurationExpr::Op op) { return kDurationOpNames[static_cast<size_t>(op)]; }
std::string_view MatchCardinalityName(MatchCardinality card) { return kCardinalityNames[static_cast<size_t>(card)]; }

DurationExpr::~DurationExpr() {
  std::vector<DurationExprPtr> pending;
  const auto take = [&pending](DurationExpr& from) {
    if (from.lhs != nullptr) pending.push_back(std::move(from.lhs));
    if (from.rhs != nullptr) pending.push_back(std::move(from.rhs));
  };
  take(*this);
  while (!pending.empty()) {
    const DurationExprPtr expr = std::move(pending.back());
    pending.pop_back();
    take(*expr);
  }
}

Expr::~Expr() {
  std::vector<ExprPtr> pending;
  TakeChildren(node, pending);
  while (!pending.empty()) {
    const ExprPtr expr = std::move(pending.back());
    pending.pop_back();
    TakeChildren(expr->node, pending);
  }
}

ExprPtr MakeExpr(PositionRange pos, ExprNode node) {
  auto expr = std::make_unique<Expr>();
  expr->pos = pos;
  expr->type = NodeType(node);
  expr->node = std::move(node);
  return expr;
}

const Expr& WithoutParens(const Expr& expr) {
  const Expr* at = &expr;
  while (const auto* paren = at->As<ParenExpr>()) at = paren->expr.get();
  return *at;
}

std::vector<const Expr*> Children(const Expr& expr) { return ChildrenOf<const Expr*>(expr.node); }
std::vector<Expr*> Children(Expr& expr) { return ChildrenOf<Expr*>(expr.node); }

ExprPtr Clone(const Expr& expr) {
  return std::visit([&](const auto& node) { return MakeExpr(expr.pos, CloneNode(node)); }, expr.node);
}

DurationExprPtr Clone(const DurationExpr& expr) {
  auto out = std::make_unique<DurationExpr>();
  out->op = expr.op;
  out->value = expr.value;
  out->is_duration = expr.is_duration;
  out->wrapped = expr.wrapped;
  out->lhs = CloneOrNull(expr.lhs);
  out->rhs = CloneOrNull(expr.rhs);
  out->pos = expr.pos;
  return out;
}

TimeModifiers Clone(const TimeModifiers& time) {
  return {time.offset_ms, CloneOrNull(time.offset_expr), time.timestamp_ms, time.at};
}

VectorSelector Clone(const VectorSelector& n) {
  return {n.name, n.matchers, Clone(n.time), n.anchored, n.smoothed, n.is_info_labels};
}

}  // namespace epi::promql
