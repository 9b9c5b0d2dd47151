// Names of native files under data/epimetheus.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"
#include "tsdb/wal/record_file.h"

namespace epi::tsdb {

inline constexpr std::string_view kWalSuffix = ".wal";
inline constexpr std::string_view kSeriesLogSuffix = ".series";

// "00000012.wal": at least eight digits.
std::string NumberedName(uint64_t number, std::string_view suffix);
std::optional<uint64_t> NumberOf(std::string_view name, std::string_view suffix);
// Numbers of the files with that suffix, ascending. A missing directory has none.
Result<std::vector<uint64_t>> ListNumbered(FileSystem& fs, const std::string& directory, std::string_view suffix);

// kUnsupported when the header of one of these files has a version of the future. Damage is none of its business.
Result<void> CheckVersions(FileSystem& fs, const std::string& directory, std::string_view suffix, RecordFileKind kind);

// What a start could not read, and where the bytes are now.
struct LogDamage {
  std::string file;
  uint64_t offset = 0;
  uint64_t length = 0;
  std::string what;
  std::string kept_as;  // a copy of the damaged file; empty when it could not be made
};

// Keeps the damaged file under `aside` and puts `cleaned` in its place. Returns the copy's path, or empty when that
// failed: then the file stays as it is, and the next start reports it again.
std::string SetAside(FileSystem& fs, const std::string& path, const std::string& aside, std::string_view cleaned);

}  // namespace epi::tsdb
