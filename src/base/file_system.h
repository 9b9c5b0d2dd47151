// All disk access goes through here, so that tests can run in memory, drop unsynced bytes and cut power between any two
// operations. Paths are plain strings with '/' separators.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace epi {

// An open file for reading and writing at offsets. Not thread-safe, except ReadAt, which may run beside anything.
class File {
 public:
  virtual ~File() = default;  // closes; an error of the close is lost, so whoever cares syncs first
  // Appends all of `data` at the end (one write(2) where the system takes it whole).
  virtual Result<void> Append(std::string_view data) = 0;
  // Reads up to `size` bytes at `offset` into `out`; fewer only at the end of the file. Returns the bytes read.
  virtual Result<size_t> ReadAt(uint64_t offset, void* out, size_t size) const = 0;
  virtual Result<void> WriteAt(uint64_t offset, std::string_view data) = 0;
  virtual Result<void> Truncate(uint64_t size) = 0;
  virtual Result<void> Sync() = 0;  // data is on the device when this returns ok (fdatasync)
  virtual uint64_t size() const = 0;
  // Tells the system that these pages need not stay in its cache. A hint; zero size means to the end.
  virtual void DropCache(uint64_t offset, uint64_t size) = 0;
};

// A read-only view of a whole file. The bytes live as long as this object. A truncation of the file by somebody else is
// a fault on access; whoever maps foreign files installs the fault guard.
class MappedFile {
 public:
  virtual ~MappedFile() = default;
  virtual std::string_view data() const = 0;
  // The pages read so far no longer count as this process's memory; the next access brings them back from the system's
  // cache. A hint, harmless beside readers.
  virtual void DropResident() const {}
};

// Held until destroyed. See FileSystem::LockFile.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct FileInfo {
  uint64_t size = 0;
  bool is_directory = false;
  int64_t modified_ns = 0;  // since the Unix epoch
};

enum class OpenMode : unsigned char {
  kRead,      // must exist
  kAppend,    // created when absent, kept when present
  kTruncate,  // created when absent, emptied when present
};

// Thread-safe. Every error names the path.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  virtual Result<std::unique_ptr<MappedFile>> Map(const std::string& path) = 0;
  virtual Result<FileInfo> Stat(const std::string& path) = 0;  // kNotFound when there is none
  // Names (not paths) in a directory, sorted.
  virtual Result<std::vector<std::string>> List(const std::string& directory) = 0;
  virtual Result<void> CreateDirectories(const std::string& path) = 0;  // ok when it exists
  virtual Result<void> Rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> HardLink(const std::string& from, const std::string& to) = 0;
  virtual Result<void> RemoveFile(const std::string& path) = 0;  // kNotFound when there is none
  virtual Result<void> RemoveAll(const std::string& path) = 0;   // a whole tree; ok when there is none
  // Makes creations, renames and removals in `directory` durable.
  virtual Result<void> SyncDirectory(const std::string& directory) = 0;
  // Takes an exclusive advisory lock on `path`, creating it. kExists when another process (or holder) has it.
  virtual Result<std::unique_ptr<FileLock>> LockFile(const std::string& path) = 0;
  struct Space {
    uint64_t total_bytes = 0;
    uint64_t free_bytes = 0;
  };
  virtual Result<Space> DiskSpace(const std::string& path) = 0;

  // Built on the above.
  bool Exists(const std::string& path);
  // The whole file; kLimit when it is larger than `max_bytes`.
  Result<std::string> ReadFile(const std::string& path, uint64_t max_bytes = uint64_t{1} << 32);
  // Whole or not at all: temporary file beside it, sync, rename, directory sync.
  Result<void> WriteFileAtomically(const std::string& path, std::string_view data);
};

// The operating system's files. Lives for the whole process.
FileSystem& PosixFileSystem();

std::string JoinPath(std::string_view directory, std::string_view name);
std::string_view DirectoryName(std::string_view path);  // "a/b" -> "a"; "b" -> "."; "/b" -> "/"
std::string_view BaseName(std::string_view path);

}  // namespace epi
