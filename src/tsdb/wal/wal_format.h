// Record types of the write-ahead log.
#pragma once

#include <cstdint>

namespace epi::tsdb {

enum class WalRecordType : uint8_t {
  kBatch = 1,  // everything one Commit admitted
};

}  // namespace epi::tsdb
