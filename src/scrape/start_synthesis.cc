#include "scrape/start_synthesis.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "model/histogram_convert.h"
#include "model/histogram_math.h"
#include "model/histogram_reset.h"

namespace epi::scrape {
namespace {

std::string_view WithoutSuffix(std::string_view name, std::initializer_list<std::string_view> suffixes) {
  for (const auto suffix : suffixes) {
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  }
  return name;
}

std::vector<int64_t> AsDeltas(const std::vector<double>& counts) {
  std::vector<int64_t> deltas;
  deltas.reserve(counts.size());
  int64_t last = 0;
  for (const double count : counts) {
    const auto whole = static_cast<int64_t>(count);
    deltas.push_back(whole - last);
    last = whole;
  }
  return deltas;
}

// Counts that are whole and not negative, as differences of such that did not fall are.
std::shared_ptr<const Histogram> AsIntegers(const FloatHistogram& h, CounterResetHint hint) {
  auto out = std::make_shared<Histogram>();
  out->counter_reset_hint = hint;
  out->schema = h.schema;
  out->zero_threshold = h.zero_threshold;
  out->zero_count = static_cast<uint64_t>(h.zero_count);
  out->count = static_cast<uint64_t>(h.count);
  out->sum = h.sum;
  out->positive_spans = h.positive_spans;
  out->negative_spans = h.negative_spans;
  out->positive_buckets = AsDeltas(h.positive_buckets);
  out->negative_buckets = AsDeltas(h.negative_buckets);
  out->custom_values = h.custom_values;
  return out;
}

}  // namespace

bool IsCumulativePart(std::string_view metric_name, std::string_view family, MetricType type) {
  if (!metric_name.starts_with(family)) return false;
  switch (type) {
    case MetricType::kCounter:
      return WithoutSuffix(metric_name, {"_total"}) == WithoutSuffix(family, {"_total"});
    case MetricType::kHistogram:
      return WithoutSuffix(metric_name, {"_bucket", "_sum", "_count"}) == family;
    case MetricType::kSummary:  // the quantiles rise and fall
      return metric_name != family && WithoutSuffix(metric_name, {"_sum", "_count"}) == family;
    default:
      return false;
  }
}

StartSynthesis::Outcome StartSynthesis::Float(SeriesRef series, double& value, TimestampMs time) {
  State& state = series_[series];
  if (state.start == 0) {
    state.start = time;
    state.previous = state.starting = value;
    return {true, time};
  }
  if (value < state.previous) {
    state.starting = 0;
    state.start = time - 1;
  }
  state.previous = value;
  value -= state.starting;
  return {false, state.start};
}

std::shared_ptr<const FloatHistogram> StartSynthesis::Advance(SeriesRef series,
                                                              std::shared_ptr<const FloatHistogram> histogram,
                                                              TimestampMs time, Outcome& outcome) {
  State& state = series_[series];
  outcome.first = state.start == 0;
  const bool reset =
      !outcome.first && (!state.previous_histogram || DetectReset(*histogram, *state.previous_histogram));
  if (outcome.first || reset) {
    state.start = outcome.first ? time : time - 1;
    outcome.start = state.start;
    state.previous_histogram = std::move(histogram);
    state.starting_histogram = reset ? nullptr : state.previous_histogram;  // a restart begins with nothing
    return nullptr;
  }
  outcome.start = state.start;
  auto on_top = std::make_shared<FloatHistogram>(*histogram);
  state.previous_histogram = std::move(histogram);
  if (!state.starting_histogram) return nullptr;
  // Histograms of different kinds have nothing in common, which is a reset too.
  if (!Subtract(*on_top, *state.starting_histogram)) return nullptr;
  Compact(*on_top);
  return on_top;
}

StartSynthesis::Outcome StartSynthesis::OfHistogram(SeriesRef series, std::shared_ptr<const Histogram>& histogram,
                                                    TimestampMs time) {
  Outcome outcome;
  const auto on_top = Advance(series, std::make_shared<const FloatHistogram>(ToFloat(*histogram)), time, outcome);
  if (on_top) histogram = AsIntegers(*on_top, histogram->counter_reset_hint);
  return outcome;
}

StartSynthesis::Outcome StartSynthesis::OfHistogram(SeriesRef series, std::shared_ptr<const FloatHistogram>& histogram,
                                                    TimestampMs time) {
  Outcome outcome;
  auto on_top = Advance(series, histogram, time, outcome);
  if (on_top) histogram = std::move(on_top);
  return outcome;
}

}  // namespace epi::scrape
