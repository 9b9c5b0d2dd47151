#include "promql/engine/run.h"

#include <algorithm>

#include "promql/engine/build_operators.h"
#include "promql/engine/range_source.h"
#include "promql/engine/sort_while_wanted.h"
#include "promql/functions/rate.h"
#include "promql/plan/subtrees.h"

namespace epi::promql {
namespace {

class Evaluation {
 public:
  Evaluation(const StepGrid& grid, QueryState& state, bool per_step_stats)
      : grid_(grid), state_(state), account_(grid, per_step_stats, 0), value_bytes_(&state.meter) {}

  Result<Value> Run(const PlanNode& plan, bool instant) {
    EPI_TRY(state_.ReserveSteps(grid_));
    switch (plan.kind) {
      case PlanKind::kString:
        return Value(StringValue{grid_.start, plan.text});
      case PlanKind::kRangeSelector:
        return RawSeries(plan);
      case PlanKind::kSubquery:
        return RawSubquery(plan);
      default:
        break;
    }
    EPI_ASSIGN(OperatorPtr root, BuildOperators(plan, grid_, state_));
    const bool scalar = plan.type == ValueType::kScalar;
    if (!scalar) root = RemoveNames(std::move(root), state_);
    EPI_TRY(root->Prepare());
    prepared_ = state_.clock.Monotonic();
    if (state_.profile != nullptr) {
      state_.profile->NotePrepared();
      if (!state_.profile->run) {
        if (instant) return Value(VectorValue());
        return Value(MatrixValue());
      }
    }
    Matrix matrix;
    EPI_TRY(matrix.Drain(*root, state_));
    root->Account(account_, notes_);
    EPI_TRY(CheckSamples());
    if (!instant) return ToMatrix(matrix, *root);
    if (scalar) {
      return Value(ScalarValue{grid_.start, matrix.size() > 0 ? matrix.row(0).values[0] : NormalNaN()});
    }
    return ToVector(matrix, *root);
  }

  const SampleAccount& account() const { return account_; }
  const Annotations& notes() const { return notes_; }
  MonotonicNs prepared() const { return prepared_; }
  double sort_seconds() const { return sort_seconds_; }
  // After the value is taken: its charge stays with the query's budget. An error when it is too large.
  Result<void> LeaveCharge() {
    // Until now operators were charged for its histograms.
    value_bytes_.Add(histogram_bytes_);
    value_bytes_.Leave();
    return state_.meter.status();
  }

 private:
  Result<void> CheckSamples() const {
    if (account_.peak > state_.max_samples) return Fail(TooManySamplesError());
    return {};
  }

  Result<Value> ToVector(const Matrix& matrix, const Operator& root) {
    Checkpoints checkpoints(state_);
    value_bytes_.Set(static_cast<int64_t>(matrix.size() * sizeof(VectorSample)));
    EPI_TRY(state_.Check());
    VectorValue out(matrix.size());
    for (size_t i = 0; i < matrix.size(); ++i) {
      EPI_TRY(checkpoints.Pass(2 * Checkpoints::kPerLabelSet));
      const RowView row = matrix.row(i);
      out[i].labels = state_.labels.ToLabels(root.series()[row.series].labels);
      out[i].t = grid_.start;
      if (row.floats > 0) {
        out[i].v = row.values[0];
      } else {
        out[i].h = row.histograms->front().h;
        histogram_bytes_ += static_cast<int64_t>(HistogramBytes(*out[i].h));
      }
      value_bytes_.Add(BytesOf(out[i].labels));
    }
    return Value(std::move(out));
  }

