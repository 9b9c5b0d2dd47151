// The log as the head sees it, with every batch noted as a change of the times it is about.
#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include "storage/change_log.h"
#include "tsdb/wal/batch.h"

namespace epi::tsdb {

// Thread-safe. Both outlive it. A batch becomes visible when the log has written it, so its change is under way from
// before it gets a number until AwaitWritten for that number returns; whoever appends always awaits.
class NotedLog final : public CommitLog {
 public:
  NotedLog(CommitLog& log, ChangeLog& changes) : log_(log), changes_(changes) {}
  Result<Appended> Append(const Batch& batch, LayoutChain& chain) override;
  Result<void> AwaitWritten(uint64_t lsn) override;
  uint64_t written() const override { return log_.written(); }

 private:
  CommitLog& log_;
  ChangeLog& changes_;
  std::mutex mutex_;
  std::vector<std::pair<uint64_t, uint64_t>> tickets_;  // guarded by mutex_; number of a batch, ticket of its change
};

}  // namespace epi::tsdb
