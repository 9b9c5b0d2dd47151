#include "epitool/dump_data.h"

#include <ostream>
#include <string>
#include <vector>

#include "epitool/tsdb_directory.h"
#include "promql/parser/parser.h"
#include "tsdb/block/merge_selections.h"

namespace epi::tool {

Result<void> DumpData(const Arguments& arguments, tsdb::DumpForm form, Console& console) {
  SelectHints hints;
  hints.range = {arguments.Integer("min-time"), arguments.Integer("max-time")};
  hints.sorted = true;
  const std::string directory = DataDirectoryArgument(arguments);
  const std::string root(arguments.Value("sandbox-dir-root"));
  EPI_ASSIGN(const auto sandbox, SandboxDb::Open(console.files, directory, root.empty() ? directory : root));
  auto selectors = arguments.Values("match");
  if (selectors.empty()) selectors.emplace_back(arguments.Value("match"));
  std::vector<std::vector<Matcher>> matcher_sets;
  for (const auto& selector : selectors) {
    EPI_ASSIGN(auto matchers, promql::ParseMetricSelector(selector));
    matcher_sets.push_back(std::move(matchers));
  }
  EPI_ASSIGN(const auto view, sandbox->db().OpenView(hints.range));
  Budget budget("dump");
  std::vector<std::unique_ptr<SeriesSelection>> selections;
  for (const auto& matchers : matcher_sets) {
    if (matchers.empty()) continue;  // {} selects nothing
    EPI_ASSIGN(auto selection, view->Select(matchers, hints, budget));
    selections.push_back(std::move(selection));
  }
  EPI_ASSIGN(const auto merged, tsdb::MergeSelections(std::move(selections), view->symbols()));
  return tsdb::DumpSeries(*merged, view->symbols(), form, [&](std::string_view text) -> Result<void> {
    console.out.write(text.data(), static_cast<std::streamsize>(text.size()));
    if (!console.out) return Fail(ErrorCode::kIo, "the output cannot be written");
    return {};
  });
}

}  // namespace epi::tool