  Result<Value> ToMatrix(const Matrix& matrix, const Operator& root) {
    value_bytes_.Set(static_cast<int64_t>(matrix.size() * sizeof(MatrixSeries)));
    EPI_TRY(state_.Check());
    MatrixValue out(matrix.size());
    std::vector<uint32_t> order(matrix.size());
    for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    const SeriesList& series = root.series();
    const MonotonicNs began = state_.clock.Monotonic();
    const auto before = [&](uint32_t a, uint32_t b) {
      return state_.labels.Compare(series[matrix.row(a).series].labels, series[matrix.row(b).series].labels) < 0;
    };
    EPI_TRY(SortWhileWanted(order, before, state_));
    sort_seconds_ = SecondsBetween(began, state_.clock.Monotonic());
    const StepGrid& grid = root.grid();
    Checkpoints checkpoints(state_);
    for (size_t i = 0; i < order.size(); ++i) {
      const RowView row = matrix.row(order[i]);
      EPI_TRY(checkpoints.Pass(2 * Checkpoints::kPerLabelSet + grid.count));
      MatrixSeries& to = out[i];
      to.labels = state_.labels.ToLabels(series[row.series].labels);
      value_bytes_.Add(BytesOf(to.labels) + static_cast<int64_t>(row.floats * sizeof(FloatPoint) +
                                                                 row.histograms->size() * sizeof(HistogramValue)));
      if (row.floats == grid.count) {
        to.floats.resize(grid.count);
        for (size_t k = 0; k < grid.count; ++k) to.floats[k] = {grid.Time(k), row.values[k]};
        continue;
      }
      to.floats.reserve(row.floats);
      ForEachBit(row.bits, WordsFor(grid.count), [&](size_t k) { to.floats.push_back({grid.Time(k), row.values[k]}); });
      to.histograms.reserve(row.histograms->size());
      const FloatHistogram* before_it = nullptr;
      for (const auto& at : *row.histograms) {
        to.histograms.push_back({grid.Time(at.step), at.h});
        if (at.h.get() != before_it) histogram_bytes_ += static_cast<int64_t>(HistogramBytes(*at.h));
        before_it = at.h.get();
      }
    }
    return Value(std::move(out));
  }

  // The samples of a range selector, at their own times.
  Result<Value> RawSeries(const PlanNode& plan) {
    SelectionSource source(state_, plan.matchers, plan.hints);
    EPI_TRY(source.Prepare());
    prepared_ = state_.clock.Monotonic();
    const WindowSpec window = WindowsOf(plan, state_);
    MatrixValue out;
    SourceBatch batch;
    ReadSize read_size;
    int64_t result_samples = 0;
    for (size_t first = 0, count = 0; first < source.size(); first += count) {
      EPI_TRY(state_.Check());
      count = read_size.Next(source.size() - first);
      EPI_TRY(source.Read(first, count, batch));
      read_size.Note(batch);
      for (size_t i = 0; i < count; ++i) {
        MatrixSeries series;
        EPI_TRY(ReadWindow(batch.samples[i], window, series));
        const int64_t size = SizeOf(series);
        if (size == 0) continue;
        result_samples += size;
        EPI_TRY(CheckSamples());
        series.labels = state_.labels.ToLabels(source.series()[first + i].labels);
        value_bytes_.Add(static_cast<int64_t>(sizeof series + series.floats.size() * sizeof(FloatPoint)) +
                         BytesOf(series.labels));
        for (const auto& point : series.histograms) value_bytes_.Add(static_cast<int64_t>(HistogramBytes(*point.h)));
        out.push_back(std::move(series));
      }
    }
    account_.AddTotal(0, result_samples);
    account_.AddRead(0, result_samples);
    EPI_TRY(SortWhileWanted(
        out, [](const MatrixSeries& a, const MatrixSeries& b) { return a.labels < b.labels; }, state_));
    return Value(std::move(out));
  }

  static int64_t BytesOf(const Labels& labels) {
    int64_t bytes = 0;
    for (const LabelView label : labels) {
      bytes += static_cast<int64_t>(label.name.size() + label.value.size() + 2 * sizeof(uint32_t));
    }
    return bytes;
  }

  static int64_t SizeOf(const MatrixSeries& series) {
    auto size = static_cast<int64_t>(series.floats.size());
    for (const auto& point : series.histograms) size += SampleSize(*point.h);
    return size;
  }

  Result<void> ReadWindow(const SeriesSamples& samples, const WindowSpec& window, MatrixSeries& out) {
    const TimeRange range{window.Lower(grid_.start) + 1, window.Upper(grid_.start)};
    std::vector<TimestampMs> t;
    std::vector<double> v;
    for (size_t n = 0; n < samples.t.size(); ++n) {
      if (!range.Contains(samples.t[n]) || IsStaleNaN(samples.v[n])) continue;
      t.push_back(samples.t[n]);
      v.push_back(samples.v[n]);
    }
    for (const auto& point : samples.histograms) {
      if (!range.Contains(point.t) || IsStaleNaN(point.h->sum)) continue;
      out.histograms.push_back({point.t, std::make_shared<const FloatHistogram>(*point.h)});
      account_.current += SampleSize(*point.h);
    }
    account_.current += static_cast<int64_t>(t.size());
    account_.RaisePeak(account_.current);
    if (window.extended()) {
      if (!out.histograms.empty()) {
        return Fail(ErrorCode::kExecution, std::string(window.anchored ? "anchored" : "smoothed") +
                                               " modifier is not supported with histograms");
      }
      ExtendedFloats extended =
          ExtendFloats(t, v, window.RangeStart(grid_.start), window.RangeEnd(grid_.start), window.smoothed);
      t = std::move(extended.t);
      v = std::move(extended.v);
    }
    out.floats.resize(t.size());
    for (size_t n = 0; n < t.size(); ++n) out.floats[n] = {t[n], v[n]};
    return {};
  }

