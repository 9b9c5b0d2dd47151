#include "model/classic_histogram.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "model/histogram_math.h"
#include "model/number_format.h"

namespace epi {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Runs of so many empty buckets stay inside a span; Prometheus chose so for each kind.
constexpr size_t kMaxEmptyInteger = 2;
constexpr size_t kMaxEmptyFloat = 0;

struct Suffix {
  std::string_view text;
  ClassicPart part;
};
constexpr std::array<Suffix, 3> kSuffixes = {
    {{"_bucket", ClassicPart::kBucket}, {"_sum", ClassicPart::kSum}, {"_count", ClassicPart::kCount}}};

std::string Text(double v) { return FormatFloatGeneral(v); }

// A count that an int64 holds exactly.
bool IsWhole(double v) { return std::fabs(v) < 0x1p63 && v == std::trunc(v); }

std::string NotCumulative(double count, const char* relation, double neighbour) {
  return "count is not cumulative: " + Text(count) + relation + Text(neighbour);
}

}  // namespace

ClassicName SplitClassicName(std::string_view metric_name) {
  for (const Suffix& suffix : kSuffixes) {
    if (metric_name.size() >= suffix.text.size() &&
        metric_name.substr(metric_name.size() - suffix.text.size()) == suffix.text) {
      return {suffix.part, metric_name.substr(0, metric_name.size() - suffix.text.size())};
    }
  }
  return {ClassicPart::kNone, metric_name};
}

void ClassicHistogram::Reject(std::string text) {
  if (error_.empty()) error_ = std::move(text);
}

void ClassicHistogram::SetBucket(double le, double cumulative_count) {
  if (!error_.empty()) return;
  if (std::isnan(le)) return Reject("bucket boundary must not be NaN");
  if (cumulative_count < 0) {
    return Reject("bucket count must be non-negative: le=" + Text(le) + ", count=" + Text(cumulative_count));
  }
  const auto at = std::lower_bound(buckets_.begin(), buckets_.end(), le,
                                   [](const BoundCount& b, double bound) { return b.le < bound; });
  if (at != buckets_.end() && at->le == le) return;
  if (at != buckets_.begin() && cumulative_count < (at - 1)->count) {
    return Reject(NotCumulative(cumulative_count, " < ", (at - 1)->count));
  }
  if (at != buckets_.end() && cumulative_count > at->count) {
    return Reject(NotCumulative(cumulative_count, " > ", at->count));
  }
  buckets_.insert(at, {le, cumulative_count});
}

void ClassicHistogram::SetCount(double count) {
  if (!error_.empty()) return;
  if (count < 0) return Reject("count must be non-negative: count=" + Text(count));
  count_ = count;
}

void ClassicHistogram::SetSum(double sum) {
  sum_ = sum;
  has_sum_ = true;
}

void ClassicHistogram::Clear() {
  buckets_.clear();
  count_.reset();
  sum_ = 0;
  has_sum_ = false;
  error_.clear();
}

Result<ClassicHistogram::Converted> ClassicHistogram::Convert() const {
  if (!error_.empty()) return Fail(ErrorCode::kInvalid, error_);
  std::vector<BoundCount> buckets = buckets_;
  const double count = count_.value_or(buckets.empty() ? 0 : buckets.back().count);
  if (buckets.empty() || buckets.back().le != kInfinity) buckets.push_back({kInfinity, count});
  if (count != buckets.back().count) {
    return Fail(ErrorCode::kInvalid, "count mismatch: count=" + Text(count) + " != le=" + Text(buckets.back().le) +
                                         " count=" + Text(buckets.back().count));
  }
  Converted out;
  const bool whole = IsWhole(count) &&
                     std::all_of(buckets.begin(), buckets.end(), [](const BoundCount& b) { return IsWhole(b.count); });
  const auto fill = [&](auto& h) {
    h.schema = kCustomBucketsSchema;
    h.sum = sum_;
    h.positive_spans = {{0, static_cast<uint32_t>(buckets.size())}};
    for (size_t i = 0; i + 1 < buckets.size(); ++i) h.custom_values.push_back(buckets[i].le);
  };
  if (!whole) {
    FloatHistogram& h = out.floats.emplace();
    fill(h);
    h.count = count;
    double before = 0;
    for (const BoundCount& b : buckets) {
      h.positive_buckets.push_back(b.count - before);
      before = b.count;
    }
    Compact(h, kMaxEmptyFloat);
    return out;
  }
  Histogram& h = out.integer.emplace();
  fill(h);
  h.count = static_cast<uint64_t>(count);
  int64_t before = 0;
  int64_t bucket_before = 0;
  for (const BoundCount& b : buckets) {
    const int64_t bucket = static_cast<int64_t>(b.count) - before;
    h.positive_buckets.push_back(bucket - bucket_before);
    bucket_before = bucket;
    before = static_cast<int64_t>(b.count);
  }
  Compact(h, kMaxEmptyInteger);
  return out;
}

}  // namespace epi
