// Record types of the write-ahead log.
#pragma once

#include <array>
#include <cstdint>

namespace epi::tsdb {

// All of them are in kLogRecordTypes.
enum class LogRecordType : uint8_t {
  kBatch = 1,  // everything one Commit admitted
};

inline constexpr std::array kLogRecordTypes{LogRecordType::kBatch};

}  // namespace epi::tsdb
