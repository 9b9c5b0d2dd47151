#include "tsdb/block/matcher_postings.h"

#include <algorithm>

namespace epi::tsdb {
namespace {

// Reading the labels of one series costs about as much as this many elements of a list.
constexpr size_t kSeriesCost = 64;

// The lists that one matcher names. Their union is what it selects or, when `inverted`, what it leaves out.
struct MatcherLists {
  const Matcher* matcher = nullptr;
  std::vector<uint64_t> offsets;
  size_t length = 0;  // of all lists together
  bool inverted = false;
};

void AddList(const IndexReader& index, uint64_t offset, MatcherLists& out) {
  out.offsets.push_back(offset);
  out.length += index.PostingsLength(offset);
}

void AddValue(const IndexReader& index, std::string_view name, std::string_view value, MatcherLists& out) {
  auto cursor = index.Values(name, value);
  if (cursor.Next() && cursor.value() == value) AddList(index, cursor.postings_offset(), out);
}

// All values `wanted` says yes to, beginning with `prefix`.
template <typename Wanted>
void AddValues(const IndexReader& index, std::string_view name, std::string_view prefix, Wanted wanted,
               MatcherLists& out) {
  auto cursor = index.Values(name, prefix);
  while (cursor.Next() && cursor.value().starts_with(prefix)) {
    if (wanted(cursor.value())) AddList(index, cursor.postings_offset(), out);
  }
}

// Values that a matcher of the positive kind (=, =~) accepts, for a matcher or for the positive twin of a negative one.
void AddAccepted(const IndexReader& index, const Matcher& m, bool negated, MatcherLists& out) {
  const bool regex = m.type() == MatchType::kRegexp || m.type() == MatchType::kNotRegexp;
  if (!regex) {
    AddValue(index, m.name(), m.value(), out);
    return;
  }
  if (const auto set = m.SetMatches(); !set.empty()) {
    for (const auto& value : set) AddValue(index, m.name(), value, out);
    return;
  }
  AddValues(
      index, m.name(), m.Prefix(), [&](std::string_view value) { return m.Matches(value) != negated; }, out);
}

// A matcher that accepts the empty value also selects series without the label, which no list names: so the lists are
// of what it refuses, and are left out.
MatcherLists ListsOf(const IndexReader& index, const Matcher& m) {
  MatcherLists out{.matcher = &m};
  out.inverted = m.MatchesEmpty();
  if (out.inverted == m.negative()) {
    // = and =~ that refuse the empty value, != and !~ that accept it: the lists are those of the expression itself.
    AddAccepted(index, m, m.negative(), out);
  } else {
    AddValues(
        index, m.name(), {}, [&](std::string_view value) { return m.Matches(value) != out.inverted; }, out);
  }
  return out;
}

Result<PostingsList> ReadUnion(const IndexReader& index, const MatcherLists& lists) {
  PostingsList out;
  if (lists.offsets.size() == 1) {
    EPI_TRY(index.ReadPostings(lists.offsets[0], out));
    return out;
  }
  PostingsList all;
  all.reserve(lists.length);
  std::vector<size_t> ends;
  for (const uint64_t offset : lists.offsets) {
    EPI_TRY(index.ReadPostings(offset, all));
    ends.push_back(all.size());
  }
  std::vector<PostingsView> views;
  size_t begin = 0;
  for (const size_t end : ends) {
    views.push_back(PostingsView(all).subspan(begin, end - begin));
    begin = end;
  }
  return MergePostings(views);
}

// Keeps those series whose own labels the matcher accepts.
Result<void> FilterBySeries(const IndexReader& index, const Matcher& m, PostingsList& refs) {
  IndexSeries series;
  size_t kept = 0;
  for (const BlockSeriesRef ref : refs) {
    EPI_TRY(index.Series(ref, series));
    std::string_view value;
    for (const auto& label : series.labels) {
      EPI_ASSIGN(const auto name, index.Symbol(label.name));
      if (name != m.name()) continue;
      EPI_ASSIGN(value, index.Symbol(label.value));
      break;
    }
    if (m.Matches(value)) refs[kept++] = ref;
  }
  refs.resize(kept);
  return {};
}

Result<void> Apply(const IndexReader& index, const MatcherLists& lists, PostingsList& refs) {
  if (refs.size() < lists.length / kSeriesCost) return FilterBySeries(index, *lists.matcher, refs);
  EPI_ASSIGN(const PostingsList other, ReadUnion(index, lists));
  refs = lists.inverted ? SubtractPostings(refs, other) : IntersectPostings({refs, other});
  return {};
}

}  // namespace

Result<PostingsList> PostingsForMatchers(const IndexReader& index, std::span<const Matcher> matchers) {
  std::vector<MatcherLists> lists;
  lists.reserve(matchers.size());
  for (const auto& m : matchers) {
    auto of = ListsOf(index, m);
    if (of.inverted && of.offsets.empty()) continue;  // leaves nothing out
    if (!of.inverted && of.offsets.empty()) return PostingsList{};
    lists.push_back(std::move(of));
  }
  // Selecting lists first, shortest first.
  std::sort(lists.begin(), lists.end(), [](const MatcherLists& a, const MatcherLists& b) {
    return a.inverted != b.inverted ? b.inverted : a.length < b.length;
  });
  PostingsList refs;
  size_t next = 0;
  if (!lists.empty() && !lists[0].inverted) {
    EPI_ASSIGN(refs, ReadUnion(index, lists[0]));
    next = 1;
  } else {
    EPI_ASSIGN(refs, index.AllPostings());
  }
  for (; next < lists.size() && !refs.empty(); ++next) EPI_TRY(Apply(index, lists[next], refs));
  return refs;
}

}  // namespace epi::tsdb
