// Checks the native files of a head without loading it: every checksum, record, number and order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"

namespace epi::tsdb {

// What was found in one file.
struct VerifiedFile {
  std::string path;
  std::string what;      // "write-ahead log", "series log", "snapshot", …
  uint64_t records = 0;  // or runs
  uint64_t samples = 0;
  // Behind the last record: what was being written when the machine stopped. No problem.
  uint64_t torn_bytes = 0;
  std::vector<std::string> problems;  // one sentence each
};

// Reads the series log, the write-ahead log, the early log, snapshots, sealed runs and the note of what is in blocks,
// and changes nothing. Damage is reported, not returned as an error; errors are those of the disk.
Result<std::vector<VerifiedFile>> VerifyNativeHead(FileSystem& fs, const std::string& native);
// Part of it: the files of sealed runs, each checksum, column and chunk.
Result<void> VerifyRuns(FileSystem& fs, const std::string& directory, std::vector<VerifiedFile>& out);
// Likewise the log, head chunks and log of late samples of Prometheus, if `data_directory` has any: one entry for all.
Result<std::vector<VerifiedFile>> VerifyPrometheusHead(FileSystem& fs, const std::string& data_directory);

}  // namespace epi::tsdb
