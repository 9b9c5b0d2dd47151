// Series of the head that a query selected, and their samples.
#pragma once

#include <memory>
#include <vector>

#include "base/budget.h"
#include "storage/view.h"
#include "tsdb/head/head_view.h"

namespace epi::tsdb {

// The view outlives it.
class HeadSelection final : public SeriesSelection {
 public:
  static Result<std::unique_ptr<HeadSelection>> Make(const HeadView& view, std::vector<uint32_t> ids,
                                                     const SelectHints& hints, Budget& budget);
  std::span<const uint32_t> ids(size_t first, size_t count) const { return std::span(ids_).subspan(first, count); }
  size_t size() const override { return ids_.size(); }
  LabelTuple labels(size_t index) const override {
    return LabelTuple(labels_).subspan(label_at_[index], label_at_[index + 1] - label_at_[index]);
  }
  Result<void> Read(size_t first, size_t count, SeriesBatch& batch) const override;

 private:
  HeadSelection(const HeadView& view, TimeRange range, Budget& budget) : view_(view), range_(range), charge_(budget) {}
  void SortByLabels();

  const HeadView& view_;
  const TimeRange range_;
  BudgetCharge charge_;
  std::vector<uint32_t> ids_;
  std::vector<LabelSymbols> labels_;
  std::vector<uint32_t> label_at_{0};  // offsets into labels_, one more than series
};

}  // namespace epi::tsdb
