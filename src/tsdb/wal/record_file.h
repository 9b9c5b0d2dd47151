// The frame that all native logs share: a file header and checksummed records (docs/formats/wal.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace epi::tsdb {

inline constexpr size_t kRecordFileHeaderBytes = 32;
inline constexpr size_t kRecordHeaderBytes = 24;
// No record is longer; a larger length in a header is damage.
inline constexpr uint32_t kMaxRecordBytes = 1u << 30;

enum class RecordFileKind : uint32_t {
  kWal = 0x4c415745,        // "EWAL"
  kSeriesLog = 0x52455345,  // "ESER"
  kEarly = 0x52414545,      // "EEAR"
};

struct RecordFileHeader {
  RecordFileKind kind{};
  uint64_t number = 0;     // of the segment
  uint64_t first_lsn = 0;  // no record of the file has a lower one
};

std::string EncodeFileHeader(const RecordFileHeader& header);
// kDataLoss when it is damaged, kUnsupported when the version is from the future.
Result<RecordFileHeader> DecodeFileHeader(std::string_view file, RecordFileKind kind);

// Appends one record to `out`.
void AppendRecord(std::string& out, uint8_t type, uint64_t lsn, std::string_view payload);

// A stretch of a file that holds no readable record.
struct RecordDamage {
  uint64_t offset = 0;
  uint64_t length = 0;
  std::string what;
};

// Walks the records of a whole file in memory. A damaged payload is stepped over, for headers have a checksum of their
// own; behind a damaged header the next intact one is searched.
class RecordScanner {
 public:
  // `file` with its header outlives the scanner.
  explicit RecordScanner(std::string_view file) : file_(file), at_(kRecordFileHeaderBytes) {}
  struct Record {
    uint8_t type = 0;
    uint64_t lsn = 0;
    std::string_view payload;
    uint64_t offset = 0;  // of the record's header
  };
  // The next intact record; false at the end.
  bool Next(Record& record);
  // Stretches that were stepped over so far. What is not followed by any intact record is the tail, not damage.
  const std::vector<RecordDamage>& damage() const { return damage_; }
  // After Next() was false: where the last intact record ends. Bytes from here on are a torn tail.
  uint64_t end_of_intact() const { return intact_end_; }

 private:
  bool HeaderAt(size_t at, Record& record, uint32_t& length) const;
  void NoteDamage(size_t from, size_t to, const char* what);

  std::string_view file_;
  size_t at_;
  size_t intact_end_ = kRecordFileHeaderBytes;
  std::vector<RecordDamage> damage_;
};

}  // namespace epi::tsdb
