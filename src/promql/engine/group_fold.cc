// The accumulators of sum, avg, min, max, count, group, stddev and stdvar.
#include <algorithm>
#include <cmath>
#include <optional>

#include "model/histogram_math.h"
#include "model/kahan_sum.h"
#include "model/sample.h"
#include "promql/engine/aggregate.h"
#include "promql/functions/dense_kernels.h"

namespace epi::promql {
namespace {

// What sum and avg do with histograms at one group and step.
struct HistogramSum {
  std::optional<FloatHistogram> sum;
  std::optional<FloatHistogram> compensation;
  double count = 0;
  bool incremental = false;  // `sum` is a mean by now
  bool reset_seen = false;
  bool not_reset_seen = false;

  void See(const FloatHistogram& h) {
    reset_seen |= h.counter_reset_hint == CounterResetHint::kReset;
    not_reset_seen |= h.counter_reset_hint == CounterResetHint::kNotReset;
  }
};

// A group's arrays, made when its first row comes.
struct FloatGroup {
  std::vector<double> a;
  std::vector<double> b;
  std::vector<uint64_t> seen;
};

class FoldBase : public GroupFold {
 public:
  FoldBase(const AggregateOptions& options, size_t groups, size_t steps, QueryState& query, Annotations& notes)
      : options_(options),
        steps_(steps),
        words_(WordsFor(steps)),
        notes_(notes),
        bytes_(&query.meter),
        groups_(groups) {}

 protected:
  FloatGroup& Group(size_t index, bool second_array) {
    FloatGroup& group = groups_[index];
    if (group.seen.empty()) {
      group.a.resize(steps_);
      if (second_array) group.b.resize(steps_);
      group.seen.assign(words_, 0);
      bytes_.Add(static_cast<int64_t>(steps_ * sizeof(double) * (second_array ? 2 : 1)));
    }
    return group;
  }
  void NoteIgnored(const RowView& row) {
    if (!row.histograms->empty()) notes_.HistogramIgnoredInAggregation(AggregateOpName(options_.op), options_.expr_pos);
  }
  bool Full(const RowView& row) const { return row.floats == steps_; }
  static bool AllSet(const std::vector<uint64_t>& bits, size_t steps) {
    const size_t whole = steps / 64;
    for (size_t w = 0; w < whole; ++w) {
      if (bits[w] != ~uint64_t{0}) return false;
    }
    return steps % 64 == 0 || bits[whole] == (uint64_t{1} << (steps % 64)) - 1;
  }

  const AggregateOptions& options_;
  const size_t steps_;
  const size_t words_;
  Annotations& notes_;
  MeteredBytes bytes_;
  std::vector<FloatGroup> groups_;
};

// sum and avg: floats and histograms, not both.
class SumFold final : public FoldBase {
 public:
  SumFold(const AggregateOptions& options, size_t groups, size_t steps, QueryState& query, Annotations& notes)
      : FoldBase(options, groups, steps, query, notes), average_(options.op == AggregateOp::kAvg), extra_(groups) {}

  void Add(size_t index, const RowView& row, std::string_view metric) override {
    FloatGroup& group = Group(index, true);
    Extra& extra = extra_[index];
    if (row.histograms->empty() && !extra.any_histogram) {
      AddFloats(group, extra, row);
      return;
    }
    if (!extra.any_histogram) {
      extra.any_histogram = true;
      extra.histograms.resize(steps_);
      extra.has_histogram.assign(words_, 0);
      extra.incompatible.assign(words_, 0);
    }
    size_t next = 0;
    for (size_t k = 0; k < steps_; ++k) {
      const HistogramAt* at = nullptr;
      if (next < row.histograms->size() && (*row.histograms)[next].step == k) at = &(*row.histograms)[next++];
      const bool is_float = TestBit(row.bits, k);
      if ((at == nullptr && !is_float) || TestBit(extra.incompatible.data(), k)) continue;
      if (is_float) {
        AddFloat(group, extra, k, row.values[k]);
      } else {
        AddHistogram(group, extra, k, *at->h, metric);
      }
    }
  }

