// From matchers to series ids.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/budget.h"
#include "model/matcher.h"
#include "tsdb/head/label_store.h"
#include "tsdb/head/postings_index.h"
#include "tsdb/head/series_table.h"
#include "tsdb/head/view_symbols.h"

namespace epi::tsdb {

// What selecting needs to look at.
struct SeriesSources {
  const PostingsIndex& postings;
  const SeriesTable& series;
  const LabelStore& labels;
  const SymbolTable& symbols;
};

// Ids of all series that match, ascending. A matcher that matches the empty string also selects series without the
// label. Cost: by distinct value of the matched labels and by the size of the smallest set, not by the number of
// series.
std::vector<uint32_t> SelectSeries(const SeriesSources& sources, std::span<const Matcher> matchers);

}  // namespace epi::tsdb
