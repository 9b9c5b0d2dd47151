// Where raw samples come from: a selection of storage, or the output of a subquery.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "promql/engine/operator.h"
#include "storage/view.h"

namespace epi::promql {

// Buffers for one batch of series; spans in `samples` stay valid until the next Read into it.
struct SourceBatch {
  std::span<const SeriesSamples> samples;
  SeriesBatch storage;  // for a selection
  struct OwnRow {
    std::vector<TimestampMs> t;
    std::vector<double> v;
    std::vector<HistogramPoint> points;
    std::vector<HistogramPtr> owners;
  };
  std::vector<OwnRow> rows;  // for a subquery, and for histograms without buckets
  std::vector<SeriesSamples> row_samples;
};

// How many series to read at a time: as many as the ones before say hold no more than what fits into the second-level
// cache, once as storage decodes it and once merged, until it is used.
class ReadSize {
 public:
  size_t Next(size_t left) const { return std::min(series_, left); }
  // After each read; the samples in it.
  size_t Note(const SourceBatch& batch);

 private:
  static constexpr size_t kSamples = size_t{1} << 14;
  size_t series_ = 8;
};

class RangeSource {
 public:
  virtual ~RangeSource() = default;
  virtual Result<void> Prepare() = 0;
  // Labels of the series, in order; after Prepare.
  virtual const SeriesList& series() const = 0;
  // Makes samples readable, once, before the first Read.
  virtual Result<void> Open() { return {}; }
  // Series are read by position; a subquery has fewer of them than labels, and says which each one is.
  virtual size_t size() const = 0;
  virtual uint32_t SeriesAt(size_t position) const { return static_cast<uint32_t>(position); }
  // Thread-safe for different batches.
  virtual Result<void> Read(size_t first, size_t count, SourceBatch& batch) const = 0;
};

// Series of storage that match.
class SelectionSource final : public RangeSource {
 public:
  // `histogram_stats`: histograms come without buckets, with counter resets found between neighbours as their hints.
  SelectionSource(QueryState& query, std::vector<Matcher> matchers, SelectHints hints, bool histogram_stats = false)
      : query_(query), matchers_(std::move(matchers)), hints_(std::move(hints)), histogram_stats_(histogram_stats) {}
  Result<void> Prepare() override;
  const SeriesList& series() const override { return series_; }
  size_t size() const override { return series_.size(); }
  Result<void> Read(size_t first, size_t count, SourceBatch& batch) const override;

 private:
  static void StripHistograms(SourceBatch& batch);

  QueryState& query_;
  std::vector<Matcher> matchers_;
  SelectHints hints_;
  const bool histogram_stats_;
  std::unique_ptr<SeriesSelection> selection_;
  QueryState::SelectorCost* cost_ = nullptr;
  SeriesList series_;
};

// The points of a subquery's operator, held whole.
class SubquerySource final : public RangeSource {
 public:
  SubquerySource(QueryState& query, OperatorPtr child) : query_(query), child_(std::move(child)) {}
  Result<void> Prepare() override { return child_->Prepare(); }
  const SeriesList& series() const override { return child_->series(); }
  Result<void> Open() override;
  size_t size() const override { return matrix_.size(); }
  uint32_t SeriesAt(size_t position) const override { return matrix_.row(position).series; }
  Result<void> Read(size_t first, size_t count, SourceBatch& batch) const override;
  const Operator& child() const { return *child_; }

 private:
  QueryState& query_;
  OperatorPtr child_;
  Matrix matrix_;
  std::vector<TimestampMs> times_;  // of the whole grid
};

}  // namespace epi::promql
