#include "tsdb/head/head_selection.h"

#include <algorithm>
#include <numeric>

#include "tsdb/head/series_reader.h"

namespace epi::tsdb {
namespace {
struct HeadScratch final : SeriesBatch::Scratch {
  SeriesReader reader;
};
}  // namespace

Result<std::unique_ptr<HeadSelection>> HeadSelection::Make(const HeadView& view, std::vector<uint32_t> ids,
                                                           const SelectHints& hints, Budget& budget) {
  std::unique_ptr<HeadSelection> out(new HeadSelection(view, hints.range, budget));
  const auto& symbols = static_cast<const ViewSymbols&>(view.symbols());
  const Head& head = view.head();
  constexpr size_t kChargeEvery = 4096;
  out->ids_.reserve(ids.size());
  out->label_at_.reserve(ids.size() + 1);
  int64_t charged = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (hints.limit != 0 && !hints.sorted && out->ids_.size() == hints.limit) break;
    const size_t before = out->labels_.size();
    head.labels().Decode(head.series().cold(ids[i]).labels, out->labels_);
    const bool known =
        std::all_of(out->labels_.begin() + static_cast<std::ptrdiff_t>(before), out->labels_.end(),
                    [&](const LabelSymbols& label) { return symbols.Knows(label.name) && symbols.Knows(label.value); });
    if (!known) {
      out->labels_.resize(before);  // younger than the view
      continue;
    }
    out->ids_.push_back(ids[i]);
    out->label_at_.push_back(static_cast<uint32_t>(out->labels_.size()));
    if (i % kChargeEvery == 0 || i + 1 == ids.size()) {
      const auto bytes =
          static_cast<int64_t>(out->labels_.size() * sizeof(LabelSymbols) + out->ids_.size() * 2 * sizeof(uint32_t));
      EPI_TRY(out->charge_.Add(bytes - charged));
      charged = bytes;
    }
  }
  if (hints.sorted) out->SortByLabels();
  if (hints.limit != 0 && out->ids_.size() > hints.limit) {
    out->ids_.resize(hints.limit);
    out->label_at_.resize(hints.limit + 1);
  }
  return out;
}

void HeadSelection::SortByLabels() {
  const SymbolSpace& symbols = view_.symbols();
  std::vector<uint32_t> order(ids_.size());
  std::iota(order.begin(), order.end(), 0u);
  const auto before = [&](uint32_t a, uint32_t b) {
    const LabelTuple x = labels(a);
    const LabelTuple y = labels(b);
    for (size_t i = 0; i < x.size() && i < y.size(); ++i) {
      if (x[i].name != y[i].name) return symbols.Text(x[i].name) < symbols.Text(y[i].name);
      if (x[i].value != y[i].value) return symbols.Text(x[i].value) < symbols.Text(y[i].value);
    }
    return x.size() < y.size();
  };
  std::sort(order.begin(), order.end(), before);
  std::vector<uint32_t> ids;
  std::vector<LabelSymbols> sorted;
  std::vector<uint32_t> at{0};
  sorted.reserve(labels_.size());
  for (const uint32_t i : order) {
    const LabelTuple tuple = labels(i);
    sorted.insert(sorted.end(), tuple.begin(), tuple.end());
    at.push_back(static_cast<uint32_t>(sorted.size()));
    ids.push_back(ids_[i]);
  }
  ids_.swap(ids);
  labels_.swap(sorted);
  label_at_.swap(at);
}

Result<void> HeadSelection::Read(size_t first, size_t count, SeriesBatch& batch) const {
  auto* scratch = dynamic_cast<HeadScratch*>(batch.scratch.get());
  if (scratch == nullptr) {
    batch.scratch = std::make_unique<HeadScratch>();
    scratch = static_cast<HeadScratch*>(batch.scratch.get());
  }
  return scratch->reader.Read(view_, range_, std::span(ids_).subspan(first, count), batch.series);
}

}  // namespace epi::tsdb
