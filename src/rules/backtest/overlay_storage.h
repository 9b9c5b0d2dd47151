// Storage with what backtested rules write laid over it, in memory.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/matcher.h"
#include "storage/storage.h"

namespace epi::rules {

// One series that a rule writes. Times ascend over floats and histograms together.
struct OverlaySeries {
  Labels labels;
  std::vector<TimestampMs> t;
  std::vector<double> v;  // beside t; stale markers among them
  std::vector<HistogramPoint> histograms;
  std::vector<std::shared_ptr<const FloatHistogram>> kept;  // owns those of `histograms`
  void Append(TimestampMs time, double value, std::shared_ptr<const FloatHistogram> histogram);
  size_t bytes() const;
};

// Queries and changes must not overlap; several queries may.
class OverlayStorage final : public Storage {
 public:
  // `base` outlives it.
  explicit OverlayStorage(const Storage& base) : base_(base) {}
  // Series of the base that match are not seen from `time` on: a rule writes them anew.
  void Hide(std::vector<Matcher> matchers, TimestampMs time);
  // Made when it is not there. Stays where it is.
  OverlaySeries& SeriesOf(const Labels& labels);
  // Nobody will look at samples before `time`.
  void DropBefore(TimestampMs time);
  size_t bytes() const;

  Result<std::shared_ptr<const View>> OpenView(TimeRange range) const override;
  Result<std::unique_ptr<BatchAppender>> OpenGroup(const GroupIdentity& identity) override;  // kUnsupported
  TimestampMs OldestTime() const override { return base_.OldestTime(); }

 private:
  friend class OverlayView;
  struct Hidden {
    std::vector<Matcher> matchers;
    TimestampMs from = 0;
  };
  const Storage& base_;
  std::vector<Hidden> hidden_;
  std::map<Labels, std::unique_ptr<OverlaySeries>> series_;
  std::unordered_map<std::string, std::vector<const OverlaySeries*>> by_name_;
};

}  // namespace epi::rules