  // A subquery as the whole query: its points at their own times.
  Result<Value> RawSubquery(const PlanNode& plan) {
    const StepGrid inner = SubqueryGrid(plan, grid_);
    EPI_TRY(state_.ReserveSteps(inner));
    EPI_ASSIGN(OperatorPtr root, BuildOperators(*plan.children[0], inner, state_));
    root = RemoveNames(std::move(root), state_);
    EPI_TRY(root->Prepare());
    prepared_ = state_.clock.Monotonic();
    Matrix matrix;
    EPI_TRY(matrix.Drain(*root, state_));
    SampleAccount child(inner, true, account_.current);
    root->Account(child, notes_);
    account_.current = child.current;
    account_.RaisePeak(child.peak);
    account_.AddTotal(grid_.count - 1, child.total);
    account_.MergeReadOfSubquery(child, 0, 0);
    EPI_TRY(CheckSamples());
    return ToMatrix(matrix, *root);
  }

  const StepGrid grid_;
  QueryState& state_;
  SampleAccount account_;
  Annotations notes_;
  MonotonicNs prepared_ = 0;
  double sort_seconds_ = 0;
  MeteredBytes value_bytes_;
  int64_t histogram_bytes_ = 0;
};

void FillPerStep(const std::vector<int64_t>& counts, const StepGrid& grid,
                 std::vector<std::pair<TimestampMs, int64_t>>& out) {
  for (size_t k = 0; k < counts.size(); ++k) out.emplace_back(grid.Time(k), counts[k]);
}

}  // namespace

Result<QueryResult> RunPlan(const PlanNode& plan, const StepGrid& grid, bool instant, std::string_view text,
                            bool per_step_stats, QueryState& state) {
  const MonotonicNs began = state.clock.Monotonic();
  Evaluation evaluation(grid, state, per_step_stats);
  if (state.profile != nullptr) state.profile->plan = Describe(plan);
  auto evaluated = evaluation.Run(plan, instant);
  if (const auto charged = evaluation.LeaveCharge(); evaluated && !charged) evaluated = Fail(charged.error());
  if (state.profile != nullptr) state.profile->NoteDone();
  if (!evaluated) {
    const Error& error = evaluated.error();
    // Too many samples have a text of their own, which clients know.
    const bool memory = error.code() == ErrorCode::kLimit && error.message() != TooManySamplesError().message();
    const QueryState::SelectorCost* selector = memory ? state.CostliestSelector() : nullptr;
    if (selector == nullptr) return Fail(error);
    return Fail(ErrorCode::kLimit, error.message() + "; the selector that cost most is " + selector->text + " with " +
                                       std::to_string(selector->series) + " series and " +
                                       std::to_string(selector->samples.load(std::memory_order_relaxed)) +
                                       " samples read");
  }
  Value value = std::move(*evaluated);
  const MonotonicNs done = state.clock.Monotonic();
  QueryResult result;
  result.value = std::move(value);
  evaluation.notes().Render(text, result.warnings, result.infos);
  const SampleAccount& account = evaluation.account();
  result.stats.samples.total_queryable = account.total;
  result.stats.samples.samples_read = account.read;
  result.stats.samples.peak = account.peak;
  FillPerStep(account.total_per_step(), grid, result.stats.samples.total_queryable_per_step);
  FillPerStep(account.read_per_step(), grid, result.stats.samples.samples_read_per_step);
  const MonotonicNs prepared = evaluation.prepared() == 0 ? began : evaluation.prepared();
  result.stats.timings.query_preparation = SecondsBetween(began, prepared);
  result.stats.timings.result_sort = evaluation.sort_seconds();
  result.stats.timings.inner_eval = SecondsBetween(prepared, done);
  return result;
}

}  // namespace epi::promql