  void Finish(size_t index, Block& block, size_t row) override {
    FloatGroup& group = Group(index, true);
    Extra& extra = extra_[index];
    double* out = block.values(row);
    std::copy(group.seen.begin(), group.seen.end(), block.bits(row));
    if (average_) {
      FinishAverages(group, extra, out);
    } else {
      for (size_t k = 0; k < steps_; ++k) out[k] = group.a[k] + group.b[k];
    }
    for (size_t k = 0; extra.any_histogram && k < steps_; ++k) {
      if (!TestBit(extra.has_histogram.data(), k)) continue;
      HistogramSum& state = extra.histograms[k];
      const bool has_float = TestBit(group.seen.data(), k);
      ClearBit(block.bits(row), k);
      if (has_float) {
        notes_.MixedFloatsHistogramsAggregation(options_.expr_pos);
        continue;
      }
      if (TestBit(extra.incompatible.data(), k)) continue;
      block.histograms(row).push_back(
          {static_cast<uint32_t>(k), std::make_shared<const FloatHistogram>(FinishHistogram(state))});
      if (state.reset_seen && state.not_reset_seen) {
        notes_.CounterResetCollision(HistogramOperation::kAggregation, options_.expr_pos);
      }
    }
    extra.histograms.clear();
    block.CountFloats(row);
    group = {};
  }

 private:
  struct Extra {
    std::vector<double> counts;         // avg: floats added, as doubles
    std::vector<double> means;          // avg: of steps whose sum would overflow
    std::vector<uint64_t> incremental;  // avg: which these are
    bool any_histogram = false;
    std::vector<HistogramSum> histograms;
    std::vector<uint64_t> has_histogram;
    std::vector<uint64_t> incompatible;
  };

  void AddFloats(FloatGroup& group, Extra& extra, const RowView& row) {
    if (!average_ && Full(row) && AllSet(group.seen, steps_)) {
      KahanAddRow(row.values, group.a.data(), group.b.data(), steps_);
      return;
    }
    for (size_t w = 0; w < words_; ++w) {
      for (uint64_t left = row.bits[w]; left != 0; left &= left - 1) {
        const size_t k = w * 64 + static_cast<size_t>(std::countr_zero(left));
        AddFloat(group, extra, k, row.values[k]);
      }
    }
  }

  void AddFloat(FloatGroup& group, Extra& extra, size_t k, double value) {
    if (average_ && extra.counts.empty()) {
      extra.counts.assign(steps_, 0);
      bytes_.Add(static_cast<int64_t>(steps_ * sizeof(double)));
    }
    const bool after_histogram = extra.any_histogram && TestBit(extra.has_histogram.data(), k);
    if (!TestBit(group.seen.data(), k)) {
      SetBit(group.seen.data(), k);
      group.a[k] = value;
      group.b[k] = 0;
      if (average_) extra.counts[k] = 1;
      return;
    }
    // A group with both kinds gives nothing, so its float sum does not matter.
    if (after_histogram) return;
    if (average_) {
      AddToAverage(group, extra, k, value);
    } else {
      KahanAdd(value, group.a[k], group.b[k]);
    }
  }

  // A plain sum as long as it does not overflow, from there on a running mean.
  void AddToAverage(FloatGroup& group, Extra& extra, size_t k, double value) {
    const double count = ++extra.counts[k];
    if (extra.incremental.empty() || !TestBit(extra.incremental.data(), k)) {
      KahanSum next{group.a[k], group.b[k]};
      next.Add(value);
      if (!std::isinf(next.sum)) {
        group.a[k] = next.sum;
        group.b[k] = next.compensation;
        return;
      }
      if (extra.incremental.empty()) {
        extra.incremental.assign(words_, 0);
        extra.means.assign(steps_, 0);
      }
      SetBit(extra.incremental.data(), k);
      extra.means[k] = group.a[k] / (count - 1);
      group.b[k] /= count - 1;
    }
    const double q = (count - 1) / count;
    KahanSum mean{q * extra.means[k], q * group.b[k]};
    mean.Add(value / count);
    extra.means[k] = mean.sum;
    group.b[k] = mean.compensation;
  }

