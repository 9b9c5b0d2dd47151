// Float histograms of whole counts as integer ones, for tests that store what a load describes.
#pragma once

#include <cstdint>
#include <vector>

#include "model/histogram.h"

namespace epi::testing {

// As an integer histogram; its counts are whole.
inline Histogram WholeHistogram(const FloatHistogram& h) {
  const auto differences = [](const std::vector<double>& counts) {
    std::vector<int64_t> out;
    int64_t before = 0;
    for (const double count : counts) {
      out.push_back(static_cast<int64_t>(count) - before);
      before = static_cast<int64_t>(count);
    }
    return out;
  };
  Histogram out;
  out.schema = h.schema;
  out.zero_threshold = h.zero_threshold;
  out.zero_count = static_cast<uint64_t>(h.zero_count);
  out.count = static_cast<uint64_t>(h.count);
  out.sum = h.sum;
  out.positive_spans = h.positive_spans;
  out.negative_spans = h.negative_spans;
  out.positive_buckets = differences(h.positive_buckets);
  out.negative_buckets = differences(h.negative_buckets);
  out.custom_values = h.custom_values;
  return out;
}

}  // namespace epi::testing
