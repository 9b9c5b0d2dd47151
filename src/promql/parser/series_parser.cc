// Series descriptions of test scripts and rule unit tests.
#include <charconv>
#include <optional>

#include "base/escaping.h"
#include "model/histogram_math.h"
#include "model/labels.h"
#include "model/sample.h"
#include "promql/parser/expression_parser.h"
#include "promql/parser/literal_values.h"

namespace epi::promql {
namespace {

// One histogram in the making. What was not written stays zero.
struct HistogramText {
  FloatHistogram histogram;
  std::optional<int64_t> positive_offset;
  std::optional<int64_t> negative_offset;
  std::vector<TokenType> seen;
  bool hint_set = false;
};

std::string_view DescriptorName(TokenType key) {
  switch (key) {
    case TokenType::kSchemaDesc:
      return "schema";
    case TokenType::kSumDesc:
      return "sum";
    case TokenType::kCountDesc:
      return "count";
    case TokenType::kZeroBucketDesc:
      return "z_bucket";
    case TokenType::kZeroBucketWidthDesc:
      return "z_bucket_w";
    case TokenType::kCustomValuesDesc:
      return "custom_values";
    case TokenType::kBucketsDesc:
      return "buckets";
    case TokenType::kOffsetDesc:
      return "offset";
    case TokenType::kNegativeBucketsDesc:
      return "n_buckets";
    case TokenType::kNegativeOffsetDesc:
      return "n_offset";
    default:
      return "counter_reset_hint";
  }
}

CounterResetHint HintOf(TokenType type) {
  switch (type) {
    case TokenType::kCounterReset:
      return CounterResetHint::kReset;
    case TokenType::kNotCounterReset:
      return CounterResetHint::kNotReset;
    case TokenType::kGaugeType:
      return CounterResetHint::kGauge;
    default:
      return CounterResetHint::kUnknown;
  }
}

class SeriesParser {
 public:
  SeriesParser(TokenStream& tokens, size_t max_values) : tokens_(tokens), max_values_(max_values) {}

  // Everything behind the metric. Errors are in the stream.
  std::vector<SequenceValue> Values() {
    // Whether an item could begin here, or has just ended: Prometheus does not say what such a token is unexpected in.
    bool between_items = false;
    while (tokens_.At(TokenType::kSpace)) {
      tokens_.Take();
      between_items = true;
      if (tokens_.At(TokenType::kEnd) || tokens_.At(TokenType::kSpace)) continue;
      if (!BeginsItem(tokens_.PeekType())) {
        Fails();
        break;
      }
      between_items = Item();
      if (!between_items) break;
    }
    if (tokens_.unwinding() || !tokens_.At(TokenType::kEnd)) {
      tokens_.Recover(between_items ? "" : "series values", {});
      values_.clear();
    }
    return std::move(values_);
  }

 private:
  bool Fails() {
    tokens_.SyntaxError();
    return false;
  }

  bool Push(SequenceValue value) {
    if (values_.size() >= max_values_) {
      tokens_.Abort(tokens_.last_token_range(), "too many values in series description");
      return false;
    }
    values_.push_back(std::move(value));
    return true;
  }

  static bool BeginsItem(TokenType type) {
    switch (type) {
      case TokenType::kBlank:
      case TokenType::kOpenHistogram:
      case TokenType::kIdentifier:
      case TokenType::kNumber:
      case TokenType::kAdd:
      case TokenType::kSub:
        return true;
      default:
        return false;
    }
  }

  bool Item() {
    switch (tokens_.PeekType()) {
      case TokenType::kBlank:
        return Blanks();
      case TokenType::kOpenHistogram:
        return Histograms();
      default:
        return Floats();
    }
  }

  bool Blanks() {
    tokens_.Take();
    uint64_t count = 1;
    if (tokens_.At(TokenType::kTimes) && !Repetition(count)) return false;
    SequenceValue blank;
    blank.omitted = true;
    for (uint64_t i = 0; i < count; ++i) {
      if (!Push(blank)) return false;
    }
    return true;
  }

  bool Floats() {
    double value = 0;
    double step = 0;
    if (!FirstFloat(value)) return false;
    uint64_t more = 0;
    if (tokens_.At(TokenType::kAdd) || tokens_.At(TokenType::kSub)) {
      if (!SignedNumber(step)) return false;
      if (!tokens_.At(TokenType::kTimes)) return Fails();
    }
    const bool stepping = step != 0;
    if (tokens_.At(TokenType::kTimes) && !Repetition(more)) return false;
    for (uint64_t i = 0; i <= more; ++i) {
      SequenceValue point;
      point.value = value;
      if (!Push(point)) return false;
      if (stepping) value += step;
      if (i == UINT64_MAX) break;
    }
    return true;
  }

