// Tokens with one of lookahead, the list of errors, and the way back into the text after an error.
//
// Prometheus's parser is generated and table-driven. What it reports for a wrong text depends on how such a parser
// recovers, so the same steps are taken here: a syntax error unwinds to the nearest construct that can report it; from
// there on, tokens that do not fit are dropped until one does, without a further report as long as none has been
// accepted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "promql/parser/lexer.h"
#include "promql/parser/parser.h"

namespace epi::promql {

class TokenStream {
 public:
  explicit TokenStream(std::string_view input, bool series_description = false)
      : lexer_(input, series_description), input_size_(static_cast<int32_t>(input.size())) {}

  // The next token, comments left out. Read only when asked for: an error of the lexer is reported when it is met.
  const Token& Peek();
  TokenType PeekType() { return Peek().type; }
  bool At(TokenType type) { return Peek().type == type; }
  Token Take();
  // Takes a token of this type, dropping others while recovering. False: a syntax error is unwinding.
  bool Expect(TokenType type);

  // The next token does not fit. True: it was dropped, look again. False: return to whoever can Recover().
  bool SyntaxError();
  // Where a syntax error arrives that this construct can report as "unexpected … in <context>, expected <expected>".
  // False when parsing is over and the caller must return too.
  bool Recover(std::string_view context, std::string_view expected);
  // Reports the token read last as unexpected, without unwinding.
  void ReportUnexpected(std::string_view context, std::string_view expected);
  // Stops parsing for good with an error that is not the grammar's.
  void Abort(PositionRange pos, std::string message);
  bool unwinding() const { return unwinding_; }

  void AddError(PositionRange pos, std::string message);
  std::vector<ParseError>& errors() { return errors_; }
  PositionRange last_token_range() const { return last_.range(); }
  // End of the closing bracket or number that was read last, lookahead included: what Prometheus takes for the end of
  // some expressions.
  int32_t last_closing() const { return last_closing_; }

 private:
  // Dropping of tokens is silent until this many have been accepted since an error, as in yacc.
  static constexpr int kTokensToRecover = 3;

  Lexer lexer_;
  int32_t input_size_;
  Token last_;
  std::string error_text_;
  bool have_lookahead_ = false;
  bool unwinding_ = false;
  bool over_ = false;
  int recovering_ = 0;
  int32_t last_closing_ = 0;
  std::vector<ParseError> errors_;
};

}  // namespace epi::promql
