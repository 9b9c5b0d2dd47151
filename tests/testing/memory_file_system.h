// A file system in memory that forgets what was not synced, cuts the power between any two operations, and runs out of
// space when told to.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/file_system.h"
#include "base/random.h"

namespace epi::testing {

// Thread-safe. Objects opened from it may outlive a Restart, but then every operation on them fails.
class MemoryFileSystem final : public FileSystem {
 public:
  MemoryFileSystem();
  ~MemoryFileSystem() override;

  // --- faults ---
  // Operations that change something, counted from the start or the last Restart.
  uint64_t operations() const;
  // The `count`-th changing operation from now, and all operations behind it, fail; an append that fails so has written
  // half of its bytes.
  void CutAfter(uint64_t count);
  bool cut() const;
  // How many bytes all files together may have; an append beyond writes what fits and fails.
  void SetSpace(uint64_t bytes);
  // Every Sync fails from now on, or works again.
  void FailSyncs(bool fail);
  enum class Loss : unsigned char {
    kProcess,  // the process was killed: what the system was given stays
    kPower,    // what was not synced is lost, wholly or, where `random` says so, from some byte on
  };
  // The machine after the cut: locks are free, open files are dead, operations work again.
  void Restart(Loss loss, Random* random = nullptr);
  // An empty disk without faults.
  void Format();
  // Changes one byte of a file, for damage.
  void Corrupt(const std::string& path, uint64_t offset, uint8_t flip);

  // --- FileSystem ---
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  Result<std::unique_ptr<MappedFile>> Map(const std::string& path) override;
  Result<FileInfo> Stat(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& directory) override;
  Result<void> CreateDirectories(const std::string& path) override;
  Result<void> Rename(const std::string& from, const std::string& to) override;
  Result<void> HardLink(const std::string& from, const std::string& to) override;
  Result<void> RemoveFile(const std::string& path) override;
  Result<void> RemoveAll(const std::string& path) override;
  Result<void> SyncDirectory(const std::string& directory) override;
  Result<std::unique_ptr<FileLock>> LockFile(const std::string& path) override;
  Result<Space> DiskSpace(const std::string& path) override;

 private:
  struct Node {
    std::string data;
    std::string durable;
  };
  using Entries = std::map<std::string, std::shared_ptr<Node>>;
  class OpenFile;
  class Lock;
  class View;

  // Counts an operation that changes something; kIo once the power is off. Requires mutex_.
  Result<void> Change(bool* last = nullptr);
  Result<void> Alive(uint64_t epoch) const;
  uint64_t UsedLocked() const;

  mutable std::mutex mutex_;
  Entries entries_;                    // guarded by mutex_
  Entries durable_entries_;            // guarded by mutex_; as of the directories' last syncs
  std::set<std::string> directories_;  // guarded by mutex_; durable at once
  std::set<std::string> locks_;        // guarded by mutex_
  uint64_t epoch_ = 0;                 // guarded by mutex_; counts Restarts
  uint64_t operations_ = 0;            // guarded by mutex_
  uint64_t cut_at_ = UINT64_MAX;       // guarded by mutex_
  uint64_t space_ = UINT64_MAX;        // guarded by mutex_
  bool fail_syncs_ = false;            // guarded by mutex_
};

}  // namespace epi::testing
