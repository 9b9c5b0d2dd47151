#include "promql/cache/splice.h"

#include <algorithm>

namespace epi::promql {
namespace {

// The text before the position in parentheses at its end.
std::string_view WithoutPosition(std::string_view note) {
  const auto at = note.rfind(" (");
  return at == std::string_view::npos ? note : note.substr(0, at);
}

template <typename Point>
std::span<const Point> PointsWithin(const std::vector<Point>& points, TimestampMs first, TimestampMs last) {
  const auto from =
      std::lower_bound(points.begin(), points.end(), first, [](const Point& p, TimestampMs t) { return p.t < t; });
  const auto to = std::upper_bound(from, points.end(), last, [](TimestampMs t, const Point& p) { return t < p.t; });
  return {from, to};
}

template <typename Point>
void AppendPoints(std::vector<Point>& to, std::vector<Point>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

int64_t BytesOf(const FloatHistogram& h) {
  return static_cast<int64_t>(sizeof h + (h.positive_spans.size() + h.negative_spans.size()) * sizeof(HistogramSpan) +
                              (h.positive_buckets.size() + h.negative_buckets.size() + h.custom_values.size()) *
                                  sizeof(double));
}

}  // namespace

MatrixValue CutMatrix(const MatrixValue& matrix, TimestampMs first, TimestampMs last) {
  MatrixValue out;
  out.reserve(matrix.size());
  for (const MatrixSeries& series : matrix) {
    const auto floats = PointsWithin(series.floats, first, last);
    const auto histograms = PointsWithin(series.histograms, first, last);
    if (floats.empty() && histograms.empty()) continue;
    MatrixSeries cut;
    cut.labels = series.labels;
    cut.floats.assign(floats.begin(), floats.end());
    cut.histograms.assign(histograms.begin(), histograms.end());
    out.push_back(std::move(cut));
  }
  return out;
}

void JoinMatrix(MatrixValue& earlier, MatrixValue later) {
  if (earlier.empty()) {
    earlier = std::move(later);
    return;
  }
  MatrixValue fresh;
  size_t at = 0;
  for (MatrixSeries& series : later) {
    while (at < earlier.size() && earlier[at].labels < series.labels) ++at;
    if (at < earlier.size() && earlier[at].labels == series.labels) {
      AppendPoints(earlier[at].floats, series.floats);
      AppendPoints(earlier[at].histograms, series.histograms);
    } else {
      fresh.push_back(std::move(series));
    }
  }
  if (fresh.empty()) return;
  const auto known = static_cast<std::ptrdiff_t>(earlier.size());
  earlier.insert(earlier.end(), std::make_move_iterator(fresh.begin()), std::make_move_iterator(fresh.end()));
  std::inplace_merge(earlier.begin(), earlier.begin() + known, earlier.end(),
                     [](const MatrixSeries& a, const MatrixSeries& b) { return a.labels < b.labels; });
}

int64_t BytesOf(const MatrixValue& matrix) {
  int64_t bytes = 0;
  for (const MatrixSeries& series : matrix) {
    bytes += static_cast<int64_t>(sizeof series + series.floats.size() * sizeof(FloatPoint) +
                                  series.histograms.size() * sizeof(HistogramValue));
    for (const LabelView label : series.labels) {
      bytes += static_cast<int64_t>(label.name.size() + label.value.size() + 2 * sizeof(uint32_t));
    }
    for (const HistogramValue& point : series.histograms) bytes += BytesOf(*point.h);
  }
  return bytes;
}

size_t PointsOf(const MatrixValue& matrix) {
  size_t points = 0;
  for (const MatrixSeries& series : matrix) points += series.floats.size() + series.histograms.size();
  return points;
}

bool SumsUp(std::string_view note) {
  return note.find(" needed to be fixed for monotonicity ") != std::string_view::npos ||
         note.find(" occurrences) (") != std::string_view::npos;
}

void NoteUnion::Add(std::span<const std::string> notes) {
  for (const std::string& note : notes) {
    const auto at = std::lower_bound(notes_.begin(), notes_.end(), note);
    if (at != notes_.end() && *at == note) continue;
    const auto same_text = [&](const std::string& other) { return WithoutPosition(other) == WithoutPosition(note); };
    if (SumsUp(note) || std::any_of(notes_.begin(), notes_.end(), same_text)) exact_ = false;
    notes_.insert(at, note);
  }
}

bool NoteUnion::Contains(std::span<const std::string> notes) const {
  return std::all_of(notes.begin(), notes.end(),
                     [&](const std::string& note) { return std::binary_search(notes_.begin(), notes_.end(), note); });
}

}  // namespace epi::promql
