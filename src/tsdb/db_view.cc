#include "tsdb/db_view.h"

#include <algorithm>

#include "tsdb/block/merge_selections.h"

namespace epi::tsdb {

DbView::DbView(const Head& head, const BlockStore& blocks, TimeRange range)
    : head_(head), head_min_time_(head.min_time()), head_max_time_(head.max_time()), range_(range) {
  const auto list = blocks.blocks();
  for (const auto& block : *list) {
    if (block->range().Overlaps(range)) blocks_.push_back(block);
  }
}

// Late samples may be older than the head's oldest one in order; they count as the head's oldest when they come.
bool DbView::ReachesHead(TimeRange range) const {
  return range.max >= head_min_time_ || head_.head().out_of_order_window() > 0;
}

// Names are not looked up series by series: those of the whole head count, or none.
bool DbView::ShowsHeadNames() const { return ReachesHead(range_) && range_.min <= head_max_time_; }

bool DbView::OrderedByLabels(TimeRange range) const {
  return std::any_of(blocks_.begin(), blocks_.end(), [&](const auto& block) { return block->range().Overlaps(range); });
}

bool DbView::MayHoldHistograms() const {
  // A block whose counts do not add up comes from a time before there were any.
  return head_.MayHoldHistograms() || std::any_of(blocks_.begin(), blocks_.end(), [](const auto& block) {
           const BlockStats& stats = block->meta().stats;
           return stats.float_samples != stats.samples;
         });
}

Result<std::unique_ptr<SeriesSelection>> DbView::Select(std::span<const Matcher> matchers, const SelectHints& hints,
                                                        Budget& budget) const {
  BlockList overlapping;
  std::copy_if(blocks_.begin(), blocks_.end(), std::back_inserter(overlapping),
               [&](const auto& block) { return block->range().Overlaps(hints.range); });
  const bool reaches_head = ReachesHead(hints.range);
  if (overlapping.empty()) {
    if (!reaches_head) return std::make_unique<EmptySelection>();
    return head_.Select(matchers, hints, budget);
  }
  std::vector<std::unique_ptr<SeriesSelection>> inputs;
  SelectHints sorted = hints;
  sorted.sorted = true;
  // The first of several samples with one time is kept: the head's, then the newest block's.
  if (reaches_head) {
    EPI_ASSIGN(auto selection, head_.Select(matchers, sorted, budget));
    if (selection->size() > 0) inputs.push_back(std::move(selection));
  }
  for (auto block = overlapping.rbegin(); block != overlapping.rend(); ++block) {
    EPI_ASSIGN(auto selection, (*block)->Select(matchers, sorted, head_.symbols(), budget));
    if (selection->size() > 0 || (inputs.empty() && block + 1 == overlapping.rend()))
      inputs.push_back(std::move(selection));
  }
  if (inputs.size() == 1) return std::move(inputs.front());
  return MergeSelections(std::move(inputs), head_.symbols());
}

Result<std::vector<std::string>> DbView::LabelValues(std::string_view name, std::span<const Matcher> matchers,
                                                     size_t limit, Budget& budget) const {
  std::vector<std::vector<std::string>> lists;
  if (ShowsHeadNames()) {
    EPI_ASSIGN(lists.emplace_back(), head_.LabelValues(name, matchers, limit, budget));
  }
  for (const auto& block : blocks_) {
    EPI_ASSIGN(lists.emplace_back(), block->LabelValues(name, matchers, limit));
  }
  return lists.size() == 1 ? std::move(lists[0]) : MergeSortedTexts(std::move(lists), limit);
}

Result<std::vector<std::string>> DbView::LabelNames(std::span<const Matcher> matchers, size_t limit,
                                                    Budget& budget) const {
  std::vector<std::vector<std::string>> lists;
  if (ShowsHeadNames()) {
    EPI_ASSIGN(lists.emplace_back(), head_.LabelNames(matchers, limit, budget));
  }
  for (const auto& block : blocks_) {
    EPI_ASSIGN(lists.emplace_back(), block->LabelNames(matchers, limit));
  }
  return lists.size() == 1 ? std::move(lists[0]) : MergeSortedTexts(std::move(lists), limit);
}

Result<std::vector<View::SeriesExemplars>> DbView::Exemplars(std::span<const std::vector<Matcher>> matcher_sets,
                                                             TimeRange range) const {
  return head_.Exemplars(matcher_sets, range);
}

}  // namespace epi::tsdb
