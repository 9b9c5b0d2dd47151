#include "app/memory_limit.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include "base/budget.h"

namespace epi::app {
namespace {

constexpr std::string_view kGroupRoot = "/sys/fs/cgroup";
constexpr uint64_t kLargestFile = 1 << 20;

// A number of bytes at the start of a text. Nothing for "max", and for numbers that mean no limit in version 1.
std::optional<int64_t> Bytes(std::string_view text) {
  constexpr int64_t kNoLimit = int64_t{1} << 62;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value <= 0 || value >= kNoLimit) return std::nullopt;
  return value;
}

std::optional<int64_t> Less(std::optional<int64_t> a, std::optional<int64_t> b) {
  return a && b ? std::min(*a, *b) : a ? a : b;
}

std::optional<int64_t> MachineMemory(FileSystem& files) {
  const auto text = files.ReadFile("/proc/meminfo", kLargestFile);
  if (!text) return std::nullopt;
  const size_t at = text->find("MemTotal:");
  if (at == std::string::npos) return std::nullopt;
  const std::string_view rest = std::string_view(*text).substr(at + 9);
  const size_t digits = rest.find_first_not_of(" \t");
  if (digits == std::string_view::npos) return std::nullopt;
  const auto kib = Bytes(rest.substr(digits));
  return kib ? std::optional(*kib * 1024) : std::nullopt;
}

// The least of the limits of the group at `path` below `root` and of those above it. In a container a group's path is
// that of the host, so some of them may not be there.
std::optional<int64_t> GroupMemory(FileSystem& files, const std::string& root, std::string path, const char* name) {
  std::optional<int64_t> least;
  for (;;) {
    if (const auto text = files.ReadFile(JoinPath(root + path, name), kLargestFile)) least = Less(least, Bytes(*text));
    if (path.empty() || path == "/") return least;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

std::optional<int64_t> GroupsMemory(FileSystem& files) {
  const auto text = files.ReadFile("/proc/self/cgroup", kLargestFile);
  if (!text) return std::nullopt;
  std::optional<int64_t> least;
  std::string_view lines = *text;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    // "hierarchy:controllers:path"; version 2 has no controllers there.
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string controllers = "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    const std::string path(line.substr(second + 1));
    if (controllers == ",,") {
      least = Less(least, GroupMemory(files, std::string(kGroupRoot), path, "memory.max"));
    } else if (controllers.find(",memory,") != std::string::npos) {
      least = Less(least, GroupMemory(files, std::string(kGroupRoot) + "/memory", path, "memory.limit_in_bytes"));
    }
  }
  return least;
}

}  // namespace

std::optional<int64_t> MemoryOfProcess(FileSystem& files) { return Less(MachineMemory(files), GroupsMemory(files)); }

QueryMemory QueryMemoryLimits(int64_t all_flag, int64_t per_query_flag, std::optional<int64_t> process_memory) {
  QueryMemory out{all_flag, per_query_flag};
  if (out.all <= 0) out.all = process_memory ? *process_memory / 2 : Budget::kUnlimited;
  if (out.per_query <= 0) out.per_query = out.all == Budget::kUnlimited ? out.all : out.all / 2;
  return out;
}

}  // namespace epi::app
