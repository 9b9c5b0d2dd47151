// Any bytes as a log segment and as a head chunk file: an error or entries, never a crash or memory without limit.
#include <cstdint>

#include "tsdb/import/head_chunk_files.h"
#include "tsdb/import/wal_compression.h"
#include "tsdb/import/wal_records.h"

namespace {

struct Quiet final : epi::tsdb::WalRecordVisitor {
  epi::Result<void> OnSeries(uint64_t, const epi::Labels&) override { return {}; }
  epi::Result<void> OnSamples(std::span<const epi::tsdb::WalSample>) override { return {}; }
  epi::Result<void> OnHistogram(uint64_t, int64_t, int64_t, const epi::Histogram&) override { return {}; }
  epi::Result<void> OnFloatHistogram(uint64_t, int64_t, int64_t, const epi::FloatHistogram&) override { return {}; }
  epi::Result<void> OnTombstone(uint64_t, epi::TimeRange) override { return {}; }
  epi::Result<void> OnExemplar(uint64_t, const epi::Exemplar&) override { return {}; }
  epi::Result<void> OnMmapMarker(uint64_t, uint64_t) override { return {}; }
  epi::Result<void> OnMetadata(uint64_t, const epi::MetricMetadata&) override { return {}; }
  void OnUnknownHistogram(uint64_t) override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  const std::string_view data(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  Quiet visitor;
  std::string out;
  switch (bytes[0] % 4) {
    case 0:
      (void)epi::tsdb::DecodeWalRecord(data, visitor).has_value();
      break;
    case 1:
      (void)epi::tsdb::ParseHeadChunkFile(data, 1).has_value();
      break;
    case 2:
      (void)epi::tsdb::WalDecompress(epi::tsdb::WalCompression::kSnappy, data, out).has_value();
      break;
    default:
      (void)epi::tsdb::WalDecompress(epi::tsdb::WalCompression::kZstd, data, out).has_value();
      break;
  }
  return 0;
}
