#include "promql/parser/type_checker.h"

#include <algorithm>

#include "base/escaping.h"
#include "model/labels.h"
#include "promql/parser/function_signatures.h"

namespace epi::promql {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string Documented(ValueType type) { return std::string(DocumentedValueTypeName(type)); }

class TypeChecker {
 public:
  TypeChecker(std::string_view text, std::vector<ParseError>& errors) : text_(text), errors_(errors) {}

  // Trees can be too high for recursion here, so what is left to do stands on a stack: checks of nodes, checks that
  // follow once a node's children are checked, and comparisons of types.
  void Check(Expr& root) {
    Later({Step::kCheck, &root, ValueType::kNone, {}});
    while (!steps_.empty()) {
      const Step step = std::move(steps_.back());
      steps_.pop_back();
      Expr& expr = *step.expr;
      switch (step.kind) {
        case Step::kCheck:
          std::visit([&](auto& node) { CheckNode(expr, node); }, expr.node);
          break;
        case Step::kFinish:
          std::visit([&](auto& node) { FinishNode(expr, node); }, expr.node);
          break;
        case Step::kCompare:
          if (expr.type != step.want) {
            Add(expr.pos,
                "expected type " + Documented(step.want) + " in " + step.context + ", got " + Documented(expr.type));
          }
          break;
      }
    }
  }

 private:
  struct Step {
    enum Kind : unsigned char { kCheck, kFinish, kCompare } kind;
    Expr* expr;
    ValueType want;
    std::string context;
  };
  // The step done last is added first.
  void Later(Step step) { steps_.push_back(std::move(step)); }
  void LaterCheck(const ExprPtr& expr) { Later({Step::kCheck, expr.get(), ValueType::kNone, {}}); }
  void LaterFinish(Expr& expr) { Later({Step::kFinish, &expr, ValueType::kNone, {}}); }
  void LaterExpect(const ExprPtr& expr, ValueType want, std::string context) {
    Later({Step::kCompare, expr.get(), want, std::move(context)});
    LaterCheck(expr);
  }

  void Add(PositionRange pos, std::string message) { errors_.push_back({pos, std::move(message)}); }

  template <typename Node>
  void FinishNode(const Expr&, const Node&) {}

  void CheckNode(Expr&, NumberLiteral&) {}
  void CheckNode(Expr&, StringLiteral&) {}
  void CheckNode(Expr&, ParenExpr& node) { LaterCheck(node.expr); }

  void CheckNode(Expr& expr, UnaryExpr& node) {
    LaterFinish(expr);
    LaterCheck(node.expr);
  }
  void FinishNode(const Expr& expr, UnaryExpr& node) {
    const ValueType type = node.expr->type;
    if (type != ValueType::kScalar && type != ValueType::kVector) {
      Add(expr.pos, "unary expression only allowed on expressions of type scalar or instant vector, got " +
                        Quoted(DocumentedValueTypeName(type)));
    }
  }

  void CheckNode(Expr& expr, Subquery& node) {
    LaterFinish(expr);
    LaterCheck(node.expr);
  }
  void FinishNode(const Expr& expr, Subquery& node) {
    const ValueType type = node.expr->type;
    if (type != ValueType::kVector) {
      Add(expr.pos, "subquery is only allowed on instant vector, got " + std::string(ValueTypeName(type)) + " instead");
    }
  }

  void CheckNode(Expr&, MatrixSelector& node) { CheckSelector(node.selector_pos, node.selector); }
  void CheckNode(Expr& expr, VectorSelector& node) { CheckSelector(expr.pos, node); }

  void CheckSelector(PositionRange pos, const VectorSelector& selector) {
    if (!selector.name.empty()) {
      // The last matcher is the name outside the braces.
      for (size_t i = 0; i + 1 < selector.matchers.size(); ++i) {
        const Matcher& matcher = selector.matchers[i];
        if (matcher.name() != kMetricName) continue;
        Add(pos, "metric name must not be set twice: " + Quoted(selector.name) + " or " + Quoted(matcher.value()));
      }
      return;
    }
    if (selector.is_info_labels) return;
    // So that a slip of the pen does not select everything.
    const auto& matchers = selector.matchers;
    if (std::all_of(matchers.begin(), matchers.end(), [](const Matcher& m) { return m.MatchesEmpty(); })) {
      Add(pos, "vector selector must contain at least one non-empty matcher");
    }
  }

  void CheckNode(Expr&, AggregateExpr& node) {
    if (node.param != nullptr) {
      const bool text = node.op == AggregateOp::kCountValues;
      LaterExpect(node.param, text ? ValueType::kString : ValueType::kScalar, "aggregation parameter");
    }
    LaterExpect(node.expr, ValueType::kVector, "aggregation expression");
  }

  void CheckNode(Expr& expr, Call& node) {
    const Function& function = *node.function;
    CheckArgumentCount(expr, node, function);
    if (function.id == FunctionId::kInfo && node.args.size() > 1) CheckInfoLabels(expr, *node.args[1]);
    const size_t types = function.arg_types.size();
    const size_t checked = function.variadic == 0 ? std::min(types, node.args.size()) : node.args.size();
    for (size_t i = checked; i-- > 0;) {
      LaterExpect(node.args[i], function.arg_types[std::min(i, types - 1)],
                  "call to function " + Quoted(function.name));
    }
  }

