#include "base/file_system.h"

namespace epi {

bool FileSystem::Exists(const std::string& path) { return Stat(path).has_value(); }

Result<std::string> FileSystem::ReadFile(const std::string& path, uint64_t max_bytes) {
  EPI_ASSIGN(auto file, Open(path, OpenMode::kRead));
  std::string out;
  // Grows by what was really read: /proc files and pipes say size 0.
  for (size_t step = std::max<uint64_t>(file->size() + 1, 4096);; step = 65536) {
    const size_t at = out.size();
    if (at > max_bytes)
      return Fail(ErrorCode::kLimit, path + " is larger than " + std::to_string(max_bytes) + " bytes");
    out.resize(at + std::min<uint64_t>(step, max_bytes - at + 1));
    EPI_ASSIGN(const size_t got, file->ReadAt(at, out.data() + at, out.size() - at));
    out.resize(at + got);
    if (got == 0) return out;
  }
}

Result<void> FileSystem::WriteFileAtomically(const std::string& path, std::string_view data) {
  const std::string temporary = path + ".tmp";
  {
    EPI_ASSIGN(auto file, Open(temporary, OpenMode::kTruncate));
    EPI_TRY(file->Append(data));
    EPI_TRY(file->Sync());
  }
  EPI_TRY(Rename(temporary, path));
  return SyncDirectory(std::string(DirectoryName(path)));
}

std::string JoinPath(std::string_view directory, std::string_view name) {
  std::string out(directory);
  if (!out.empty() && out.back() != '/') out += '/';
  out += name;
  return out;
}

std::string_view DirectoryName(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

std::string_view BaseName(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace epi