  bool FirstFloat(double& out) {
    if (!tokens_.At(TokenType::kIdentifier)) return SignedNumber(out);
    if (tokens_.Peek().text != "stale") tokens_.ReportUnexpected("series values", "number or \"stale\"");
    tokens_.Take();
    out = StaleNaN();
    return true;
  }

  bool SignedNumber(double& out) {
    bool minus = false;
    if (tokens_.At(TokenType::kAdd) || tokens_.At(TokenType::kSub)) minus = tokens_.Take().type == TokenType::kSub;
    if (!tokens_.At(TokenType::kNumber)) return Fails();
    const Token token = tokens_.Take();
    auto value = ParseNumberToken(token.text);
    if (!value) {
      tokens_.AddError(token.range(), "error parsing number: " + value.error().message());
      value = 0.0;
    }
    out = minus ? -*value : *value;
    return true;
  }

  // The x is next.
  bool Repetition(uint64_t& out) {
    tokens_.Take();
    return Unsigned(out);
  }

  bool Unsigned(uint64_t& out) {
    if (!tokens_.At(TokenType::kNumber)) return Fails();
    const Token token = tokens_.Take();
    out = 0;
    const char* const end = token.text.data() + token.text.size();
    const auto [read, error] = std::from_chars(token.text.data(), end, out);
    if (error == std::errc() && read == end) return true;
    std::string message = "invalid repetition in series values: strconv.ParseUint: parsing ";
    AppendQuoted(message, token.text);
    message += error == std::errc::result_out_of_range && read == end ? ": value out of range" : ": invalid syntax";
    tokens_.AddError(token.range(), std::move(message));
    out = 0;
    return true;
  }

  bool Histograms() {
    HistogramText first;
    if (!OneHistogram(first)) return false;
    HistogramText second;
    const TokenType op = tokens_.PeekType();
    const bool combined = op == TokenType::kAdd || op == TokenType::kSub;
    if (combined) {
      tokens_.Take();
      if (!tokens_.At(TokenType::kOpenHistogram)) return Fails();
      if (!OneHistogram(second)) return false;
      if (!tokens_.At(TokenType::kTimes)) return Fails();
    }
    uint64_t more = 0;
    if (tokens_.At(TokenType::kTimes) && !Repetition(more)) return false;
    if (combined) return PushCombined(std::move(first.histogram), second, op == TokenType::kSub, more);
    SequenceValue point;
    point.histogram = std::make_shared<const FloatHistogram>(std::move(first.histogram));
    point.counter_reset_hint_set = first.hint_set;
    for (uint64_t i = 0; i <= more; ++i) {
      if (!Push(point)) return false;
      if (i == UINT64_MAX) break;
    }
    return true;
  }

  bool PushCombined(FloatHistogram current, const HistogramText& step, bool subtract, uint64_t more) {
    const PositionRange pos = tokens_.last_token_range();
    for (uint64_t i = 0;; ++i) {
      SequenceValue point;
      point.histogram = std::make_shared<const FloatHistogram>(current);
      point.counter_reset_hint_set = step.hint_set;
      if (!Push(std::move(point))) return false;
      if (i == more) return true;
      if (current.schema > step.histogram.schema) {
        tokens_.AddError(pos, "error combining histograms: cannot merge from schema " +
                                  std::to_string(step.histogram.schema) + " to " + std::to_string(current.schema));
        return true;
      }
      const auto result = subtract ? Subtract(current, step.histogram) : Add(current, step.histogram);
      if (!result) {
        tokens_.AddError(pos, result.error().message());
        return true;
      }
    }
  }

  bool OneHistogram(HistogramText& out) {
    tokens_.Take();
    if (tokens_.At(TokenType::kSpace)) {
      tokens_.Take();
      if (!tokens_.At(TokenType::kCloseHistogram)) return Fails();
    }
    bool first = true;
    while (!tokens_.At(TokenType::kCloseHistogram)) {
      if (!first) {
        if (!tokens_.At(TokenType::kSpace)) return FailInDescription();
        tokens_.Take();
        if (tokens_.At(TokenType::kCloseHistogram)) break;
      }
      if (!Descriptor(out)) return first ? false : FailInDescription();
      first = false;
    }
    tokens_.Take();
    AddSpan(out.positive_offset, out.histogram.positive_buckets.size(), out.histogram.positive_spans);
    AddSpan(out.negative_offset, out.histogram.negative_buckets.size(), out.histogram.negative_spans);
    return true;
  }

  bool FailInDescription() {
    if (!tokens_.unwinding()) tokens_.SyntaxError();
    tokens_.ReportUnexpected("histogram description", "histogram description key, e.g. buckets:[5 10 7]");
    return false;
  }

