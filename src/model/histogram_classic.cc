#include "model/histogram_classic.h"

#include <limits>
#include <string>

#include "model/histogram_buckets.h"
#include "model/histogram_convert.h"
#include "model/histogram_validate.h"
#include "model/number_format.h"

namespace epi {
namespace {

std::string BoundText(const std::vector<double>& bounds, size_t i) {
  std::string out;
  AppendOpenMetricsValue(out, i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity());
  return out;
}

Result<void> CheckConvertible(int32_t schema, const Labels& labels) {
  if (labels.MetricName().empty()) return Fail(ErrorCode::kInvalid, "metric name label '__name__' is missing");
  if (IsCustomBucketsSchema(schema)) return {};
  return Fail(ErrorCode::kInvalid, "unsupported histogram schema, not a NHCB");
}

// `h` is valid. `gaps_repeat`: what a bucket between two spans counts, the count before the gap or nothing.
void Emit(const FloatHistogram& h, const Labels& labels, bool gaps_repeat, const ClassicSample& emit) {
  const std::string name(labels.MetricName());
  LabelsBuilder builder(labels);
  builder.Set(kMetricName, name + "_bucket");
  double cumulative = 0;
  double before = 0;
  PositiveCursor at(h);
  bool more = at.Next();
  for (size_t i = 0; i <= h.custom_values.size(); ++i) {
    double count = gaps_repeat && more ? before : 0;
    if (more && at.index() == static_cast<int64_t>(i)) {
      count = before = at.count();
      more = at.Next();
    }
    cumulative += count;
    emit(builder.Set(kBucketLabel, BoundText(h.custom_values, i)).Build(), cumulative);
  }
  builder.Reset(labels);
  emit(builder.Set(kMetricName, name + "_count").Build(), h.count);
  emit(builder.Set(kMetricName, name + "_sum").Build(), h.sum);
}

}  // namespace

Result<void> ToClassic(const FloatHistogram& h, const Labels& labels, const ClassicSample& emit) {
  EPI_TRY(CheckConvertible(h.schema, labels));
  EPI_TRY(Validate(h));
  Emit(h, labels, false, emit);
  return {};
}

Result<void> ToClassic(const Histogram& h, const Labels& labels, const ClassicSample& emit) {
  EPI_TRY(CheckConvertible(h.schema, labels));
  EPI_TRY(Validate(h));
  Emit(ToFloat(h), labels, true, emit);
  return {};
}

}  // namespace epi
