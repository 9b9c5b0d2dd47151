// Head and blocks as one view.
#pragma once

#include <memory>
#include <vector>

#include "storage/view.h"
#include "tsdb/compact/block_store.h"
#include "tsdb/head/head_view.h"

namespace epi::tsdb {

// The head is pinned before the list of blocks is taken, so what moves from one to the other meanwhile is in both,
// never in none. The head outlives the view.
class DbView final : public View {
 public:
  DbView(const Head& head, const BlockStore& blocks, TimeRange range);
  Result<std::unique_ptr<SeriesSelection>> Select(std::span<const Matcher> matchers, const SelectHints& hints,
                                                  Budget& budget) const override;
  Result<std::vector<std::string>> LabelValues(std::string_view name, std::span<const Matcher> matchers, size_t limit,
                                               Budget& budget) const override;
  Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers, size_t limit,
                                              Budget& budget) const override;
  Result<std::vector<SeriesExemplars>> Exemplars(std::span<const std::vector<Matcher>> matcher_sets,
                                                 TimeRange range) const override;
  const SymbolSpace& symbols() const override { return head_.symbols(); }
  bool OrderedByLabels(TimeRange range) const override;
  bool MayHoldHistograms() const override;

 private:
  bool ReachesHead(TimeRange range) const;
  bool ShowsHeadNames() const;

  HeadView head_;
  TimestampMs head_min_time_, head_max_time_;
  TimeRange range_;
  BlockList blocks_;  // those that overlap the range
};

}  // namespace epi::tsdb
