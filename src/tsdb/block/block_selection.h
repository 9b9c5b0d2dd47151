// The series of one block that match, as a SeriesSelection.
#pragma once

#include <memory>
#include <span>

#include "base/budget.h"
#include "base/result.h"
#include "model/matcher.h"
#include "storage/view.h"

namespace epi::tsdb {

class Block;

// See Block::Select.
Result<std::unique_ptr<SeriesSelection>> SelectFromBlock(std::shared_ptr<const Block> block,
                                                         std::span<const Matcher> matchers, const SelectHints& hints,
                                                         const SymbolSpace& symbols, Budget& budget);

}  // namespace epi::tsdb
