// The grammar of PromQL: tokens to a tree that is not type-checked yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "promql/parser/parser.h"
#include "promql/parser/token_stream.h"

namespace epi::promql {

// Recursive descent, operators by precedence. Functions that return null or false leave a syntax error unwinding in the
// stream. A tree that was parsed with any error reported is only good for being thrown away.
class ExpressionParser {
 public:
  ExpressionParser(TokenStream& tokens, const ParseOptions& options) : tokens_(tokens), options_(options) {}

  // The whole text must be one expression, a vector selector without modifiers, a metric. Errors are in the stream.
  ExprPtr ParseWhole();
  // Of the tree that ParseWhole returned.
  uint32_t height() const { return height_; }
  std::optional<std::vector<Matcher>> ParseWholeSelector();
  std::optional<Labels> ParseWholeMetric();
  // A metric at the beginning, as series descriptions have it.
  std::optional<Labels> ParseMetric();

 private:
  // A subtree and its height, durations included.
  struct Tree {
    ExprPtr expr;
    uint32_t height = 1;
    explicit operator bool() const { return expr != nullptr; }
  };
  struct DurationTree {
    DurationExprPtr expr;
    uint32_t height = 1;
    explicit operator bool() const { return expr != nullptr; }
  };
  struct BinaryModifiers {
    bool return_bool = false;
    VectorMatching matching;
  };

  // Expressions (expression_parser.cc).
  Tree Binary(int min_precedence);
  Tree Unary();
  Tree Postfix();
  Tree Primary();
  Tree Number();
  Tree String();
  Tree Paren();
  Tree CallOf(const Token& name);
  Tree Aggregation(const Token& op);
  bool AggregationParts(AggregateExpr& aggregate, std::vector<Tree>& args, int32_t& end);
  Tree MakeAggregation(const Token& op, AggregateExpr aggregate, std::vector<Tree> args, int32_t end);
  bool CallArguments(std::vector<Tree>& args, int32_t& end);
  bool Modifiers(BinaryModifiers& out);
  bool FillModifiers(VectorMatching& out);
  std::optional<double> FillValue();
  std::optional<std::vector<std::string>> GroupingLabels();
  std::string GroupingLabel();
  Tree MakeBinary(BinaryOp op, Tree lhs, Tree rhs, BinaryModifiers modifiers);
  bool StartsExpression();

  // Selectors, metrics (selector_parser.cc).
  Tree Selector(const Token* name);
  bool LabelMatchers(std::vector<Matcher>& out, int32_t& end);
  bool LabelMatcher(std::vector<Matcher>& out);
  bool LabelSet(std::vector<std::pair<std::string, std::string>>& out);
  bool LabelSetItem(std::vector<std::pair<std::string, std::string>>& out);
  void AddMatcher(const Token& label, std::string name, const Token& op, const Token& value, std::vector<Matcher>& out);

  // What may stand behind an expression: [ ], offset, @, anchored, smoothed (modifier_parser.cc).
  bool RangeOrSubquery(Tree& tree);
  void MakeMatrix(Tree& tree, const Token& open, const Token& close, DurationTree range);
  void MakeSubquery(Tree& tree, int32_t end, DurationTree range, DurationTree step);
  bool Offset(Tree& tree);
  bool AtModifier(Tree& tree);
  void ExtendedRange(Tree& tree, bool anchored);
  void SetOffset(Expr& expr, DurationExprPtr offset);
  void SetTimestamp(Expr& expr, double seconds);
  void SetPreprocessor(Expr& expr, AtPreprocessor at);
  TimeModifiers* AtTarget(Expr& expr);
  std::optional<double> SignedNumber();

  // Duration expressions (duration_parser.cc).
  DurationTree PositiveDuration();
  DurationTree OffsetDuration();
  DurationTree Duration(int min_precedence);
  DurationTree DurationOperators(DurationTree lhs, int min_precedence);
  DurationTree DurationUnary();
  DurationTree DurationPrimary();
  DurationTree DurationNumber();
  DurationTree DurationLiteral();
  DurationTree DurationCall();
  DurationTree DurationParen();
  DurationTree Signed(const Token& sign, DurationTree operand);
  DurationTree SignedOffsetCall(const Token& sign);
  DurationTree Wrap(DurationTree inner, PositionRange pos);
  DurationTree CombineDurations(const Token& op, DurationTree lhs, DurationTree rhs);
  bool StartsDuration();

  // The end of the text comes next; reports what is there instead, or what unwinds from the parsing before.
  bool ExpectEnd(bool parsed);
  double NumberValue(const Token& token);
  double DurationValue(const Token& token);
  // One level of nesting of the text, as long as it lives. Not ok when that is one too many, and parsing is over.
  class Level {
   public:
    explicit Level(ExpressionParser& parser);
    ~Level() { --parser_.nesting_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    bool ok() const { return ok_; }

   private:
    ExpressionParser& parser_;
    bool ok_;
  };
  TokenStream& tokens_;
  const ParseOptions& options_;
  uint32_t nesting_ = 0;
  uint32_t height_ = 0;
  // Ranges over what is no selector were reported, but must still be known as ranges.
  std::vector<const Expr*> bad_matrices_;
};

bool IsMetricIdentifier(TokenType type);

}  // namespace epi::promql
