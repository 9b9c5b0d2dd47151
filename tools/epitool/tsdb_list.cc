// tsdb list, tsdb analyze: what the blocks of a data directory are and what fills them.
#include <algorithm>
#include <charconv>
#include <ostream>
#include <string>

#include "epitool/command.h"
#include "epitool/tsdb_directory.h"
#include "promql/parser/parser.h"
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
    {"limit", true, "20", "How many items to show in each list."},
    {"extended", false, "", "Run extended analysis."},
    {"match", true, "", "Series selector to analyze. Only 1 set of matchers is supported now."},
};

Result<std::string> Analyze(const Arguments& arguments, FileSystem& files) {
  tsdb::AnalyzeOptions options;
  const std::string_view limit = arguments.Value("limit");
  if (std::from_chars(limit.data(), limit.data() + limit.size(), options.limit).ec != std::errc())
    return Fail(ErrorCode::kInvalid, "strconv.ParseInt: parsing \"" + std::string(limit) + "\": invalid syntax");
  options.extended = arguments.On("extended");
  if (const auto selector = arguments.Value("match"); !selector.empty()) {
    EPI_ASSIGN(options.matchers, promql::ParseMetricSelector(selector));
  }
  EPI_ASSIGN(const auto blocks, OpenStoredBlocks(files, DataDirectoryArgument(arguments)));
  const std::string wanted = arguments.positional().size() > 1 ? arguments.positional()[1] : std::string();
  const auto found = wanted.empty() ? (blocks.empty() ? blocks.end() : blocks.end() - 1)
                                    : std::find_if(blocks.begin(), blocks.end(), [&](const auto& block) {
                                        return block->meta().ulid.ToString() == wanted;
                                      });
  if (found == blocks.end()) return Fail(ErrorCode::kNotFound, "block " + wanted + " not found");
  return tsdb::AnalyzeBlockText(**found, options);
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

const Command kTsdbList = {"tsdb list", "[<db path>]", "List tsdb blocks.", kListFlags, 0, 1, RunList};
const Command kTsdbAnalyze = {"tsdb analyze",
                              "[<db path>] [<block id>]",
                              "Analyze churn, label pair cardinality and compaction efficiency.",
                              kAnalyzeFlags,
                              0,
                              2,
                              RunAnalyze};

}  // namespace epi::tool