  void FinishAverages(const FloatGroup& group, const Extra& extra, double* out) const {
    if (extra.counts.empty()) return;
    for (size_t k = 0; k < steps_; ++k) {
      out[k] = group.a[k] / extra.counts[k] + group.b[k] / extra.counts[k];
      if (!extra.incremental.empty() && TestBit(extra.incremental.data(), k)) out[k] = extra.means[k] + group.b[k];
    }
  }

  void AddHistogram(FloatGroup& group, Extra& extra, size_t k, const FloatHistogram& h, std::string_view metric) {
    HistogramSum& state = extra.histograms[k];
    const bool first = !TestBit(extra.has_histogram.data(), k);
    SetBit(extra.has_histogram.data(), k);
    if (TestBit(group.seen.data(), k) && !state.sum) return;  // floats came first: nothing will come of this step
    if (first) {
      state.sum = h;
      state.count = 1;
      state.See(h);
      return;
    }
    ++state.count;
    state.See(h);
    if (!average_) {
      if (!state.compensation) state.compensation = CompensationFor(*state.sum);
      if (!Note(KahanAdd(*state.sum, h, *state.compensation), metric)) SetBit(extra.incompatible.data(), k);
      return;
    }
    if (!AddToHistogramAverage(state, h, metric)) SetBit(extra.incompatible.data(), k);
  }

  bool AddToHistogramAverage(HistogramSum& state, const FloatHistogram& h, std::string_view metric) {
    if (!state.incremental) {
      FloatHistogram next = *state.sum;
      FloatHistogram compensation = state.compensation ? *state.compensation : CompensationFor(next);
      if (!Note(KahanAdd(next, h, compensation), metric)) return false;
      if (!HasOverflow(next)) {
        state.sum = std::move(next);
        state.compensation = std::move(compensation);
        return true;
      }
      state.incremental = true;
      Divide(*state.sum, state.count - 1);
      if (state.compensation) Divide(*state.compensation, state.count - 1);
    }
    const double q = (state.count - 1) / state.count;
    if (state.compensation) Multiply(*state.compensation, q);
    FloatHistogram share = h;
    Divide(share, state.count);
    Multiply(*state.sum, q);
    if (!state.compensation) state.compensation = CompensationFor(*state.sum);
    return Note(KahanAdd(*state.sum, share, *state.compensation), metric);
  }

  bool Note(const Result<HistogramAddition>& done, std::string_view metric) {
    if (!done) {
      notes_.MixedExponentialCustom(metric, options_.expr_pos);
      return false;
    }
    if (done->bounds_reconciled) notes_.BoundsReconciled(HistogramOperation::kAggregation, options_.expr_pos);
    return true;
  }

  FloatHistogram FinishHistogram(HistogramSum& state) const {
    FloatHistogram& sum = *state.sum;
    if (average_ && !state.incremental) {
      Divide(sum, state.count);
      if (state.compensation) Divide(*state.compensation, state.count);
    }
    // Schemas went together before, so this cannot fail.
    if (state.compensation) static_cast<void>(epi::Add(sum, *state.compensation));
    Compact(sum);
    return std::move(sum);
  }

  const bool average_;
  std::vector<Extra> extra_;
};

class ExtremeFold final : public FoldBase {
 public:
  using FoldBase::FoldBase;

  void Add(size_t index, const RowView& row, std::string_view) override {
    NoteIgnored(row);
    FloatGroup& group = Group(index, false);
    double* best = group.a.data();
    const bool maximum = options_.op == AggregateOp::kMax;
    if (Full(row) && AllSet(group.seen, steps_)) {
      if (maximum) {
        for (size_t k = 0; k < steps_; ++k)
          best[k] = best[k] < row.values[k] || best[k] != best[k] ? row.values[k] : best[k];
      } else {
        for (size_t k = 0; k < steps_; ++k)
          best[k] = best[k] > row.values[k] || best[k] != best[k] ? row.values[k] : best[k];
      }
      return;
    }
    ForEachBit(row.bits, words_, [&](size_t k) {
      const double value = row.values[k];
      const bool better = maximum ? best[k] < value : best[k] > value;
      if (!TestBit(group.seen.data(), k) || better || std::isnan(best[k])) best[k] = value;
      SetBit(group.seen.data(), k);
    });
  }
  void Finish(size_t index, Block& block, size_t row) override {
    FloatGroup& group = Group(index, false);
    std::copy(group.a.begin(), group.a.end(), block.values(row));
    std::copy(group.seen.begin(), group.seen.end(), block.bits(row));
    block.CountFloats(row);
    group = {};
  }
};

// count, and group, which is 1 wherever there is anything.
class CountFold final : public FoldBase {
 public:
  using FoldBase::FoldBase;

