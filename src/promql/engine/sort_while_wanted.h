// A stable sort that ends early when its query is not wanted any more.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "promql/engine/query_state.h"

namespace epi::promql {

// Sorts runs that are short and merges them, looking at the query in between. On an error the order is any.
// `less` is a strict weak order; n log n of them for n items, and room for n items besides.
template <typename Item, typename Less>
Result<void> SortWhileWanted(std::vector<Item>& items, Less less, const QueryState& query) {
  constexpr size_t kRun = 1024;
  // Comparing labels is dearer than touching a sample.
  constexpr size_t kUnitsPerComparison = 4;
  Checkpoints checkpoints(query);
  const auto at = [&items](size_t index) { return items.begin() + static_cast<ptrdiff_t>(index); };
  for (size_t first = 0; first < items.size(); first += kRun) {
    EPI_TRY(checkpoints.Pass(kRun * 10 * kUnitsPerComparison));
    std::stable_sort(at(first), at(std::min(first + kRun, items.size())), less);
  }
  std::vector<Item> merged;
  merged.reserve(items.size() > kRun ? items.size() : 0);
  for (size_t width = kRun; width < items.size(); width *= 2) {
    merged.clear();
    for (size_t first = 0; first < items.size(); first += 2 * width) {
      const size_t middle = std::min(first + width, items.size());
      const size_t end = std::min(middle + width, items.size());
      for (size_t left = first, right = middle; left < middle || right < end;) {
        EPI_TRY(checkpoints.Pass(kUnitsPerComparison));
        const bool take_right = left == middle || (right < end && less(items[right], items[left]));
        merged.push_back(std::move(items[take_right ? right++ : left++]));
      }
    }
    items.swap(merged);
  }
  return {};
}

}  // namespace epi::promql
