// tsdb list, tsdb analyze: what the blocks of a data directory are and what fills them.
#include <algorithm>
#include <ostream>
#include <string>

#include "epitool/command.h"
#include "epitool/tsdb_directory.h"
#include "promql/parser/parser.h"
#include "tsdb/block/block_files.h"
#include "tsdb/block/block_report.h"

namespace epi::tool {
namespace {

constexpr FlagSpec kListFlags[] = {
    {"human-readable", false, "", "Print human readable values.", false, 'r'},
};

int RunList(const Arguments& arguments, Console& console) {
  const auto blocks = OpenStoredBlocks(console.files, DataDirectoryArgument(arguments));
  if (!blocks) {
    console.err << blocks.error().message() << "\n";
    return kFailure;
  }
  console.out << tsdb::BlockListText(*blocks, arguments.On("human-readable"));
  return kSuccess;
}

constexpr FlagSpec kAnalyzeFlags[] = {
    {"limit", true, "20", "How many items to show in each list.", false, 0, ValueForm::kInt},
    {"extended", false, "", "Run extended analysis."},
    {"match", true, "", "Series selector to analyze. Only 1 set of matchers is supported now."},
};

// The name of the block that was written last.
Result<std::string> NewestBlock(FileSystem& files, const std::string& directory) {
  EPI_ASSIGN(const auto directories, tsdb::ListBlockDirectories(files, directory));
  const auto newest = std::max_element(directories.begin(), directories.end(), [](const auto& a, const auto& b) {
    return tsdb::Ulid::Parse(BaseName(a))->time() < tsdb::Ulid::Parse(BaseName(b))->time();
  });
  if (newest == directories.end()) return Fail(ErrorCode::kNotFound, "no blocks found");
  return std::string(BaseName(*newest));
}

Result<std::string> Analyze(const Arguments& arguments, FileSystem& files) {
  tsdb::AnalyzeOptions options;
  options.limit = static_cast<size_t>(std::max<int64_t>(0, arguments.Integer("limit")));
  options.extended = arguments.On("extended");
  if (const auto selector = arguments.Value("match"); !selector.empty()) {
    EPI_ASSIGN(options.matchers, promql::ParseMetricSelector(selector));
    options.selector = selector;
  }
  const std::string directory = DataDirectoryArgument(arguments);
  EPI_TRY(CheckDataDirectory(files, directory));
  std::string name = arguments.positional().size() > 1 ? arguments.positional()[1] : std::string();
  if (name.empty()) {
    EPI_ASSIGN(name, NewestBlock(files, directory));
  }
  const std::string path = JoinPath(directory, name);
  if (!files.Exists(path)) return Fail(ErrorCode::kNotFound, "invalid block ID " + name);
  EPI_ASSIGN(const auto block, tsdb::Block::Open(files, path));
  return tsdb::AnalyzeBlockText(*block, options);
}

int RunAnalyze(const Arguments& arguments, Console& console) {
  const auto text = Analyze(arguments, console.files);
  if (!text) {
    console.err << text.error().message() << "\n";
    return kFailure;
  }
  console.out << *text;
  return kSuccess;
}

}  // namespace

const Command kTsdbList = {"tsdb list", "[<db path>]", "List tsdb blocks.", kListFlags, 0, 1, 0, RunList};
const Command kTsdbAnalyze = {"tsdb analyze",
                              "[<db path>] [<block id>]",
                              "Analyze churn, label pair cardinality and compaction efficiency.",
                              kAnalyzeFlags,
                              0,
                              2,
                              0,
                              RunAnalyze};

}  // namespace epi::tool
