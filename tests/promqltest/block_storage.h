// Storage whose views read a block on disk that holds everything appended so far. For tests only.
#pragma once

#include <memory>
#include <mutex>

#include "testing/memory_storage.h"
#include "testing/temp_dir.h"
#include "tsdb/block/block.h"

namespace epi::promqltest {

// Thread-safe. A view opened after an append writes a new block.
class BlockStorage final : public Storage {
 public:
  Result<std::shared_ptr<const View>> OpenView(TimeRange range) const override;
  Result<std::unique_ptr<BatchAppender>> OpenGroup(const GroupIdentity& identity) override {
    return samples_.OpenGroup(identity);
  }
  TimestampMs OldestTime() const override { return samples_.OldestTime(); }

 private:
  Result<std::shared_ptr<const tsdb::Block>> WriteBlock() const;

  testing::MemoryStorage samples_;
  testing::TempDir directory_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const tsdb::Block> block_;  // guarded by mutex_; null when there is no sample
  mutable uint64_t written_commit_ = 0;               // guarded by mutex_; what block_ holds
};

}  // namespace epi::promqltest
