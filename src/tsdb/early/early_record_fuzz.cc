// The early log's decoders on arbitrary bytes: as a whole file, as a batch, as a mark.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tsdb/early/early_record.h"
#include "tsdb/wal/record_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace epi::tsdb;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static_cast<void>(DecodeFileHeader(input, RecordFileKind::kEarly));
  RecordScanner scanner(input);
  for (RecordScanner::Record record; scanner.Next(record);) static_cast<void>(DecodeEarlyBatch(record.payload));
  // What is read is written the same way again.
  if (const auto batch = DecodeEarlyBatch(input)) {
    std::string first, second;
    EncodeEarlyBatch(*batch, first);
    const auto again = DecodeEarlyBatch(first);
    if (!again) __builtin_trap();
    EncodeEarlyBatch(*again, second);
    if (first != second) __builtin_trap();
  }
  static_cast<void>(DecodeMergeMark(input));
  return 0;
}
