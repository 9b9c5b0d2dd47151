// Checks everything in a block: every checksum, order, sample and count.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"

namespace epi::tsdb {

struct VerifyReport {
  static constexpr size_t kMaxProblems = 100;
  uint64_t series = 0;
  uint64_t chunks = 0;
  uint64_t samples = 0;
  // One sentence each; at most kMaxProblems, `problem_count` has them all.
  std::vector<std::string> problems;
  uint64_t problem_count = 0;
  bool sound() const { return problem_count == 0; }
};

// Reads the whole block. Damage is reported, not returned as an error; errors are those of the disk.
Result<VerifyReport> VerifyBlock(FileSystem& fs, const std::string& directory);

}  // namespace epi::tsdb
