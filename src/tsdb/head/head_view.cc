#include "tsdb/head/head_view.h"

#include <algorithm>
#include <numeric>

#include "tsdb/head/head_selection.h"
#include "tsdb/head/select_series.h"

namespace epi::tsdb {

HeadView::HeadView(const Head& head) : head_(head), moment_(head.Pin()), symbols_(head.symbols(), moment_.symbols) {}

bool HeadView::MayHoldHistograms() const { return head_.series().has_histograms(); }

HeadView::~HeadView() { head_.Unpin(moment_); }

std::vector<uint32_t> HeadView::Match(std::span<const Matcher> matchers) const {
  return SelectSeries({head_.postings(), head_.series(), head_.labels(), head_.symbols()}, matchers);
}

Result<std::unique_ptr<SeriesSelection>> HeadView::Select(std::span<const Matcher> matchers, const SelectHints& hints,
                                                          Budget& budget) const {
  EPI_ASSIGN(std::unique_ptr<SeriesSelection> selection, SelectIds(Match(matchers), hints, budget));
  return selection;
}

Result<std::unique_ptr<HeadSelection>> HeadView::SelectAll(const SelectHints& hints, Budget& budget) const {
  return SelectIds(Match({}), hints, budget);
}

Result<std::unique_ptr<HeadSelection>> HeadView::SelectIds(const std::vector<uint32_t>& ids, const SelectHints& hints,
                                                           Budget& budget) const {
  // Group by group, as the ids lie.
  std::vector<uint32_t> present;
  std::vector<uint32_t> part;
  for (size_t first = 0; first < ids.size();) {
    const uint32_t group = head_.series().slab(ids[first]).group;
    size_t next = first;
    part.clear();
    while (next < ids.size() && head_.series().slab(ids[next]).group == group) part.push_back(ids[next++]);
    head_.group(group).DropAbsent(visible(), hints.range, part);
    present.insert(present.end(), part.begin(), part.end());
    first = next;
  }
  return HeadSelection::Make(*this, std::move(present), hints, budget);
}

// In any order. The labels of a few series are looked at; of many it is quicker to look whether each value has one of
// them, which mostly the first ids of its list decide.
std::vector<SymbolId> HeadView::ValuesOf(SymbolId name, std::span<const uint32_t> series) const {
  constexpr size_t kMany = 16;  // a part of all ids
  std::vector<SymbolId> values;
  {
    const PostingsIndex::ReadLock index(head_.postings());
    if (const NamePostings* postings = index.Name(name);
        postings != nullptr && series.size() > index.id_limit() / kMany) {
      std::vector<uint64_t> bits(series.back() / 64 + 1);
      for (const uint32_t id : series) bits[id / 64] |= uint64_t{1} << (id % 64);
      for (const auto& value : postings->values()) {
        if (value.ids.Meets(bits)) values.push_back(value.value);
      }
      return values;
    }
  }
  for (const uint32_t id : series) {
    if (const auto value = head_.labels().Value(head_.series().cold(id).labels, name)) values.push_back(*value);
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

Result<std::vector<std::string>> HeadView::LabelValues(std::string_view name, std::span<const Matcher> matchers,
                                                       size_t limit, Budget& budget) const {
  std::vector<std::string> out;
  const auto id = head_.symbols().Find(name);
  if (!id || !symbols_.Knows(*id)) return out;
  std::vector<SymbolId> values;
  if (matchers.empty()) {
    const PostingsIndex::ReadLock index(head_.postings());
    if (const NamePostings* postings = index.Name(*id)) {
      for (const auto& value : postings->values()) {
        if (!value.ids.empty()) values.push_back(value.value);
      }
    }
  } else {
    values = ValuesOf(*id, Match(matchers));
  }
  std::erase_if(values, [&](SymbolId value) { return !symbols_.Knows(value); });
  BudgetCharge charge(budget);
  EPI_TRY(charge.Add(static_cast<int64_t>(values.size() * sizeof(std::string))));
  std::vector<std::string_view> texts;
  texts.reserve(values.size());
  for (const SymbolId value : values) texts.push_back(symbols_.Text(value));
  const size_t keep = limit == 0 ? texts.size() : std::min(limit, texts.size());
  std::partial_sort(texts.begin(), texts.begin() + static_cast<std::ptrdiff_t>(keep), texts.end());
  out.assign(texts.begin(), texts.begin() + static_cast<std::ptrdiff_t>(keep));
  return out;
}

Result<std::vector<std::string>> HeadView::LabelNames(std::span<const Matcher> matchers, size_t limit, Budget&) const {
  std::vector<SymbolId> names;
  if (matchers.empty()) {
    names = PostingsIndex::ReadLock(head_.postings()).Names();
  } else {
    std::vector<LabelSymbols> tuple;
    for (const uint32_t series : Match(matchers)) {
      tuple.clear();
      head_.labels().Decode(head_.series().cold(series).labels, tuple);
      for (const auto& label : tuple) names.push_back(label.name);
      if (names.size() > 4096) {
        std::sort(names.begin(), names.end());
        names.erase(std::unique(names.begin(), names.end()), names.end());
      }
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
  }
  std::vector<std::string> out;
  for (const SymbolId name : names) {
    if (symbols_.Knows(name)) out.emplace_back(symbols_.Text(name));
  }
  std::sort(out.begin(), out.end());
  if (limit != 0 && out.size() > limit) out.resize(limit);
  return out;
}

Result<std::vector<View::SeriesExemplars>> HeadView::Exemplars(std::span<const std::vector<Matcher>> matcher_sets,
                                                               TimeRange range) const {
  std::vector<SeriesExemplars> out;
  for (const uint32_t series : head_.exemplars().Series()) {
    if (!head_.series().Alive(series)) continue;
    Labels labels = head_.LabelsOf(series);
    const bool wanted = std::any_of(matcher_sets.begin(), matcher_sets.end(), [&](const std::vector<Matcher>& set) {
      return std::all_of(set.begin(), set.end(), [&](const Matcher& m) { return m.Matches(labels.Get(m.name())); });
    });
    if (!wanted) continue;
    auto exemplars = head_.exemplars().Of(series, range);
    if (!exemplars.empty()) out.push_back({std::move(labels), std::move(exemplars)});
  }
  std::sort(out.begin(), out.end(),
            [](const SeriesExemplars& a, const SeriesExemplars& b) { return a.labels < b.labels; });
  return out;
}

}  // namespace epi::tsdb
