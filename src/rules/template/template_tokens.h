// The tokens of a template as its parser takes them, and the parser's first error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rules/template/template_lexer.h"

namespace epi::rules {

// The first error stops everything: Broken() is asked after each step.
class TemplateTokens {
 public:
  // `source` outlives the tokens.
  TemplateTokens(std::string name, std::string_view source) : name_(std::move(name)), lexer_(source) {}

  bool Broken() const { return error_.has_value(); }
  // Requires Broken(): "template: name:3: unexpected EOF".
  const std::string& error() const { return *error_; }
  // An error at the line of the token that was looked at last. Later errors are ignored.
  void FailWith(std::string message);
  // "unexpected <x> in <context>", or what the lexer found wrong.
  void FailUnexpected(const TemplateToken& token, std::string_view context);

  TemplateToken Take();
  // Up to three tokens; the last comes first.
  void PutBack(TemplateToken token);
  TemplateToken TakeNonSpace();
  // Valid until the next token is taken or put back.
  const TemplateToken& Peek();
  const TemplateToken& PeekNonSpace();
  TemplateToken Expect(TemplateTokenType type, std::string_view context);

  // The line where the action began that is being read, for errors behind its end; 0: none. Gives the line before.
  int32_t SetActionLine(int32_t line) { return std::exchange(action_line_, line); }

  // One control structure or parenthesis deeper; an error when there are too many for the stack.
  void Deeper();
  void BackUp() { --nesting_; }

 private:
  std::string name_;
  TemplateLexer lexer_;
  std::vector<TemplateToken> pending_;  // put back; the last comes first
  std::optional<std::string> error_;
  int32_t action_line_ = 0;
  int32_t last_line_ = 1;
  int nesting_ = 0;
};

}  // namespace epi::rules
