// The names of what lies in a data directory and in a block.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"
#include "tsdb/block/ulid.h"

namespace epi::tsdb {

inline constexpr std::string_view kMetaFile = "meta.json";
inline constexpr std::string_view kIndexFile = "index";
inline constexpr std::string_view kTombstonesFile = "tombstones";
inline constexpr std::string_view kChunksDirectory = "chunks";
inline constexpr std::string_view kCreationSuffix = ".tmp-for-creation";
inline constexpr std::string_view kDeletionSuffix = ".tmp-for-deletion";
inline constexpr std::string_view kOldTemporarySuffix = ".tmp";  // written before 2.21

std::string BlockDirectory(const std::string& data_directory, const Ulid& ulid);
// Directories whose names are ULIDs, sorted by name. Other entries are ignored.
Result<std::vector<std::string>> ListBlockDirectories(FileSystem& fs, const std::string& data_directory);
// Removes what an interrupted creation or deletion of a block (or of a chunk snapshot) left behind.
Result<void> RemoveLeftovers(FileSystem& fs, const std::string& data_directory);
// Renames to the deletion suffix, then removes: a crash in between leaves a leftover, never half a block.
Result<void> DeleteBlockDirectory(FileSystem& fs, const std::string& data_directory, const Ulid& ulid);
// Bytes of all files of a block directory.
Result<uint64_t> DirectoryBytes(FileSystem& fs, const std::string& directory);
// Files named by digits only, as segments are, sorted by number. `width` digits are not required.
struct NumberedFile {
  uint64_t number = 0;
  std::string name;
};
Result<std::vector<NumberedFile>> ListNumberedFiles(FileSystem& fs, const std::string& directory);

}  // namespace epi::tsdb
