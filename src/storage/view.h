// The one way out of storage. A view is one moment: everything read through it belongs to the same commits.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/budget.h"
#include "base/result.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "model/sample.h"
#include "storage/symbols.h"

namespace epi {

// Series with equal ids (other than kNoColumn) have the very same timestamps in this batch, so windows over time are
// computed once for all of them.
enum class ColumnId : uint32_t {};
inline constexpr ColumnId kNoColumn{0xffffffff};

struct HistogramPoint {
  TimestampMs t = 0;
  const FloatHistogram* h = nullptr;  // lives as long as the batch's content
  TimestampMs start_time = 0;         // created timestamp; 0 = none
  bool integer = false;               // it was appended with integer counts, and *h is what ToFloat makes of it
};

// One series of a batch. Times are strictly ascending over floats and histograms together; stale markers are included.
struct SeriesSamples {
  ColumnId column = kNoColumn;
  std::span<const TimestampMs> t;  // of the float samples
  std::span<const double> v;       // same length as t
  std::span<const HistogramPoint> histograms;
  // Start (created) timestamps beside t, or empty when none of the samples has one; 0 = none for that sample.
  std::span<const TimestampMs> start_times;
};

// Up to kMaxSeries series with their samples; refilled by SeriesSelection::Read, which keeps its buffers. Spans inside
// stay valid until the next Read into the same batch or its end.
class SeriesBatch {
 public:
  static constexpr size_t kMaxSeries = 64;
  // Storage's own buffers behind the spans.
  struct Scratch {
    virtual ~Scratch() = default;
  };
  std::vector<SeriesSamples> series;
  std::unique_ptr<Scratch> scratch;
};

// The series that matched, in a fixed order, labels known, samples read on demand.
class SeriesSelection {
 public:
  virtual ~SeriesSelection() = default;
  virtual size_t size() const = 0;
  // Valid as long as the selection. Thread-safe.
  virtual LabelTuple labels(size_t index) const = 0;
  // Fills `batch` with the samples of series [first, first + count), count <= kMaxSeries, in time range hints.range.
  // Thread-safe for different batches.
  virtual Result<void> Read(size_t first, size_t count, SeriesBatch& batch) const = 0;
};

class EmptySelection final : public SeriesSelection {
 public:
  size_t size() const override { return 0; }
  LabelTuple labels(size_t /*index*/) const override { return {}; }
  Result<void> Read(size_t first, size_t count, SeriesBatch& batch) const override;
};

struct SelectHints {
  TimeRange range;           // samples outside are not handed out
  bool sorted = false;       // by labels, as Labels::Compare; otherwise Prometheus's order for this set of sources
  bool labels_only = false;  // Read will not be called; series without a sample in the range may be left out or kept
  size_t limit = 0;          // at most this many series; 0 = all
  // What Prometheus passes to storage; for remote read, and for storage that can use it.
  int64_t step_ms = 0;
  int64_t range_ms = 0;
  std::string function;
  std::vector<std::string> grouping;
  bool by = false;
};

// Thread-safe; cheap to make, and holds what it pinned (blocks, runs) until destroyed, so it is not kept longer than a
// request.
class View {
 public:
  virtual ~View() = default;
  // Series that match all of `matchers` and may have a sample in hints.range. Memory of the result is charged to
  // `budget`, which outlives it.
  virtual Result<std::unique_ptr<SeriesSelection>> Select(std::span<const Matcher> matchers, const SelectHints& hints,
                                                          Budget& budget) const = 0;
  // Sorted text. `limit` 0 = all; the answer has at most that many.
  virtual Result<std::vector<std::string>> LabelValues(std::string_view name, std::span<const Matcher> matchers,
                                                       size_t limit, Budget& budget) const = 0;
  virtual Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers, size_t limit,
                                                      Budget& budget) const = 0;
  struct SeriesExemplars {
    Labels labels;
    std::vector<Exemplar> exemplars;  // oldest first
  };
  // Series with exemplars in the view's time range that match all matchers of at least one set, sorted by labels.
  virtual Result<std::vector<SeriesExemplars>> Exemplars(std::span<const std::vector<Matcher>> matcher_sets,
                                                         TimeRange range) const = 0;
  virtual const SymbolSpace& symbols() const = 0;
  // Whether Select over `range` hands series out in label order unasked, as it does where several sources are merged.
  virtual bool OrderedByLabels(TimeRange /*range*/) const { return false; }
  // Whether a series may have a native histogram in the times that the view was opened for. Cheap; true where that is
  // not known.
  virtual bool MayHoldHistograms() const { return true; }
};

// The text form of a tuple.
Labels ToLabels(LabelTuple tuple, const SymbolSpace& symbols);

}  // namespace epi
