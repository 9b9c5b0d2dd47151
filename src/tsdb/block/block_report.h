// Blocks as tables and lists for people: what `tsdb list` and `tsdb analyze` print, in promtool's form.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/budget.h"
#include "base/result.h"
#include "model/matcher.h"
#include "storage/view.h"
#include "tsdb/block/block.h"

namespace epi::tsdb {

// One line a block, below one of headings unless that is not wanted. `human_readable`: times as dates, sizes with
// units.
std::string BlockListText(std::span<const std::shared_ptr<const Block>> blocks, bool human_readable,
                          bool with_headings = true);

struct AnalyzeOptions {
  size_t limit = 20;              // entries a list
  bool extended = false;          // also how full chunks are
  std::vector<Matcher> matchers;  // only these series
  std::string selector;           // what `matchers` were parsed from
};
// Equal numbers are ordered by text.
Result<std::string> AnalyzeBlockText(const Block& block, const AnalyzeOptions& options);

}  // namespace epi::tsdb