  void CheckArgumentCount(const Expr& expr, const Call& call, const Function& function) {
    const size_t types = function.arg_types.size();
    const size_t given = call.args.size();
    const auto complain = [&](std::string_view bound, size_t count) {
      Add(expr.pos, "expected " + std::string(bound) + std::to_string(count) + " argument(s) in call to " +
                        Quoted(function.name) + ", got " + std::to_string(given));
    };
    if (function.variadic == 0) {
      if (given != types) complain("", types);
      return;
    }
    const size_t least = types - 1;
    if (given < least) {
      complain("at least ", least);
    } else if (function.variadic > 0 && given > least + static_cast<size_t>(function.variadic)) {
      complain("at most ", least + static_cast<size_t>(function.variadic));
    }
  }

  void CheckInfoLabels(const Expr& call, Expr& labels) {
    const ValueType type = TypeOf(labels);
    if (type != ValueType::kVector) {
      Add(call.pos, "expected type instant vector in call to function \"info\", got " + Documented(type));
    }
    auto* selector = labels.As<VectorSelector>();
    if (selector == nullptr) {
      Add(labels.pos, "expected label selectors only");
    } else if (!selector->name.empty()) {
      Add(labels.pos, "expected label selectors only, got vector selector instead");
    } else {
      selector->is_info_labels = true;
    }
  }

  // Between the operands, without the spaces around.
  PositionRange OperatorRange(const BinaryExpr& node) const {
    PositionRange out{node.lhs->pos.end, node.rhs->pos.start - 1};
    const auto size = static_cast<int32_t>(text_.size());
    while (out.start < size && IsSpace(text_[out.start])) ++out.start;
    while (out.end > 0 && IsSpace(text_[out.end])) --out.end;
    return out;
  }

  void CheckNode(Expr& expr, BinaryExpr& node) {
    LaterFinish(expr);
    LaterCheck(node.rhs);
    LaterCheck(node.lhs);
  }
  void FinishNode(const Expr& expr, BinaryExpr& node) {
    const ValueType lhs = node.lhs->type;
    const ValueType rhs = node.rhs->type;
    node.op_pos = OperatorRange(node);
    if (node.return_bool && !IsComparison(node.op)) {
      Add(node.op_pos, "bool modifier can only be used on comparison operators");
    }
    if (IsComparison(node.op) && !node.return_bool && lhs == ValueType::kScalar && rhs == ValueType::kScalar) {
      Add(node.op_pos, "comparisons between scalars must use BOOL modifier");
    }
    CheckMatchingLabels(node);
    for (const auto& [type, side] : {std::pair{lhs, node.lhs.get()}, std::pair{rhs, node.rhs.get()}}) {
      if (type == ValueType::kScalar || type == ValueType::kVector) continue;
      Add(side->pos, "binary expression must contain only scalar and instant vector types");
    }
    if (lhs != ValueType::kVector || rhs != ValueType::kVector) {
      CheckUnmatched(expr, node);
    } else if (IsSetOperator(node.op)) {
      CheckSetOperation(expr, node);
    }
    if ((lhs == ValueType::kScalar || rhs == ValueType::kScalar) && IsSetOperator(node.op)) {
      Add(expr.pos, "set operator " + Quoted(BinaryOpName(node.op)) + " not allowed in binary scalar expression");
    }
  }

  void CheckMatchingLabels(BinaryExpr& node) {
    VectorMatching& matching = *node.matching;
    if (IsSetOperator(node.op) && matching.card == MatchCardinality::kOneToOne) {
      matching.card = MatchCardinality::kManyToMany;
    }
    if (!matching.on) return;
    for (const std::string& label : matching.labels) {
      for (const std::string& include : matching.include) {
        if (label != include) continue;
        Add(node.op_pos, "label " + Quoted(label) + " must not occur in ON and GROUP clause at once");
      }
    }
  }

  void CheckUnmatched(const Expr& expr, BinaryExpr& node) {
    const VectorMatching& matching = *node.matching;
    if (!matching.labels.empty()) Add(expr.pos, "vector matching only allowed between instant vectors");
    if (matching.fill_left || matching.fill_right) {
      Add(expr.pos, "filling in missing series only allowed between instant vectors");
    }
    node.matching.reset();
  }

  void CheckSetOperation(const Expr& expr, const BinaryExpr& node) {
    const VectorMatching& matching = *node.matching;
    if (matching.card != MatchCardinality::kManyToMany) {
      Add(expr.pos, "no grouping allowed for " + Quoted(BinaryOpName(node.op)) + " operation");
      Add(expr.pos, "set operations must always be many-to-many");
    }
    if (matching.fill_left || matching.fill_right) {
      Add(expr.pos, "filling in missing series not allowed for set operators");
    }
  }

  std::string_view text_;
  std::vector<ParseError>& errors_;
  std::vector<Step> steps_;
};

}  // namespace

void CheckTypes(Expr& expr, std::string_view text, std::vector<ParseError>& errors) {
  TypeChecker(text, errors).Check(expr);
}

}  // namespace epi::promql
