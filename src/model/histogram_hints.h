// Counter reset hints of stored histograms.
#pragma once

#include <optional>

#include "model/histogram.h"

namespace epi {

// What Prometheus's chunks make of the counter reset hints of one series, samples in time order: a counter sample that
// continues a chunk is "not reset", the first one of a chunk is unknown whatever it was appended with, a gauge stays a
// gauge. Storage that keeps histograms without chunks hands them out with these hints, or queries would answer
// differently. Keeps a copy of the last histogram.
class HistogramHints {
 public:
  CounterResetHint Next(const FloatHistogram& h);
  // A float sample ends the chunk, and so does a gap in what is known of the series.
  void Break() { last_.reset(); }

 private:
  std::optional<FloatHistogram> last_;
};

}  // namespace epi
