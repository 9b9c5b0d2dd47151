// Tokens of Go's text/template language.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace epi::rules {

enum class TemplateTokenType : unsigned char {
  kError,  // text is the message
  kEnd,
  kText,
  kLeftDelim,
  kRightDelim,
  kSpace,
  kChar,  // a printable ASCII character with no other meaning
  kAssign,
  kDeclare,
  kPipe,
  kLeftParen,
  kRightParen,
  kField,
  kVariable,
  kIdentifier,
  kBool,
  kNumber,
  kCharConstant,
  kString,
  kRawString,
  // Keywords.
  kDot,
  kBlock,
  kBreak,
  kContinue,
  kDefine,
  kElse,
  kEndKeyword,
  kIf,
  kNil,
  kRange,
  kTemplate,
  kWith,
};

struct TemplateToken {
  TemplateTokenType type = TemplateTokenType::kEnd;
  int32_t pos = 0;
  int32_t line = 1;
  std::string text;
};

// As Go names it in error texts: "EOF", "<end>", the quoted text cut to ten characters.
std::string DescribeTemplateToken(const TemplateToken& token);

// Reads on demand; after kError or kEnd it repeats kEnd.
class TemplateLexer {
 public:
  explicit TemplateLexer(std::string_view input) : input_(input) {}
  TemplateToken Next();

 private:
  enum class State : unsigned char { kText, kLeftDelim, kInside, kEnded };
  int32_t NextRune();
  int32_t PeekRune();
  void Backup();
  bool Accept(std::string_view set);
  void AcceptRun(std::string_view set);
  bool StartsWith(std::string_view text) const { return input_.substr(pos_).starts_with(text); }
  struct RightDelim {
    bool found = false;
    bool trim = false;
  };
  RightDelim AtRightDelim() const;
  bool AtTerminator();
  void Ignore();
  void Emit(TemplateTokenType type);
  void Fail(std::string message);

  void Text();
  void LeftDelim();
  void Comment();
  void CloseAction();
  void Inside();
  void Space();
  void Identifier();
  void FieldOrVariable(TemplateTokenType type);
  void CharConstant();
  void Quote();
  void RawQuote();
  void Number();
  bool ScanNumber();

  std::string_view input_;
  State state_ = State::kText;
  size_t pos_ = 0;
  size_t start_ = 0;
  size_t width_ = 0;
  int32_t line_ = 1;
  int32_t start_line_ = 1;
  int32_t paren_depth_ = 0;
  TemplateToken token_;
  bool have_token_ = false;
};

}  // namespace epi::rules
