#include "storage/view.h"

namespace epi {

Result<void> EmptySelection::Read(size_t /*first*/, size_t /*count*/, SeriesBatch& batch) const {
  batch.series.clear();
  return {};
}

Labels ToLabels(LabelTuple tuple, const SymbolSpace& symbols) {
  std::vector<LabelView> pairs;
  pairs.reserve(tuple.size());
  for (const auto& label : tuple) pairs.push_back({symbols.Text(label.name), symbols.Text(label.value)});
  return Labels::FromPairs(std::move(pairs));
}

}  // namespace epi
