// Blocks from samples of any age, in any order: what `tsdb create-blocks-from` and the backfill appender write.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/budget.h"
#include "base/file_system.h"
#include "base/random.h"
#include "base/result.h"
#include "model/labels.h"
#include "tsdb/block/block_meta.h"
#include "tsdb/block/sample_chunker.h"

namespace epi::tsdb {

// Length of the blocks for samples that span [min, max]: the largest of 2 h * 3^k that is not above `max_block_ms` (at
// least 2 h).
int64_t BackfillBlockRange(int64_t max_block_ms);
// The window [k * range, (k + 1) * range) that a time lies in, as first time and first time behind.
std::pair<TimestampMs, TimestampMs> BackfillWindow(TimestampMs t, int64_t range_ms);

// Collects float samples and writes one block for each window that has some. Memory is that of the samples, charged to
// the budget; who has more calls Flush in between: it makes further blocks, which overlap in time and are merged by
// compaction.
class Backfill {
 public:
  // `range_ms` is that of BackfillBlockRange. The budget outlives this.
  Backfill(FileSystem& fs, std::string directory, Clock& clock, Random& random, int64_t range_ms, Budget& budget)
      : fs_(fs),
        directory_(std::move(directory)),
        clock_(clock),
        random_(random),
        range_ms_(range_ms),
        charge_(budget) {}
  // kLimit when the budget is used up: Flush, then try again. kInvalid for a second value of the same time shows at
  // Flush.
  Result<void> Add(const Labels& labels, TimestampMs time, double value, TimestampMs start_time = 0);
  // Writes what was collected and forgets it. The blocks, oldest first.
  Result<std::vector<BlockMeta>> Flush();

 private:
  struct Sample {
    TimestampMs time;
    double value;
    TimestampMs start_time;
  };
  using Window = std::map<Labels, std::vector<Sample>>;
  Result<std::optional<BlockMeta>> Write(TimestampMs begin, Window& window);

  FileSystem& fs_;
  std::string directory_;
  Clock& clock_;
  Random& random_;
  int64_t range_ms_;
  BudgetCharge charge_;
  std::map<TimestampMs, Window> windows_;  // by their first time
};

}  // namespace epi::tsdb
