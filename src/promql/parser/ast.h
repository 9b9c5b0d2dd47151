// The syntax tree of PromQL as Prometheus 3.14 has it: what the parser makes, the printers print and the engine
// evaluates.
//
// A tree is plain data owned from the root down. It is immutable by agreement once parsed, apart from
// ResolveDurations() (duration_expr.h). Reading one tree from several threads is safe. All recursion over a tree is
// bounded, because the parser refuses trees higher than ParseOptions::max_depth.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/matcher.h"

namespace epi::promql {

struct Function;  // function_signatures.h

// Byte offsets into the parsed text, [start, end).
struct PositionRange {
  int32_t start = 0;
  int32_t end = 0;
  friend bool operator==(const PositionRange&, const PositionRange&) = default;
};

enum class ValueType : unsigned char { kNone, kScalar, kVector, kMatrix, kString };
std::string_view ValueTypeName(ValueType type);  // "none", "scalar", "vector", "matrix", "string": API and JSON
std::string_view DocumentedValueTypeName(ValueType type);  // "instant vector", "range vector", …: error texts

enum class BinaryOp : unsigned char {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kAtan2,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kTrimUpper,  // </ : drop histogram observations above the scalar
  kTrimLower,  // >/ : drop histogram observations below the scalar
  kAnd,
  kOr,
  kUnless,
};
std::string_view BinaryOpName(BinaryOp op);  // as written: "+", "==", "</", "atan2", "and"
inline bool IsComparison(BinaryOp op) { return op >= BinaryOp::kEqual && op <= BinaryOp::kGreaterEqual; }
inline bool IsSetOperator(BinaryOp op) { return op >= BinaryOp::kAnd; }

enum class AggregateOp : unsigned char {
  kSum,
  kAvg,
  kCount,
  kMin,
  kMax,
  kGroup,
  kStddev,
  kStdvar,
  kTopk,
  kBottomk,
  kCountValues,
  kQuantile,
  kLimitk,
  kLimitRatio,
};
std::string_view AggregateOpName(AggregateOp op);  // "sum", "limit_ratio", …
inline bool HasParameter(AggregateOp op) { return op >= AggregateOp::kTopk; }
inline bool IsExperimental(AggregateOp op) { return op >= AggregateOp::kLimitk; }

enum class UnaryOp : unsigned char { kPlus, kMinus };

// The argument of @ when it is not a number.
enum class AtPreprocessor : unsigned char { kNone, kStart, kEnd };

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

// A duration expression, in ranges, subquery steps and offsets. Values are seconds.
struct DurationExpr;
using DurationExprPtr = std::unique_ptr<DurationExpr>;
struct DurationExpr {
  enum class Op : unsigned char { kNumber, kAdd, kSub, kMul, kDiv, kMod, kPow, kStep, kRange, kMinOf, kMaxOf };
  Op op = Op::kNumber;
  double value = 0;          // kNumber: seconds
  bool is_duration = false;  // kNumber: written as a duration (5m), not as a number (300)
  bool wrapped = false;      // written in parentheses
  DurationExprPtr lhs;       // absent for kNumber, kStep, kRange and for a sign
  DurationExprPtr rhs;       // absent for kNumber, kStep, kRange
  PositionRange pos;

