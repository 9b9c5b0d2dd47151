// The head's snapshot: what a start reads so that it need not replay the whole log (docs/formats/snapshot.md).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "base/thread_pool.h"
#include "tsdb/head/head.h"
#include "tsdb/snapshot/snapshot_file.h"
#include "tsdb/wal/batch_record.h"
#include "tsdb/wal/wal.h"
#include "tsdb/wal/wal_format.h"

namespace epi::tsdb {

// Which section has what each part of a log record rebuilds. A record that brings anything else needs a row here.
struct SnapshotCoverage {
  LogRecordType record;
  BatchSection part;
  SnapshotSection section;
};
inline constexpr std::array kCovered{
    SnapshotCoverage{LogRecordType::kBatch, kBatchFloats, SnapshotSection::kGroup},
    SnapshotCoverage{LogRecordType::kBatch, kBatchTimed, SnapshotSection::kGroup},
    SnapshotCoverage{LogRecordType::kBatch, kBatchHistograms, SnapshotSection::kGroup},
    SnapshotCoverage{LogRecordType::kBatch, kBatchExemplars, SnapshotSection::kExemplars},
    SnapshotCoverage{LogRecordType::kBatch, kBatchMetadata, SnapshotSection::kMetadata},
    SnapshotCoverage{LogRecordType::kBatch, kBatchTombstones, SnapshotSection::kGroup},
};

// What a snapshot stands for.
struct SnapshotPoint {
  uint64_t number = 0;
  uint64_t floor_lsn = 0;      // every commit up to it is in; of later ones each group has those up to its own number
  uint64_t highest_lsn = 0;    // none in it is later
  uint64_t first_segment = 0;  // log segments before it hold only commits up to floor_lsn
  uint64_t bytes = 0;
};

// Everything writing needs. All outlive the call.
struct SnapshotSource {
  FileSystem& fs;
  std::string directory;  // of snapshots
  Head& head;
  Wal& wal;
  const std::atomic<uint64_t>& next_lsn;
  // Makes definitions, log and spilled runs durable as far as they are written.
  std::function<Result<void>()> sync_all;
};

// Writes snapshot `number`, publishes it when everything it names is durable, and removes the older ones. Writers of
// one group wait while that group is copied, some hundred microseconds. One caller at a time, and none beside that
// removes samples or series. An error leaves the older snapshot.
Result<SnapshotPoint> WriteHeadSnapshot(const SnapshotSource& source, uint64_t number);

struct SnapshotLoad {
  std::optional<SnapshotPoint> point;         // nothing when the whole log must be replayed
  std::map<uint64_t, Wal::Content> contents;  // of log segments before point->first_segment
  std::vector<std::string> refused;           // one sentence for each snapshot that is of no use
  uint64_t next_number = 1;
};

// Reads the newest usable snapshot into a head whose series are defined and that has no samples. Removes those that
// are damaged or unfinished. `pool` may be null. An error means that the directory cannot be read.
Result<SnapshotLoad> LoadHeadSnapshot(FileSystem& fs, const std::string& directory, Head& head,
                                      const Group::ImageContext& context, ThreadPool* pool);

// Whether the sections of a snapshot are intact, without a head. For tools.
Result<SnapshotPoint> CheckHeadSnapshot(FileSystem& fs, const std::string& path);

}  // namespace epi::tsdb
