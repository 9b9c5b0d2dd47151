#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "model/number_format.h"
#include "promql/parser/function_signatures.h"
#include "promql/parser/printer.h"

namespace epi::promql {
namespace {

// Keys are written by hand in alphabetical order, as Prometheus's encoder sorts them.
class AstWriter {
 public:
  void Write(const ExprPtr& expr) {
    if (expr == nullptr) {
      out_ += "null";
    } else {
      Write(*expr);
    }
  }
  void Write(const Expr& expr) {
    std::visit([this](const auto& node) { WriteNode(node); }, expr.node);
  }
  std::string& out() { return out_; }

 private:
  // As encoding/json escapes, HTML characters included.
  void Text(std::string_view text) {
    out_ += '"';
    while (!text.empty()) {
      uint32_t rune = 0;
      const size_t width = DecodeUtf8(text, rune);
      if (width == 0) {
        out_ += "\\ufffd";
        text.remove_prefix(1);
        continue;
      }
      Character(text.substr(0, width), rune);
      text.remove_prefix(width);
    }
    out_ += '"';
  }

  void Character(std::string_view bytes, uint32_t rune) {
    switch (rune) {
      case '"':
      case '\\':
        out_ += '\\';
        out_ += bytes;
        return;
      case '\n':
        out_ += "\\n";
        return;
      case '\r':
        out_ += "\\r";
        return;
      case '\t':
        out_ += "\\t";
        return;
      case '\b':
        out_ += "\\b";
        return;
      case '\f':
        out_ += "\\f";
        return;
      default:
        break;
    }
    if (rune < 0x20 || rune == '<' || rune == '>' || rune == '&' || rune == 0x2028 || rune == 0x2029) {
      constexpr std::string_view kHex = "0123456789abcdef";
      out_ += "\\u";
      for (int shift = 12; shift >= 0; shift -= 4) out_ += kHex[(rune >> shift) & 0xf];
      return;
    }
    out_ += bytes;
  }

  // Begins the next member; the first of an object has the brace in front.
  void Key(std::string_view name, bool first = false) {
    out_ += first ? "{\"" : ",\"";
    out_ += name;
    out_ += "\":";
  }
  void Member(std::string_view name, std::string_view value, bool first = false) {
    Key(name, first);
    Text(value);
  }
  void Member(std::string_view name, bool value, bool first = false) {
    Key(name, first);
    out_ += value ? "true" : "false";
  }
  void Member(std::string_view name, int64_t value, bool first = false) {
    Key(name, first);
    out_ += std::to_string(value);
  }
  void Member(std::string_view name, const ExprPtr& value, bool first = false) {
    Key(name, first);
    Write(value);
  }
  void Member(std::string_view name, const DurationExprPtr& value, bool first = false) {
    Key(name, first);
    if (value == nullptr) {
      out_ += "null";
    } else {
      WriteDuration(*value);
    }
  }
  void Member(std::string_view name, const std::vector<std::string>& values, bool first = false) {
    Key(name, first);
    out_ += '[';
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out_ += ',';
      Text(values[i]);
    }
    out_ += ']';
  }
  void Member(std::string_view name, const std::optional<double>& value, bool first = false) {
    Key(name, first);
    if (value && std::isfinite(*value)) {
      AppendJsonNumber(out_, *value);
    } else {
      out_ += "null";
    }
  }
  void Type(std::string_view name, bool first = false) { Member("type", name, first); }

  void StartOrEnd(const TimeModifiers& time) {
    Key("startOrEnd");
    switch (time.at) {
      case AtPreprocessor::kNone:
        out_ += "null";
        break;
      case AtPreprocessor::kStart:
        out_ += "\"start\"";
        break;
      case AtPreprocessor::kEnd:
        out_ += "\"end\"";
        break;
    }
  }
  void Timestamp(const TimeModifiers& time) {
    Key("timestamp");
    out_ += time.timestamp_ms ? std::to_string(*time.timestamp_ms) : "null";
  }
  // The value beside an expression is zero until the expression is known.
  static int64_t LiteralMs(int64_t ms, const DurationExprPtr& expr) { return expr == nullptr ? ms : 0; }
  void Offset(const TimeModifiers& time) {
    Member("offset", LiteralMs(time.offset_ms, time.offset_expr));
    Member("offsetExpr", time.offset_expr);
  }
  void Matchers(const std::vector<Matcher>& matchers) {
    Key("matchers");
    out_ += '[';
    for (size_t i = 0; i < matchers.size(); ++i) {
      if (i > 0) out_ += ',';
      Member("name", std::string_view(matchers[i].name()), true);
      Member("type", MatchTypeSymbol(matchers[i].type()));
      Member("value", std::string_view(matchers[i].value()));
      out_ += '}';
    }
    out_ += ']';
  }

