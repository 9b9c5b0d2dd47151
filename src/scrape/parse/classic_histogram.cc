#include "scrape/parse/classic_histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/histogram_math.h"
#include "model/histogram_validate.h"

namespace epi::scrape {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Runs of at most this many empty buckets stay inside a span.
constexpr size_t kMaxEmptyBuckets = 2;

Error NoHistogram(const char* why) {
  return Error(ErrorCode::kInvalid, std::string("not a classic histogram: ") + why);
}

}  // namespace

void ClassicHistogram::Clear() {
  buckets_.clear();
  count_ = sum_ = 0;
  has_count_ = broken_ = false;
}

void ClassicHistogram::SetCount(double count) {
  if (count < 0) broken_ = true;
  count_ = count;
  has_count_ = true;
}

void ClassicHistogram::AddBucket(double upper_bound, double cumulative_count) {
  if (broken_) return;
  if (cumulative_count < 0) {
    broken_ = true;
    return;
  }
  const auto at = std::lower_bound(buckets_.begin(), buckets_.end(), upper_bound,
                                   [](const Bucket& bucket, double bound) { return bucket.upper_bound < bound; });
  if (at != buckets_.end() && at->upper_bound == upper_bound) return;  // the first one counts
  if ((at != buckets_.begin() && cumulative_count < std::prev(at)->count) ||
      (at != buckets_.end() && cumulative_count > at->count)) {
    broken_ = true;
    return;
  }
  buckets_.insert(at, {upper_bound, cumulative_count});
}

Result<ClassicHistogram::Converted> ClassicHistogram::Convert() {
  if (broken_) return Fail(NoHistogram("counts are negative or not cumulative"));
  if (!has_count_ && !buckets_.empty()) count_ = buckets_.back().count;
  if (buckets_.empty() || buckets_.back().upper_bound != kInfinity) buckets_.push_back({kInfinity, count_});
  if (buckets_.back().count != count_) return Fail(NoHistogram("the count is not that of the last bucket"));

  const auto fill = [this](auto& h) {
    h.schema = kCustomBucketsSchema;
    h.sum = sum_;
    h.positive_spans = {{0, static_cast<uint32_t>(buckets_.size())}};
    h.custom_values.reserve(buckets_.size() - 1);
    for (size_t i = 0; i + 1 < buckets_.size(); ++i) h.custom_values.push_back(buckets_[i].upper_bound);
  };
  const bool whole = std::all_of(buckets_.begin(), buckets_.end(),
                                 [](const Bucket& bucket) { return bucket.count == std::round(bucket.count); });
  // Counts past what an integer holds exactly cannot be told from floats.
  constexpr double kLargestInteger = 9007199254740992.0 * 512;
  if (whole && count_ < kLargestInteger) {
    auto h = std::make_shared<Histogram>();
    fill(*h);
    h->count = static_cast<uint64_t>(count_);
    int64_t previous_count = 0;
    int64_t previous_delta = 0;
    for (const auto& bucket : buckets_) {
      const auto count = static_cast<int64_t>(bucket.count);
      const int64_t delta = count - previous_count;
      h->positive_buckets.push_back(delta - previous_delta);
      previous_count = count;
      previous_delta = delta;
    }
    Compact(*h, kMaxEmptyBuckets);
    EPI_TRY(Validate(*h));
    return Converted{std::move(h), nullptr};
  }
  auto h = std::make_shared<FloatHistogram>();
  fill(*h);
  h->count = count_;
  double previous = 0;
  for (const auto& bucket : buckets_) {
    h->positive_buckets.push_back(bucket.count - previous);
    previous = bucket.count;
  }
  Compact(*h);
  EPI_TRY(Validate(*h));
  return Converted{nullptr, std::move(h)};
}

}  // namespace epi::scrape
