#include "rules/template/template_tokens.h"

namespace epi::rules {

void TemplateTokens::FailWith(std::string message) {
  if (!error_) error_ = "template: " + name_ + ":" + std::to_string(last_line_) + ": " + std::move(message);
}

void TemplateTokens::FailUnexpected(const TemplateToken& token, std::string_view context) {
  if (token.type != TemplateTokenType::kError) {
    FailWith("unexpected " + DescribeTemplateToken(token) + " in " + std::string(context));
    return;
  }
  std::string extra;
  if (action_line_ != 0 && action_line_ != token.line) {
    // "unclosed action" already names what it is about.
    const bool named = token.text.ends_with(" action");
    extra = std::string(named ? "" : " in action") + " started at " + name_ + ":" + std::to_string(action_line_);
  }
  FailWith(token.text + extra);
}

TemplateToken TemplateTokens::Take() {
  TemplateToken token;
  if (!pending_.empty()) {
    token = std::move(pending_.back());
    pending_.pop_back();
  } else {
    token = lexer_.Next();
  }
  last_line_ = token.line;
  return token;
}

void TemplateTokens::PutBack(TemplateToken token) { pending_.push_back(std::move(token)); }

TemplateToken TemplateTokens::TakeNonSpace() {
  TemplateToken token = Take();
  while (token.type == TemplateTokenType::kSpace) token = Take();
  return token;
}

const TemplateToken& TemplateTokens::Peek() {
  if (pending_.empty()) PutBack(lexer_.Next());
  last_line_ = pending_.back().line;
  return pending_.back();
}

const TemplateToken& TemplateTokens::PeekNonSpace() {
  PutBack(TakeNonSpace());
  return pending_.back();
}

TemplateToken TemplateTokens::Expect(TemplateTokenType type, std::string_view context) {
  TemplateToken token = TakeNonSpace();
  if (token.type != type) FailUnexpected(token, context);
  return token;
}

void TemplateTokens::Deeper() {
  constexpr int kMaxNesting = 200;
  if (++nesting_ > kMaxNesting) FailWith("template is nested too deeply");
}

}  // namespace epi::rules
