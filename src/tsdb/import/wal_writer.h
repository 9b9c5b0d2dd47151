// Writes segments of Prometheus's log: for repair, and for tests of the reader.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/file_system.h"
#include "base/result.h"
#include "tsdb/import/wal_format.h"

namespace epi::tsdb {

// One segment. Not thread-safe.
class WalSegmentWriter {
 public:
  explicit WalSegmentWriter(std::unique_ptr<File> file, WalCompression compression = WalCompression::kNone)
      : file_(std::move(file)), compression_(compression) {}
  Result<void> Log(std::string_view record);
  // Fills up the page and syncs.
  Result<void> Close();

 private:
  Result<void> PadPage();
  std::unique_ptr<File> file_;
  WalCompression compression_;
};

// Cuts a log off at damage, as Prometheus repairs it: segments behind `segment` go, of `segment` itself the records
// that end before `offset` stay, and an empty segment follows it.
Result<void> RepairWal(FileSystem& fs, const std::string& directory, uint64_t segment, uint64_t offset);

}  // namespace epi::tsdb