  static void AddSpan(std::optional<int64_t> offset, size_t buckets, std::vector<HistogramSpan>& spans) {
    if (buckets == 0) return;
    spans.push_back({static_cast<int32_t>(offset.value_or(0)), static_cast<uint32_t>(buckets)});
  }

  bool Descriptor(HistogramText& out) {
    const TokenType key = tokens_.PeekType();
    if (key < TokenType::kSumDesc || key > TokenType::kCounterResetHintDesc) return Fails();
    tokens_.Take();
    if (!tokens_.At(TokenType::kColon)) return Fails();
    tokens_.Take();
    // The first of two equal keys counts; the second is read for its form.
    HistogramText ignored;
    bool duplicate = false;
    for (const TokenType seen : out.seen) duplicate = duplicate || seen == key;
    HistogramText& target = duplicate ? ignored : out;
    if (!DescriptorValue(key, target)) return false;
    if (duplicate) {
      std::string message = "duplicate key \"";
      tokens_.AddError({}, message.append(DescriptorName(key)).append("\" in histogram"));
    }
    out.seen.push_back(key);
    return true;
  }

  bool DescriptorValue(TokenType key, HistogramText& out) {
    FloatHistogram& h = out.histogram;
    int64_t integer = 0;
    switch (key) {
      case TokenType::kSchemaDesc:
        if (!Integer(integer)) return false;
        h.schema = static_cast<int32_t>(integer);
        return true;
      case TokenType::kSumDesc:
        return SignedNumber(h.sum);
      case TokenType::kCountDesc:
        return SignedNumber(h.count);
      case TokenType::kZeroBucketDesc:
        return SignedNumber(h.zero_count);
      case TokenType::kZeroBucketWidthDesc:
        if (!tokens_.At(TokenType::kNumber)) return Fails();
        return SignedNumber(h.zero_threshold);
      case TokenType::kCustomValuesDesc:
        return Numbers(h.custom_values);
      case TokenType::kBucketsDesc:
        return Numbers(h.positive_buckets);
      case TokenType::kNegativeBucketsDesc:
        return Numbers(h.negative_buckets);
      case TokenType::kOffsetDesc:
      case TokenType::kNegativeOffsetDesc:
        if (!Integer(integer)) return false;
        (key == TokenType::kOffsetDesc ? out.positive_offset : out.negative_offset) = integer;
        return true;
      default:
        return Hint(out);
    }
  }

  bool Hint(HistogramText& out) {
    const TokenType type = tokens_.PeekType();
    if (type < TokenType::kUnknownCounterReset || type > TokenType::kGaugeType) return Fails();
    out.histogram.counter_reset_hint = HintOf(tokens_.Take().type);
    out.hint_set = true;
    return true;
  }

  bool Integer(int64_t& out) {
    bool minus = false;
    if (tokens_.At(TokenType::kSub)) minus = tokens_.Take().type == TokenType::kSub;
    uint64_t magnitude = 0;
    if (!Unsigned(magnitude)) return false;
    out = static_cast<int64_t>(minus ? ~magnitude + 1 : magnitude);
    return true;
  }

  // "[1 2 3]". Prometheus passes silently over what does not fit behind the first number.
  bool Numbers(std::vector<double>& out) {
    if (!tokens_.At(TokenType::kLeftBracket)) return Fails();
    tokens_.Take();
    double value = 0;
    if (!SignedNumber(value)) return false;
    out.push_back(value);
    while (!tokens_.At(TokenType::kRightBracket)) {
      if (tokens_.At(TokenType::kEnd) || tokens_.At(TokenType::kError)) return Fails();
      const bool space = tokens_.Take().type == TokenType::kSpace;
      const TokenType next = tokens_.PeekType();
      if (!space || (next != TokenType::kNumber && next != TokenType::kAdd && next != TokenType::kSub)) continue;
      if (!SignedNumber(value)) return false;
      out.push_back(value);
    }
    tokens_.Take();
    return true;
  }

  TokenStream& tokens_;
  size_t max_values_;
  std::vector<SequenceValue> values_;
};

}  // namespace

Result<SeriesDescription> ParseSeriesDescription(std::string_view text, size_t max_values, int line_offset) {
  TokenStream tokens(text, true);
  const ParseOptions options;
  SeriesDescription out;
  auto labels = ExpressionParser(tokens, options).ParseMetric();
  if (labels) {
    out.labels = std::move(*labels);
    out.values = SeriesParser(tokens, max_values).Values();
  } else {
    tokens.Recover({}, {});
  }
  if (!tokens.errors().empty())
    return Fail(ErrorCode::kInvalid, FormatParseError(tokens.errors().front(), text, line_offset));
  return out;
}

}  // namespace epi::promql
