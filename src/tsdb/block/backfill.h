// Blocks from samples of any age, in any order: what `tsdb create-blocks-from` and the backfill appender write.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/budget.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/random.h"
#include "base/result.h"
#include "storage/backfill.h"
#include "tsdb/block/block_meta.h"

namespace epi::tsdb {

// Length of the blocks for samples that span [min, max]: the largest of 2 h * 3^k that is not above `max_block_ms` (at
// least 2 h).
int64_t BackfillBlockRange(int64_t max_block_ms);
// The window [k * range, (k + 1) * range) that a time lies in, as first time and first time behind.
std::pair<TimestampMs, TimestampMs> BackfillWindow(TimestampMs t, int64_t range_ms);

// Where blocks begin and end, and which samples are taken.
struct BackfillLayout {
  // Lengths of the windows that get one block each, ascending. A sample goes into the longest window that ends at or
  // before `settled`, else into the shortest: a long block of the newest time would be compacted over and over.
  std::vector<int64_t> ranges_ms = {2 * 3'600'000};
  TimestampMs settled = std::numeric_limits<TimestampMs>::max();
  // Samples outside are counted and left out.
  TimeRange accepted;
  // Two values for one time: kInvalid, or the first stays and the second is counted.
  bool refuse_conflicts = true;
  std::optional<std::string> hint;  // for meta.json
  std::string foreign;              // likewise; see BlockMeta
};

// Collects samples and writes one block for each window that has some; a block covers its samples, not the whole
// window. Memory is that of the samples, at most options.max_bytes of it and as much as `budget` gives; what exceeds it
// makes further blocks, which overlap in time and are merged by compaction.
class Backfill final : public BackfillAppender {
 public:
  // All references outlive this.
  Backfill(FileSystem& fs, std::string directory, Clock& clock, Random& random, BackfillLayout layout,
           const BackfillOptions& options = {}, Budget* budget = nullptr);
  Result<void> Add(const Labels& labels, TimestampMs time, double value, TimestampMs start_time = 0) override;
  Result<void> AddHistogram(const Labels& labels, TimestampMs time, const Histogram& histogram,
                            TimestampMs start_time = 0) override;
  Result<void> AddHistogram(const Labels& labels, TimestampMs time, const FloatHistogram& histogram,
                            TimestampMs start_time = 0) override;
  Result<BackfillReport> Commit() override;
  // What the last Commit wrote, oldest block first as far as they were written together.
  const std::vector<BlockMeta>& written() const { return written_; }

 private:
  struct FloatEntry {
    TimestampMs time;
    double value;
    TimestampMs start_time;
  };
  struct HistogramEntry {
    TimestampMs time;
    TimestampMs start_time;
    std::shared_ptr<const Histogram> integer;  // exactly one of the two
    std::shared_ptr<const FloatHistogram> floats;
  };
  struct Series {
    std::vector<FloatEntry> floats;
    std::vector<HistogramEntry> histograms;
  };
  using Window = std::map<Labels, Series>;

  bool Accept(TimestampMs time);
  TimestampMs WindowOf(TimestampMs time) const;
  // The series to add `bytes` to; flushes when there is no room.
  Result<Series*> Room(const Labels& labels, TimestampMs time, int64_t bytes);
  template <typename H>
  Result<void> AddAny(const Labels& labels, HistogramEntry entry, const H& histogram);
  Result<void> Flush();
  void Forget();
  Result<std::optional<BlockMeta>> Write(Window& window);
  Result<void> Sort(const Labels& labels, Series& series);

  FileSystem& fs_;
  std::string directory_;
  Clock& clock_;
  Random& random_;
  const BackfillLayout layout_;
  Budget budget_;
  BudgetCharge charge_;
  std::map<TimestampMs, Window> windows_;  // by their first time
  BackfillReport report_;
  std::vector<BlockMeta> flushed_;  // since the last Commit
  std::vector<BlockMeta> written_;
};

}  // namespace epi::tsdb
