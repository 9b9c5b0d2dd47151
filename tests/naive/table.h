// The values of the naive evaluator: rows of optional samples, one place a step.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"
#include "naive/notes.h"

namespace epi::naive {

using HistogramPtr = std::shared_ptr<const FloatHistogram>;

struct Sample {
  double v = 0;
  HistogramPtr h;  // a histogram when set, else the float
};

struct Row {
  Labels labels;
  std::vector<std::optional<Sample>> at;  // one a step
};
using Table = std::vector<Row>;

// One sample with its time, of a series or of a subquery.
struct TimedSample {
  TimestampMs t = 0;
  double v = 0;
  HistogramPtr h;
};
struct Series {
  Labels labels;
  std::vector<TimedSample> samples;  // by time, stale markers included
};

// The samples one range function sees at one step; no stale markers.
struct Window {
  std::vector<TimedSample> floats;
  std::vector<TimedSample> histograms;
  std::vector<TimedSample> all;  // both, by time
  TimestampMs time = 0;          // of the evaluation
  TimestampMs start = 0;         // exclusive
  TimestampMs end = 0;
  double range_seconds = 0;
  std::string_view metric;  // for notes; empty when the name is gone
  Notes* notes = nullptr;   // never null
};

// Joins rows of equal labels. "vector cannot contain metrics with the same labelset" where two have a sample at one
// step.
Result<Table> Merge(Table table);
// Without __name__, __type__ and __unit__.
Labels DropNames(const Labels& labels);

}  // namespace epi::naive
