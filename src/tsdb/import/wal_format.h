// What reader and writer of Prometheus's write-ahead log agree on: segments of pages, fragments of records.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace epi::tsdb {

inline constexpr size_t kWalPageBytes = 32768;
inline constexpr size_t kWalFragmentHeaderBytes = 7;  // type, length, checksum
inline constexpr uint8_t kWalTypeMask = 0x07;
inline constexpr uint8_t kWalSnappyFlag = 0x08;
inline constexpr uint8_t kWalZstdFlag = 0x10;
inline constexpr uint8_t kWalReservedMask = 0xe0;

enum class WalFragment : uint8_t { kPadding = 0, kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

// The first byte of a record.
enum class WalRecordType : uint8_t {
  kSeries = 1,
  kSamples = 2,
  kTombstones = 3,
  kExemplars = 4,
  kMmapMarkers = 5,
  kMetadata = 6,
  kHistograms = 7,
  kFloatHistograms = 8,
  kCustomBucketHistograms = 9,
  kCustomBucketFloatHistograms = 10,
  kSamplesV2 = 11,
  kHistogramsV2 = 12,
  kFloatHistogramsV2 = 13,
};

enum class WalCompression : uint8_t { kNone, kSnappy, kZstd };

std::string WalSegmentName(uint64_t number);     // 8 digits
std::string WalCheckpointName(uint64_t number);  // checkpoint.00000004

}  // namespace epi::tsdb
