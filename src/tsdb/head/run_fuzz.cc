// Runs from arbitrary bytes, with checksums made to fit so that what is behind them is reached; and value streams
// alone.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tsdb/head/column.h"
#include "tsdb/head/run.h"
#include "tsdb/head/value_codec.h"

namespace {

using namespace epi;
using namespace epi::tsdb;

// The header's checksum covers header, column records and directory; the other one the rest.
void FixChecksums(std::string& bytes) {
  if (bytes.size() < 96) return;
  const uint64_t body_at = 80 + uint64_t{LoadLittle<uint32_t>(bytes.data() + 56)} * 32 +
                           uint64_t{LoadLittle<uint32_t>(bytes.data() + 60)} * 24;
  if (body_at > bytes.size()) return;
  StoreLittle<uint64_t>(bytes.data(), 0x314e555249504500);
  StoreLittle<uint32_t>(bytes.data() + 8, 1);
  StoreLittle<uint32_t>(bytes.data() + 16, Crc32c(std::string_view(bytes).substr(body_at)));
  StoreLittle<uint32_t>(bytes.data() + 12, 0);
  StoreLittle<uint32_t>(bytes.data() + 12, Crc32c(std::string_view(bytes).substr(0, body_at)));
}

void ReadEverything(std::string bytes) {
  const auto run = Run::Open(std::move(bytes));
  if (!run) return;
  RunReader reader(*run);
  TimestampMs times[kMaxColumnEntries];
  double values[kMaxChunkValues];
  uint8_t entries[kMaxChunkValues];
  for (uint32_t column = 0; column < (*run)->columns(); ++column) static_cast<void>(reader.Times(column, times));
  for (size_t i = 0; i < (*run)->chunk_count(); ++i) {
    auto chunk = reader.ChunkAt(i);
    if (chunk && reader.LoadStream(*chunk)) static_cast<void>(DecodeChunk(chunk->values, values, entries));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  ReadEverything(bytes);
  FixChecksums(bytes);
  ReadEverything(bytes);
  if (size < 4) return 0;
  std::string stream(reinterpret_cast<const char*>(data) + 3, size - 3);
  const auto bits = static_cast<uint32_t>(stream.size() * 8 - data[0] % 8);
  stream.append(kStreamPadding, '\0');
  double values[kMaxChunkValues];
  uint8_t entries[kMaxChunkValues];
  for (const bool gaps : {false, true}) {
    static_cast<void>(DecodeChunk({1.5, reinterpret_cast<const uint8_t*>(stream.data()), bits, data[1], data[2], gaps},
                                  values, entries));
  }
  return 0;
}
