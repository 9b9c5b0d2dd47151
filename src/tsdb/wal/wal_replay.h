// Reading the log back at a start.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/thread_pool.h"
#include "tsdb/head/head.h"
#include "tsdb/wal/log_files.h"
#include "tsdb/wal/wal.h"

namespace epi::tsdb {

// Segment numbers, for /api/v1/status/walreplay. Written by the replay, read by anybody.
struct WalReplayProgress {
  std::atomic<uint64_t> min{0};
  std::atomic<uint64_t> max{0};
  std::atomic<uint64_t> current{0};
};

struct WalReplayReport {
  uint64_t next_segment = 1;
  uint64_t highest_lsn = 0;
  uint64_t segments = 0;
  uint64_t records = 0;
  uint64_t samples = 0;
  uint64_t orphans = 0;       // batches that referred to a lost one
  uint64_t unknown_rows = 0;  // rows of series that are not defined
  uint64_t torn_bytes =
      0;  // behind the last intact record of a segment: what was being written when the machine stopped
  std::vector<LogDamage> damage;
  std::map<uint64_t, Wal::Content> contents;  // of the segments that are there
};

// Where a replay begins, and with whose help.
struct WalReplayStart {
  uint64_t first_segment = 0;                 // earlier ones are in a snapshot as a whole
  std::map<uint64_t, Wal::Content> contents;  // of those
  ThreadPool* pool = nullptr;                 // decodes and applies beside the caller; may be null
};

// Applies every intact batch to the head: decoded in the order of the log, applied group by group in that order, of
// several groups at once. Torn tails are cut off; damaged segments are copied to `aside` and replaced by what is
// readable of them. `after_segment` is called between segments. An error means that the directory cannot be listed or a
// file is of a later version.
Result<WalReplayReport> ReplayWal(FileSystem& fs, const std::string& directory, const std::string& aside, Head& head,
                                  const WalReplayStart& start, WalReplayProgress& progress,
                                  const std::function<void()>& after_segment);

}  // namespace epi::tsdb
