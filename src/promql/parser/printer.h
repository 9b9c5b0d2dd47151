// Syntax tree back to text.
#pragma once

#include <string>

#include "base/result.h"
#include "promql/parser/ast.h"

namespace epi::promql {

// The canonical one-line form: `sum by (a, b) (x)`, `foo @ 1.000 offset 5m`. Parsing it again gives the same tree.
std::string ToString(const Expr& expr);
std::string ToString(const DurationExpr& expr);
std::string ToString(const VectorSelector& selector);

// The form of /api/v1/format_query: as ToString(), broken into indented lines where a node is longer than
// `max_characters_per_line`. kLimit when the result would be longer than `max_bytes`: indentation can multiply the size
// of a nested text.
Result<std::string> ToPrettyString(const Expr& expr, size_t max_characters_per_line = 100,
                                   size_t max_bytes = size_t{64} << 20);

// The tree as /api/v1/parse_query answers it: compact JSON, keys of each object in alphabetical order.
std::string ToAstJson(const Expr& expr);

namespace internal {

// Writes the pieces of a node's one-line form. Shared by the printers; stops early once `out` is longer than `limit`.
class Printer {
 public:
  explicit Printer(std::string& out, size_t limit = SIZE_MAX) : out_(out), limit_(limit) {}
  void Print(const Expr& expr);
  void Print(const DurationExpr& expr);
  void PrintSelector(const VectorSelector& selector);         // with everything behind it
  void PrintAggregationHead(const AggregateExpr& aggregate);  // up to the "(" of the arguments
  void PrintOperator(const BinaryExpr& binary);               // operator and modifiers, no spaces around
  void PrintSubquerySuffix(const Subquery& subquery);         // [5m:1m] @ 1.000 offset 5m

 private:
  void PrintNode(const NumberLiteral& node);
  void PrintNode(const StringLiteral& node);
  void PrintNode(const VectorSelector& node) { PrintSelector(node); }
  void PrintNode(const MatrixSelector& node);
  void PrintNode(const Subquery& node);
  void PrintNode(const ParenExpr& node);
  void PrintNode(const UnaryExpr& node);
  void PrintNode(const BinaryExpr& node);
  void PrintNode(const AggregateExpr& node);
  void PrintNode(const Call& node);
  void PrintNameAndMatchers(const VectorSelector& selector);
  void PrintAt(const TimeModifiers& time);
  void PrintOffset(const TimeModifiers& time);
  void PrintDuration(int64_t ms, const DurationExprPtr& expr);
  void PrintNumber(double value, bool is_duration);
  void PrintLabels(const std::vector<std::string>& labels);
  void PrintMatching(const VectorMatching& matching);
  std::string& out_;
  size_t limit_;
};

}  // namespace internal
}  // namespace epi::promql
