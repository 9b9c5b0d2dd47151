// Which series of a block match: matchers over the index's postings, with Prometheus's meaning of the empty value.
#pragma once

#include <span>

#include "base/result.h"
#include "model/matcher.h"
#include "tsdb/block/index_reader.h"

namespace epi::tsdb {

// Series that match all of `matchers`, in the order of the index; all series for none. A matcher is asked once for each
// distinct value of its label that its literal prefix or set leaves in question. Lists are intersected from the
// shortest; one that is much longer than what is left is never read: the labels of the few series are looked at
// instead.
Result<PostingsList> PostingsForMatchers(const IndexReader& index, std::span<const Matcher> matchers);

}  // namespace epi::tsdb
