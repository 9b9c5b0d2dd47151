// Tokens of Go's text/template language.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/escaping.h"
#include "model/character_cursor.h"

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
  // `input` outlives the lexer.
  explicit TemplateLexer(std::string_view input) : cursor_(input) {}
  TemplateToken Next();

 private:
  TemplateToken TextOrOpening();
  TemplateToken InAction();

  // Tokens of actions whose first character has been taken.
  TemplateToken Spaces();
  TemplateToken Name(TemplateTokenType type);
  TemplateToken Word();
  TemplateToken Quoted(int32_t quote, TemplateTokenType type, std::string_view what);
  TemplateToken RawString();
  TemplateToken Number();
  // "}}", perhaps with a trim marker before it.
  TemplateToken Close();

  // What has been taken since the last token, as a token.
  TemplateToken Make(TemplateTokenType type);
  // What has been taken is part of no token.
  void Drop();
  // Ends the text.
  TemplateToken Fail(std::string message);
  TemplateToken BadCharacter();

  std::string_view Rest() const { return cursor_.text().substr(cursor_.position()); }
  std::string_view Taken() const { return cursor_.text().substr(start_, cursor_.position() - start_); }
  void TakeBytes(size_t count) { cursor_.MoveTo(cursor_.position() + count); }
  // Whether the next character may stand behind a name.
  bool NameEnds() const;
  bool ScanNumber();

  CharacterCursor cursor_;
  size_t start_ = 0;
  int32_t line_ = 1;  // of start_
  bool in_action_ = false;
  bool ended_ = false;
  int32_t paren_depth_ = 0;
};

}  // namespace epi::rules
