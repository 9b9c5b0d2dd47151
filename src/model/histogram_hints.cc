#include "model/histogram_hints.h"

#include "model/histogram_reset.h"
#include "model/sample.h"

namespace epi {

namespace {

// The rules by which Prometheus's appender stays in a chunk.
bool ContinuesChunk(const FloatHistogram& last, const FloatHistogram& h) {
  if (last.counter_reset_hint == CounterResetHint::kGauge) return false;
  if (h.counter_reset_hint == CounterResetHint::kReset) return false;
  if (IsStaleNaN(h.sum)) return true;
  if (IsStaleNaN(last.sum)) return false;
  if (h.schema != last.schema || h.zero_threshold != last.zero_threshold) return false;
  if (IsCustomBucketsSchema(h.schema) && h.custom_values != last.custom_values) return false;
  return !CountsWereReset(h, last);
}

}  // namespace

CounterResetHint HintAfter(const FloatHistogram* last, const FloatHistogram& h) {
  if (h.counter_reset_hint == CounterResetHint::kGauge) return CounterResetHint::kGauge;
  if (last == nullptr || !ContinuesChunk(*last, h)) return CounterResetHint::kUnknown;
  return CounterResetHint::kNotReset;
}

CounterResetHint HistogramHints::Next(const FloatHistogram& h) {
  const CounterResetHint hint = HintAfter(last_ ? &*last_ : nullptr, h);
  last_ = h;
  return hint;
}

}  // namespace epi
