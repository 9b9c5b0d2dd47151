// Sealed runs on disk, so that memory holds only the open phase.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "tsdb/head/head.h"
#include "tsdb/head/run.h"

namespace epi::tsdb {

inline constexpr std::string_view kRunsSuffix = ".runs";

// A file goes when nothing in the head refers to it any more. After a restart only the files that the head's snapshot
// names count: for everything else there is the log. Not thread-safe, but for what
// says otherwise.
class RunSpill {
 public:
  RunSpill(FileSystem& fs, std::string directory, int64_t block_range_ms)
      : fs_(fs),
        directory_(std::move(directory)),
        block_range_ms_(block_range_ms),
        shared_(std::make_shared<RunFileShared>()) {}
  // Looks at what an earlier process left, and goes on with numbers above.
  Result<void> Start();
  // A file that an earlier process left, of at least `size` bytes. Thread-safe.
  Result<std::shared_ptr<const RunFile>> OpenExisting(uint64_t number, uint64_t size);
  // Removes the files that an earlier process left and nobody refers to.
  Result<void> RemoveUnused();
  // Writes every run of the head that is in memory only. An error leaves the rest in memory, to be tried again.
  Result<void> SpillAll(Head& head);
  // Makes durable what was written so far.
  Result<void> Sync();
  // From now on files stay when nothing refers to them: a snapshot does.
  void KeepFiles() { shared_->keep.store(true, std::memory_order_release); }
  // Thread-safe. Chunks written since the start; damage found in files; bytes of all files.
  uint64_t chunks_spilled() const { return chunks_spilled_.load(std::memory_order_relaxed); }
  uint64_t corruptions() const { return shared_->corruptions.load(std::memory_order_relaxed); }
  uint64_t storage_bytes() const;

 private:
  Result<std::shared_ptr<const Run>> Write(const Run& run);
  Result<void> OpenFile(int64_t block);
  std::string PathOf(uint64_t number) const;

  FileSystem& fs_;
  const std::string directory_;
  const int64_t block_range_ms_;
  const std::shared_ptr<RunFileShared> shared_;
  std::atomic<uint64_t> chunks_spilled_{0};
  std::shared_ptr<RunFile> file_;
  int64_t file_block_ = 0;  // runs of one block lie together, so that whole files go
  uint64_t next_number_ = 1;
  std::vector<std::weak_ptr<RunFile>> unsynced_;
  std::weak_ptr<RunFile> distrusted_;  // a sync of it failed
  bool directory_changed_ = false;     // since the last Sync
  std::vector<uint64_t> left_;         // numbers of the files an earlier process left
  std::mutex existing_mutex_;
  // Guarded by existing_mutex_; opened since Start, and held until RemoveUnused: a second snapshot may name them, too.
  std::map<uint64_t, std::shared_ptr<const RunFile>> existing_;
};

}  // namespace epi::tsdb
