// A batch as the payload of one log record (docs/formats/wal.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/result.h"
#include "tsdb/wal/batch.h"

namespace epi::tsdb {

// A record that stands alone comes at least this often per group, so that damage costs at most so many batches.
inline constexpr uint32_t kFullEvery = 16;

// What a batch record may hold; a bit each. Whatever is added here is part of the head's snapshot, too (kCovered in
// snapshot/head_snapshot.h).
enum BatchSection : uint8_t {
  kBatchFloats = 1,
  kBatchTimed = 2,
  kBatchHistograms = 4,
  kBatchExemplars = 8,
  kBatchMetadata = 16,
  kBatchTombstones = 32,
};
inline constexpr uint8_t kAllBatchSections = 63;

// Appends the payload to `out` for the segment `segment`, and moves the chain on. `changed`: the layout is another than
// the chain's before; then `previous` has that one.
void EncodeBatch(const Batch& batch, uint64_t segment, LayoutChain& chain, std::string& out, bool& changed,
                 std::vector<uint32_t>& previous);

// Decodes the records of one segment, in order. Not thread-safe.
class BatchDecoder {
 public:
  enum class Outcome : unsigned char {
    kDecoded,
    kOrphan,  // a difference to a record that was lost: nothing of the batch can be used
  };
  // kDataLoss when the payload is no batch; then the group's following differences are orphans.
  Result<Outcome> Decode(std::string_view payload, Batch& out);
  // At the start of a segment.
  void Reset() { chains_.clear(); }

 private:
  struct Chain {
    std::vector<uint32_t> series;
    std::vector<double> values;
    uint64_t sequence = 0;
    TimestampMs time = 0;
    bool valid = false;
  };
  boost::unordered_flat_map<uint32_t, Chain> chains_;
  std::vector<uint32_t> edited_series_;
  std::vector<double> edited_values_;

  class Parser;
};

}  // namespace epi::tsdb
