// Warnings and infos that a query collects beside its value, with Prometheus's texts and positions.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "promql/parser/ast.h"

namespace epi::promql {

enum class HistogramOperation : unsigned char { kAddition, kSubtraction, kAggregation };

// A place in a query whose value was computed at another place with the same meaning.
struct MovedPosition {
  PositionRange from;
  PositionRange to;
};

// Not thread-safe: workers collect on their own and the results are merged in a fixed order, because where one text
// comes up at two places of a query the later one's position is shown (the first one's, where the text says how often),
// as in Prometheus.
class Annotations {
 public:
  bool empty() const { return entries_.empty(); }
  void Clear() { entries_.clear(); }
  // Adds `other`, collected later. What it says of a position in `moved` is said of where that was moved to.
  void Merge(const Annotations& other, std::span<const MovedPosition> moved = {});
  // Texts with positions in `query`, each kind sorted.
  void Render(std::string_view query, std::vector<std::string>& warnings, std::vector<std::string>& infos) const;

  // One per kind; texts in annotations.cc. `metric` may be empty.
  void InvalidQuantile(double q, PositionRange pos);
  void InvalidRatio(double ratio, double used, PositionRange pos);
  void BadBucketLabel(std::string_view metric, std::string_view value, PositionRange pos);
  void MixedFloatsHistograms(std::string_view metric, PositionRange pos);
  void MixedFloatsHistogramsAggregation(PositionRange pos);
  void MixedClassicNativeHistograms(std::string_view metric, PositionRange pos);
  void HistogramNotCounter(std::string_view metric, PositionRange pos);
  void HistogramNotGauge(std::string_view metric, PositionRange pos);
  void MixedExponentialCustom(std::string_view metric, PositionRange pos);
  void IncompatibleBucketLayout(std::string_view op, PositionRange pos);
  void SortInRangeQuery(PositionRange pos);
  void CounterResetCollision(HistogramOperation operation, PositionRange pos);
  // At most one a series and step, see MergeOverlaps for how often.
  void StartTimeOverlap(std::string_view metric, PositionRange pos);
  void PossibleNonCounter(std::string_view metric, PositionRange pos);
  void PossibleNonCounterLabel(std::string_view metric, std::string_view type, PositionRange pos);
  void IncompatibleTypesInBinary(std::string_view lhs, std::string_view op, std::string_view rhs, PositionRange pos);
  void HistogramIgnoredInAggregation(std::string_view aggregation, PositionRange pos);
  void HistogramsIgnoredInMixedRange(std::string_view metric, PositionRange pos);
  void QuantileNaNResult(std::string_view metric, PositionRange pos);
  void QuantileNaNSkew(std::string_view metric, PositionRange pos);
  void FractionNaNs(std::string_view metric, PositionRange pos);
  void BoundsReconciled(HistogramOperation operation, PositionRange pos);

  // histogram_quantile had to repair classic buckets: `samples` times, between these times and bounds.
  struct Monotonicity {
    TimestampMs min_time = 0;
    TimestampMs max_time = 0;
    double min_bucket = 0;
    double max_bucket = 0;
    double max_diff = 0;
    int64_t samples = 0;
  };
  void ForcedMonotonicity(std::string_view metric, const Monotonicity& what, PositionRange pos);

 private:
  enum class Level : unsigned char { kWarning, kInfo };
  enum class Extra : unsigned char { kNone, kMonotonicity, kOccurrences };
  struct Entry {
    Level level = Level::kWarning;
    Extra extra = Extra::kNone;
    PositionRange pos;
    Monotonicity monotonicity;
    int64_t occurrences = 0;
  };
  void Add(Level level, std::string text, PositionRange pos);
  static void Combine(const Entry& newer, Entry& into);

  std::map<std::string, Entry, std::less<>> entries_;  // by text without position
};

}  // namespace epi::promql
