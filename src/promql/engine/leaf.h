// Operators that read samples. Batches of series are computed on several threads and handed on in order, so that
// results do not depend on the number of threads.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "promql/engine/operator.h"
#include "promql/engine/range_source.h"
#include "promql/functions/range_kernel.h"

namespace epi::promql {

// What a leaf counts while it reads, for SampleAccount.
struct Column;
struct ColumnCache;

struct LeafCounts {
  std::vector<int64_t> total;  // samples looked at, per step
  std::vector<int64_t> read;   // of these, not seen by the step before
  // One series after the other holds its output and its current window.
  struct SeriesPeak {
    int64_t widest = 0;  // its widest window
    int64_t last = 0;    // its window at the last step
    int64_t output = 0;
  };
  std::vector<SeriesPeak> peaks;
};

class LeafOperator : public Operator {
 protected:
  // A piece of work: some series, computed on any thread.
  struct Piece {
    SourceBatch batch;
    Block block;
    Annotations notes;
    LeafCounts counts;
    std::shared_ptr<ColumnCache> columns;  // windows of the timestamp columns met so far
    std::vector<uint64_t> stretch_bits;    // scratch of ComputeRow
    const void* noted_metric = nullptr;    // name that has its non-counter note already
    std::optional<Error> error;
    size_t first = 0;
    size_t count = 0;
    ReadSize read_size;
    int64_t decoded = 0;  // samples read
  };
  LeafOperator(QueryState& query, const StepGrid& grid, std::unique_ptr<RangeSource> source)
      : Operator(query, grid), source_(std::move(source)) {}

  void CountDecoded(const std::shared_ptr<OperatorStats>& stats) final { decoded_stats_ = stats; }
  Result<bool> Produce(Block& block) final;
  // Before the first piece, on the driving thread: inputs that are needed whole.
  virtual Result<void> Open() { return source_->Open(); }
  // Fills rows [row, row + batch size) of piece.block from piece.batch; positions of the source start at `first`.
  virtual void Compute(Piece& piece, size_t first, size_t row) = 0;

  // Whether a piece ends here, which an error makes it do.
  static bool Ends(Piece& piece, const Result<void>& outcome) {
    if (!outcome) piece.error = outcome.error();
    return !outcome;
  }

  std::unique_ptr<RangeSource> source_;
  std::vector<int64_t> total_;  // per step
  std::vector<int64_t> read_;   // per step
  int64_t held_output_ = 0;     // outputs of the series so far
  int64_t relative_peak_ = 0;   // the most held at once, beyond what was held before this operator

 private:
  void ComputeNext();
  // In order, on the driving thread, before a piece's block goes out.
  void Absorb(const Piece& piece);
  void ComputePiece(Piece& piece);

  std::vector<std::unique_ptr<Piece>> pieces_;
  std::shared_ptr<OperatorStats> decoded_stats_;  // null: not measured
  size_t ready_ = 0;                              // pieces computed
  size_t handed_ = 0;                             // of these, handed out
  size_t position_ = 0;                           // in the source
  bool opened_ = false;
};

// An instant vector selector; also the timestamp functions over one.
class SelectorOperator final : public LeafOperator {
 public:
  // kSampleTime is in milliseconds, keeps histograms and names: for info().
  enum class Output : unsigned char { kValue, kTimestamp, kStartTimestamp, kSampleTime };
  struct Options {
    int64_t offset_ms = 0;
    std::optional<TimestampMs> at;
    Output output = Output::kValue;
  };
  SelectorOperator(QueryState& query, const StepGrid& grid, std::unique_ptr<RangeSource> source, Options options)
      : LeafOperator(query, grid, std::move(source)), options_(options) {}
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override;

 private:
  void Compute(Piece& piece, size_t first, size_t row) override;
  const Options options_;
};

// An instant vector selector with `smoothed`: values are interpolated at each step.
class SmoothedSelectorOperator final : public LeafOperator {
 public:
  SmoothedSelectorOperator(QueryState& query, const StepGrid& grid, std::unique_ptr<RangeSource> source,
                           WindowSpec window, PositionRange pos)
      : LeafOperator(query, grid, std::move(source)), window_(window), pos_(pos) {}
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override;

 private:
  void Compute(Piece& piece, size_t first, size_t row) override;
  const WindowSpec window_;  // both lookback windows round each step
  const PositionRange pos_;
};

// A range function over a selector or a subquery.
class RangeFunctionOperator final : public LeafOperator {
 public:
  struct Options {
    const RangeFunction* function = nullptr;
    WindowSpec window;
    PositionRange pos;                         // where annotations point
    const SubquerySource* subquery = nullptr;  // the source, when it is one
    int64_t subquery_offset_ms = 0;            // as written
    bool refetch = true;                       // windows move with the steps (no @)
  };
  RangeFunctionOperator(QueryState& query, const StepGrid& grid, std::unique_ptr<RangeSource> source, Options options,
                        std::vector<OperatorPtr> arguments)
      : LeafOperator(query, grid, std::move(source)), options_(options), arguments_(std::move(arguments)) {}
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override;

 private:
  Result<void> Open() override;
  void Compute(Piece& piece, size_t first, size_t row) override;
  void ComputeSeries(Piece& piece, const SeriesSamples& samples, uint32_t series, size_t row);
  // All windows of a series of floats, with its column's windows; sets piece.error when the query is not wanted any
  // more.
  void ComputeRow(Piece& piece, Column& column, const double* v, RangeContext& context, size_t row) const;
  void NoteNonCounter(Piece& piece, RangeContext& context, uint32_t series) const;
  const double* Argument(size_t index) const;

  const Options options_;
  std::vector<OperatorPtr> arguments_;
  std::vector<std::vector<double>> argument_values_;
};

}  // namespace epi::promql
