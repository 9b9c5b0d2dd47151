#include "scrape/parse/exposed_labels.h"

#include <algorithm>
#include <utility>

namespace epi::scrape {
namespace {

bool HaveOneName(const LabelView& a, const LabelView& b) { return a.name == b.name; }

// Sorted by name, in their order where names are equal, without the names that are empty anywhere.
void Settle(std::vector<LabelView>& pairs) {
  const auto by_name = [](const LabelView& a, const LabelView& b) { return a.name < b.name; };
  // Mostly they come in order, and the sort would allocate.
  if (!std::is_sorted(pairs.begin(), pairs.end(), by_name)) std::stable_sort(pairs.begin(), pairs.end(), by_name);
  for (auto at = pairs.begin(); at != pairs.end();) {
    const auto end = std::find_if(at, pairs.end(), [at](const LabelView& other) { return !HaveOneName(*at, other); });
    const bool empty = std::any_of(at, end, [](const LabelView& pair) { return pair.value.empty(); });
    at = empty ? pairs.erase(at, end) : end;
  }
}

}  // namespace

Labels ExposedLabels(std::vector<LabelView> pairs) {
  Settle(pairs);
  pairs.erase(std::unique(pairs.begin(), pairs.end(), HaveOneName), pairs.end());
  return Labels::FromPairs(std::move(pairs));
}

bool HasEmptyLabel(std::span<const LabelView> pairs, std::string_view name) {
  return std::any_of(pairs.begin(), pairs.end(),
                     [name](const LabelView& pair) { return pair.name == name && pair.value.empty(); });
}

std::string RepeatedLabel(std::vector<LabelView> pairs, const Labels& stored) {
  Settle(pairs);
  auto at = pairs.begin();
  while ((at = std::adjacent_find(at, pairs.end(), HaveOneName)) != pairs.end()) {
    if (stored.Has(at->name)) return std::string(at->name);
    at = std::find_if(at, pairs.end(), [name = at->name](const LabelView& other) { return other.name != name; });
  }
  return {};
}

}  // namespace epi::scrape
