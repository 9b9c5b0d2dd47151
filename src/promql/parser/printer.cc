#include "promql/parser/printer.h"

#include <algorithm>

#include "base/escaping.h"
#include "model/duration.h"
#include "model/labels.h"
#include "model/number_format.h"
#include "promql/parser/function_signatures.h"

namespace epi::promql {
namespace internal {

void Printer::Print(const Expr& expr) {
  if (out_.size() > limit_) return;
  std::visit([this](const auto& node) { PrintNode(node); }, expr.node);
}

void Printer::PrintNumber(double value, bool is_duration) {
  if (!is_duration) {
    AppendFloatPlain(out_, value);
    return;
  }
  if (value < 0) out_ += '-';
  // As Prometheus: seconds to nanoseconds, then whole milliseconds.
  const double ns = (value < 0 ? -value : value) * 1e9;
  out_ += FormatDuration(ns < 0x1p63 ? static_cast<int64_t>(ns) / 1'000'000 : INT64_MAX / 1'000'000);
}

void Printer::PrintNode(const NumberLiteral& node) { PrintNumber(node.value, node.is_duration); }
void Printer::PrintNode(const StringLiteral& node) { AppendQuoted(out_, node.value); }

void Printer::PrintNameAndMatchers(const VectorSelector& selector) {
  std::vector<std::string> texts;
  for (const Matcher& matcher : selector.matchers) {
    const bool is_name = matcher.name() == kMetricName && matcher.type() == MatchType::kEqual &&
                         !matcher.value().empty() && matcher.value() == selector.name;
    if (!is_name) texts.push_back(matcher.ToString());
  }
  out_ += selector.name;
  if (texts.empty()) return;
  std::sort(texts.begin(), texts.end());
  char separator = '{';
  for (const std::string& text : texts) {
    out_ += separator;
    out_ += text;
    separator = ',';
  }
  out_ += '}';
}

void Printer::PrintAt(const TimeModifiers& time) {
  if (time.timestamp_ms) {
    out_ += " @ ";
    out_ += FormatFloatPrecision(static_cast<double>(*time.timestamp_ms) / 1000.0, 'f', 3);
  } else if (time.at != AtPreprocessor::kNone) {
    out_ += time.at == AtPreprocessor::kStart ? " @ start()" : " @ end()";
  }
}

void Printer::PrintOffset(const TimeModifiers& time) {
  if (time.offset_expr == nullptr && time.offset_ms == 0) return;
  out_ += " offset ";
  PrintDuration(time.offset_ms, time.offset_expr);
}

void Printer::PrintDuration(int64_t ms, const DurationExprPtr& expr) {
  if (expr != nullptr) {
    Print(*expr);
  } else {
    out_ += FormatDuration(ms);
  }
}

void Printer::PrintSelector(const VectorSelector& selector) {
  PrintNameAndMatchers(selector);
  PrintAt(selector.time);
  if (selector.anchored) out_ += " anchored";
  if (selector.smoothed) out_ += " smoothed";
  PrintOffset(selector.time);
}

void Printer::PrintNode(const MatrixSelector& node) {
  PrintNameAndMatchers(node.selector);
  out_ += '[';
  PrintDuration(node.range_ms, node.range_expr);
  out_ += ']';
  if (node.selector.anchored) out_ += " anchored";
  if (node.selector.smoothed) out_ += " smoothed";
  PrintAt(node.selector.time);
  PrintOffset(node.selector.time);
}

void Printer::PrintNode(const Subquery& node) {
  Print(*node.expr);
  PrintSubquerySuffix(node);
}

void Printer::PrintSubquerySuffix(const Subquery& subquery) {
  out_ += '[';
  PrintDuration(subquery.range_ms, subquery.range_expr);
  out_ += ':';
  if (subquery.step_ms != 0 || subquery.step_expr != nullptr) PrintDuration(subquery.step_ms, subquery.step_expr);
  out_ += ']';
  PrintAt(subquery.time);
  PrintOffset(subquery.time);
}

void Printer::PrintNode(const ParenExpr& node) {
  out_ += '(';
  Print(*node.expr);
  out_ += ')';
}

void Printer::PrintNode(const UnaryExpr& node) {
  out_ += node.op == UnaryOp::kMinus ? '-' : '+';
  Print(*node.expr);
}

void Printer::PrintNode(const BinaryExpr& node) {
  Print(*node.lhs);
  out_ += ' ';
  PrintOperator(node);
  out_ += ' ';
  Print(*node.rhs);
}

void Printer::PrintOperator(const BinaryExpr& binary) {
  out_ += BinaryOpName(binary.op);
  if (binary.return_bool) out_ += " bool";
  if (binary.matching != nullptr) PrintMatching(*binary.matching);
}

void Printer::PrintMatching(const VectorMatching& matching) {
  const bool grouped = matching.card == MatchCardinality::kManyToOne || matching.card == MatchCardinality::kOneToMany;
  if (!matching.labels.empty() || matching.on || grouped) {
    out_ += matching.on ? " on (" : " ignoring (";
    PrintLabels(matching.labels);
    out_ += ')';
  }
  if (grouped) {
    out_ += matching.card == MatchCardinality::kManyToOne ? " group_left (" : " group_right (";
    PrintLabels(matching.include);
    out_ += ')';
  }
  const auto fill = [this](std::string_view word, double value) {
    out_.append(" ").append(word).append(" (");
    AppendFloatGeneral(out_, value);
    out_ += ')';
  };
  if (matching.fill_left && matching.fill_right && *matching.fill_left == *matching.fill_right) {
    fill("fill", *matching.fill_left);
    return;
  }
  if (matching.fill_left) fill("fill_left", *matching.fill_left);
  if (matching.fill_right) fill("fill_right", *matching.fill_right);
}

void Printer::PrintLabels(const std::vector<std::string>& labels) {
  std::string_view separator;
  for (const std::string& label : labels) {
    out_ += separator;
    separator = ", ";
    if (IsLegacyLabelName(label)) {
      out_ += label;
    } else {
      AppendQuoted(out_, label);
    }
  }
}

void Printer::PrintAggregationHead(const AggregateExpr& aggregate) {
  out_ += AggregateOpName(aggregate.op);
  if (!aggregate.without && aggregate.grouping.empty()) return;
  out_ += aggregate.without ? " without (" : " by (";
  PrintLabels(aggregate.grouping);
  out_ += ") ";
}

void Printer::PrintNode(const AggregateExpr& node) {
  PrintAggregationHead(node);
  out_ += '(';
  if (node.param != nullptr) {
    Print(*node.param);
    out_ += ", ";
  }
  Print(*node.expr);
  out_ += ')';
}

void Printer::PrintNode(const Call& node) {
  out_ += node.function->name;
  out_ += '(';
  std::string_view separator;
  for (const ExprPtr& arg : node.args) {
    out_ += separator;
    separator = ", ";
    Print(*arg);
  }
  out_ += ')';
}

void Printer::Print(const DurationExpr& expr) {
  using Op = DurationExpr::Op;
  if (expr.wrapped) out_ += '(';
  switch (expr.op) {
    case Op::kNumber:
      PrintNumber(expr.value, expr.is_duration);
      break;
    case Op::kStep:
    case Op::kRange:
      out_ += DurationOpName(expr.op);
      out_ += "()";
      break;
    case Op::kMinOf:
    case Op::kMaxOf:
      out_ += DurationOpName(expr.op);
      out_ += '(';
      Print(*expr.lhs);
      out_ += ", ";
      Print(*expr.rhs);
      out_ += ')';
      break;
    default:
      if (expr.lhs != nullptr) {
        Print(*expr.lhs);
        out_.append(" ").append(DurationOpName(expr.op)).append(" ");
      } else if (expr.op == Op::kSub) {
        out_ += '-';
      }
      Print(*expr.rhs);
      break;
  }
  if (expr.wrapped) out_ += ')';
}

}  // namespace internal

std::string ToString(const Expr& expr) {
  std::string out;
  internal::Printer(out).Print(expr);
  return out;
}

std::string ToString(const DurationExpr& expr) {
  std::string out;
  internal::Printer(out).Print(expr);
  return out;
}

std::string ToString(const VectorSelector& selector) {
  std::string out;
  internal::Printer(out).PrintSelector(selector);
  return out;
}

}  // namespace epi::promql
