// The layout of a histogram's sides: spans and counts moved about together. What histogram_math.h is built on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/histogram.h"

namespace epi {

// Compact of histogram_math.h; `compensation`, when given, keeps the layout of `h`, and a bucket is empty only when its
// compensation is zero too.
void CompactTogether(FloatHistogram& h, FloatHistogram* compensation, size_t max_empty_buckets);
void CompactSides(Histogram& h, size_t max_empty_buckets);

// One side of a histogram to add, and whether to subtract it instead.
struct SideAddend {
  const std::vector<HistogramSpan>& spans;
  const std::vector<double>& buckets;
  const std::vector<double>* compensation = nullptr;  // terms beside buckets, or none
  bool subtract = false;
  size_t skip = 0;  // so many buckets at the beginning are left out
};

// Adds bucket by bucket; buckets that are only in the addend are inserted. With `compensation` (as long as `buckets`)
// the addition is compensated. Equal spans are the fast path.
void AddSide(std::vector<HistogramSpan>& spans, std::vector<double>& buckets, std::vector<double>* compensation,
             const SideAddend& addend);

// Adds two sides with custom bounds after mapping both to `common` bounds, which both have. Buckets that come out empty
// are left out. Compensated addition throughout; without `compensation` the terms are dropped at the end.
void AddCustomSide(std::vector<HistogramSpan>& spans, std::vector<double>& buckets, std::vector<double>* compensation,
                   std::span<const double> bounds, const SideAddend& addend, std::span<const double> addend_bounds,
                   std::span<const double> common);

// Whether two lists of spans are the same but for spans of no length.
bool SameSpans(std::span<const HistogramSpan> a, std::span<const HistogramSpan> b);

}  // namespace epi
