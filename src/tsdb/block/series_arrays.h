// Samples of a batch of series in contiguous arrays: what block and merged selections fill, and where the spans of a
// SeriesBatch point.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "base/uninitialized_vector.h"
#include "storage/view.h"

namespace epi::tsdb {

// Appends series one after another; Publish makes the spans. Memory is kept from fill to fill. Not thread-safe.
class SeriesArrays {
 public:
  void Clear();
  // Begins the next series.
  void BeginSeries();
  // Room for `count` more float samples of the open series; write times, values and, when `starts` is asked for, start
  // times.
  struct FloatRoom {
    TimestampMs* times;
    double* values;
    TimestampMs* starts;  // null unless asked for
  };
  FloatRoom AddFloats(size_t count, bool starts);
  // Takes back the last float samples: the open series keeps `count` of them.
  void TruncateFloats(size_t count);
  void AddFloat(TimestampMs time, double value, TimestampMs start);
  // A histogram of the arrays' own, to be filled in; stays where it is until Clear.
  FloatHistogram& AddHistogram(TimestampMs time, TimestampMs start, bool integer);
  // One that lives elsewhere at least until Clear.
  void AddHistogram(const HistogramPoint& point) { points_.push_back(point); }

  // Of the open series.
  std::span<TimestampMs> times() { return std::span(times_).subspan(open().floats); }
  std::span<double> values() { return std::span(values_).subspan(open().floats); }
  bool has_starts() const { return open().has_starts; }
  std::span<TimestampMs> starts() {
    return has_starts() ? std::span(starts_).subspan(open().floats) : std::span<TimestampMs>();
  }
  std::span<HistogramPoint> histograms() { return std::span(points_).subspan(open().points); }

  // Replaces batch.series. A series whose times equal those of the series before shares its column and its array.
  void Publish(std::vector<SeriesSamples>& out) const;
  size_t bytes() const;

 private:
  struct Begin {
    size_t floats = 0;  // index of the first sample in times_
    size_t points = 0;
    bool has_starts = false;
  };
  const Begin& open() const { return begins_.back(); }

  std::vector<Begin> begins_;
  UninitializedVector<TimestampMs> times_;
  UninitializedVector<double> values_;
  std::vector<TimestampMs> starts_;  // beside times_ as far as it is filled; zeros where a series has none
  std::vector<HistogramPoint> points_;
  std::deque<FloatHistogram> histograms_;
  size_t histograms_used_ = 0;
};

}  // namespace epi::tsdb
