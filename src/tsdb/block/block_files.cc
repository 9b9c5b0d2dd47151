#include "tsdb/block/block_files.h"

#include <algorithm>
#include <charconv>

namespace epi::tsdb {
namespace {

constexpr std::string_view kSnapshotPrefix = "chunk_snapshot.";

bool IsLeftover(std::string_view name) {
  for (const auto suffix : {kCreationSuffix, kDeletionSuffix, kOldTemporarySuffix}) {
    if (!name.ends_with(suffix)) continue;
    const auto stem = name.substr(0, name.size() - suffix.size());
    return Ulid::Parse(stem).has_value() || stem.starts_with(kSnapshotPrefix);
  }
  return false;
}

}  // namespace

std::string BlockDirectory(const std::string& data_directory, const Ulid& ulid) {
  return JoinPath(data_directory, ulid.ToString());
}

Result<std::vector<std::string>> ListBlockDirectories(FileSystem& fs, const std::string& data_directory) {
  EPI_ASSIGN(const auto names, fs.List(data_directory));
  std::vector<std::string> out;
  for (const auto& name : names) {
    if (!Ulid::Parse(name)) continue;
    const std::string path = JoinPath(data_directory, name);
    const auto info = fs.Stat(path);
    if (info && info->is_directory) out.push_back(path);
  }
  return out;
}

Result<void> RemoveLeftovers(FileSystem& fs, const std::string& data_directory) {
  EPI_ASSIGN(const auto names, fs.List(data_directory));
  for (const auto& name : names) {
    if (!IsLeftover(name)) continue;
    const std::string path = JoinPath(data_directory, name);
    const auto info = fs.Stat(path);
    if (info && info->is_directory) EPI_TRY(fs.RemoveAll(path));
  }
  return {};
}

Result<void> DeleteBlockDirectory(FileSystem& fs, const std::string& data_directory, const Ulid& ulid) {
  const std::string path = BlockDirectory(data_directory, ulid);
  const std::string doomed = path + std::string(kDeletionSuffix);
  EPI_TRY(fs.RemoveAll(doomed));
  EPI_TRY(fs.Rename(path, doomed));
  return fs.RemoveAll(doomed);
}

Result<uint64_t> DirectoryBytes(FileSystem& fs, const std::string& directory) {
  EPI_ASSIGN(const auto names, fs.List(directory));
  uint64_t sum = 0;
  for (const auto& name : names) {
    const std::string path = JoinPath(directory, name);
    const auto info = fs.Stat(path);
    if (!info) continue;  // removed meanwhile
    if (!info->is_directory) {
      sum += info->size;
      continue;
    }
    EPI_ASSIGN(const uint64_t inner, DirectoryBytes(fs, path));
    sum += inner;
  }
  return sum;
}

Result<std::vector<NumberedFile>> ListNumberedFiles(FileSystem& fs, const std::string& directory) {
  EPI_ASSIGN(const auto names, fs.List(directory));
  std::vector<NumberedFile> out;
  for (const auto& name : names) {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size()) out.push_back({number, name});
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  return out;
}

}  // namespace epi::tsdb
