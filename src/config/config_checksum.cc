#include "config/config_checksum.h"

#include <string_view>

#include "base/xxhash64.h"
#include "config/glob.h"
#include "config/http_client_config.h"
#include "config/references.h"
#include "config/yaml.h"

namespace epi::config {
namespace {

struct IncludeKey {
  std::string_view key;
  std::string_view mark;  // before each of its files, so that a file that changes sides changes the sum
  bool has_references;
};
constexpr IncludeKey kIncludeKeys[] = {{"rule_files", "r", false}, {"scrape_config_files", "s", true}};

class RunningChecksum {
 public:
  RunningChecksum(FileSystem& files, const LoadOptions& options) : files_(files), options_(options) {}

  // Pieces are hashed with their ends: moving bytes from one to the next changes the sum.
  void Add(std::string_view piece) { sum_ = XxHash64(piece, sum_ ^ piece.size()); }

  // What stands for references, which are replaced in the document.
  Result<void> AddReferences(YamlDocument& document, std::string_view directory) {
    const ScalarReplacer replace = ReferenceReplacer(&files_, directory, options_);
    if (!replace) return {};
    return document.ReplaceScalars([&](const std::string& text) -> Result<std::string> {
      EPI_ASSIGN(std::string replaced, replace(text));
      if (replaced != text) Add(replaced);
      return replaced;
    });
  }

  Result<void> AddIncluded(const YamlNode& patterns, const IncludeKey& include, std::string_view directory) {
    for (const YamlNode& pattern : patterns.items()) {
      EPI_ASSIGN(const auto paths, Glob(files_, JoinDirectory(directory, pattern.text())));
      for (const auto& path : paths) {
        EPI_ASSIGN(const std::string text, files_.ReadFile(path));
        Add(include.mark);
        Add(path);
        Add(text);
        if (!include.has_references || !options_.expand_references) continue;
        EPI_ASSIGN(YamlDocument document, YamlDocument::Parse(text, DuplicateKeys::kKeep));
        EPI_TRY(AddReferences(document, DirectoryName(path)));
      }
    }
    return {};
  }

  uint64_t sum() const { return sum_; }

 private:
  FileSystem& files_;
  const LoadOptions& options_;
  uint64_t sum_ = 0;
};

}  // namespace

Result<uint64_t> ConfigChecksum(FileSystem& files, const std::string& path, const LoadOptions& options) {
  EPI_ASSIGN(const std::string text, files.ReadFile(path));
  EPI_ASSIGN(YamlDocument document, YamlDocument::Parse(text, DuplicateKeys::kKeep));
  const std::string directory(DirectoryName(path));
  RunningChecksum sum(files, options);
  sum.Add(text);
  EPI_TRY(sum.AddReferences(document, directory));
  for (const auto& include : kIncludeKeys) {
    const auto patterns = document.root().Find(include.key);
    if (patterns) EPI_TRY(sum.AddIncluded(*patterns, include, directory));
  }
  return sum.sum();
}

}  // namespace epi::config
