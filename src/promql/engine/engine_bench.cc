// How long kernels and whole queries take for a series and step. Expected: rate 3 ns, ordered compensated sums 0.3 ns.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <map>
#include <string>

#include "promql/engine/aggregate.h"
#include "promql/engine/engine.h"
#include "promql/functions/rate.h"

namespace epi::promql {
namespace {

constexpr size_t kSeries = 4096;
constexpr size_t kSamples = 1200;
constexpr int64_t kScrapeMs = 15'000;
constexpr TimestampMs kStart = 1'700'000'000'000;

class Symbols final : public SymbolSpace {
 public:
  std::string_view Text(SymbolId id) const override { return texts_[static_cast<size_t>(id)]; }
  SymbolId Intern(std::string_view text) const override {
    const auto [at, fresh] = ids_.try_emplace(std::string(text), static_cast<SymbolId>(texts_.size()));
    if (fresh) texts_.push_back(at->first);
    return at->second;
  }
  std::optional<SymbolId> Find(std::string_view text) const override {
    const auto at = ids_.find(std::string(text));
    return at == ids_.end() ? std::nullopt : std::optional(at->second);
  }

 private:
  mutable std::map<std::string, SymbolId> ids_;
  mutable std::vector<std::string_view> texts_;
};

// Counters of 64 targets that share their target's times, without anything to decode.
class FlatView final : public View {
 public:
  FlatView() {
    times_.resize(kSamples);
    for (size_t i = 0; i < kSamples; ++i) times_[i] = kStart + static_cast<int64_t>(i) * kScrapeMs + 137;
    values_.resize(kSeries * kSamples);
    for (size_t s = 0; s < kSeries; ++s) {
      double value = static_cast<double>(s);
      for (size_t i = 0; i < kSamples; ++i)
        values_[s * kSamples + i] = value += static_cast<double>((s * 7 + i * 3) % 11);
    }
    for (size_t s = 0; s < kSeries; ++s) {
      labels_.push_back({symbols_.Intern("__name__"), symbols_.Intern("requests_total")});
      labels_.push_back({symbols_.Intern("code"), symbols_.Intern("c" + std::to_string(s % 64))});
      labels_.push_back({symbols_.Intern("job"), symbols_.Intern("j" + std::to_string(s / 64))});
    }
  }
  Result<std::unique_ptr<SeriesSelection>> Select(std::span<const Matcher>, const SelectHints& hints,
                                                  Budget&) const override {
    const auto begin = std::lower_bound(times_.begin(), times_.end(), hints.range.min) - times_.begin();
    const auto end = std::upper_bound(times_.begin(), times_.end(), hints.range.max) - times_.begin();
    return std::unique_ptr<SeriesSelection>(
        new Selection(*this, static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
  }
  Result<std::vector<std::string>> LabelValues(std::string_view, std::span<const Matcher>, size_t,
                                               Budget&) const override {
    return std::vector<std::string>();
  }
  Result<std::vector<std::string>> LabelNames(std::span<const Matcher>, size_t, Budget&) const override {
    return std::vector<std::string>();
  }
  Result<std::vector<SeriesExemplars>> Exemplars(std::span<const std::vector<Matcher>>, TimeRange) const override {
    return std::vector<SeriesExemplars>();
  }
  const SymbolSpace& symbols() const override { return symbols_; }

 private:
  class Selection final : public SeriesSelection {
   public:
    Selection(const FlatView& view, size_t begin, size_t count) : view_(view), begin_(begin), count_(count) {}
    size_t size() const override { return kSeries; }
    LabelTuple labels(size_t index) const override { return std::span(view_.labels_).subspan(index * 3, 3); }
    Result<void> Read(size_t first, size_t count, SeriesBatch& batch) const override {
      batch.series.resize(count);
      for (size_t i = 0; i < count; ++i) {
        batch.series[i] = {
            ColumnId{0}, view_.times_, {view_.values_.data() + (first + i) * kSamples, kSamples}, {}, {}};
      }
      return {};
    }

   private:
    const FlatView& view_;
    size_t begin_;
    size_t count_;
  };

  Symbols symbols_;
  std::vector<TimestampMs> times_;
  std::vector<double> values_;
  std::vector<LabelSymbols> labels_;
};

const FlatView& TheView() {
  static const FlatView view;
  return view;
}

void PerPoint(benchmark::State& state, double points) {
  // Shown as nanoseconds.
  state.counters["time_per_point"] =
      benchmark::Counter(points, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void BM_RateRow(benchmark::State& state) {
  const auto steps = static_cast<size_t>(state.range(0));
  const StepGrid grid{kStart + 300'000, kScrapeMs, steps};
  const WindowSpec spec{300'000, 0, std::nullopt, 0, false, false};
  std::vector<TimestampMs> times(kSamples);
  std::vector<double> v(kSamples);
  for (size_t i = 0; i < kSamples; ++i) {
    times[i] = kStart + static_cast<int64_t>(i) * kScrapeMs + 137;
    v[i] = static_cast<double>(i * 3 % 1000 + i);
  }
  Windows windows;
  windows.Compute(
      times.size(), [&](size_t i) { return times[i]; }, grid, spec);
  RateTerms terms;
  LineTerms no_lines;
  std::vector<double> out(steps);
  std::vector<uint64_t> bits(WordsFor(steps), 0);
  Annotations notes;
  RangeContext context{notes, {}, {}, 300, false, false, false, {}};
  for (auto _ : state) {
    RateRow({grid, spec, times, v.data(), windows, terms, no_lines, nullptr, nullptr, out.data(), bits.data()},
            context);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  PerPoint(state, static_cast<double>(steps));
}
BENCHMARK(BM_RateRow)->Arg(240)->Arg(960);

void BM_SumRows(benchmark::State& state) {
  const auto steps = static_cast<size_t>(state.range(0));
  Budget budget("bench");
  QueryState query(TheView(), budget, SystemClock());
  AggregateOptions options;
  Annotations notes;
  Block block;
  block.Reset(64, steps, query.meter);
  for (size_t r = 0; r < 64; ++r) {
    for (size_t k = 0; k < steps; ++k) block.values(r)[k] = static_cast<double>(r * k) * 0.1;
    block.SetFull(r);
  }
  const auto fold = MakeGroupFold(options, 1, steps, query, notes);
  for (auto _ : state) {
    for (size_t r = 0; r < 64; ++r) fold->Add(0, block.row(r), {});
  }
  PerPoint(state, static_cast<double>(steps * 64));
}
BENCHMARK(BM_SumRows)->Arg(240)->Arg(960);

void RunQuery(benchmark::State& state, const std::string& text, size_t steps) {
  const Engine engine{EngineOptions{}};
  const TimestampMs start = kStart + 600'000;
  QuerySpec spec = QuerySpec::Instant(text, start);
  if (steps > 1) spec = QuerySpec::Range(text, start, start + static_cast<int64_t>(steps - 1) * kScrapeMs, kScrapeMs);
  for (auto _ : state) {
    const auto result = engine.Run(spec, TheView());
    if (!result) state.SkipWithError(result.error().message().c_str());
    benchmark::DoNotOptimize(result);
  }
  PerPoint(state, static_cast<double>(kSeries * steps));
}

void BM_Query(benchmark::State& state, const char* text) { RunQuery(state, text, static_cast<size_t>(state.range(0))); }
BENCHMARK_CAPTURE(BM_Query, selector, "requests_total")->Arg(1)->Arg(240)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Query, sum, "sum(requests_total)")->Arg(1)->Arg(240)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Query, rate, "rate(requests_total[5m])")->Arg(1)->Arg(240)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Query, sum_by_rate, "sum by (job) (rate(requests_total[5m]))")
    ->Arg(1)
    ->Arg(240)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Query, avg_over_time, "avg by (job) (avg_over_time(requests_total[5m]))")
    ->Arg(1)
    ->Arg(240)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Query, max_over_time, "max by (job) (max_over_time(requests_total[5m]))")
    ->Arg(240)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Query, join, "sum(requests_total / on (job) group_left sum by (job) (requests_total))")
    ->Arg(1)
    ->Arg(240)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Query, compare, "count(requests_total > 1000)")->Arg(1)->Arg(240)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Query, topk, "topk(5, rate(requests_total[5m]))")->Arg(1)->Arg(240)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace epi::promql
