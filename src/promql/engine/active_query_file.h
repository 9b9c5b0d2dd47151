// The file in which running queries stand, so that after a crash one can see what ran: Prometheus's `queries.active` in
// the data directory. Its bytes: '[', then one slot of 1000 bytes for each query that may run at a time. A slot is all
// zero, or holds {"query":…,"timestamp_sec":…}, zeros behind it, and ',' in its last byte.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "telemetry/log.h"

namespace epi::promql {

// Thread-safe. Nothing is synced: what the system was given survives a crash of the process, which is what it is for.
class ActiveQueryFile {
 public:
  static constexpr size_t kSlotBytes = 1000;

  // Logs the queries that the file at `path` still holds and starts it anew with `slots` slots. `clock` outlives it.
  static Result<std::unique_ptr<ActiveQueryFile>> Open(FileSystem& files, const std::string& path, size_t slots,
                                                       Clock& clock, const Logger& logger);

  // The slot that now holds the query, cut where it is too long; nothing when none is free or writing failed.
  std::optional<size_t> Insert(std::string_view query);
  void Remove(size_t slot);

 private:
  ActiveQueryFile(std::unique_ptr<File> file, size_t slots, Clock& clock);
  static uint64_t OffsetOf(size_t slot) { return 1 + slot * kSlotBytes; }

  Clock& clock_;
  std::mutex mutex_;
  std::unique_ptr<File> file_;  // guarded by mutex_
  std::vector<size_t> free_;    // guarded by mutex_; the lowest slot at the end
};

// The queries in the bytes of such a file as a JSON array; nothing when there is none.
std::optional<std::string> UnfinishedQueries(std::string_view file);

}  // namespace epi::promql
