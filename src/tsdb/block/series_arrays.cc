#include "tsdb/block/series_arrays.h"

#include <cstring>

namespace epi::tsdb {

void SeriesArrays::Clear() {
  begins_.clear();
  times_.clear();
  values_.clear();
  starts_.clear();
  points_.clear();
  histograms_used_ = 0;
}

void SeriesArrays::BeginSeries() { begins_.push_back({times_.size(), points_.size(), false}); }

SeriesArrays::FloatRoom SeriesArrays::AddFloats(size_t count, bool starts) {
  const size_t at = times_.size();
  times_.resize(at + count);
  values_.resize(at + count);
  if (starts) begins_.back().has_starts = true;
  if (has_starts()) starts_.resize(at + count, 0);
  return {times_.data() + at, values_.data() + at, starts ? starts_.data() + at : nullptr};
}

void SeriesArrays::TruncateFloats(size_t count) {
  times_.resize(open().floats + count);
  values_.resize(open().floats + count);
  if (has_starts()) starts_.resize(open().floats + count);
}

void SeriesArrays::AddFloat(TimestampMs time, double value, TimestampMs start) {
  const FloatRoom room = AddFloats(1, start != 0);
  *room.times = time;
  *room.values = value;
  if (room.starts != nullptr) *room.starts = start;
}

FloatHistogram& SeriesArrays::AddHistogram(TimestampMs time, TimestampMs start, bool integer) {
  if (histograms_used_ == histograms_.size()) histograms_.emplace_back();
  FloatHistogram& h = histograms_[histograms_used_++];
  points_.push_back({time, &h, start, integer});
  return h;
}

void SeriesArrays::Publish(std::vector<SeriesSamples>& out) const {
  out.resize(begins_.size());
  uint32_t columns = 0;
  for (size_t i = 0; i < begins_.size(); ++i) {
    const Begin& begin = begins_[i];
    const bool last = i + 1 == begins_.size();
    const size_t floats = (last ? times_.size() : begins_[i + 1].floats) - begin.floats;
    const size_t points = (last ? points_.size() : begins_[i + 1].points) - begin.points;
    SeriesSamples& series = out[i];
    series.t = std::span(times_).subspan(begin.floats, floats);
    series.v = std::span(values_).subspan(begin.floats, floats);
    series.histograms = std::span(points_).subspan(begin.points, points);
    series.start_times =
        begin.has_starts ? std::span(starts_).subspan(begin.floats, floats) : std::span<const TimestampMs>();
    const bool same = i > 0 && floats > 0 && out[i - 1].t.size() == floats &&
                      std::memcmp(out[i - 1].t.data(), series.t.data(), floats * sizeof(TimestampMs)) == 0;
    if (same) {
      series.t = out[i - 1].t;
      series.column = out[i - 1].column;
    } else {
      series.column = ColumnId{columns++};
    }
  }
}

size_t SeriesArrays::bytes() const {
  return times_.capacity() * 8 + values_.capacity() * 8 + starts_.capacity() * 8 +
         points_.capacity() * sizeof(HistogramPoint) + histograms_.size() * sizeof(FloatHistogram);
}

}  // namespace epi::tsdb
