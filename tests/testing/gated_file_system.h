// A file system that tells a test before it looks at a path, so that the test can do something at that moment or make
// whoever looks wait.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/file_system.h"

namespace epi::testing {

// Thread-safe. `under` outlives it. The hook is called on the thread that looks, before Stat and Open.
class GatedFileSystem final : public FileSystem {
 public:
  explicit GatedFileSystem(FileSystem& under) : under_(under) {}
  void SetHook(std::function<void(const std::string& path)> hook) {
    const std::lock_guard lock(mutex_);
    hook_ = std::move(hook);
  }

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    Tell(path);
    return under_.Open(path, mode);
  }
  Result<FileInfo> Stat(const std::string& path) override {
    Tell(path);
    return under_.Stat(path);
  }
  Result<std::unique_ptr<MappedFile>> Map(const std::string& path) override { return under_.Map(path); }
  Result<std::vector<std::string>> List(const std::string& directory) override { return under_.List(directory); }
  Result<void> CreateDirectories(const std::string& path) override { return under_.CreateDirectories(path); }
  Result<void> Rename(const std::string& from, const std::string& to) override { return under_.Rename(from, to); }
  Result<void> HardLink(const std::string& from, const std::string& to) override { return under_.HardLink(from, to); }
  Result<void> RemoveFile(const std::string& path) override { return under_.RemoveFile(path); }
  Result<void> RemoveAll(const std::string& path) override { return under_.RemoveAll(path); }
  Result<void> SyncDirectory(const std::string& directory) override { return under_.SyncDirectory(directory); }
  Result<std::unique_ptr<FileLock>> LockFile(const std::string& path) override { return under_.LockFile(path); }
  Result<Space> DiskSpace(const std::string& path) override { return under_.DiskSpace(path); }

 private:
  void Tell(const std::string& path) {
    std::function<void(const std::string&)> hook;
    {
      const std::lock_guard lock(mutex_);
      hook = hook_;
    }
    if (hook) hook(path);
  }

  FileSystem& under_;
  std::mutex mutex_;
  std::function<void(const std::string&)> hook_;  // guarded by mutex_
};

}  // namespace epi::testing
