// What the API shows and asks of the database beside queries: status, blocks, administration.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/matcher.h"
#include "model/sample.h"

namespace epi::web {

using NamedCounts = std::vector<std::pair<std::string, uint64_t>>;  // descending by count

struct DatabaseStatus {
  uint64_t series = 0;
  uint64_t label_pairs = 0;
  uint64_t chunks = 0;
  TimestampMs min_time = 0;
  TimestampMs max_time = 0;
  NamedCounts series_by_metric;
  NamedCounts values_by_label;
  NamedCounts bytes_by_label;
  NamedCounts series_by_pair;  // "k=v"
};

// What a metric or a label takes.
struct NamedCost {
  std::string name;
  uint64_t count = 0;  // series in the head of a metric, values in the head of a label
  uint64_t memory_bytes = 0;
  uint64_t disk_bytes = 0;
};
// Descending by the sum of both.
struct DatabaseCost {
  std::vector<NamedCost> metrics;
  std::vector<NamedCost> labels;
};

struct ReplayProgress {
  int64_t min = 0;  // segments
  int64_t max = 0;
  int64_t current = 0;
};

// Thread-safe. kUnavailable while the database is not ready (`TSDB not ready`).
class Database {
 public:
  virtual ~Database() = default;
  // Each list has at most `limit` rows.
  virtual Result<DatabaseStatus> Status(size_t limit) const = 0;
  // Likewise. May take seconds when blocks are new.
  virtual Result<DatabaseCost> Cost(size_t limit) const = 0;
  // One JSON object a block, as meta.json has it, newest last.
  virtual Result<std::vector<std::string>> BlockMetas() const = 0;
  virtual ReplayProgress Replay() const = 0;
  virtual Result<void> DeleteSeries(std::span<const std::vector<Matcher>> matcher_sets, TimeRange range) = 0;
  virtual Result<void> CleanTombstones() = 0;
  // The name of the snapshot's directory under <data>/snapshots.
  virtual Result<std::string> Snapshot(bool with_head) = 0;
};

}  // namespace epi::web
