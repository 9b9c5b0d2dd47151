// histogram_count and its like, histogram_quantile(s) and histogram_fraction.
#pragma once

#include <string>
#include <vector>

#include "promql/engine/row_operators.h"
#include "promql/functions/classic_buckets.h"
#include "promql/functions/native_histogram.h"

namespace epi::promql {

// One number for each native histogram; floats are left out.
class HistogramValueOperator final : public RowOperator {
 public:
  HistogramValueOperator(QueryState& query, const StepGrid& grid, std::vector<OperatorPtr> inputs,
                         HistogramKernel kernel)
      : RowOperator(query, grid, std::move(inputs), 0), kernel_(kernel) {}

 private:
  Result<void> MapLabels() override;
  Result<void> MapRow(Block& block, size_t row) override;
  const HistogramKernel kernel_;
};

// Quantiles and fractions of native histograms and of classic ones, whose buckets are series with a label `le`.
class BucketOperator final : public StepwiseOperator {
 public:
  enum class What : unsigned char { kQuantile, kQuantiles, kFraction };
  struct Options {
    What what = What::kQuantile;
    size_t vector_input = 0;
    std::vector<size_t> scalar_inputs;      // the quantiles, or the two bounds
    std::vector<PositionRange> scalar_pos;  // beside them
    PositionRange vector_pos;
    std::string quantile_label;  // kQuantiles
  };
  BucketOperator(QueryState& query, const StepGrid& grid, std::vector<OperatorPtr> inputs, Options options)
      : StepwiseOperator(query, grid, std::move(inputs)), options_(std::move(options)) {}
  Result<void> Prepare() override;

 private:
  // The buckets of one classic histogram.
  struct Classic {
    LabelTuple key;           // labels but le
    uint32_t native = kNone;  // the input series with exactly these labels
    // Steps at which a quantile has repaired the buckets: the next one finds them in order. Empty: none.
    std::vector<uint64_t> repaired;
    struct Bound {
      double upper = 0;
      uint32_t series = 0;
    };
    std::vector<Bound> bounds;
  };
  static constexpr uint32_t kNone = ~uint32_t{0};

  Result<bool> Produce(Block& block) override;
  Result<void> GroupSeries();
  Result<void> AnnounceOutputs();
  void NoteBadBounds();
  // Steps at which a classic and a native histogram of the same labels stand side by side: neither counts.
  void FindClashes();
  Result<void> ClassicRow(size_t classic, size_t argument, double only, Block& block, size_t row);
  Result<void> NativeRow(uint32_t series, size_t argument, double only, Block& block, size_t row);
  // The quantile or bounds of an output at a step; false when another output stands for it.
  bool ArgumentAt(size_t argument, double only, size_t step, double& out) const;
  std::string_view MetricFor(LabelTuple labels) const;
  void NoteNaN(NaNEffect effect, LabelTuple labels);
  void CountForced(std::string_view metric, size_t step, const BucketQuantileAnswer& answer);
  void NoteForced();
  void NoteQuantiles();

  struct Output {
    bool native = false;
    uint32_t source = 0;  // classic histogram, or input series
    size_t argument = 0;  // which of the quantiles
    double only = 0;      // kQuantiles: this value of it
  };

  const Options options_;
  std::vector<std::vector<double>> scalars_;  // beside scalar_inputs
  std::vector<Classic> classics_;
  std::vector<uint32_t> bad_bounds_;  // input series
  // Whether the output can have any point at all.
  bool HasPoints(const Output& output) const;
  std::vector<Output> outputs_;
  std::vector<uint32_t> live_;  // of these, those that can have points
  Matrix matrix_;
  std::vector<uint32_t> row_of_;                // per input series; kNone without points
  std::vector<std::vector<uint64_t>> clashes_;  // per input series that clashes
  struct Forced {
    std::string metric;
    std::vector<int64_t> per_step;
    Annotations::Monotonicity what;
  };
  std::vector<Forced> forced_;
  bool drained_ = false;
  bool noted_ = false;
  size_t next_ = 0;
};

}  // namespace epi::promql
