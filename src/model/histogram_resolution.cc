#include "model/histogram_resolution.h"

#include "model/histogram_buckets.h"
#include "model/kahan_sum.h"

namespace epi {
namespace {

constexpr char kMismatch[] = "histogram spans specify different number of buckets than provided";

Result<void> CheckReducible(int32_t schema, int32_t target) {
  if (IsCustomBucketsSchema(schema)) {
    return Fail(ErrorCode::kInvalid, "cannot reduce resolution when there are custom buckets");
  }
  if (IsCustomBucketsSchema(target)) {
    return Fail(ErrorCode::kInvalid, "cannot reduce resolution to custom buckets schema");
  }
  if (target >= schema) {
    return Fail(ErrorCode::kInvalid,
                "cannot reduce resolution from schema " + std::to_string(schema) + " to " + std::to_string(target));
  }
  return {};
}

// In this order Prometheus finds what is wrong: offsets and missing buckets as it goes, spurious buckets at the end.
Result<void> CheckSide(const std::vector<HistogramSpan>& spans, size_t buckets) {
  uint64_t needed = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (i > 0 && spans[i].offset < 0) {
      return Fail(ErrorCode::kInvalid, "span number " + std::to_string(i + 1) + " with offset " +
                                           std::to_string(spans[i].offset) +
                                           ": histogram has a span whose offset is negative");
    }
    needed += spans[i].length;
    if (needed > buckets) {
      return Fail(ErrorCode::kInvalid,
                  "have " + std::to_string(buckets) + " buckets but spans need more: " + kMismatch);
    }
  }
  if (needed != buckets) {
    return Fail(ErrorCode::kInvalid, "spans need " + std::to_string(needed) + " buckets, have " +
                                         std::to_string(buckets) + " buckets: " + kMismatch);
  }
  return {};
}

// Calls start(position) for the first bucket that falls into a target bucket and more(position) for every further one,
// and leaves the target's spans in `spans`.
template <typename Start, typename More>
void MapToCoarser(std::vector<HistogramSpan>& spans, size_t buckets, int32_t from, int32_t to, Start start, More more) {
  std::vector<HistogramSpan> reduced;
  SpanBuilder builder(reduced);
  bool any = false;
  int64_t last = 0;
  for (SpanWalk at(spans, buckets); at.Next();) {
    const int64_t target = CoarserIndex(at.index(), from, to);
    if (any && target == last) {
      more(at.position());
      continue;
    }
    start(at.position());
    builder.Add(target);
    any = true;
    last = target;
  }
  spans = std::move(reduced);
}

void ReduceSide(std::vector<HistogramSpan>& spans, std::vector<double>& buckets, int32_t from, int32_t to) {
  // Targets never overtake their sources, so the counts are reduced in place.
  size_t used = 0;
  MapToCoarser(
      spans, buckets.size(), from, to, [&](size_t position) { buckets[used++] = buckets[position]; },
      [&](size_t position) { buckets[used - 1] += buckets[position]; });
  buckets.resize(used);
}

void ReduceSide(std::vector<HistogramSpan>& spans, std::vector<int64_t>& deltas, int32_t from, int32_t to) {
  uint64_t source = 0;
  std::vector<uint64_t> absolute;
  const auto next = [&](size_t position) { return source += static_cast<uint64_t>(deltas[position]); };
  MapToCoarser(
      spans, deltas.size(), from, to, [&](size_t position) { absolute.push_back(next(position)); },
      [&](size_t position) { absolute.back() += next(position); });
  deltas.clear();
  uint64_t before = 0;
  for (const uint64_t count : absolute) {
    deltas.push_back(static_cast<int64_t>(count - before));
    before = count;
  }
}

template <typename H>
Result<void> Reduce(H& h, int32_t target_schema) {
  EPI_TRY(CheckReducible(h.schema, target_schema));
  EPI_TRY(CheckSide(h.positive_spans, h.positive_buckets.size()));
  EPI_TRY(CheckSide(h.negative_spans, h.negative_buckets.size()));
  ReduceSide(h.positive_spans, h.positive_buckets, h.schema, target_schema);
  ReduceSide(h.negative_spans, h.negative_buckets, h.schema, target_schema);
  h.schema = target_schema;
  return {};
}

}  // namespace

Result<void> ReduceResolution(FloatHistogram& h, int32_t target_schema) { return Reduce(h, target_schema); }
Result<void> ReduceResolution(Histogram& h, int32_t target_schema) { return Reduce(h, target_schema); }

FloatHistogram CopyToSchema(const FloatHistogram& h, int32_t target_schema) {
  FloatHistogram out = h;
  if (target_schema == h.schema) return out;
  EPI_CHECK(!IsCustomBucketsSchema(h.schema) && !IsCustomBucketsSchema(target_schema) && target_schema < h.schema);
  ReduceSide(out.positive_spans, out.positive_buckets, h.schema, target_schema);
  ReduceSide(out.negative_spans, out.negative_buckets, h.schema, target_schema);
  out.schema = target_schema;
  out.counter_reset_hint = CounterResetHint::kUnknown;
  return out;
}

void ReduceSideCompensated(std::vector<HistogramSpan>& spans, std::vector<double>& buckets,
                           std::vector<double>& compensation, int32_t from_schema, int32_t to_schema) {
  size_t used = 0;
  MapToCoarser(
      spans, buckets.size(), from_schema, to_schema,
      [&](size_t position) {
        buckets[used] = buckets[position];
        compensation[used] = compensation[position];
        ++used;
      },
      [&](size_t position) {
        KahanAdd(buckets[position], buckets[used - 1], compensation[used - 1]);
        KahanAdd(compensation[position], buckets[used - 1], compensation[used - 1]);
      });
  buckets.resize(used);
  compensation.resize(used);
}

}  // namespace epi
