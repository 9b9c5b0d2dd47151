// How full the chunks of a block are: what `tsdb analyze --extended` prints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chunkenc/encoding.h"

namespace epi::tsdb {

class ChunkStatistics {
 public:
  // kDataLoss when a chunk of histograms cannot be decoded.
  Result<void> Add(ChunkEncoding encoding, std::string_view data);
  // Distributions of samples and bytes of float chunks; and of samples, bytes and buckets of histogram chunks.
  std::string Text() const;

 private:
  struct Kind {
    std::vector<uint64_t> samples;
    std::vector<uint64_t> bytes;
  };
  Kind floats_;
  Kind histograms_;
  std::vector<uint64_t> buckets_;  // of all samples of a histogram chunk
};

}  // namespace epi::tsdb
