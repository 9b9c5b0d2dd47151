// What the samples of one histogram chunk have in common: schema, zero threshold, spans, custom bounds; written once
// per chunk.
#pragma once

#include <cstdint>
#include <vector>

#include "chunkenc/bit_stream.h"
#include "model/histogram.h"

namespace epi {

struct HistogramLayout {
  int32_t schema = 0;
  double zero_threshold = 0;
  std::vector<HistogramSpan> positive_spans;
  std::vector<HistogramSpan> negative_spans;
  std::vector<double> custom_values;

  // Same buckets of the same meaning, spans aside. Custom bounds count only where the schema has them.
  bool SameSchema(const HistogramLayout& other) const;
  bool SameBounds(const HistogramLayout& other) const;
};

template <typename AnyHistogram>
HistogramLayout LayoutOf(const AnyHistogram& h) {
  return {h.schema, h.zero_threshold, h.positive_spans, h.negative_spans, h.custom_values};
}

void WriteHistogramLayout(BitWriter& out, const HistogramLayout& layout);
// False when the data ends early or holds numbers no layout can have. Reads at most as many spans and bounds as the
// data has bits; the number of buckets the spans describe is the caller's to check.
bool ReadHistogramLayout(BitReader& in, HistogramLayout& layout);

}  // namespace epi
