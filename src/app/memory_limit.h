// How much memory this process may use, for limits that are shares of it.
#pragma once

#include <cstdint>
#include <optional>

#include "base/file_system.h"

namespace epi::app {

// Bytes: the machine's memory (/proc/meminfo), or the least that this process's control group and those around it allow
// (version 2's memory.max, version 1's memory.limit_in_bytes, below /sys/fs/cgroup). Nothing when neither can be read.
std::optional<int64_t> MemoryOfProcess(FileSystem& files);

// What --query.max-memory and --query.max-memory-per-query are, in bytes; given as 0 they are half of the process's
// memory and half of the former.
struct QueryMemory {
  int64_t all = 0;  // Budget::kUnlimited when it is not given and the process's memory is not known
  int64_t per_query = 0;
};
QueryMemory QueryMemoryLimits(int64_t all_flag, int64_t per_query_flag, std::optional<int64_t> process_memory);

}  // namespace epi::app
