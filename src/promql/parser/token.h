// Tokens of PromQL and of the series descriptions in test scripts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "promql/parser/ast.h"

namespace epi::promql {

enum class TokenType : unsigned char {
  kEnd,
  kError,  // text is the message
  kComment,
  kEqual,
  kBlank,
  kColon,
  kComma,
  kDuration,
  kIdentifier,
  kLeftBrace,
  kLeftBracket,
  kLeftParen,
  kOpenHistogram,
  kCloseHistogram,
  kMetricIdentifier,
  kNumber,
  kRightBrace,
  kRightBracket,
  kRightParen,
  kSpace,
  kString,
  kTimes,
  // Histogram descriptors of series descriptions.
  kSumDesc,
  kCountDesc,
  kSchemaDesc,
  kOffsetDesc,
  kNegativeOffsetDesc,
  kBucketsDesc,
  kNegativeBucketsDesc,
  kZeroBucketDesc,
  kZeroBucketWidthDesc,
  kCustomValuesDesc,
  kCounterResetHintDesc,
  kUnknownCounterReset,
  kCounterReset,
  kNotCounterReset,
  kGaugeType,
  // Operators.
  kAdd,
  kDiv,
  kEqualEqual,
  kEqualRegex,
  kGreaterEqual,
  kGreater,
  kAnd,
  kOr,
  kLess,
  kLessEqual,
  kUnless,
  kMod,
  kMul,
  kNotEqual,
  kNotEqualRegex,
  kPow,
  kSub,
  kAt,
  kAtan2,
  kTrimUpper,
  kTrimLower,
  // Aggregations.
  kAvg,
  kBottomk,
  kCount,
  kCountValues,
  kGroup,
  kMax,
  kMin,
  kQuantile,
  kStddev,
  kStdvar,
  kSum,
  kTopk,
  kLimitk,
  kLimitRatio,
  // Keywords.
  kBool,
  kBy,
  kGroupLeft,
  kGroupRight,
  kFill,
  kFillLeft,
  kFillRight,
  kIgnoring,
  kOffset,
  kSmoothed,
  kAnchored,
  kOn,
  kWithout,
  // Words with a meaning only before "(".
  kStart,
  kEndKeyword,
  kStep,
  kRange,
  kMaxOf,
  kMinOf,
};
inline bool IsOperatorToken(TokenType t) { return t >= TokenType::kAdd && t <= TokenType::kTrimLower; }
inline bool IsAggregatorToken(TokenType t) { return t >= TokenType::kAvg && t <= TokenType::kLimitRatio; }
inline bool IsKeywordToken(TokenType t) { return t >= TokenType::kBool && t <= TokenType::kWithout; }

struct Token {
  TokenType type = TokenType::kEnd;
  int32_t pos = 0;
  std::string_view text;  // of the input, or of the lexer's message for kError
  PositionRange range() const { return {pos, pos + static_cast<int32_t>(text.size())}; }
};

// The token as Prometheus names it behind "unexpected": `identifier "x"`, `<op:+>`, `"]"`, `end of input`.
std::string DescribeToken(const Token& token);

// The keyword or special number that `word` is, in any case; kIdentifier when it is none.
TokenType KeywordFromWord(std::string_view word);
// The histogram descriptor or counter reset hint that `word` is, in any case; kIdentifier when it is none.
TokenType HistogramDescriptorFromWord(std::string_view word);
TokenType CounterResetHintFromWord(std::string_view word);

// Go's %q of a character: 'x'. Negative stands for the end of the input.
void AppendQuotedRune(std::string& out, int32_t rune);

}  // namespace epi::promql
