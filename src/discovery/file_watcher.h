// Tells when something changes in some directories, by inotify.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace epi::discovery {

// Owns a thread. `changed` is called on it, at least once for every burst of changes; it must not block.
class FileWatcher {
 public:
  static Result<std::unique_ptr<FileWatcher>> Start(std::function<void()> changed);
  virtual ~FileWatcher() = default;
  // Watches a directory (again, after it was replaced). Watching it twice is one watch. kIo when it cannot be watched.
  virtual Result<void> Watch(const std::string& directory) = 0;
};

}  // namespace epi::discovery
