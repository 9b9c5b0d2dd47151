#include "promql/parser/function_signatures.h"
#include "promql/parser/printer.h"

namespace epi::promql {
namespace {

class PrettyPrinter {
 public:
  PrettyPrinter(size_t line, size_t max_bytes) : line_(line), max_bytes_(max_bytes) {}

  void Print(const Expr& expr, size_t level) {
    if (out_.size() > max_bytes_) return;
    std::visit([&](const auto& node) { PrintNode(expr, node, level); }, expr.node);
  }
  std::string& out() { return out_; }

 private:
  bool NeedsSplit(const Expr& expr) const {
    std::string text;
    internal::Printer(text, line_).Print(expr);
    return text.size() > line_;
  }
  void Indent(size_t level) { out_.append(2 * level, ' '); }
  void NewLine(size_t level) {
    out_ += '\n';
    Indent(level);
  }
  void OneLine(const Expr& expr, size_t level) {
    Indent(level);
    internal::Printer(out_).Print(expr);
  }

  // Leaves are never split.
  template <typename Leaf>
  void PrintNode(const Expr& expr, const Leaf&, size_t level) {
    OneLine(expr, level);
  }

  void PrintNode(const Expr& expr, const AggregateExpr& node, size_t level) {
    if (!NeedsSplit(expr)) return OneLine(expr, level);
    Indent(level);
    internal::Printer(out_).PrintAggregationHead(node);
    out_ += "(\n";
    if (node.param != nullptr) {
      Print(*node.param, level + 1);
      out_ += ",\n";
    }
    Print(*node.expr, level + 1);
    NewLine(level);
    out_ += ')';
  }

  void PrintNode(const Expr& expr, const BinaryExpr& node, size_t level) {
    if (!NeedsSplit(expr)) return OneLine(expr, level);
    Print(*node.lhs, level + 1);
    NewLine(level);
    internal::Printer(out_).PrintOperator(node);
    out_ += '\n';
    Print(*node.rhs, level + 1);
  }

  void PrintNode(const Expr& expr, const Call& node, size_t level) {
    if (!NeedsSplit(expr)) return OneLine(expr, level);
    Indent(level);
    out_ += node.function->name;
    out_ += "(\n";
    std::string_view separator;
    for (const ExprPtr& arg : node.args) {
      out_ += separator;
      separator = ",\n";
      Print(*arg, level + 1);
    }
    NewLine(level);
    out_ += ')';
  }

  void PrintNode(const Expr& expr, const ParenExpr& node, size_t level) {
    if (!NeedsSplit(expr)) return OneLine(expr, level);
    Indent(level);
    out_ += "(\n";
    Print(*node.expr, level + 1);
    NewLine(level);
    out_ += ')';
  }

  void PrintNode(const Expr& expr, const Subquery& node, size_t level) {
    // A subquery that fits stands without indentation, wherever it is; so does Prometheus's.
    if (!NeedsSplit(expr)) return OneLine(expr, 0);
    Print(*node.expr, level);
    internal::Printer(out_).PrintSubquerySuffix(node);
  }

  void PrintNode(const Expr&, const UnaryExpr& node, size_t level) {
    Indent(level);
    out_ += node.op == UnaryOp::kMinus ? '-' : '+';
    // The operand's own indentation goes; it is the beginning of what is added now.
    const size_t from = out_.size();
    Print(*node.expr, level);
    const size_t text = out_.find_first_not_of(' ', from);
    if (text != std::string::npos) out_.erase(from, text - from);
  }

  std::string out_;
  size_t line_;
  size_t max_bytes_;
};

}  // namespace

Result<std::string> ToPrettyString(const Expr& expr, size_t max_characters_per_line, size_t max_bytes) {
  PrettyPrinter printer(max_characters_per_line, max_bytes);
  printer.Print(expr, 0);
  if (printer.out().size() > max_bytes) {
    return Fail(ErrorCode::kLimit, "formatted expression is longer than " + std::to_string(max_bytes) + " bytes");
  }
  return std::move(printer.out());
}

}  // namespace epi::promql