  DurationExpr() = default;
  ~DurationExpr();  // without recursion
  DurationExpr(DurationExpr&&) = default;
  DurationExpr& operator=(DurationExpr&&) = default;
};
std::string_view DurationOpName(DurationExpr::Op op);  // "+", …, "step", "min_of"

struct NumberLiteral {
  double value = 0;
  bool is_duration = false;  // written as a duration (5m = 300)
};

struct StringLiteral {
  std::string value;  // unquoted; any bytes
};

// What offset, @ say about a selector or subquery.
struct TimeModifiers {
  int64_t offset_ms = 0;        // a literal offset, or what ResolveDurations() made of offset_expr
  DurationExprPtr offset_expr;  // when the offset is not a literal
  std::optional<int64_t> timestamp_ms;
  AtPreprocessor at = AtPreprocessor::kNone;
};

struct VectorSelector {
  std::string name;               // when written outside the braces; it is among the matchers too
  std::vector<Matcher> matchers;  // in the order written, the outer name last
  TimeModifiers time;
  bool anchored = false;
  bool smoothed = false;
  bool is_info_labels =
      false;  // second argument of info(): labels to add, not a selector that needs a non-empty matcher
};

// Carries the selector's offset, @, anchored and smoothed inside `selector`.
struct MatrixSelector {
  VectorSelector selector;
  PositionRange selector_pos;  // of name and braces alone
  int64_t range_ms = 0;        // a literal range, or what ResolveDurations() made of range_expr
  DurationExprPtr range_expr;
};

struct Subquery {
  ExprPtr expr;
  int64_t range_ms = 0;
  DurationExprPtr range_expr;
  int64_t step_ms = 0;  // 0: not written, the global evaluation interval counts
  DurationExprPtr step_expr;
  TimeModifiers time;
};

struct ParenExpr {
  ExprPtr expr;
};

struct UnaryExpr {
  UnaryOp op = UnaryOp::kPlus;
  ExprPtr expr;
};

enum class MatchCardinality : unsigned char { kOneToOne, kManyToOne, kOneToMany, kManyToMany };
std::string_view MatchCardinalityName(MatchCardinality card);  // "one-to-one", …

struct VectorMatching {
  MatchCardinality card = MatchCardinality::kOneToOne;  // group_left: kManyToOne; set operators: kManyToMany
  bool on = false;                                      // on(labels), otherwise ignoring(labels)
  std::vector<std::string> labels;
  std::vector<std::string> include;  // of group_left / group_right
  std::optional<double> fill_left;   // value for a series missing on the left side
  std::optional<double> fill_right;
};

struct BinaryExpr {
  BinaryOp op = BinaryOp::kAdd;
  ExprPtr lhs;
  ExprPtr rhs;
  bool return_bool = false;
  std::unique_ptr<VectorMatching> matching;  // exactly when both sides are instant vectors
  PositionRange op_pos;                      // of operator and modifiers, for error texts
};

struct AggregateExpr {
  AggregateOp op = AggregateOp::kSum;
  ExprPtr expr;
  ExprPtr param;  // exactly when HasParameter(op)
  std::vector<std::string> grouping;
  bool without = false;
};

struct Call {
  const Function* function = nullptr;  // of the table; lives for the whole process
  std::vector<ExprPtr> args;
};

using ExprNode = std::variant<NumberLiteral, StringLiteral, VectorSelector, MatrixSelector, Subquery, ParenExpr,
                              UnaryExpr, BinaryExpr, AggregateExpr, Call>;

struct Expr {
  PositionRange pos;
  ValueType type = ValueType::kNone;  // what evaluating gives
  ExprNode node;

  Expr() = default;
  ~Expr();  // without recursion
  Expr(Expr&&) = default;
  Expr& operator=(Expr&&) = default;

  template <typename T>
  const T* As() const {
    return std::get_if<T>(&node);
  }
  template <typename T>
  T* As() {
    return std::get_if<T>(&node);
  }
};

// The type follows from the children's, so they are complete by now.
ExprPtr MakeExpr(PositionRange pos, ExprNode node);

inline ValueType TypeOf(const Expr& expr) { return expr.type; }

// The expression inside any number of parentheses.
const Expr& WithoutParens(const Expr& expr);

// Direct children, in evaluation order (an aggregation's parameter after its expression, as Prometheus walks).
std::vector<const Expr*> Children(const Expr& expr);
std::vector<Expr*> Children(Expr& expr);

ExprPtr Clone(const Expr& expr);
DurationExprPtr Clone(const DurationExpr& expr);
VectorSelector Clone(const VectorSelector& selector);
TimeModifiers Clone(const TimeModifiers& time);

// Calls visit(const Expr&) for every node, parents first.
template <typename Visit>
void Walk(const Expr& expr, const Visit& visit) {
  visit(expr);
  for (const Expr* child : Children(expr)) Walk(*child, visit);
}

}  // namespace epi::promql
