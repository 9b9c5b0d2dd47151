#include "model/histogram_format.h"

#include <array>
#include <limits>
#include <string_view>

#include "model/histogram_buckets.h"
#include "model/histogram_math.h"
#include "model/number_format.h"

namespace epi {
namespace {

// Counts print as what they are: a double may not hold a large integer.
struct PrintedBucket {
  Bucket bucket;
  std::string count;
};

std::string Print(double v) { return FormatFloatGeneral(v); }
std::string Print(uint64_t v) { return std::to_string(v); }

void AppendBucket(std::string& out, const Bucket& b, const std::string& count) {
  out += b.lower_inclusive ? ", [" : ", (";
  AppendFloatGeneral(out, b.lower);
  out += ',';
  AppendFloatGeneral(out, b.upper);
  out += b.upper_inclusive ? "]:" : "):";
  out += count;
}

// The absolute count of bucket `i`, asked for in ascending order.
class Absolute {
 public:
  explicit Absolute(const std::vector<double>& counts) : floats_(&counts) {}
  explicit Absolute(const std::vector<int64_t>& deltas) : deltas_(&deltas) {}
  // Empty when the count is zero.
  std::string Next(size_t i) {
    if (floats_ != nullptr) return (*floats_)[i] == 0 ? std::string() : Print((*floats_)[i]);
    current_ += static_cast<uint64_t>((*deltas_)[i]);
    return current_ == 0 ? std::string() : Print(current_);
  }

 private:
  const std::vector<double>* floats_ = nullptr;
  const std::vector<int64_t>* deltas_ = nullptr;
  uint64_t current_ = 0;
};

template <typename H>
std::string ToText(const H& h) {
  std::string out = "{count:" + Print(h.count) + ", sum:" + Print(h.sum);
  std::vector<PrintedBucket> negative;
  Absolute negative_counts(h.negative_buckets);
  for (SpanWalk at(h.negative_spans, h.negative_buckets.size()); at.Next();) {
    std::string count = negative_counts.Next(at.position());
    if (!count.empty()) negative.push_back({NegativeBucket(at.index(), 0, h.schema), std::move(count)});
  }
  for (auto it = negative.rbegin(); it != negative.rend(); ++it) AppendBucket(out, it->bucket, it->count);
  if (h.zero_count != 0) {
    AppendBucket(out, {-h.zero_threshold, h.zero_threshold, 0, 0, true, true}, Print(h.zero_count));
  }
  Absolute positive_counts(h.positive_buckets);
  for (SpanWalk at(h.positive_spans, h.positive_buckets.size()); at.Next();) {
    const std::string count = positive_counts.Next(at.position());
    if (!count.empty()) AppendBucket(out, PositiveBucket(at.index(), 0, h.schema, h.custom_values), count);
  }
  return out + "}";
}

constexpr std::array<std::string_view, 4> kHints = {"", "reset", "not_reset", "gauge"};

class FieldWriter {
 public:
  void Add(std::string_view key, std::string_view value) {
    if (!out_.empty()) out_ += ' ';
    out_ += key;
    out_ += ':';
    out_ += value;
  }
  void AddNonZero(std::string_view key, double value) {
    if (value != 0) Add(key, FormatFloatGeneral(value));
  }
  void AddList(std::string_view key, const std::vector<double>& values) {
    std::string list = "[";
    for (const double value : values) {
      if (list.size() > 1) list += ' ';
      AppendFloatGeneral(list, value);
    }
    Add(key, list + "]");
  }
  void AddSide(std::string_view offset_key, std::string_view buckets_key, const std::vector<HistogramSpan>& spans,
               const std::vector<double>& buckets) {
    if (!spans.empty() && spans.front().offset != 0) Add(offset_key, std::to_string(spans.front().offset));
    if (!buckets.empty()) AddList(buckets_key, buckets);
  }
  const std::string& text() const { return out_; }

 private:
  std::string out_;
};

}  // namespace

std::string HistogramToString(const FloatHistogram& h) { return ToText(h); }
std::string HistogramToString(const Histogram& h) { return ToText(h); }

std::string HistogramToTestExpression(const FloatHistogram& h) {
  FloatHistogram joined = h;
  Compact(joined, std::numeric_limits<size_t>::max());  // the notation has one span a side
  FieldWriter fields;
  if (joined.schema != 0) fields.Add("schema", std::to_string(joined.schema));
  fields.AddNonZero("count", joined.count);
  fields.AddNonZero("sum", joined.sum);
  fields.AddNonZero("z_bucket", joined.zero_count);
  fields.AddNonZero("z_bucket_w", joined.zero_threshold);
  if (IsCustomBucketsSchema(joined.schema)) fields.AddList("custom_values", joined.custom_values);
  if (joined.counter_reset_hint != CounterResetHint::kUnknown) {
    fields.Add("counter_reset_hint", kHints[static_cast<size_t>(joined.counter_reset_hint)]);
  }
  fields.AddSide("offset", "buckets", joined.positive_spans, joined.positive_buckets);
  fields.AddSide("n_offset", "n_buckets", joined.negative_spans, joined.negative_buckets);
  return "{{" + fields.text() + "}}";
}

}  // namespace epi
