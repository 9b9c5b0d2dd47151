#include "tsdb/block/postings.h"

#include <algorithm>

namespace epi::tsdb {
namespace {

// Union by marking: for sets that fill a good part of their range.
PostingsList MergeByBitmap(std::span<const PostingsView> lists, BlockSeriesRef max, size_t total) {
  std::vector<uint64_t> marks(static_cast<size_t>(max) / 64 + 1, 0);
  for (const auto list : lists)
    for (const BlockSeriesRef ref : list) marks[ref / 64] |= uint64_t{1} << (ref % 64);
  PostingsList out;
  out.reserve(total);
  for (size_t word = 0; word < marks.size(); ++word) {
    for (uint64_t bits = marks[word]; bits != 0; bits &= bits - 1) {
      out.push_back(static_cast<BlockSeriesRef>(word * 64 + static_cast<size_t>(__builtin_ctzll(bits))));
    }
  }
  return out;
}

}  // namespace

size_t SeekPostings(PostingsView list, size_t from, BlockSeriesRef ref) {
  if (from >= list.size() || list[from] >= ref) return std::min(from, list.size());
  size_t step = 1;
  size_t low = from;  // list[low] < ref
  while (low + step < list.size() && list[low + step] < ref) {
    low += step;
    step *= 2;
  }
  const size_t high = std::min(low + step, list.size());
  const auto at = list.begin();
  return static_cast<size_t>(
      std::lower_bound(at + static_cast<ptrdiff_t>(low) + 1, at + static_cast<ptrdiff_t>(high), ref) - at);
}

PostingsList IntersectPostings(std::vector<PostingsView> lists) {
  if (lists.empty()) return {};
  std::sort(lists.begin(), lists.end(), [](PostingsView a, PostingsView b) { return a.size() < b.size(); });
  PostingsList out(lists[0].begin(), lists[0].end());
  for (size_t i = 1; i < lists.size() && !out.empty(); ++i) {
    size_t kept = 0;
    size_t at = 0;
    for (const BlockSeriesRef ref : out) {
      at = SeekPostings(lists[i], at, ref);
      if (at == lists[i].size()) break;
      if (lists[i][at] == ref) out[kept++] = ref;
    }
    out.resize(kept);
  }
  return out;
}

PostingsList MergePostings(std::span<const PostingsView> lists) {
  size_t total = 0;
  BlockSeriesRef max = 0;
  for (const auto list : lists) {
    total += list.size();
    if (!list.empty()) max = std::max(max, list.back());
  }
  if (total > 64 && total > static_cast<size_t>(max) / 64) return MergeByBitmap(lists, max, total);
  PostingsList out;
  out.reserve(total);
  for (const auto list : lists) out.insert(out.end(), list.begin(), list.end());
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

PostingsList SubtractPostings(PostingsView from, PostingsView drop) {
  PostingsList out;
  out.reserve(from.size());
  size_t at = 0;
  for (const BlockSeriesRef ref : from) {
    at = SeekPostings(drop, at, ref);
    if (at == drop.size() || drop[at] != ref) out.push_back(ref);
  }
  return out;
}

bool PostingsMeet(PostingsView a, PostingsView b) {
  if (a.size() > b.size()) std::swap(a, b);
  size_t at = 0;
  for (const BlockSeriesRef ref : a) {
    at = SeekPostings(b, at, ref);
    if (at == b.size()) return false;
    if (b[at] == ref) return true;
  }
  return false;
}

}  // namespace epi::tsdb
