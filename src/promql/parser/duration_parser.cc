// Duration expressions.
#include <array>

#include "promql/parser/expression_parser.h"

namespace epi::promql {
namespace {

using Op = DurationExpr::Op;

struct DurationOperatorRow {
  TokenType token;
  Op op;
  int precedence;
};
constexpr int kDurationMulPrecedence = 2;
constexpr int kDurationPowPrecedence = 3;
constexpr std::array<DurationOperatorRow, 6> kDurationOperators{{{TokenType::kAdd, Op::kAdd, 1},
                                                                 {TokenType::kSub, Op::kSub, 1},
                                                                 {TokenType::kMul, Op::kMul, kDurationMulPrecedence},
                                                                 {TokenType::kDiv, Op::kDiv, kDurationMulPrecedence},
                                                                 {TokenType::kMod, Op::kMod, kDurationMulPrecedence},
                                                                 {TokenType::kPow, Op::kPow, kDurationPowPrecedence}}};

const DurationOperatorRow* FindDurationOperator(TokenType token) {
  for (const DurationOperatorRow& row : kDurationOperators) {
    if (row.token == token) return &row;
  }
  return nullptr;
}

bool IsSign(TokenType type) { return type == TokenType::kAdd || type == TokenType::kSub; }
bool IsCallWord(TokenType type) {
  return type == TokenType::kStep || type == TokenType::kRange || type == TokenType::kMinOf ||
         type == TokenType::kMaxOf;
}

// Go's time.Duration holds 2^63 nanoseconds.
bool OutOfRange(double seconds) { return seconds > 0x1p63 / 1e9 || seconds < -0x1p63 / 1e9; }

DurationExprPtr MakeNumber(double value, bool is_duration, PositionRange pos) {
  auto out = std::make_unique<DurationExpr>();
  out->value = value;
  out->is_duration = is_duration;
  out->pos = pos;
  return out;
}

DurationExprPtr MakeOperation(Op op, DurationExprPtr lhs, DurationExprPtr rhs, PositionRange pos) {
  auto out = std::make_unique<DurationExpr>();
  out->op = op;
  out->lhs = std::move(lhs);
  out->rhs = std::move(rhs);
  out->pos = pos;
  return out;
}

}  // namespace

bool ExpressionParser::StartsDuration() {
  const TokenType type = tokens_.PeekType();
  return type == TokenType::kNumber || type == TokenType::kDuration || type == TokenType::kLeftParen || IsSign(type) ||
         IsCallWord(type);
}

ExpressionParser::DurationTree ExpressionParser::PositiveDuration() {
  DurationTree out = Duration(0);
  // Not `<= 0`, so that a NaN passes here as it does in Prometheus.
  if (out && out.expr->op == Op::kNumber && out.expr->value <= 0) {
    tokens_.AddError(out.expr->pos, "duration must be greater than 0");
  }
  return out;
}

// Behind an offset, operators belong to the expression, unless the duration starts with a parenthesis or two signs:
// `foo offset -2^2` is (foo offset -2)^2, but `foo offset (2)^2` is foo offset ((2)^2).
ExpressionParser::DurationTree ExpressionParser::OffsetDuration() {
  while (!StartsDuration()) {
    if (!tokens_.SyntaxError()) return {};
  }
  const TokenType first = tokens_.PeekType();
  if (first == TokenType::kLeftParen) return Duration(0);
  if (!IsSign(first)) return DurationPrimary();
  const Token sign = tokens_.Take();
  while (!StartsDuration()) {
    if (!tokens_.SyntaxError()) return {};
  }
  if (IsSign(tokens_.PeekType())) return DurationOperators(Signed(sign, Duration(kDurationPowPrecedence)), 0);
  if (IsCallWord(tokens_.PeekType())) return SignedOffsetCall(sign);
  if (!tokens_.At(TokenType::kLeftParen)) return Signed(sign, DurationLiteral());
  tokens_.Take();
  DurationTree inner = Duration(0);
  if (!inner || !tokens_.Expect(TokenType::kRightParen)) return {};
  const PositionRange pos = inner.expr->pos;
  return Signed(sign, Wrap(std::move(inner), pos));
}

ExpressionParser::DurationTree ExpressionParser::Duration(int min_precedence) {
  return DurationOperators(DurationUnary(), min_precedence);
}

ExpressionParser::DurationTree ExpressionParser::DurationOperators(DurationTree lhs, int min_precedence) {
  while (lhs) {
    const DurationOperatorRow* row = FindDurationOperator(tokens_.PeekType());
    if (row == nullptr || row->precedence < min_precedence) break;
    const Token op = tokens_.Take();
    DurationTree rhs = Duration(row->op == Op::kPow ? row->precedence : row->precedence + 1);
    if (!rhs) return {};
    lhs = CombineDurations(op, std::move(lhs), std::move(rhs));
  }
  return lhs;
}

ExpressionParser::DurationTree ExpressionParser::CombineDurations(const Token& token, DurationTree lhs,
                                                                  DurationTree rhs) {
  const Op op = FindDurationOperator(token.type)->op;
  const bool zero = rhs.expr->op == Op::kNumber && rhs.expr->value == 0;
  DurationTree out;
  if (zero && (op == Op::kDiv || op == Op::kMod)) {
    tokens_.AddError(token.range(), op == Op::kDiv ? "division by zero" : "modulo by zero");
    out.expr = MakeNumber(0, false, {});
    return out;
  }
  out.height = std::max(lhs.height, rhs.height) + 1;
  const PositionRange pos{lhs.expr->pos.start, rhs.expr->pos.end};
  out.expr = MakeOperation(op, std::move(lhs.expr), std::move(rhs.expr), pos);
  return out;
}

ExpressionParser::DurationTree ExpressionParser::DurationUnary() {
  const Level level(*this);
  if (!level.ok()) return {};
  while (!StartsDuration()) {
    if (!tokens_.SyntaxError()) return {};
  }
  DurationTree out;
  if (IsSign(tokens_.PeekType())) {
    const Token sign = tokens_.Take();
    out = Signed(sign, Duration(kDurationPowPrecedence));
  } else {
    out = DurationPrimary();
  }
  return out;
}

ExpressionParser::DurationTree ExpressionParser::Signed(const Token& sign, DurationTree operand) {
  if (!operand) return {};
  const bool minus = sign.type == TokenType::kSub;
  DurationTree out;
  if (operand.expr->op == Op::kNumber) {
    DurationExpr& number = *operand.expr;
    if (minus) number.value = -number.value;
    if (OutOfRange(number.value)) {
      tokens_.AddError(sign.range(), "duration out of range");
      out.expr = MakeNumber(0, false, {});
      return out;
    }
    number.pos.start = sign.pos;
    return operand;
  }
  if (!minus) return operand;
  out.height = operand.height + 1;
  const PositionRange pos{sign.pos, operand.expr->pos.end};
  out.expr = MakeOperation(Op::kSub, nullptr, std::move(operand.expr), pos);
  return out;
}

// Here, unlike elsewhere, a plus sign is kept and the closing parenthesis of min_of and max_of is not counted in.
ExpressionParser::DurationTree ExpressionParser::SignedOffsetCall(const Token& sign) {
  DurationTree call = DurationCall();
  DurationTree out;
  if (!call) return {};
  out.height = call.height + 1;
  if (call.expr->rhs != nullptr) call.expr->pos.end = call.expr->rhs->pos.end;
  const PositionRange pos{sign.pos, call.expr->pos.end};
  out.expr = MakeOperation(sign.type == TokenType::kSub ? Op::kSub : Op::kAdd, nullptr, std::move(call.expr), pos);
  return out;
}

ExpressionParser::DurationTree ExpressionParser::DurationPrimary() {
  switch (tokens_.PeekType()) {
    case TokenType::kNumber:
    case TokenType::kDuration:
      return DurationNumber();
    case TokenType::kLeftParen:
      return DurationParen();
    default:
      return DurationCall();
  }
}

// A number whose range is still to be looked at.
ExpressionParser::DurationTree ExpressionParser::DurationLiteral() {
  const Token token = tokens_.Take();
  const bool is_duration = token.type == TokenType::kDuration;
  DurationTree out;
  out.expr = MakeNumber(is_duration ? DurationValue(token) : NumberValue(token), is_duration, token.range());
  return out;
}

ExpressionParser::DurationTree ExpressionParser::DurationNumber() {
  DurationTree out = DurationLiteral();
  if (OutOfRange(out.expr->value)) {
    tokens_.AddError(out.expr->pos, "duration out of range");
    out.expr = MakeNumber(0, false, {});
  }
  return out;
}

// A parenthesised number keeps its parentheses as a plus sign over it.
ExpressionParser::DurationTree ExpressionParser::Wrap(DurationTree inner, PositionRange pos) {
  if (inner.expr->op == Op::kNumber) {
    DurationTree out;
    out.height = inner.height + 1;
    out.expr = MakeOperation(Op::kAdd, nullptr, std::move(inner.expr), pos);
    out.expr->wrapped = true;
    return out;
  }
  inner.expr->wrapped = true;
  return inner;
}

ExpressionParser::DurationTree ExpressionParser::DurationParen() {
  const Token open = tokens_.Take();
  DurationTree inner = Duration(0);
  if (!inner) return {};
  while (!tokens_.At(TokenType::kRightParen)) {
    if (!tokens_.SyntaxError()) return {};
  }
  const Token close = tokens_.Take();
  return Wrap(std::move(inner), {open.pos, close.range().end});
}

// step(), range(), min_of(a, b), max_of(a, b).
ExpressionParser::DurationTree ExpressionParser::DurationCall() {
  const Token word = tokens_.Take();
  DurationTree lhs;
  DurationTree rhs;
  if (!tokens_.Expect(TokenType::kLeftParen)) return {};
  Op op = word.type == TokenType::kStep ? Op::kStep : Op::kRange;
  DurationTree out;
  if (word.type == TokenType::kMinOf || word.type == TokenType::kMaxOf) {
    op = word.type == TokenType::kMinOf ? Op::kMinOf : Op::kMaxOf;
    lhs = Duration(0);
    if (!lhs || !tokens_.Expect(TokenType::kComma)) return {};
    rhs = Duration(0);
    if (!rhs) return {};
    out.height = std::max(lhs.height, rhs.height) + 1;
  }
  while (!tokens_.At(TokenType::kRightParen)) {
    if (!tokens_.SyntaxError()) return {};
  }
  const Token close = tokens_.Take();
  out.expr = MakeOperation(op, std::move(lhs.expr), std::move(rhs.expr), {word.pos, close.range().end});
  return out;
}

}  // namespace epi::promql
