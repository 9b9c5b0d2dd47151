// Reads the records of one segment of Prometheus's log.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/file_system.h"
#include "base/result.h"
#include "tsdb/import/wal_format.h"

namespace epi::tsdb {

// Oldest first. Not thread-safe; `file` outlives the reader.
class WalSegmentReader {
 public:
  explicit WalSegmentReader(const File& file) : file_(file) {}
  // Moves to the next whole record: false at a clean end, kDataLoss (naming the offset) at damage, which includes a
  // record that the end of the segment cuts off. Nothing can be read after an error.
  Result<bool> Next();
  // Decompressed. Valid until the next call of Next.
  std::string_view record() const { return record_; }
  // Behind the last fragment of the current record.
  uint64_t offset() const { return offset_; }

 private:
  struct Fragment {
    WalFragment type = WalFragment::kPadding;
    WalCompression compression = WalCompression::kNone;
    std::string_view data;
  };
  Result<bool> ReadFragment(Fragment& out);
  Result<bool> SkipPadding();
  // `size` bytes from the current offset on; the last page is read as if zeros filled it. False at the end of the file.
  Result<bool> Take(size_t size, std::string_view& out);
  Result<void> Refill(size_t size);
  tl::unexpected<Error> Damaged(std::string what) const;

  const File& file_;
  std::string window_;         // bytes of the file
  uint64_t window_begin_ = 0;  // offset of window_
  uint64_t offset_ = 0;
  std::string payload_;  // fragments of the open record
  std::string record_;
};

}  // namespace epi::tsdb
