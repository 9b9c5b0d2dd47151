#include <algorithm>

#include "promql/engine/column_cache.h"
#include "promql/engine/leaf.h"
#include "promql/functions/dense_kernels.h"

namespace epi::promql {
namespace {

// Window sizes and what is new in each, for statistics.
void CountWindows(Column& column, const StepGrid& grid, const WindowSpec& spec) {
  const size_t steps = grid.count;
  column.fresh.resize(steps);
  column.widest = column.last = 0;
  size_t seen = 0;
  for (size_t k = 0; k < steps; ++k) {
    const uint32_t lo = column.windows.lo[k];
    const uint32_t hi = column.windows.hi[k];
    const TimestampMs cutoff = spec.Upper(grid.Time(k)) - grid.interval;
    while (seen < hi && column.times[seen] <= cutoff) ++seen;
    const auto old = static_cast<uint32_t>(seen);
    column.fresh[k] = k == 0 ? hi - lo : hi - std::min(hi, std::max(lo, old));
    column.widest = std::max(column.widest, hi - lo);
    column.last = hi - lo;
  }
}

// Cuts the steps where their windows together reach `samples`, at multiples of 64 steps where that leaves any.
void CutIntoStretches(Column& column, const StepGrid& grid, uint64_t samples) {
  size_t used = 0;
  for (size_t first = 0; first < grid.count; ++used) {
    uint64_t seen = 0;
    size_t end = first;
    while (end < grid.count && (end == first || seen < samples)) {
      seen += column.windows.hi[end] - column.windows.lo[end];
      ++end;
    }
    if (end < grid.count && end - first > 64) end -= (end - first) % 64;
    if (column.stretches.size() <= used) column.stretches.emplace_back();
    Stretch& stretch = column.stretches[used];
    stretch.first = first;
    stretch.grid = {grid.Time(first), grid.interval, end - first};
    const auto part = [&](const std::vector<uint32_t>& all, std::vector<uint32_t>& to) {
      to.assign(all.begin() + static_cast<ptrdiff_t>(first), all.begin() + static_cast<ptrdiff_t>(end));
    };
    part(column.windows.lo, stretch.windows.lo);
    part(column.windows.hi, stretch.windows.hi);
    stretch.rate_terms.ready = stretch.line_terms.ready = false;
    first = end;
  }
  column.stretches.resize(used);
}

}  // namespace

Result<void> RangeFunctionOperator::Prepare() {
  EPI_TRY(source_->Prepare());
  for (auto& argument : arguments_) EPI_TRY(argument->Prepare());
  series_ = source_->series();
  const bool drop = !options_.function->keeps_name;
  for (auto& series : series_) series.drop_name = series.drop_name || drop;
  if (!query_.features.delayed_name_removal) EPI_TRY(DropMarkedNames());
  return query_.meter.status();
}

Result<void> RangeFunctionOperator::Open() {
  EPI_TRY(source_->Open());
  for (auto& argument : arguments_) {
    EPI_ASSIGN(auto values, DrainScalar(*argument, query_));
    argument_values_.push_back(std::move(values));
  }
  return {};
}

const double* RangeFunctionOperator::Argument(size_t index) const {
  return index < argument_values_.size() ? argument_values_[index].data() : nullptr;
}

void RangeFunctionOperator::Compute(Piece& piece, size_t first, size_t row) {
  piece.counts.total.resize(grid_.count, 0);
  piece.counts.read.resize(grid_.count, 0);
  for (size_t i = 0; i < piece.batch.samples.size() && !piece.error; ++i) {
    ComputeSeries(piece, piece.batch.samples[i], source_->SeriesAt(first + i), row + i);
  }
  // The columns' uses are counted into this piece while its batch is known.
  for (auto& slot : piece.columns->columns) {
    Column& column = slot->data;
    for (size_t k = 0; column.uses > 0 && k < grid_.count; ++k) {
      piece.counts.total[k] += column.uses * (column.windows.hi[k] - column.windows.lo[k]);
      piece.counts.read[k] += column.uses * column.fresh[k];
    }
    column.uses = 0;
  }
}

void RangeFunctionOperator::ComputeSeries(Piece& piece, const SeriesSamples& samples, uint32_t series, size_t row) {
  ColumnCache& cache = *piece.columns;
  Block& block = piece.block;
  const auto fill = [this](Column& column) {
    column.windows.Compute(
        column.times.size(), [&](size_t n) { return column.times[n]; }, grid_, options_.window);
    CountWindows(column, grid_, options_.window);
    // Some milliseconds for those that look at every sample of every window. The others do so in bad cases only, such
    // as rates over counters that reset all the time, and are best left whole.
    CutIntoStretches(column, grid_, uint64_t{1} << (options_.function->rescans ? 21 : 24));
  };
  const auto flush = [&](Column& column) {
    for (size_t k = 0; column.uses > 0 && k < grid_.count; ++k) {
      piece.counts.total[k] += column.uses * (column.windows.hi[k] - column.windows.lo[k]);
      piece.counts.read[k] += column.uses * column.fresh[k];
    }
  };
  const bool use_starts = query_.features.use_start_timestamps && options_.function->uses_start_times;
  std::span<const TimestampMs> starts = use_starts ? samples.start_times : std::span<const TimestampMs>();
  std::span<const double> v = samples.v;
  Column* column = nullptr;
  if (!AnyStale(samples.v.data(), samples.v.size())) {
    column = &cache.Get(samples, fill, flush);
  } else {
    column = &cache.own;
    column->times.clear();
    cache.own_values.clear();
    cache.own_starts.clear();
    for (size_t n = 0; n < samples.t.size(); ++n) {
      if (IsStaleNaN(samples.v[n])) continue;
      column->times.push_back(samples.t[n]);
      cache.own_values.push_back(samples.v[n]);
      if (!starts.empty()) cache.own_starts.push_back(starts[n]);
    }
    fill(*column);
    v = cache.own_values;
    if (!starts.empty()) starts = cache.own_starts;
  }

  Annotations& notes = piece.notes;
  const std::string_view metric = query_.labels.MetricName(source_->series()[series].labels);
  RangeContext context{notes,
                       options_.pos,
                       metric,
                       static_cast<double>(options_.window.range_ms) / 1000,
                       options_.window.anchored,
                       options_.window.smoothed,
                       use_starts,
                       {}};
  LeafCounts::SeriesPeak peak;
  const bool fast =
      samples.histograms.empty() && options_.function->row != nullptr && starts.empty() && !options_.window.extended();
  if (fast) {
    ComputeRow(piece, *column, v.data(), context, row);
    if (piece.error) return;
    ++column->uses;
    if (column == &cache.own) {
      flush(*column);
      column->uses = 0;
    }
    peak = {column->widest, column->last, block.floats(row)};
  } else {
    auto& h = cache.own_histograms;
    h.clear();
    for (const auto& point : samples.histograms) {
      if (!IsStaleNaN(point.h->sum)) h.push_back(point);
    }
    cache.histogram_windows.Compute(
        h.size(), [&](size_t n) { return h[n].t; }, grid_, options_.window);
    const double* arg0 = Argument(0);
    const double* arg1 = Argument(1);
    Checkpoints checkpoints(query_);
    for (size_t k = 0; k < grid_.count; ++k) {
      const uint32_t lo = column->windows.lo[k];
      const uint32_t hi = column->windows.hi[k];
      const uint32_t h_lo = cache.histogram_windows.lo[k];
      const uint32_t h_hi = cache.histogram_windows.hi[k];
      const TimestampMs time = grid_.Time(k);
      int64_t held = hi - lo;
      int64_t fresh = column->fresh[k];
      for (uint32_t n = h_lo; n < h_hi; ++n) {
        const int64_t size = SampleSize(*h[n].h);
        held += size;
        if (k == 0 || h[n].t > options_.window.Upper(time) - grid_.interval) fresh += size;
      }
      peak.widest = std::max(peak.widest, held);
      peak.last = held;
      if (held == 0) continue;
      if (Ends(piece, checkpoints.Pass(static_cast<size_t>(held)))) return;
      piece.counts.total[k] += held;
      piece.counts.read[k] += fresh;
      Window window;
      window.t = std::span(column->times).subspan(lo, hi - lo);
      window.v = v.subspan(lo, hi - lo);
      if (!starts.empty()) window.start_times = starts.subspan(lo, hi - lo);
      window.h = std::span<const HistogramPoint>(h).subspan(h_lo, h_hi - h_lo);
      window.time = time;
      window.range_start = options_.window.RangeStart(time);
      window.range_end = options_.window.RangeEnd(time);
      if (arg0 != nullptr) window.arg0 = arg0[k];
      if (arg1 != nullptr) window.arg1 = arg1[k];
      StepValue value = options_.function->step(window, context);
      if (value.kind == StepValue::Kind::kFloat) {
        block.values(row)[k] = value.v;
        SetBit(block.bits(row), k);
      } else if (value.kind == StepValue::Kind::kHistogram) {
        peak.output += SampleSize(*value.h);
        block.histograms(row).push_back({static_cast<uint32_t>(k), std::move(value.h)});
      }
    }
    block.CountFloats(row);
    peak.output += block.floats(row);
  }
  piece.counts.peaks.push_back(peak);
  if (context.error) piece.error = context.error;
  if (block.floats(row) > 0) NoteNonCounter(piece, context, series);
}

void RangeFunctionOperator::ComputeRow(Piece& piece, Column& column, const double* v, RangeContext& context,
                                       size_t row) const {
  Block& block = piece.block;
  const auto from = [](const double* argument, size_t step) { return argument == nullptr ? nullptr : argument + step; };
  for (Stretch& stretch : column.stretches) {
    if (stretch.first > 0 && Ends(piece, query_.Check())) return;
    // Kernels write whole words of bits.
    const bool whole_words = stretch.first % 64 == 0;
    if (!whole_words) piece.stretch_bits.assign(WordsFor(stretch.grid.count), 0);
    uint64_t* bits = whole_words ? block.bits(row) + stretch.first / 64 : piece.stretch_bits.data();
    options_.function->row(
        {stretch.grid, options_.window, column.times, v, stretch.windows, stretch.rate_terms, stretch.line_terms,
         from(Argument(0), stretch.first), from(Argument(1), stretch.first), block.values(row) + stretch.first, bits},
        context);
    if (whole_words) continue;
    ForEachBit(bits, piece.stretch_bits.size(), [&](size_t k) { SetBit(block.bits(row), stretch.first + k); });
  }
  block.CountFloats(row);
}

void RangeFunctionOperator::NoteNonCounter(Piece& piece, RangeContext& context, uint32_t series) const {
  const FunctionId id = options_.function->id;
  if ((id != FunctionId::kRate && id != FunctionId::kIncrease) || context.metric.empty()) return;
  if (query_.features.type_and_unit_labels) {
    const auto type_name = query_.labels.symbols().Find("__type__");
    const std::string_view type =
        type_name ? query_.labels.Get(source_->series()[series].labels, *type_name) : std::string_view();
    if (type != "counter" && type != "histogram")
      context.notes.PossibleNonCounterLabel(context.metric, type, context.pos);
    return;
  }
  // Series of one metric follow each other, and their symbol's text has one address.
  if (piece.noted_metric == context.metric.data()) return;
  piece.noted_metric = context.metric.data();
  for (const std::string_view suffix : {"_total", "_sum", "_count", "_bucket"}) {
    if (context.metric.ends_with(suffix)) return;
  }
  context.notes.PossibleNonCounter(context.metric, context.pos);
}

void RangeFunctionOperator::Account(SampleAccount& account, Annotations& notes) const {
  int64_t subquery_samples = 0;
  const int64_t steps = static_cast<int64_t>(grid_.count);
  if (options_.subquery != nullptr) {
    const Operator& child = options_.subquery->child();
    SampleAccount inner(child.grid(), true, account.current);
    child.Account(inner, notes);
    account.current = inner.current;
    account.RaisePeak(inner.peak);
    account.MergeReadOfSubquery(inner, options_.subquery_offset_ms, options_.window.range_ms);
    subquery_samples = child.tally().total_size();
  }
  for (const auto& argument : arguments_) argument->Account(account, notes);
  for (int64_t k = 0; k < steps; ++k) {
    const auto step = static_cast<size_t>(k);
    if (!total_.empty()) account.AddTotal(step, total_[step]);
    // With @ the window is read once; a subquery's reads were counted inside.
    const bool counted = options_.subquery == nullptr && (options_.refetch || k == 0);
    if (counted && !read_.empty()) account.AddRead(step, read_[step]);
  }
  account.RaisePeak(account.current + relative_peak_);
  account.current += held_output_ - subquery_samples;
  notes.Merge(notes_);
}

}  // namespace epi::promql
