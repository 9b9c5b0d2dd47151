// What the tsdb commands share: the blocks of a data directory, and a database opened on a copy of one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"
#include "epitool/arguments.h"
#include "tsdb/block/block.h"
#include "tsdb/db.h"

namespace epi::tool {

inline constexpr std::string_view kDefaultDataDirectory = "data/";

// The argument at `place`, or the default directory.
std::string DataDirectoryArgument(const Arguments& arguments, size_t place = 0);

// kNotFound when it is not there.
Result<void> CheckDataDirectory(FileSystem& files, const std::string& directory);

// All blocks, by their first time. The first that cannot be opened is the error.
Result<std::vector<std::shared_ptr<const tsdb::Block>>> OpenStoredBlocks(FileSystem& files,
                                                                         const std::string& directory);

// A database on a copy of `directory`: blocks are linked, the head (ours, or Prometheus's) is copied, so that neither a
// running server nor a log with a torn end is touched. The copy lies in a directory of its own under `root` and is
// removed with this object.
class SandboxDb {
 public:
  static Result<std::unique_ptr<SandboxDb>> Open(FileSystem& files, const std::string& directory,
                                                 const std::string& root);
  ~SandboxDb();
  tsdb::Db& db() { return *db_; }

 private:
  SandboxDb(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  FileSystem& files_;
  const std::string path_;
  std::unique_ptr<tsdb::Db> db_;
};

}  // namespace epi::tool
