// Counter reset hints of stored histograms.
#pragma once

#include <optional>

#include "model/histogram.h"

namespace epi {

// What Prometheus's chunks make of the counter reset hint of a histogram: a counter sample that continues a chunk is
// "not reset", the first one of a chunk is unknown whatever it was appended with, a gauge stays a gauge. Storage that
// keeps histograms without chunks hands them out with these hints, or queries would answer differently. `last` is the
// sample before in the series, with the hint it was appended with; null when there is none or it is a float.
CounterResetHint HintAfter(const FloatHistogram* last, const FloatHistogram& h);

// The same for the samples of one series in time order. Keeps a copy of the last histogram.
class HistogramHints {
 public:
  CounterResetHint Next(const FloatHistogram& h);
  // A float sample ends the chunk, and so does a gap in what is known of the series.
  void Break() { last_.reset(); }

 private:
  std::optional<FloatHistogram> last_;
};

}  // namespace epi
