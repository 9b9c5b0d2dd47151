#include "promql/parser/token_stream.h"

namespace epi::promql {

const Token& TokenStream::Peek() {
  if (have_lookahead_) return last_;
  // Nothing is read behind an error of the lexer.
  if (last_.type == TokenType::kError) return last_;
  do {
    last_ = lexer_.Next();
  } while (last_.type == TokenType::kComment);
  have_lookahead_ = true;
  switch (last_.type) {
    case TokenType::kError:
      error_text_ = std::string(last_.text);
      last_.text = error_text_;
      AddError({lexer_.start(), input_size_}, error_text_);
      break;
    case TokenType::kRightBrace:
    case TokenType::kRightParen:
    case TokenType::kRightBracket:
    case TokenType::kDuration:
    case TokenType::kNumber:
      last_closing_ = last_.range().end;
      break;
    default:
      break;
  }
  return last_;
}

Token TokenStream::Take() {
  const Token token = Peek();
  have_lookahead_ = false;
  if (recovering_ > 0) --recovering_;
  return token;
}

bool TokenStream::Expect(TokenType type) {
  while (!At(type)) {
    if (!SyntaxError()) return false;
  }
  Take();
  return true;
}

bool TokenStream::SyntaxError() {
  if (recovering_ == kTokensToRecover && !over_) {
    const TokenType type = Peek().type;
    if (type != TokenType::kEnd && type != TokenType::kError) {
      have_lookahead_ = false;
      return true;
    }
    over_ = true;
  }
  unwinding_ = true;
  return false;
}

bool TokenStream::Recover(std::string_view context, std::string_view expected) {
  if (over_) return false;
  unwinding_ = false;
  recovering_ = kTokensToRecover;
  ReportUnexpected(context, expected);
  return true;
}

void TokenStream::ReportUnexpected(std::string_view context, std::string_view expected) {
  if (last_.type == TokenType::kError) return;  // reported when it was read
  std::string message = "unexpected " + DescribeToken(last_);
  if (!context.empty()) message.append(" in ").append(context);
  if (!expected.empty()) message.append(", expected ").append(expected);
  AddError(last_.range(), std::move(message));
}

void TokenStream::Abort(PositionRange pos, std::string message) {
  AddError(pos, std::move(message));
  over_ = true;
  unwinding_ = true;
}

void TokenStream::AddError(PositionRange pos, std::string message) {
  // A text of a million wrong tokens need not be answered with a million errors; only the first is ever shown.
  constexpr size_t kMaxErrors = 1000;
  if (errors_.size() < kMaxErrors) errors_.push_back({pos, std::move(message)});
}

}  // namespace epi::promql
