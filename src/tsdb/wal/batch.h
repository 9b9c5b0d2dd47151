// One batch as it is logged and applied: only what was admitted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/histogram.h"
#include "model/sample.h"

namespace epi::tsdb {

// Series are named by id: a log sequence number says which life of the id is meant.
struct Batch {
  struct Timed {
    uint32_t series = 0;
    TimestampMs time = 0;
    double value = 0;
    TimestampMs start_time = 0;  // 0 = none
    friend bool operator==(const Timed&, const Timed&) = default;
  };
  struct HistogramRow {
    uint32_t series = 0;
    TimestampMs time = 0;
    TimestampMs start_time = 0;
    std::shared_ptr<const Histogram> integer;  // exactly one of the two
    std::shared_ptr<const FloatHistogram> floats;
  };
  struct ExemplarRow {
    uint32_t series = 0;
    Exemplar exemplar;
  };
  struct MetadataRow {
    std::string metric;
    MetricMetadata metadata;
  };
  // Samples of `series` with times in [min, max] are gone as of this record.
  struct TombstoneRow {
    uint32_t series = 0;
    TimestampMs min = 0;
    TimestampMs max = 0;
    friend bool operator==(const TombstoneRow&, const TombstoneRow&) = default;
  };

  uint32_t group = 0;
  TimestampMs time = 0;
  // Samples at `time`: parallel arrays. `bases`: the values that the log's difference may refer to, 0 where there is
  // none.
  std::vector<uint32_t> series;
  std::vector<double> values;
  std::vector<double> bases;
  std::vector<Timed> timed;  // ascending by time
  std::vector<HistogramRow> histograms;
  std::vector<ExemplarRow> exemplars;
  std::vector<MetadataRow> metadata;
  std::vector<TombstoneRow> tombstones;

  bool empty() const {
    return series.empty() && timed.empty() && histograms.empty() && exemplars.empty() && metadata.empty() &&
           tombstones.empty();
  }
  // Of its samples; min when it has none.
  TimestampMs NewestTime() const {
    TimestampMs newest = series.empty() ? std::numeric_limits<TimestampMs>::min() : time;
    if (!timed.empty()) newest = std::max(newest, timed.back().time);
    for (const auto& row : histograms) newest = std::max(newest, row.time);
    return newest;
  }
  void Clear() {
    series.clear();
    values.clear();
    bases.clear();
    timed.clear();
    histograms.clear();
    exemplars.clear();
    metadata.clear();
    tombstones.clear();
  }
};

// What the next record of a group may be a difference to: the group's last record with samples at the batch's time,
// when it is in the same segment. Owned by whoever commits to the group.
struct LayoutChain {
  std::vector<uint32_t> series;
  uint64_t segment = 0;
  uint64_t sequence = 0;  // of the last record; counts within the segment, so that a reader notices a lost one
  TimestampMs time = 0;   // of the last record
  uint32_t since_full = 0;
  bool valid = false;  // false: the next record stands alone
};

// Where batches get their number and become durable. Thread-safe.
class CommitLog {
 public:
  virtual ~CommitLog() = default;
  struct Appended {
    uint64_t lsn = 0;
    bool layout_changed = false;
    std::vector<uint32_t> previous_layout;  // when changed: the series of the chain before
  };
  // Numbers the batch and copies it into the log's buffer; no I/O. Updates the chain; when AwaitWritten fails later,
  // the caller makes the chain invalid.
  virtual Result<Appended> Append(const Batch& batch, LayoutChain& chain) = 0;
  // Returns when the record is as durable as the settings promise before an acknowledgement. An error: it never will
  // be.
  virtual Result<void> AwaitWritten(uint64_t lsn) = 0;
  // Every number up to this one is written or will never be: what a new view sees.
  virtual uint64_t written() const = 0;
};

}  // namespace epi::tsdb
