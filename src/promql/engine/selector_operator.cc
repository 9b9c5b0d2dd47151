#include <algorithm>

#include "promql/engine/column_cache.h"
#include "promql/engine/leaf.h"
#include "promql/functions/rate.h"

namespace epi::promql {
namespace {

// The index of the newest of `count` times at or before `time - offset`, if it is younger than the lookback; for each
// step.
template <typename TimeOf>
void PickSamples(size_t count, TimeOf time_of, const StepGrid& grid, const SelectorOperator::Options& options,
                 int64_t lookback, std::vector<int32_t>& picks) {
  picks.resize(grid.count);
  size_t next = 0;
  for (size_t k = 0; k < grid.count; ++k) {
    const TimestampMs reference = options.at.value_or(grid.Time(k)) - options.offset_ms;
    while (next < count && time_of(next) <= reference) ++next;
    picks[k] = next > 0 && time_of(next - 1) > reference - lookback ? static_cast<int32_t>(next) - 1 : -1;
  }
}

double Seconds(TimestampMs t) { return static_cast<double>(t) / 1000; }

// Values of a series whose column has a sample for every step.
void PutEveryStep(Block& block, size_t row, const SeriesSamples& samples, const std::vector<int32_t>& picks) {
  double* values = block.values(row);
  uint64_t* bits = block.bits(row);
  const double* v = samples.v.data();
  for (size_t base = 0; base < picks.size(); base += 64) {
    const size_t count = std::min<size_t>(64, picks.size() - base);
    uint64_t stale = 0;
    for (size_t i = 0; i < count; ++i) {
      const double value = v[picks[base + i]];
      values[base + i] = value;
      stale |= static_cast<uint64_t>(IsStaleNaN(value)) << i;
    }
    bits[base / 64] = ~stale;
  }
  if (picks.size() % 64 != 0) bits[picks.size() / 64] &= (uint64_t{1} << (picks.size() % 64)) - 1;
  block.CountFloats(row);
}

void PutFloats(Block& block, size_t row, const SeriesSamples& samples, const std::vector<int32_t>& picks,
               SelectorOperator::Output output) {
  double* values = block.values(row);
  uint64_t* bits = block.bits(row);
  for (size_t k = 0; k < picks.size(); ++k) {
    if (picks[k] < 0) continue;
    const auto i = static_cast<size_t>(picks[k]);
    if (IsStaleNaN(samples.v[i])) continue;
    switch (output) {
      case SelectorOperator::Output::kValue:
        values[k] = samples.v[i];
        break;
      case SelectorOperator::Output::kTimestamp:
        values[k] = Seconds(samples.t[i]);
        break;
      case SelectorOperator::Output::kStartTimestamp:
        values[k] = Seconds(samples.start_times.empty() ? 0 : samples.start_times[i]);
        break;
      case SelectorOperator::Output::kSampleTime:
        values[k] = static_cast<double>(samples.t[i]);
        break;
    }
    SetBit(bits, k);
  }
  block.CountFloats(row);
}

}  // namespace

Result<void> SelectorOperator::Prepare() {
  EPI_TRY(source_->Prepare());
  series_ = source_->series();
  if (options_.output == Output::kValue || options_.output == Output::kSampleTime) return {};
  for (auto& series : series_) {
    if (!query_.features.delayed_name_removal) series.labels = query_.labels.DropMetadata(series.labels);
    series.drop_name = true;
  }
  return {};
}

void SelectorOperator::Compute(Piece& piece, size_t, size_t first_row) {
  for (size_t i = 0; i < piece.batch.samples.size(); ++i) {
    const SeriesSamples& samples = piece.batch.samples[i];
    const size_t row = first_row + i;
    if (samples.histograms.empty()) {
      const auto fill = [&](Column& column) {
        PickSamples(
            column.times.size(), [&](size_t n) { return column.times[n]; }, grid_, options_, query_.lookback_ms,
            column.picks);
      };
      const Column& column = piece.columns->Get(samples, fill, [](Column&) {});
      if (column.picks_every_step && options_.output == Output::kValue) {
        PutEveryStep(piece.block, row, samples, column.picks);
      } else {
        PutFloats(piece.block, row, samples, column.picks, options_.output);
      }
      continue;
    }
    // Both kinds: the newer of the two picks counts.
    std::vector<int32_t> floats;
    std::vector<int32_t> histograms;
    PickSamples(
        samples.t.size(), [&](size_t n) { return samples.t[n]; }, grid_, options_, query_.lookback_ms, floats);
    PickSamples(
        samples.histograms.size(), [&](size_t n) { return samples.histograms[n].t; }, grid_, options_,
        query_.lookback_ms, histograms);
    HistogramPtr copy;
    int32_t copied = -1;
    for (size_t k = 0; k < grid_.count; ++k) {
      if (histograms[k] < 0) continue;
      const HistogramPoint& point = samples.histograms[static_cast<size_t>(histograms[k])];
      if (floats[k] >= 0 && samples.t[static_cast<size_t>(floats[k])] > point.t) continue;
      floats[k] = -1;
      if (IsStaleNaN(point.h->sum)) continue;
      if (options_.output == Output::kTimestamp || options_.output == Output::kStartTimestamp) {
        piece.block.values(row)[k] = Seconds(options_.output == Output::kTimestamp ? point.t : point.start_time);
        SetBit(piece.block.bits(row), k);
        continue;
      }
      if (copied != histograms[k]) copy = std::make_shared<const FloatHistogram>(*point.h);
      copied = histograms[k];
      piece.block.histograms(row).push_back({static_cast<uint32_t>(k), copy});
    }
    PutFloats(piece.block, row, samples, floats, options_.output);
  }
}

void SelectorOperator::Account(SampleAccount& account, Annotations& notes) const {
  const std::vector<int64_t> sizes = tally().Sizes();
  for (size_t k = 0; k < sizes.size(); ++k) {
    account.AddTotal(k, sizes[k]);
    account.AddRead(k, sizes[k]);
  }
  if (options_.output == Output::kValue || options_.output == Output::kSampleTime) {
    account.current += tally().total_size();
    account.RaisePeak(account.current);
  } else {
    account.StepwiseEvaluation(account.current, sizes, tally());
  }
  notes.Merge(notes_);
}

Result<void> SmoothedSelectorOperator::Prepare() {
  EPI_TRY(source_->Prepare());
  series_ = source_->series();
  return {};
}

void SmoothedSelectorOperator::Compute(Piece& piece, size_t first, size_t first_row) {
  std::vector<TimestampMs> t;
  std::vector<double> v;
  std::vector<HistogramPoint> h;
  Checkpoints checkpoints(query_);
  Windows float_windows;
  Windows histogram_windows;
  for (size_t i = 0; i < piece.batch.samples.size(); ++i) {
    const SeriesSamples& samples = piece.batch.samples[i];
    const size_t row = first_row + i;
    t.clear();
    v.clear();
    h.clear();
    for (size_t n = 0; n < samples.t.size(); ++n) {
      if (IsStaleNaN(samples.v[n])) continue;
      t.push_back(samples.t[n]);
      v.push_back(samples.v[n]);
    }
    for (const auto& point : samples.histograms) {
      if (!IsStaleNaN(point.h->sum)) h.push_back(point);
    }
    float_windows.Compute(
        t.size(), [&](size_t n) { return t[n]; }, grid_, window_);
    histogram_windows.Compute(
        h.size(), [&](size_t n) { return h[n].t; }, grid_, window_);
    const std::string_view metric = query_.labels.MetricName(series_[source_->SeriesAt(first + i)].labels);
    RangeContext context{piece.notes, pos_, metric, 0, false, true, false, {}};
    LeafCounts::SeriesPeak peak;
    for (size_t k = 0; k < grid_.count; ++k) {
      const TimestampMs at = window_.RangeEnd(grid_.Time(k)) - window_.lookback_ms;
      const size_t f_begin = float_windows.lo[k];
      const size_t f_end = float_windows.hi[k];
      const size_t h_begin = histogram_windows.lo[k];
      const size_t h_end = histogram_windows.hi[k];
      int64_t held = static_cast<int64_t>(f_end - f_begin);
      for (size_t n = h_begin; n < h_end; ++n) held += SampleSize(*h[n].h);
      peak.widest = std::max(peak.widest, held);
      peak.last = held;
      if (Ends(piece, checkpoints.Pass(static_cast<size_t>(held) + 1))) return;
      if (f_begin != f_end && h_begin != h_end) {
        piece.notes.MixedFloatsHistograms(metric, pos_);
        continue;
      }
      if (f_begin != f_end) {
        const auto next = std::lower_bound(t.begin() + static_cast<ptrdiff_t>(f_begin),
                                           t.begin() + static_cast<ptrdiff_t>(f_end), at);
        const auto n = static_cast<size_t>(next - t.begin());
        double value = 0;
        if (n < f_end && t[n] == at) {
          value = v[n];
        } else if (n == f_begin) {
          continue;  // nothing before this time yet
        } else if (n < f_end) {
          value = Interpolate(t[n - 1], v[n - 1], t[n], v[n], at, false);
        } else {
          value = v[n - 1];
        }
        piece.block.values(row)[k] = value;
        SetBit(piece.block.bits(row), k);
      } else if (h_begin != h_end) {
        size_t n = h_begin;
        while (n < h_end && h[n].t < at) ++n;
        std::optional<FloatHistogram> value;
        if (n < h_end && h[n].t == at) {
          value = *h[n].h;
        } else if (n == h_begin) {
          continue;
        } else if (n < h_end) {
          const FloatHistogram& before = *h[n - 1].h;
          const FloatHistogram& after = *h[n].h;
          if (IsCustomBucketsSchema(before.schema) != IsCustomBucketsSchema(after.schema)) {
            piece.notes.MixedExponentialCustom(metric, pos_);
            continue;
          }
          const bool counter = before.counter_reset_hint != CounterResetHint::kGauge ||
                               after.counter_reset_hint != CounterResetHint::kGauge;
          value = InterpolateHistograms(h[n - 1], h[n], at, counter, context);
          if (!value) continue;
        } else {
          // The hint is about neighbours, and this one has none of its own here.
          value = *h[n - 1].h;
          value->counter_reset_hint = CounterResetHint::kUnknown;
        }
        piece.block.histograms(row).push_back(
            {static_cast<uint32_t>(k), std::make_shared<const FloatHistogram>(std::move(*value))});
      }
    }
    piece.block.CountFloats(row);
    // Prometheus keeps the last window of each series counted.
    peak.output = peak.last;
    peak.last = 0;
    piece.counts.peaks.push_back(peak);
  }
}

void SmoothedSelectorOperator::Account(SampleAccount& account, Annotations& notes) const {
  account.RaisePeak(account.current + relative_peak_);
  account.current += held_output_;
  notes.Merge(notes_);
}

}  // namespace epi::promql
