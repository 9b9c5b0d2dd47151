// The container of the head's snapshots: sections with a checksum each and a directory of them
// (docs/formats/snapshot.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"

namespace epi::tsdb {

inline constexpr std::string_view kSnapshotSuffix = ".snapshot";
// Appended while a snapshot is being written.
inline constexpr std::string_view kUnfinishedSuffix = ".tmp";

// What a section holds. Numbers are part of the format.
enum class SnapshotSection : uint32_t {
  kState = 1,      // once
  kSegments = 2,   // once
  kGroup = 3,      // once a group
  kExemplars = 4,  // once
  kMetadata = 5,   // once
};

// Writes sections one after the other. An error leaves an unfinished file.
class SnapshotFileWriter {
 public:
  static Result<std::unique_ptr<SnapshotFileWriter>> Create(FileSystem& fs, std::string path, uint64_t number);
  Result<void> Add(SnapshotSection kind, std::string_view payload);
  // Adds the directory and syncs the file.
  Result<void> Finish();
  uint64_t bytes() const { return at_; }

 private:
  SnapshotFileWriter() = default;
  Result<void> Write(std::string_view bytes);

  std::unique_ptr<File> file_;
  std::string directory_;
  uint64_t at_ = 0;
  uint64_t sections_ = 0;
};

// A finished file. Thread-safe.
class SnapshotFileReader {
 public:
  struct Section {
    SnapshotSection kind{};
    uint32_t checksum = 0;
    uint64_t offset = 0;
    uint64_t size = 0;
  };
  // Reads header and directory. kDataLoss when they are damaged, kUnsupported when the version is another.
  static Result<std::unique_ptr<SnapshotFileReader>> Open(FileSystem& fs, const std::string& path);
  uint64_t number() const { return number_; }
  const std::vector<Section>& sections() const { return sections_; }
  // Null when there is not exactly one.
  const Section* Only(SnapshotSection kind) const;
  // Reads a section into `out` and compares its checksum.
  Result<void> Read(const Section& section, std::string& out) const;

 private:
  SnapshotFileReader() = default;

  std::unique_ptr<File> file_;
  uint64_t number_ = 0;
  std::vector<Section> sections_;
};

}  // namespace epi::tsdb
