// Storage in memory only: for tests of queries and rules, and for tools that evaluate without a data directory.
#pragma once

#include "storage/storage.h"
#include "tsdb/head/head.h"
#include "tsdb/wal/volatile_log.h"

namespace epi::tsdb {

// Thread-safe. Views and appenders must be gone before it.
class MemoryStorage final : public Storage {
 public:
  explicit MemoryStorage(const HeadOptions& options = {}) : head_(options, log_, nullptr) {}
  Result<std::shared_ptr<const View>> OpenView(TimeRange range) const override { return head_.OpenView(range); }
  Result<std::unique_ptr<BatchAppender>> OpenGroup(const GroupIdentity& identity) override {
    return head_.OpenGroup(identity);
  }
  TimestampMs OldestTime() const override { return head_.min_time(); }
  Head& head() { return head_; }

 private:
  VolatileLog log_;
  Head head_;
};

}  // namespace epi::tsdb
