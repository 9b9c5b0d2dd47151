#include "tsdb/head/select_series.h"

#include <algorithm>
#include <bit>

namespace epi::tsdb {
namespace {

// One matcher resolved to lists of ids: the series in the lists are kept, or, for a matcher that matches the empty
// string, taken away.
struct Resolved {
  const Matcher* matcher = nullptr;
  std::vector<const IdList*> lists;
  size_t total = 0;
  bool subtract = false;
};

void AddList(Resolved& to, const IdList* list) {
  if (list == nullptr || list->empty()) return;
  to.lists.push_back(list);
  to.total += list->size();
}

// The lists of the values of `name` for which Matches() is `wanted`.
void AddMatching(Resolved& to, const NamePostings& name, const Matcher& matcher, bool wanted,
                 const SymbolTable& symbols) {
  for (const auto& value : name.values()) {
    if (matcher.Matches(symbols.Text(value.value)) == wanted) AddList(to, &value.ids);
  }
}

Resolved Resolve(const Matcher& matcher, PostingsIndex::ReadLock& index, const SymbolTable& symbols) {
  Resolved out;
  out.matcher = &matcher;
  out.subtract = matcher.MatchesEmpty();
  const auto name_id = symbols.Find(matcher.name());
  const NamePostings* name = name_id ? index.Name(*name_id) : nullptr;
  if (name == nullptr) return out;
  // Values given literally: of a positive matcher the ones to keep, of a negative one those to take away.
  const auto add_literals = [&](std::span<const std::string> values) {
    for (const auto& text : values) {
      if (const auto id = symbols.Find(text)) AddList(out, name->Find(*id));
    }
  };
  const bool literal_side = matcher.negative() == out.subtract;  // =, =~ that keep; !=, !~ that take away
  if (literal_side && (matcher.type() == MatchType::kEqual || matcher.type() == MatchType::kNotEqual)) {
    add_literals({&matcher.value(), 1});
    return out;
  }
  if (literal_side && !matcher.SetMatches().empty()) {
    add_literals(matcher.SetMatches());
    return out;
  }
  if (literal_side && !matcher.Prefix().empty() && name->sorted()) {
    for (const uint32_t i : name->SortedRange(matcher.Prefix(), symbols)) {
      const auto& value = name->values()[i];
      // Either way the expression itself decides; a negative matcher takes away what it does not match.
      if (matcher.Matches(symbols.Text(value.value)) != out.subtract) AddList(out, &value.ids);
    }
    return out;
  }
  AddMatching(out, *name, matcher, !out.subtract, symbols);
  return out;
}

std::vector<uint32_t> Union(const Resolved& resolved, uint32_t id_limit) {
  std::vector<uint32_t> out;
  if (resolved.lists.size() == 1) {
    resolved.lists[0]->AppendTo(out);
  } else if (resolved.total * 64 < id_limit) {
    for (const IdList* list : resolved.lists) list->AppendTo(out);
    // A series has one value of a label: no id comes twice.
    std::sort(out.begin(), out.end());
  } else {
    std::vector<uint64_t> bits((id_limit + 63) / 64);
    for (const IdList* list : resolved.lists) list->SetBits(bits);
    out.reserve(resolved.total);
    for (size_t word = 0; word < bits.size(); ++word) {
      for (uint64_t rest = bits[word]; rest != 0; rest &= rest - 1) {
        out.push_back(static_cast<uint32_t>(word * 64 + static_cast<size_t>(std::countr_zero(rest))));
      }
    }
  }
  return out;
}

// Looks at each candidate's own label instead of building a large set.
void FilterByLabel(const SeriesSources& sources, const Matcher& matcher, std::vector<uint32_t>& ids) {
  const auto name = sources.symbols.Find(matcher.name());
  SymbolId last_value{};
  bool last_known = false;
  bool last_matched = false;
  std::erase_if(ids, [&](uint32_t id) {
    const auto value = name ? sources.labels.Value(sources.series.cold(id).labels, *name) : std::nullopt;
    if (!value) return !matcher.MatchesEmpty();
    if (!last_known || *value != last_value) {
      last_value = *value;
      last_known = true;
      last_matched = matcher.Matches(sources.symbols.Text(*value));
    }
    return !last_matched;
  });
}

void Restrict(const SeriesSources& sources, const Resolved& resolved, uint32_t id_limit, std::vector<uint32_t>& ids) {
  if (resolved.lists.empty() && resolved.subtract) return;
  if (ids.size() * 4 < resolved.total) {
    FilterByLabel(sources, *resolved.matcher, ids);
    return;
  }
  const std::vector<uint32_t> other = Union(resolved, id_limit);
  std::vector<uint32_t> kept;
  if (resolved.subtract) {
    std::set_difference(ids.begin(), ids.end(), other.begin(), other.end(), std::back_inserter(kept));
  } else {
    std::set_intersection(ids.begin(), ids.end(), other.begin(), other.end(), std::back_inserter(kept));
  }
  ids.swap(kept);
}

}  // namespace

std::vector<uint32_t> SelectSeries(const SeriesSources& sources, std::span<const Matcher> matchers) {
  PostingsIndex::ReadLock index(sources.postings);
  for (const auto& matcher : matchers) {
    // Sorting gives the lock away for a moment, so it comes before anything is looked up.
    if (matcher.Prefix().empty() || !matcher.SetMatches().empty()) continue;
    if (const auto name = sources.symbols.Find(matcher.name())) index.SortedName(*name);
  }
  std::vector<Resolved> resolved;
  for (const auto& matcher : matchers) resolved.push_back(Resolve(matcher, index, sources.symbols));
  // The smallest set to keep first; what takes away last.
  std::sort(resolved.begin(), resolved.end(), [](const Resolved& a, const Resolved& b) {
    return a.subtract != b.subtract ? b.subtract : a.total < b.total;
  });
  std::vector<uint32_t> ids;
  size_t next = 0;
  if (!resolved.empty() && !resolved[0].subtract) {
    ids = Union(resolved[0], index.id_limit());
    next = 1;
  } else {
    index.all().AppendTo(ids);
  }
  for (; next < resolved.size() && !ids.empty(); ++next) Restrict(sources, resolved[next], index.id_limit(), ids);
  return ids;
}

}  // namespace epi::tsdb
