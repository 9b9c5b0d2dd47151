// Arithmetic on two histograms of arbitrary bytes: any layout, however damaged, must end in some answer.
#include <cstring>

#include "model/histogram_buckets.h"
#include "model/histogram_convert.h"
#include "model/histogram_format.h"
#include "model/histogram_math.h"
#include "model/histogram_reset.h"
#include "model/histogram_resolution.h"
#include "model/histogram_trim.h"
#include "model/histogram_validate.h"

namespace {

using epi::FloatHistogram;

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  template <typename T>
  T Take() {
    T value{};
    const size_t bytes = size_ < sizeof(T) ? size_ : sizeof(T);
    std::memcpy(&value, data_, bytes);
    data_ += bytes;
    size_ -= bytes;
    return value;
  }
  // Mostly the small numbers real data has.
  double Number() {
    const auto kind = Take<uint8_t>();
    return kind < 240 ? kind / 4 : Take<double>();
  }
  int32_t Index() {
    const auto kind = Take<int8_t>();
    return kind < 120 ? kind / 8 : Take<int32_t>();
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

constexpr size_t kMaxBuckets = 12;

void TakeSide(Input& in, std::vector<epi::HistogramSpan>& spans, std::vector<double>& buckets) {
  for (size_t n = in.Take<uint8_t>() % 4; n > 0; --n) {
    const int32_t offset = in.Index();
    spans.push_back({offset, static_cast<uint32_t>(in.Index())});
  }
  for (size_t n = in.Take<uint8_t>() % kMaxBuckets; n > 0; --n) buckets.push_back(in.Number());
}

FloatHistogram TakeHistogram(Input& in) {
  FloatHistogram h;
  const auto schema = in.Take<uint8_t>() % 14;
  h.schema = schema == 13 ? epi::kCustomBucketsSchema : schema + epi::kExponentialSchemaMin;
  h.counter_reset_hint = static_cast<epi::CounterResetHint>(in.Take<uint8_t>() % 4);
  h.zero_threshold = in.Number();
  h.zero_count = in.Number();
  h.count = in.Number();
  h.sum = in.Number();
  TakeSide(in, h.positive_spans, h.positive_buckets);
  TakeSide(in, h.negative_spans, h.negative_buckets);
  for (size_t n = in.Take<uint8_t>() % 5; n > 0; --n) h.custom_values.push_back(in.Number());
  return h;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input in(data, size);
  const FloatHistogram a = TakeHistogram(in);
  const FloatHistogram b = TakeHistogram(in);
  const double value = in.Number();
  const bool valid = epi::Validate(a) && epi::Validate(b);
  FloatHistogram sum = a;
  const auto added = epi::Add(sum, b);
  const bool threshold_is_number = sum.zero_threshold == sum.zero_threshold;
  if (valid && added && threshold_is_number) {
    FloatHistogram compact = sum;
    epi::Compact(compact);
    const FloatHistogram once = compact;
    epi::Compact(compact);
    if (!epi::SameData(once, compact)) __builtin_trap();
  }
  FloatHistogram difference = a;
  static_cast<void>(epi::Subtract(difference, b));
  FloatHistogram kahan = a;
  FloatHistogram compensation = epi::CompensationFor(a);
  if (epi::KahanAdd(kahan, b, compensation) && kahan.positive_buckets.size() != compensation.positive_buckets.size()) {
    __builtin_trap();
  }
  epi::DetectReset(a, b);
  FloatHistogram trimmed = a;
  epi::Trim(trimmed, value, value > 8 ? epi::TrimSide::kAbove : epi::TrimSide::kBelow);
  static_cast<void>(epi::ReduceResolution(difference, epi::kExponentialSchemaMin));
  epi::AllBuckets(trimmed);
  epi::HistogramToString(a);
  if (valid) epi::HistogramToTestExpression(a);
  return 0;
}
