// Decodes samples of the head into arrays.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "storage/view.h"
#include "tsdb/head/group.h"
#include "tsdb/head/head_view.h"

namespace epi::tsdb {

// Reusable buffers for one batch. Not thread-safe.
class SeriesReader {
 public:
  // Fills `out` with the samples of `ids`, in their order. Spans live until the next Read.
  Result<void> Read(const HeadView& view, TimeRange range, std::span<const uint32_t> ids,
                    std::vector<SeriesSamples>& out);
  // The histograms of series `i` of the last Read as they were appended, beside out[i].histograms.
  std::span<const SeriesSide::HistogramEntry> appended(size_t i) const {
    return std::span(appended_).subspan(placed_[i].histogram_at, placed_[i].histograms);
  }

 private:
  // Consecutive entries [first, last) of one column.
  struct Piece {
    const TimestampMs* times;
    uint32_t first;
    uint32_t last;
    friend bool operator==(const Piece&, const Piece&) = default;
  };
  // A chunk of the series at hand, whatever it comes from.
  struct Source {
    ValueChunk values;
    const TimestampMs* times;
    uint32_t visible;  // entries
  };
  struct Placed {
    ColumnId column = kNoColumn;
    size_t time_at = 0;
    size_t value_at = 0;
    size_t count = 0;
    size_t histogram_at = 0;
    size_t histograms = 0;
    size_t start_at = 0;
    bool starts = false;
  };
  struct KnownColumn {
    std::vector<Piece> pieces;
    ColumnId id;
    size_t time_at;
  };
  struct RunTimes {
    const Run* run;
    uint32_t column;
    std::vector<TimestampMs> times;
  };

  Result<void> ReadGroup(const HeadView& view, uint32_t group, std::span<const uint32_t> positions,
                         std::span<const uint32_t> ids);
  Result<void> GatherSources(uint64_t visible, const GroupSnapshot::SeriesCopy& copy);
  Result<const std::vector<TimestampMs>*> TimesOf(RunReader& reader, uint32_t column);
  Result<void> DecodeShared(Placed& placed);
  Result<void> DecodeOwn(Placed& placed);
  void MergeSide(const SeriesSide& side, Placed& placed);
  void MergeLate(const SeriesSide& side, Placed& placed);
  void DropReplaced(const SeriesSide& side, Placed& placed);
  template <typename Predicate>
  void KeepIf(Placed& placed, Predicate keep);
  void DropDeleted(const SeriesSide& side, Placed& placed);
  void AddStartTimes(const SeriesSide& side, Placed& placed);
  void AddHistograms(const SeriesSide& side, Placed& placed);

  TimeRange range_;     // of the query
  TimeRange in_order_;  // without what is in blocks
  GroupSnapshot snapshot_;
  std::vector<Source> sources_;
  std::vector<Piece> pieces_;
  std::vector<KnownColumn> known_;     // of the group at hand
  std::deque<RunReader> run_readers_;  // of the group at hand, as snapshot_.runs
  std::deque<RunTimes> run_times_;     // of the group at hand
  std::vector<Placed> placed_;
  std::vector<TimestampMs> times_;
  std::vector<double> values_;
  std::vector<TimestampMs> starts_;
  std::vector<HistogramPoint> points_;
  std::vector<SeriesSide::HistogramEntry> appended_;  // beside points_
  std::deque<FloatHistogram> converted_;
  std::vector<std::shared_ptr<const FloatHistogram>> held_;
  uint32_t next_column_ = 0;
};

}  // namespace epi::tsdb
