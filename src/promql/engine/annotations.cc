#include "promql/engine/annotations.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "base/escaping.h"
#include "model/labels.h"
#include "model/number_format.h"
#include "promql/parser/parser.h"

namespace epi::promql {
namespace {

// fmt's %g.
std::string General(double value) { return FormatFloatGeneral(value); }

std::string ForMetric(std::string text, std::string_view metric) {
  if (!metric.empty()) text += " for metric name " + Quoted(metric);
  return text;
}

std::string_view OperationName(HistogramOperation operation) {
  static constexpr std::array<std::string_view, 3> kNames = {"addition", "subtraction", "aggregation"};
  return kNames[static_cast<size_t>(operation)];
}

std::string Rfc3339(TimestampMs time) {
  const std::time_t seconds = static_cast<std::time_t>(time / 1000);
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return {};
  std::array<char, 40> text{};
  const size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), length};
}

constexpr std::string_view kMixedRange = "encountered a mix of histograms and floats for ";
constexpr std::string_view kMonotonicity =
    "input to histogram_quantile needed to be fixed for monotonicity (see "
    "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";

}  // namespace

void Annotations::Add(Level level, std::string text, PositionRange pos) {
  Entry& entry = entries_[std::move(text)];
  entry.level = level;
  entry.pos = pos;
}

void Annotations::Combine(const Entry& newer, Entry& into) {
  switch (newer.extra) {
    case Extra::kNone:
      into = newer;
      break;
    case Extra::kOccurrences:
      into.occurrences += newer.occurrences;
      break;
    case Extra::kMonotonicity: {
      auto& m = into.monotonicity;
      const auto& n = newer.monotonicity;
      m.min_time = std::min(m.min_time, n.min_time);
      m.max_time = std::max(m.max_time, n.max_time);
      m.min_bucket = std::min(m.min_bucket, n.min_bucket);
      m.max_bucket = std::max(m.max_bucket, n.max_bucket);
      m.max_diff = std::max(m.max_diff, n.max_diff);
      m.samples += n.samples;
      break;
    }
  }
}

void Annotations::Merge(const Annotations& other, std::span<const MovedPosition> moved) {
  for (const auto& [text, entry] : other.entries_) {
    Entry here = entry;
    const auto move = std::find_if(moved.begin(), moved.end(), [&](const auto& m) { return m.from == here.pos; });
    if (move != moved.end()) here.pos = move->to;
    const auto [at, fresh] = entries_.try_emplace(text, here);
    if (!fresh) Combine(here, at->second);
  }
}

void Annotations::Render(std::string_view query, std::vector<std::string>& warnings,
                         std::vector<std::string>& infos) const {
  for (const auto& [text, entry] : entries_) {
    std::string line = (entry.level == Level::kWarning ? "PromQL warning: " : "PromQL info: ") + text;
    if (entry.extra == Extra::kOccurrences && entry.occurrences > 1) {
      line += " (" + std::to_string(entry.occurrences) + " occurrences)";
    }
    if (entry.extra == Extra::kMonotonicity) {
      const auto& m = entry.monotonicity;
      line += ", from buckets " + General(m.min_bucket) + " to " + General(m.max_bucket) + ", with a max diff of " +
              FormatFloatPrecision(m.max_diff, 'g', 2) + ", over " + std::to_string(m.samples) + " samples from " +
              Rfc3339(m.min_time) + " to " + Rfc3339(m.max_time);
    }
    line += " (" + FormatPosition(query, entry.pos.start) + ")";
    (entry.level == Level::kWarning ? warnings : infos).push_back(std::move(line));
  }
}

