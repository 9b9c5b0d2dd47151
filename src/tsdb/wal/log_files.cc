#include "tsdb/wal/log_files.h"

#include <algorithm>
#include <charconv>

namespace epi::tsdb {
namespace {
constexpr size_t kDigits = 8;
}

std::string NumberedName(uint64_t number, std::string_view suffix) {
  std::string digits = std::to_string(number);
  if (digits.size() < kDigits) digits.insert(0, kDigits - digits.size(), '0');
  return digits.append(suffix);
}

std::optional<uint64_t> NumberOf(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (name.size() < kDigits || error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

Result<std::vector<uint64_t>> ListNumbered(FileSystem& fs, const std::string& directory, std::string_view suffix) {
  std::vector<uint64_t> out;
  auto names = fs.List(directory);
  if (!names) {
    if (names.error().code() == ErrorCode::kNotFound) return out;
    return Fail(names.error());
  }
  for (const auto& name : *names) {
    if (const auto number = NumberOf(name, suffix)) out.push_back(*number);
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<void> CheckVersions(FileSystem& fs, const std::string& directory, std::string_view suffix, RecordFileKind kind) {
  EPI_ASSIGN(const auto numbers, ListNumbered(fs, directory, suffix));
  for (const uint64_t number : numbers) {
    const std::string path = JoinPath(directory, NumberedName(number, suffix));
    const auto file = fs.Open(path, OpenMode::kRead);
    if (!file) continue;
    char bytes[kRecordFileHeaderBytes];
    const auto got = (*file)->ReadAt(0, bytes, sizeof bytes);
    if (!got) continue;
    const auto header = DecodeFileHeader({bytes, *got}, kind);
    if (!header && header.error().code() == ErrorCode::kUnsupported) return Fail(header.error().WithContext(path));
  }
  return {};
}

std::string SetAside(FileSystem& fs, const std::string& path, const std::string& aside, std::string_view cleaned) {
  if (!fs.CreateDirectories(aside)) return {};
  const std::string base = JoinPath(aside, BaseName(path));
  std::string kept = base;
  for (int n = 1; fs.Exists(kept); ++n) kept = base + "." + std::to_string(n);
  if (!fs.HardLink(path, kept)) return {};
  // WriteFileAtomically replaces the name, so the link keeps the damaged bytes.
  if (!fs.WriteFileAtomically(path, cleaned)) return {};
  if (!fs.SyncDirectory(aside)) return {};
  return kept;
}

}  // namespace epi::tsdb
