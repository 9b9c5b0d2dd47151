// Sealed runs on disk, so that memory holds only the open phase.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/file_system.h"
#include "tsdb/head/head.h"
#include "tsdb/head/run.h"

namespace epi::tsdb {

// The files are a relief for memory, not a store: after a restart the log says everything, so they are removed at the
// start and are never synced. Not thread-safe.
class RunSpill {
 public:
  RunSpill(FileSystem& fs, std::string directory, int64_t block_range_ms)
      : fs_(fs), directory_(std::move(directory)), block_range_ms_(block_range_ms) {}
  // Removes what an earlier process left.
  Result<void> Start();
  // Writes every run of the head that is in memory only. An error leaves the rest in memory, to be tried again.
  Result<void> SpillAll(Head& head);

 private:
  Result<std::shared_ptr<const Run>> Write(const Run& run);
  Result<void> OpenFile(int64_t block);

  FileSystem& fs_;
  const std::string directory_;
  const int64_t block_range_ms_;
  std::shared_ptr<RunFile> file_;
  int64_t file_block_ = 0;  // runs of one block lie together, so that whole files go
  uint64_t next_number_ = 1;
};

}  // namespace epi::tsdb
