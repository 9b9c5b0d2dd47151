// What is computed once per timestamp column and used by every series that shares it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "promql/functions/range_kernel.h"
#include "promql/functions/windows.h"
#include "storage/view.h"

namespace epi::promql {

// Consecutive steps that are computed without a look at whether the query is still wanted.
struct Stretch {
  size_t first = 0;  // step
  StepGrid grid;
  Windows windows;  // of these steps
  RateTerms rate_terms;
  LineTerms line_terms;
};

struct Column {
  std::vector<TimestampMs> times;
  Windows windows;
  std::vector<Stretch> stretches;  // range functions: all steps
  std::vector<int32_t> picks;      // instant selectors: index of the sample a step sees, or -1
  bool picks_every_step = false;
  std::vector<uint32_t> fresh;  // samples of the window that the step before did not see
  uint32_t widest = 0;          // window
  uint32_t last = 0;            // window at the last step
  int64_t uses = 0;             // series since the counts were last flushed
};

// Columns met by one worker. Columns of a batch are known by id, and the latest one is recognised in the next batch by
// its times. A column that is pushed out has its uses flushed by the owner.
struct ColumnCache {
  // The column of these samples; `fill(column)` computes a new one, whose `times` are set; `flush(column)` is called
  // before one is forgotten.
  template <typename Fill, typename Flush>
  Column& Get(const SeriesSamples& samples, Fill fill, Flush flush) {
    if (samples.column != kNoColumn) {
      for (const auto& [id, column] : batch) {
        if (id == samples.column) return *column;
      }
    }
    const auto same_times = [&](const Column& c) {
      return c.times.size() == samples.t.size() && std::equal(c.times.begin(), c.times.end(), samples.t.begin());
    };
    for (auto& column : columns) {
      if (column->in_use && same_times(column->data)) return Remember(samples, column->data);
    }
    if (columns.size() < kColumns) {
      columns.push_back(std::make_unique<Slot>());
      next = columns.size() - 1;
    } else {
      next = (next + 1) % kColumns;
    }
    Slot& slot = *columns[next];
    std::erase_if(batch, [&](const auto& entry) { return entry.second == &slot.data; });
    if (slot.in_use) flush(slot.data);
    slot.data.times.assign(samples.t.begin(), samples.t.end());
    slot.data.uses = 0;
    slot.in_use = true;
    fill(slot.data);
    return Remember(samples, slot.data);
  }
  void StartBatch() { batch.clear(); }

  struct Slot {
    Column data;
    bool in_use = false;
  };
  static constexpr size_t kColumns = 4;
  std::vector<std::unique_ptr<Slot>> columns;
  std::vector<std::pair<ColumnId, Column*>> batch;
  size_t next = 0;
  // For a series that has its times alone (stale markers taken out).
  Column own;
  std::vector<double> own_values;
  std::vector<TimestampMs> own_starts;
  std::vector<HistogramPoint> own_histograms;
  Windows histogram_windows;

 private:
  Column& Remember(const SeriesSamples& samples, Column& column) {
    if (samples.column != kNoColumn) batch.emplace_back(samples.column, &column);
    return column;
  }
};

}  // namespace epi::promql
