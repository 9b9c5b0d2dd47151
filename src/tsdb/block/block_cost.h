// What the bytes of a block are spent on.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "base/result.h"
#include "tsdb/block/block.h"

namespace epi::tsdb {

struct BlockCost {
  std::map<std::string, uint64_t, std::less<>> metrics;  // chunks and series entries; "" of series without a name
  std::map<std::string, uint64_t, std::less<>> labels;   // postings and texts of values
};

// Reads the whole index.
Result<BlockCost> CostOfBlock(const Block& block);

// Blocks do not change, so each is looked at once. Thread-safe.
class BlockCosts {
 public:
  // One for each of `blocks`; those of other blocks are forgotten.
  Result<std::vector<std::shared_ptr<const BlockCost>>> Of(std::span<const std::shared_ptr<const Block>> blocks);

 private:
  std::mutex mutex_;  // held while blocks are read: whoever asks at the same time waits for the same answer
  std::map<Ulid, std::shared_ptr<const BlockCost>> known_;  // guarded by mutex_
};

}  // namespace epi::tsdb
