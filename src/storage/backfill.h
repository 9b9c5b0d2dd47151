// The way in for samples of any age: imports, backfilled rules. They go into blocks beside those that are there, not
// through the head and its log.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"

namespace epi {

struct BackfillOptions {
  // Memory for collected samples; what is more is written in between.
  int64_t max_bytes = int64_t{256} << 20;
};

// What became of the samples of one Commit.
struct BackfillReport {
  uint64_t stored = 0;              // equal ones given twice count once
  uint64_t too_old = 0;             // beyond the retention: would be deleted at once
  uint64_t too_new = 0;             // further ahead of the newest data and of the clock than a scrape may be
  uint64_t duplicates = 0;          // another value for a time that an earlier call gave: the first stays
  std::vector<std::string> blocks;  // names of the blocks that were written
};

// Not thread-safe; different ones are independent. Samples come in any order. Not atomic: of what exceeds the memory a
// part may be stored when an error comes, and giving everything once more is harmless, for equal samples are merged. A
// sample that storage has already with another value does not replace it.
class BackfillAppender {
 public:
  virtual ~BackfillAppender() = default;
  // kInvalid for labels without a name or with invalid UTF-8, and for histograms that do not add up. `start_time` 0 =
  // none.
  virtual Result<void> Add(const Labels& labels, TimestampMs time, double value, TimestampMs start_time = 0) = 0;
  virtual Result<void> AddHistogram(const Labels& labels, TimestampMs time, const Histogram& histogram,
                                    TimestampMs start_time = 0) = 0;
  virtual Result<void> AddHistogram(const Labels& labels, TimestampMs time, const FloatHistogram& histogram,
                                    TimestampMs start_time = 0) = 0;
  // Everything given so far is durable when it returns, and seen by views opened later. The appender is empty then and
  // can be used again; it is empty after an error, too.
  virtual Result<BackfillReport> Commit() = 0;
};

}  // namespace epi