  void WriteNode(const NumberLiteral& node) {
    Type("numberLiteral", true);
    Member("val", std::string_view(FormatFloatPlain(node.value)));
    out_ += '}';
  }
  void WriteNode(const StringLiteral& node) {
    Type("stringLiteral", true);
    Member("val", std::string_view(node.value));
    out_ += '}';
  }
  void WriteNode(const VectorSelector& node) {
    Member("anchored", node.anchored, true);
    Matchers(node.matchers);
    Member("name", std::string_view(node.name));
    Offset(node.time);
    Member("smoothed", node.smoothed);
    StartOrEnd(node.time);
    Timestamp(node.time);
    Type("vectorSelector");
    out_ += '}';
  }
  void WriteNode(const MatrixSelector& node) {
    const VectorSelector& selector = node.selector;
    Member("anchored", selector.anchored, true);
    Matchers(selector.matchers);
    Member("name", std::string_view(selector.name));
    Offset(selector.time);
    Member("range", LiteralMs(node.range_ms, node.range_expr));
    Member("rangeExpr", node.range_expr);
    Member("smoothed", selector.smoothed);
    StartOrEnd(selector.time);
    Timestamp(selector.time);
    Type("matrixSelector");
    out_ += '}';
  }
  void WriteNode(const Subquery& node) {
    Member("expr", node.expr, true);
    Offset(node.time);
    Member("range", LiteralMs(node.range_ms, node.range_expr));
    Member("rangeExpr", node.range_expr);
    StartOrEnd(node.time);
    Member("step", LiteralMs(node.step_ms, node.step_expr));
    Member("stepExpr", node.step_expr);
    Timestamp(node.time);
    Type("subquery");
    out_ += '}';
  }
  void WriteNode(const ParenExpr& node) {
    Member("expr", node.expr, true);
    Type("parenExpr");
    out_ += '}';
  }
  void WriteNode(const UnaryExpr& node) {
    Member("expr", node.expr, true);
    Member("op", std::string_view(node.op == UnaryOp::kMinus ? "-" : "+"));
    Type("unaryExpr");
    out_ += '}';
  }
  void WriteNode(const BinaryExpr& node) {
    Member("bool", node.return_bool, true);
    Member("lhs", node.lhs);
    Key("matching");
    if (node.matching == nullptr) {
      out_ += "null";
    } else {
      WriteMatching(*node.matching);
    }
    Member("op", BinaryOpName(node.op));
    Member("rhs", node.rhs);
    Type("binaryExpr");
    out_ += '}';
  }
  void WriteMatching(const VectorMatching& matching) {
    Member("card", MatchCardinalityName(matching.card), true);
    Key("fillValues");
    Member("lhs", matching.fill_left, true);
    Member("rhs", matching.fill_right);
    out_ += '}';
    Member("include", matching.include);
    Member("labels", matching.labels);
    Member("on", matching.on);
    out_ += '}';
  }
  void WriteNode(const AggregateExpr& node) {
    Member("expr", node.expr, true);
    Member("grouping", node.grouping);
    Member("op", AggregateOpName(node.op));
    Member("param", node.param);
    Type("aggregation");
    Member("without", node.without);
    out_ += '}';
  }
  void WriteNode(const Call& node) {
    Key("args", true);
    out_ += '[';
    for (size_t i = 0; i < node.args.size(); ++i) {
      if (i > 0) out_ += ',';
      Write(node.args[i]);
    }
    out_ += ']';
    Key("func");
    const Function& function = *node.function;
    Key("argTypes", true);
    out_ += '[';
    for (size_t i = 0; i < function.arg_types.size(); ++i) {
      if (i > 0) out_ += ',';
      Text(ValueTypeName(function.arg_types[i]));
    }
    out_ += ']';
    Member("name", function.name);
    Member("returnType", ValueTypeName(function.return_type));
    Member("variadic", static_cast<int64_t>(function.variadic));
    out_ += '}';
    Type("call");
    out_ += '}';
  }

  void WriteDuration(const DurationExpr& expr) {
    if (expr.op == DurationExpr::Op::kNumber) {
      Member("duration", expr.is_duration, true);
      Type("numberLiteral");
      Member("val", std::string_view(FormatFloatPlain(expr.value)));
      out_ += '}';
      return;
    }
    Member("lhs", expr.lhs, true);
    Member("op", DurationOpName(expr.op));
    Member("rhs", expr.rhs);
    Type("durationExpr");
    Member("wrapped", expr.wrapped);
    out_ += '}';
  }

  std::string out_;
};

}  // namespace

std::string ToAstJson(const Expr& expr) {
  AstWriter writer;
  writer.Write(expr);
  return std::move(writer.out());
}

}  // namespace epi::promql
