// The file in which a shipper notes the blocks it has uploaded (--storage.tsdb.delay-compact-file.path).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "telemetry/log.h"
#include "tsdb/block/block_meta.h"

namespace epi::tsdb {

// `{"uploaded":["<ULID>", …]}`; names that are no ULIDs are ignored. kDataLoss for anything else.
Result<std::set<Ulid>> DecodeUploadList(std::string_view json);

// Not thread-safe.
class UploadList {
 public:
  // Without a path nothing waits.
  explicit UploadList(std::string path) : path_(std::move(path)) {}
  // The blocks that may be compacted, as indexes into `blocks`: in the order of names all before the first block of
  // level 1 that was not uploaded, as in Prometheus. Reads the file again when the last time is a minute ago; one that
  // cannot be read leaves what was known, which at first is nothing.
  std::vector<size_t> Compactable(const std::vector<BlockMeta>& blocks, FileSystem& fs, Clock& clock,
                                  const Logger& logger);

 private:
  const std::string path_;
  std::set<Ulid> uploaded_;
  std::optional<MonotonicNs> read_at_;
};

}  // namespace epi::tsdb
