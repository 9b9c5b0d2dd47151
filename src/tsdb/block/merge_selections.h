// Several selections as one: the head and blocks, which may hold parts of the same series and overlap in time.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "storage/view.h"

namespace epi::tsdb {

// Every input is sorted by labels (Labels::Compare) and uses the symbols of `symbols`; so is the output, each series
// once. Samples of one series are merged by time; of two with the same time the one of the earlier input is kept. A
// histogram that follows one from another input loses its "no reset" hint, for nobody compared the two. `symbols`
// outlives the result.
Result<std::unique_ptr<SeriesSelection>> MergeSelections(std::vector<std::unique_ptr<SeriesSelection>> inputs,
                                                         const SymbolSpace& symbols);

// Sorted lists of text as one, without duplicates; `limit` 0 = all.
std::vector<std::string> MergeSortedTexts(std::vector<std::vector<std::string>> lists, size_t limit);

}  // namespace epi::tsdb
