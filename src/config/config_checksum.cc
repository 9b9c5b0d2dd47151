#include "config/config_checksum.h"

#include <string_view>

#include "base/xxhash64.h"
#include "config/glob.h"
#include "config/http_client_config.h"
#include "config/yaml.h"

namespace epi::config {
namespace {

struct IncludeKey {
  std::string_view key;
  std::string_view mark;  // before each of its files, so that a file that changes sides changes the sum
};
constexpr IncludeKey kIncludeKeys[] = {{"rule_files", "r"}, {"scrape_config_files", "s"}};

class RunningChecksum {
 public:
  // Pieces are hashed with their ends: moving bytes from one to the next changes the sum.
  void Add(std::string_view piece) { sum_ = XxHash64(piece, sum_ ^ piece.size()); }
  uint64_t sum() const { return sum_; }

 private:
  uint64_t sum_ = 0;
};

Result<void> AddIncluded(FileSystem& files, const YamlNode& patterns, std::string_view mark, std::string_view directory,
                         RunningChecksum& sum) {
  for (const YamlNode& pattern : patterns.items()) {
    EPI_ASSIGN(const auto paths, Glob(files, JoinDirectory(directory, pattern.text())));
    for (const auto& path : paths) {
      EPI_ASSIGN(const std::string text, files.ReadFile(path));
      sum.Add(mark);
      sum.Add(path);
      sum.Add(text);
    }
  }
  return {};
}

}  // namespace

Result<uint64_t> ConfigChecksum(FileSystem& files, const std::string& path) {
  EPI_ASSIGN(const std::string text, files.ReadFile(path));
  EPI_ASSIGN(const YamlDocument document, YamlDocument::Parse(text));
  const std::string directory(DirectoryName(path));
  RunningChecksum sum;
  sum.Add(text);
  for (const auto& include : kIncludeKeys) {
    const auto patterns = document.root().Find(include.key);
    if (patterns) EPI_TRY(AddIncluded(files, *patterns, include.mark, directory, sum));
  }
  return sum.sum();
}

}  // namespace epi::config
