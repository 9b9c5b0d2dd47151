// What a native histogram was at its start.
#pragma once

#include <memory>

#include "model/histogram.h"

namespace epi {

// No observations yet, in the layout of `like` (a Histogram or a FloatHistogram), and a reset by definition.
template <typename H>
std::shared_ptr<H> ZeroLike(const H& like) {
  auto zero = std::make_shared<H>();
  zero->counter_reset_hint = CounterResetHint::kReset;
  zero->schema = like.schema;
  zero->zero_threshold = like.zero_threshold;
  zero->custom_values = like.custom_values;
  return zero;
}

}  // namespace epi
