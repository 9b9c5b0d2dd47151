// The log reader on arbitrary bytes: as a whole file, and as one payload behind a valid one.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tsdb/wal/batch_record.h"
#include "tsdb/wal/record_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace epi::tsdb;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static_cast<void>(DecodeFileHeader(input, RecordFileKind::kWal));
  RecordScanner scanner(input);
  RecordScanner::Record record;
  BatchDecoder decoder;
  Batch batch;
  while (scanner.Next(record)) static_cast<void>(decoder.Decode(record.payload, batch));
  // Two payloads in a row, so that the second may be a difference.
  const size_t middle = size == 0 ? 0 : data[0] * size / 256;
  static_cast<void>(decoder.Decode(input.substr(0, middle), batch));
  static_cast<void>(decoder.Decode(input.substr(middle), batch));
  return 0;
}
