#include "promql/parser/token.h"

#include <array>
#include <cstdio>

#include "base/escaping.h"
#include "base/printable.h"
#include "base/utf8.h"
#include "model/labels.h"

namespace epi::promql {
namespace {

struct Word {
  std::string_view text;
  TokenType type;
};

constexpr std::array kKeywords = {
    Word{"and", TokenType::kAnd},
    Word{"or", TokenType::kOr},
    Word{"unless", TokenType::kUnless},
    Word{"atan2", TokenType::kAtan2},
    Word{"sum", TokenType::kSum},
    Word{"avg", TokenType::kAvg},
    Word{"count", TokenType::kCount},
    Word{"min", TokenType::kMin},
    Word{"max", TokenType::kMax},
    Word{"group", TokenType::kGroup},
    Word{"stddev", TokenType::kStddev},
    Word{"stdvar", TokenType::kStdvar},
    Word{"topk", TokenType::kTopk},
    Word{"bottomk", TokenType::kBottomk},
    Word{"count_values", TokenType::kCountValues},
    Word{"quantile", TokenType::kQuantile},
    Word{"limitk", TokenType::kLimitk},
    Word{"limit_ratio", TokenType::kLimitRatio},
    Word{"offset", TokenType::kOffset},
    Word{"smoothed", TokenType::kSmoothed},
    Word{"anchored", TokenType::kAnchored},
    Word{"by", TokenType::kBy},
    Word{"without", TokenType::kWithout},
    Word{"on", TokenType::kOn},
    Word{"ignoring", TokenType::kIgnoring},
    Word{"group_left", TokenType::kGroupLeft},
    Word{"group_right", TokenType::kGroupRight},
    Word{"fill", TokenType::kFill},
    Word{"fill_left", TokenType::kFillLeft},
    Word{"fill_right", TokenType::kFillRight},
    Word{"bool", TokenType::kBool},
    Word{"start", TokenType::kStart},
    Word{"end", TokenType::kEndKeyword},
    Word{"step", TokenType::kStep},
    Word{"range", TokenType::kRange},
    Word{"max_of", TokenType::kMaxOf},
    Word{"min_of", TokenType::kMinOf},
    Word{"inf", TokenType::kNumber},
    Word{"nan", TokenType::kNumber},
};

constexpr std::array kHistogramDescriptors = {
    Word{"sum", TokenType::kSumDesc},
    Word{"count", TokenType::kCountDesc},
    Word{"schema", TokenType::kSchemaDesc},
    Word{"offset", TokenType::kOffsetDesc},
    Word{"n_offset", TokenType::kNegativeOffsetDesc},
    Word{"buckets", TokenType::kBucketsDesc},
    Word{"n_buckets", TokenType::kNegativeBucketsDesc},
    Word{"z_bucket", TokenType::kZeroBucketDesc},
    Word{"z_bucket_w", TokenType::kZeroBucketWidthDesc},
    Word{"custom_values", TokenType::kCustomValuesDesc},
    Word{"counter_reset_hint", TokenType::kCounterResetHintDesc},
};

constexpr std::array kCounterResetHints = {
    Word{"unknown", TokenType::kUnknownCounterReset},
    Word{"reset", TokenType::kCounterReset},
    Word{"not_reset", TokenType::kNotCounterReset},
    Word{"gauge", TokenType::kGaugeType},
};

// Prometheus names tokens that have no name of their own by the number its generator gave them; the numbers are part of
// its error texts. The descriptors are the only ones a text can reach.
constexpr int kFirstDescriptorNumber = 57370;
constexpr int kFirstHintNumber = 57383;

template <size_t N>
TokenType Find(const std::array<Word, N>& words, std::string_view word) {
  constexpr size_t kLongest = 20;
  if (word.size() > kLongest) return TokenType::kIdentifier;
  std::array<char, kLongest> lower;
  for (size_t i = 0; i < word.size(); ++i) {
    lower[i] = word[i] >= 'A' && word[i] <= 'Z' ? static_cast<char>(word[i] - 'A' + 'a') : word[i];
  }
  const std::string_view key(lower.data(), word.size());
  for (const Word& candidate : words) {
    if (candidate.text == key) return candidate.type;
  }
  return TokenType::kIdentifier;
}

// Go's %q with precision 10: the first ten characters, and a mark when more were there.
std::string TokenText(std::string_view text, bool shorten) {
  std::string out;
  if (!shorten || text.size() <= 10) {
    AppendQuoted(out, text);
    return out;
  }
  size_t end = 0;
  for (int i = 0; i < 10 && end < text.size(); ++i) {
    uint32_t rune = 0;
    const size_t width = DecodeUtf8(text.substr(end), rune);
    end += width == 0 ? 1 : width;
  }
  AppendQuoted(out, text.substr(0, end));
  return out + "...";
}

std::string TextOf(const Token& token) {
  switch (token.type) {
    case TokenType::kEnd:
      return "EOF";
    case TokenType::kError:
      return std::string(token.text);
    case TokenType::kIdentifier:
    case TokenType::kMetricIdentifier:
      return TokenText(token.text, false);
    default:
      break;
  }
  if (IsKeywordToken(token.type)) return "<" + std::string(token.text) + ">";
  if (IsOperatorToken(token.type)) return "<op:" + std::string(token.text) + ">";
  if (IsAggregatorToken(token.type)) return "<aggr:" + std::string(token.text) + ">";
  return TokenText(token.text, true);
}

// The kind in front of the text; empty for tokens whose text says it all.
std::string KindOf(TokenType type) {
  switch (type) {
    case TokenType::kError:
      return "error";
    case TokenType::kComment:
      return "comment";
    case TokenType::kIdentifier:
      return "identifier";
    case TokenType::kMetricIdentifier:
      return "metric identifier";
    case TokenType::kString:
      return "string";
    case TokenType::kNumber:
      return "number";
    case TokenType::kDuration:
      return "duration";
    default:
      break;
  }
  if (type >= TokenType::kSumDesc && type <= TokenType::kGaugeType) {
    const bool hint = type >= TokenType::kUnknownCounterReset;
    const int number =
        hint ? kFirstHintNumber + static_cast<int>(type) - static_cast<int>(TokenType::kUnknownCounterReset)
             : kFirstDescriptorNumber + static_cast<int>(type) - static_cast<int>(TokenType::kSumDesc);
    return "\"<Item " + std::to_string(number) + ">\"";
  }
  return {};
}

}  // namespace

std::string DescribeToken(const Token& token) {
  if (token.type == TokenType::kEnd) return "end of input";
  std::string kind = KindOf(token.type);
  if (kind.empty()) return TextOf(token);
  return kind + " " + TextOf(token);
}

TokenType KeywordFromWord(std::string_view word) { return Find(kKeywords, word); }
TokenType HistogramDescriptorFromWord(std::string_view word) { return Find(kHistogramDescriptors, word); }
TokenType CounterResetHintFromWord(std::string_view word) { return Find(kCounterResetHints, word); }

void AppendQuotedRune(std::string& out, int32_t rune) {
  const uint32_t shown =
      rune >= 0 && IsValidRune(static_cast<uint32_t>(rune)) ? static_cast<uint32_t>(rune) : kReplacementRune;
  if (shown == '\'') {
    out += "'\\''";
    return;
  }
  if (shown == '"') {
    out += "'\"'";
    return;
  }
  std::string text;
  AppendUtf8(text, shown);
  std::string quoted;
  AppendQuoted(quoted, text);
  out += '\'';
  out.append(quoted, 1, quoted.size() - 2);
  out += '\'';
}

}  // namespace epi::promql
