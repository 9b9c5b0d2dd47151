// What all operators of one running query share.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <span>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "promql/engine/features.h"
#include "promql/engine/label_store.h"
#include "promql/engine/memory_meter.h"
#include "promql/engine/steps.h"
#include "storage/view.h"

namespace epi::promql {

class QueryProfile;

struct QueryState {
  QueryState(const View& the_view, Budget& budget, Clock& the_clock)
      : view(the_view), meter(budget), labels(the_view.symbols(), meter), clock(the_clock) {}

  const View& view;
  MemoryMeter meter;
  LabelStore labels;
  Clock& clock;
  FeatureSwitches features;
  int64_t lookback_ms = 0;
  int64_t max_samples = 0;
  int64_t default_step_ms = 0;
  MonotonicNs deadline = 0;
  std::stop_token stop;
  QueryProfile* profile = nullptr;  // none: nothing is measured
  ThreadPool* pool = nullptr;
  size_t threads = 1;

  // What a selector has cost so far.
  struct SelectorCost {
    std::string text;
    size_t series = 0;
    std::atomic<int64_t> samples{0};  // read; any thread
  };
  // Told by the thread that prepares operators; stays where it is.
  SelectorCost& NoteSelector(std::span<const Matcher> matchers, size_t series);
  // The one that most samples were read of, and among those most series; null without any.
  const SelectorCost* CostliestSelector() const;
  std::deque<SelectorCost> selectors;

  // Before operators over `grid` are made: kLimit when its steps alone would be too many samples or too much memory.
  Result<void> ReserveSteps(const StepGrid& grid);
  // Between batches, from any thread: cancelled, out of time, out of memory.
  Result<void> Check() const;
};

// For loops that go on for longer than a batch: looks whether the query is still wanted each time so many units of work
// are done. A unit is what a sample or a label costs, at most some hundred nanoseconds.
class Checkpoints {
 public:
  static constexpr size_t kUnitsPerLook = size_t{1} << 16;
  static constexpr size_t kPerLabelSet = 16;  // units of hashing, copying or changing one
  static constexpr size_t kPerHistogram = 64;
  explicit Checkpoints(const QueryState& query) : query_(query) {}
  Result<void> Pass(size_t units = 1) {
    units_ += units;
    if (units_ < kUnitsPerLook) return {};
    units_ = 0;
    return query_.Check();
  }

 private:
  const QueryState& query_;
  size_t units_ = 0;
};

// Does what is cheap for each step of a row, work(first, count), for stretches of steps that start at multiples of 64,
// looking in between whether the query is still wanted: a subquery's rows can have millions of steps.
template <typename Work>
Result<void> ForEachStretch(size_t steps, const QueryState& query, Work work) {
  constexpr size_t kStretch = size_t{1} << 18;
  for (size_t first = 0; first < steps; first += kStretch) {
    if (first > 0) EPI_TRY(query.Check());
    work(first, std::min(kStretch, steps - first));
  }
  return {};
}

// "query was canceled in <where>" and "query timed out in <where>".
Error CanceledError(std::string_view where);
Error TimeoutError(std::string_view where);
Error TooManySamplesError();

}  // namespace epi::promql
