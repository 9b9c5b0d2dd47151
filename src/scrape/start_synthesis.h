// Start timestamps for cumulative series that expose none (feature st-synthesis): the first sample of a series becomes
// its starting point and is not stored; later ones are stored as what came on top of it, with the time of the first as
// their start. A drop in value is a restart, taken to have been one millisecond before the sample that shows it.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "model/histogram.h"
#include "model/sample.h"
#include "storage/appender.h"

namespace epi::scrape {

// Whether a series of this name can be synthesized, as a part of the family at hand: counters and histograms, classic
// ones included; of summaries the count and the sum.
bool IsCumulativePart(std::string_view metric_name, std::string_view family, MetricType type);

// One target's. Not thread-safe.
class StartSynthesis {
 public:
  struct Outcome {
    bool first = false;     // the sample is the starting point: not to be stored
    TimestampMs start = 0;  // of the value as it was changed
  };
  bool Knows(SeriesRef series) const { return series_.contains(series); }
  // Each changes the value to what is to be stored. The series is known afterwards.
  Outcome Float(SeriesRef series, double& value, TimestampMs time);
  Outcome OfHistogram(SeriesRef series, std::shared_ptr<const Histogram>& histogram, TimestampMs time);
  Outcome OfHistogram(SeriesRef series, std::shared_ptr<const FloatHistogram>& histogram, TimestampMs time);
  // The series vanished, or storage refused its sample: the next one is a first one again.
  void Forget(SeriesRef series) { series_.erase(series); }
  size_t size() const { return series_.size(); }

 private:
  struct State {
    TimestampMs start = 0;
    double previous = 0;
    double starting = 0;
    std::shared_ptr<const FloatHistogram> previous_histogram;
    std::shared_ptr<const FloatHistogram> starting_histogram;  // null: there was nothing
  };
  // Nothing but the outcome when the histogram stays as it is, else what came on top.
  std::shared_ptr<const FloatHistogram> Advance(SeriesRef series, std::shared_ptr<const FloatHistogram> histogram,
                                                TimestampMs time, Outcome& outcome);
  std::unordered_map<SeriesRef, State> series_;
};

}  // namespace epi::scrape
