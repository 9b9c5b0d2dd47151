// The blocks of a data directory, read and nothing else: a server may be running on it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "storage/storage.h"
#include "tsdb/block/block.h"

namespace epi::tool {

// Thread-safe.
class StoredBlocks final : public Storage {
 public:
  // Blocks that cannot be opened are left out, as are those that a compaction has replaced. kNotFound without any.
  static Result<std::unique_ptr<StoredBlocks>> Open(FileSystem& files, const std::string& directory);
  Result<std::shared_ptr<const View>> OpenView(TimeRange range) const override;
  Result<std::unique_ptr<BatchAppender>> OpenGroup(const GroupIdentity& identity) override;  // kUnsupported
  TimestampMs OldestTime() const override;
  TimestampMs newest_time() const;

 private:
  std::vector<std::shared_ptr<const tsdb::Block>> blocks_;  // by their first time
};

}  // namespace epi::tool
