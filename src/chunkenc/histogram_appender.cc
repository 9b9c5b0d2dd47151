#include "chunkenc/histogram_appender.h"

#include <type_traits>
#include <utility>

#include "model/sample.h"

namespace epi {
namespace {

template <typename Kind>
constexpr bool kIsFloat = std::is_same_v<Kind, FloatHistogramKind>;

template <typename Value>
HistogramLayout FirstLayout(const Value& h) {
  return IsStaleNaN(h.sum) ? HistogramLayout{} : LayoutOf(h);
}

template <typename Value>
bool IsGauge(const Value& h) {
  return h.counter_reset_hint == CounterResetHint::kGauge;
}

// `h` with its buckets moved into the merged layouts.
template <typename Kind>
typename Kind::Value Expanded(const typename Kind::Value& h, const MergedSpans& positive, const MergedSpans& negative,
                              const std::vector<uint32_t> MergedSpans::*slots) {
  typename Kind::Value out = h;
  out.positive_spans = positive.spans;
  out.negative_spans = negative.spans;
  out.positive_buckets = Kind::Expand(h.positive_buckets, positive.*slots, positive.buckets);
  out.negative_buckets = Kind::Expand(h.negative_buckets, negative.*slots, negative.buckets);
  return out;
}

}  // namespace

template <typename Kind>
HistogramChunkAppender<Kind>::HistogramChunkAppender(ChunkEncoding encoding, CounterResetHeader header,
                                                     TimestampMs time, const Value& h, TimestampMs start_time)
    : encoder_(encoding, header, FirstLayout(h)) {
  encoder_.Append(time, h, start_time);
}

template <typename Kind>
CounterResetHeader HistogramChunkAppender<Kind>::FirstHeader(const Value& h) {
  if (IsGauge(h)) return CounterResetHeader::kGauge;
  return h.counter_reset_hint == CounterResetHint::kReset ? CounterResetHeader::kReset : CounterResetHeader::kUnknown;
}

template <typename Kind>
CounterResetHeader HistogramChunkAppender<Kind>::NextHeader(const Value& h) const {
  const CounterResetHeader first = FirstHeader(h);
  if (first != CounterResetHeader::kUnknown) return first;
  const Verdict verdict = JudgeCounter(h);
  if (kIsFloat<Kind>) {
    return !verdict.append && verdict.header == CounterResetHeader::kReset ? CounterResetHeader::kReset
                                                                           : CounterResetHeader::kNotReset;
  }
  return verdict.append ? CounterResetHeader::kNotReset : verdict.header;
}

template <typename Kind>
auto HistogramChunkAppender<Kind>::JudgeCounter(const Value& h) const -> Verdict {
  const auto& s = encoder_.state();
  const auto refuse = [](CounterResetHeader header) { return Verdict{.append = false, .header = header}; };
  if (s.header == CounterResetHeader::kGauge) {
    return refuse(kIsFloat<Kind> ? CounterResetHeader::kUnknown : CounterResetHeader::kNotReset);
  }
  if (h.counter_reset_hint == CounterResetHint::kReset) return refuse(CounterResetHeader::kReset);
  if (IsStaleNaN(h.sum)) return Verdict{.append = true};
  if (s.stale()) return refuse(CounterResetHeader::kUnknown);
  if (h.count < Kind::Count(s.count)) return refuse(CounterResetHeader::kReset);
  const HistogramLayout layout = LayoutOf(h);
  if (!s.layout.SameSchema(layout)) return refuse(CounterResetHeader::kUnknown);
  if (!s.layout.SameBounds(layout)) return refuse(CounterResetHeader::kReset);
  if (h.zero_count < Kind::Count(s.zero_count)) return refuse(CounterResetHeader::kReset);
  using Bucket = typename Kind::Bucket;
  const auto merge = [](const auto& spans, const std::vector<Bucket>& buckets, const auto& next_spans,
                        const std::vector<Bucket>& next) {
    return MergeUnlessReset<Bucket>(spans, Kind::Counts(buckets), next_spans, Kind::Counts(next));
  };
  auto positive = merge(s.layout.positive_spans, s.PositiveBuckets(), h.positive_spans, h.positive_buckets);
  if (!positive) return refuse(CounterResetHeader::kReset);
  auto negative = merge(s.layout.negative_spans, s.NegativeBuckets(), h.negative_spans, h.negative_buckets);
  if (!negative) return refuse(CounterResetHeader::kReset);
  return Verdict{.append = true, .positive = std::move(*positive), .negative = std::move(*negative)};
}

template <typename Kind>
auto HistogramChunkAppender<Kind>::JudgeGauge(const Value& h) const -> Verdict {
  const auto& s = encoder_.state();
  const Verdict refused{.append = false, .header = CounterResetHeader::kGauge};
  if (s.header != CounterResetHeader::kGauge) return refused;
  if (IsStaleNaN(h.sum)) return Verdict{.append = true};
  if (s.stale()) return refused;
  const HistogramLayout layout = LayoutOf(h);
  if (!s.layout.SameSchema(layout) || !s.layout.SameBounds(layout)) return refused;
  return Verdict{.append = true,
                 .positive = MergeSpans(s.layout.positive_spans, h.positive_spans),
                 .negative = MergeSpans(s.layout.negative_spans, h.negative_spans)};
}

template <typename Kind>
auto HistogramChunkAppender<Kind>::Judge(const Value& h) const -> Verdict {
  return IsGauge(h) ? JudgeGauge(h) : JudgeCounter(h);
}

template <typename Kind>
std::optional<CounterResetHeader> HistogramChunkAppender<Kind>::Append(TimestampMs time, const Value& h,
                                                                       TimestampMs start_time) {
  if (samples() >= MaxChunkSamples(encoding())) return NextHeader(h);
  const Verdict verdict = Judge(h);
  if (!verdict.append) return verdict.header;
  if (IsStaleNaN(h.sum)) {
    encoder_.Append(time, h, start_time);
    return std::nullopt;
  }
  if (!verdict.positive.same_as_a() || !verdict.negative.same_as_a()) Recode(verdict.positive, verdict.negative);
  if (verdict.positive.same_as_b() && verdict.negative.same_as_b()) {
    encoder_.Append(time, h, start_time);
  } else {
    encoder_.Append(time, Expanded<Kind>(h, verdict.positive, verdict.negative, &MergedSpans::slots_b), start_time);
  }
  return std::nullopt;
}

template <typename Kind>
void HistogramChunkAppender<Kind>::Recode(const MergedSpans& positive, const MergedSpans& negative) {
  HistogramLayout layout = encoder_.state().layout;
  layout.positive_spans = positive.spans;
  layout.negative_spans = negative.spans;
  HistogramChunkEncoder<Kind> next(encoding(), encoder_.state().header, std::move(layout));
  const EncodedChunk chunk = encoder_.Snapshot();
  auto cursor = HistogramChunkCursor<Kind>::Open(encoding(), chunk.data);
  EPI_CHECK(cursor.has_value());
  Value value;
  while (true) {
    const auto more = cursor->Next();
    EPI_CHECK(more.has_value());  // we wrote it ourselves
    if (!*more) break;
    cursor->Get(value);
    next.Append(cursor->time(),
                cursor->stale() ? value : Expanded<Kind>(value, positive, negative, &MergedSpans::slots_a),
                cursor->start_time());
  }
  encoder_ = std::move(next);
}

template class HistogramChunkAppender<IntHistogramKind>;
template class HistogramChunkAppender<FloatHistogramKind>;

}  // namespace epi