void Annotations::InvalidQuantile(double q, PositionRange pos) {
  Add(Level::kWarning, "quantile value should be between 0 and 1, got " + General(q), pos);
}
void Annotations::InvalidRatio(double ratio, double used, PositionRange pos) {
  Add(Level::kWarning,
      "ratio value should be between -1 and 1, got " + General(ratio) + ", capping to " + General(used), pos);
}
void Annotations::BadBucketLabel(std::string_view metric, std::string_view value, PositionRange pos) {
  Add(Level::kWarning, ForMetric("bucket label \"le\" is missing or has a malformed value of " + Quoted(value), metric),
      pos);
}
void Annotations::MixedFloatsHistograms(std::string_view metric, PositionRange pos) {
  Add(Level::kWarning, std::string(kMixedRange) + "metric name " + Quoted(metric), pos);
}
void Annotations::MixedFloatsHistogramsAggregation(PositionRange pos) {
  Add(Level::kWarning, std::string(kMixedRange) + "aggregation", pos);
}
void Annotations::MixedClassicNativeHistograms(std::string_view metric, PositionRange pos) {
  Add(Level::kWarning, ForMetric("vector contains a mix of classic and native histograms", metric), pos);
}
void Annotations::HistogramNotCounter(std::string_view metric, PositionRange pos) {
  Add(Level::kWarning, "this native histogram metric is not a counter: " + Quoted(metric), pos);
}
void Annotations::HistogramNotGauge(std::string_view metric, PositionRange pos) {
  Add(Level::kWarning, "this native histogram metric is not a gauge: " + Quoted(metric), pos);
}
void Annotations::MixedExponentialCustom(std::string_view metric, PositionRange pos) {
  Add(Level::kWarning,
      "vector contains a mix of histograms with exponential and custom buckets schemas for metric name " +
          Quoted(metric),
      pos);
}
void Annotations::IncompatibleBucketLayout(std::string_view op, PositionRange pos) {
  Add(Level::kWarning, "incompatible bucket layout encountered for binary operator " + std::string(op), pos);
}
void Annotations::SortInRangeQuery(PositionRange pos) {
  Add(Level::kWarning, "sort is ineffective for range queries since results are always ordered by labels", pos);
}
void Annotations::CounterResetCollision(HistogramOperation operation, PositionRange pos) {
  Add(Level::kWarning, "conflicting counter resets during histogram " + std::string(OperationName(operation)), pos);
}
void Annotations::StartTimeOverlap(std::string_view metric, PositionRange pos) {
  Entry entry;
  entry.extra = Extra::kOccurrences;
  entry.occurrences = 1;
  entry.pos = pos;
  const auto [at, fresh] = entries_.try_emplace(
      "sample has start time that overlaps with previous sample timestamp for metric " + Quoted(metric), entry);
  if (!fresh) Combine(entry, at->second);
}
void Annotations::PossibleNonCounter(std::string_view metric, PositionRange pos) {
  Add(Level::kInfo, "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " + Quoted(metric),
      pos);
}
void Annotations::PossibleNonCounterLabel(std::string_view metric, std::string_view type, PositionRange pos) {
  Add(Level::kInfo,
      "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got " + Quoted(type) +
          ": " + Quoted(metric),
      pos);
}
void Annotations::IncompatibleTypesInBinary(std::string_view lhs, std::string_view op, std::string_view rhs,
                                            PositionRange pos) {
  std::string text = "incompatible sample types encountered for binary operator " + Quoted(op) + ": ";
  text.append(lhs).append(" ").append(op).append(" ").append(rhs);
  Add(Level::kInfo, std::move(text), pos);
}
void Annotations::HistogramIgnoredInAggregation(std::string_view aggregation, PositionRange pos) {
  Add(Level::kInfo, "ignored histogram in " + std::string(aggregation) + " aggregation", pos);
}
void Annotations::HistogramsIgnoredInMixedRange(std::string_view metric, PositionRange pos) {
  Add(Level::kInfo,
      "ignored histograms in a range containing both floats and histograms for metric name " + Quoted(metric), pos);
}
void Annotations::QuantileNaNResult(std::string_view metric, PositionRange pos) {
  Add(Level::kInfo, ForMetric("input to histogram_quantile has NaN observations, result is NaN", metric), pos);
}
void Annotations::QuantileNaNSkew(std::string_view metric, PositionRange pos) {
  Add(Level::kInfo, ForMetric("input to histogram_quantile has NaN observations, result is skewed higher", metric),
      pos);
}
void Annotations::FractionNaNs(std::string_view metric, PositionRange pos) {
  Add(Level::kInfo,
      ForMetric("input to histogram_fraction has NaN observations, which are excluded from all fractions", metric),
      pos);
}
void Annotations::BoundsReconciled(HistogramOperation operation, PositionRange pos) {
  Add(Level::kInfo, "mismatched custom buckets were reconciled during " + std::string(OperationName(operation)), pos);
}
void Annotations::ForcedMonotonicity(std::string_view metric, const Monotonicity& what, PositionRange pos) {
  Entry entry;
  entry.level = Level::kInfo;
  entry.extra = Extra::kMonotonicity;
  entry.pos = pos;
  entry.monotonicity = what;
  const auto [at, fresh] = entries_.try_emplace(ForMetric(std::string(kMonotonicity), metric), entry);
  if (!fresh) Combine(entry, at->second);
}

}  // namespace epi::promql
