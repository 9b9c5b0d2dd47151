#include "model/histogram_hints.h"

#include "model/histogram_reset.h"
#include "model/sample.h"

namespace epi {

CounterResetHint HistogramHints::Next(const FloatHistogram& h) {
  const bool gauge = h.counter_reset_hint == CounterResetHint::kGauge;
  const bool continues = !gauge && Continues(h);
  last_ = h;
  if (gauge) return CounterResetHint::kGauge;
  return continues ? CounterResetHint::kNotReset : CounterResetHint::kUnknown;
}

// The rules by which Prometheus's appender stays in a chunk.
bool HistogramHints::Continues(const FloatHistogram& h) const {
  if (!last_ || last_->counter_reset_hint == CounterResetHint::kGauge) return false;
  if (h.counter_reset_hint == CounterResetHint::kReset) return false;
  if (IsStaleNaN(h.sum)) return true;
  if (IsStaleNaN(last_->sum)) return false;
  if (h.schema != last_->schema || h.zero_threshold != last_->zero_threshold) return false;
  if (IsCustomBucketsSchema(h.schema) && h.custom_values != last_->custom_values) return false;
  FloatHistogram unhinted = h;
  unhinted.counter_reset_hint = CounterResetHint::kUnknown;
  return !DetectReset(unhinted, *last_);
}

}  // namespace epi
