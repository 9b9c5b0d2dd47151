// Sets of series references as sorted lists.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace epi::tsdb {

// A series of a block's index: offset in units of 16 bytes (index version 1: the offset itself).
using BlockSeriesRef = uint32_t;
// Ascending, no duplicates.
using PostingsList = std::vector<BlockSeriesRef>;
using PostingsView = std::span<const BlockSeriesRef>;

// The first position from `from` on whose element is not below `ref`. Gallops, so a merge of lists of very different
// length costs the shorter one times a logarithm.
size_t SeekPostings(PostingsView list, size_t from, BlockSeriesRef ref);

// In all of the lists; nothing for no lists. Walks from the shortest.
PostingsList IntersectPostings(std::vector<PostingsView> lists);
// In any of the lists.
PostingsList MergePostings(std::span<const PostingsView> lists);
// In `from` but not in `drop`.
PostingsList SubtractPostings(PostingsView from, PostingsView drop);
// Whether the lists have an element in common.
bool PostingsMeet(PostingsView a, PostingsView b);

}  // namespace epi::tsdb
