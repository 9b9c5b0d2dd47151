// A commit log that keeps nothing: for storage that lives in memory only.
#pragma once

#include <atomic>

#include "tsdb/wal/batch.h"

namespace epi::tsdb {

class VolatileLog final : public CommitLog {
 public:
  Result<Appended> Append(const Batch&, LayoutChain&) override { return Appended{next_.fetch_add(1), false, {}}; }
  Result<void> AwaitWritten(uint64_t lsn) override {
    uint64_t seen = written_.load(std::memory_order_relaxed);
    while (seen < lsn && !written_.compare_exchange_weak(seen, lsn, std::memory_order_acq_rel)) {
    }
    return {};
  }
  uint64_t written() const override { return written_.load(std::memory_order_acquire); }

 private:
  std::atomic<uint64_t> next_{1};
  std::atomic<uint64_t> written_{0};
};

}  // namespace epi::tsdb