  void Add(size_t index, const RowView& row, std::string_view) override {
    FloatGroup& group = Group(index, false);
    double* counts = group.a.data();
    if (Full(row)) {
      for (size_t k = 0; k < steps_; ++k) counts[k] += 1;
    } else {
      ForEachBit(row.bits, words_, [&](size_t k) { counts[k] += 1; });
    }
    for (size_t w = 0; w < words_; ++w) group.seen[w] |= row.bits[w];
    for (const auto& at : *row.histograms) {
      counts[at.step] += 1;
      SetBit(group.seen.data(), at.step);
    }
  }
  void Finish(size_t index, Block& block, size_t row) override {
    FloatGroup& group = Group(index, false);
    if (options_.op == AggregateOp::kGroup) {
      std::fill_n(block.values(row), steps_, 1.0);
    } else {
      std::copy(group.a.begin(), group.a.end(), block.values(row));
    }
    std::copy(group.seen.begin(), group.seen.end(), block.bits(row));
    block.CountFloats(row);
    group = {};
  }
};

// Welford's running variance.
class VarianceFold final : public FoldBase {
 public:
  VarianceFold(const AggregateOptions& options, size_t groups, size_t steps, QueryState& query, Annotations& notes)
      : FoldBase(options, groups, steps, query, notes), counts_(groups) {}

  void Add(size_t index, const RowView& row, std::string_view) override {
    NoteIgnored(row);
    FloatGroup& group = Group(index, true);
    auto& counts = counts_[index];
    if (counts.empty()) counts.assign(steps_, 0);
    double* squares = group.a.data();
    double* means = group.b.data();
    ForEachBit(row.bits, words_, [&](size_t k) {
      const double value = row.values[k];
      if (!TestBit(group.seen.data(), k)) {
        SetBit(group.seen.data(), k);
        counts[k] = 1;
        means[k] = value;
        squares[k] = std::isfinite(value) ? 0 : NormalNaN();
        return;
      }
      counts[k] += 1;
      const double delta = value - means[k];
      means[k] += delta / counts[k];
      squares[k] += delta * (value - means[k]);
    });
  }
  void Finish(size_t index, Block& block, size_t row) override {
    FloatGroup& group = Group(index, true);
    auto& counts = counts_[index];
    if (!counts.empty()) {
      double* out = block.values(row);
      for (size_t k = 0; k < steps_; ++k) {
        out[k] = group.a[k] / counts[k];
        if (options_.op == AggregateOp::kStddev) out[k] = std::sqrt(out[k]);
      }
    }
    std::copy(group.seen.begin(), group.seen.end(), block.bits(row));
    block.CountFloats(row);
    group = {};
    counts = {};
  }

 private:
  std::vector<std::vector<double>> counts_;
};

}  // namespace

std::unique_ptr<GroupFold> MakeGroupFold(const AggregateOptions& options, size_t groups, size_t steps,
                                         QueryState& query, Annotations& notes) {
  switch (options.op) {
    case AggregateOp::kSum:
    case AggregateOp::kAvg:
      return std::make_unique<SumFold>(options, groups, steps, query, notes);
    case AggregateOp::kMin:
    case AggregateOp::kMax:
      return std::make_unique<ExtremeFold>(options, groups, steps, query, notes);
    case AggregateOp::kCount:
    case AggregateOp::kGroup:
      return std::make_unique<CountFold>(options, groups, steps, query, notes);
    case AggregateOp::kStddev:
    case AggregateOp::kStdvar:
      return std::make_unique<VarianceFold>(options, groups, steps, query, notes);
    default:
      return nullptr;
  }
}

}  // namespace epi::promql
