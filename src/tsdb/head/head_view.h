// The head at one commit number.
#pragma once

#include <memory>
#include <vector>

#include "storage/view.h"
#include "tsdb/head/head.h"
#include "tsdb/head/view_symbols.h"

namespace epi::tsdb {

// Pins its commit number until it is destroyed. The head outlives it.
class HeadView final : public View {
 public:
  // `symbols` is shared with the views of blocks that are read together with this one; null: its own.
  HeadView(const Head& head, TimeRange range, std::shared_ptr<const ViewSymbols> symbols = nullptr);
  ~HeadView() override;
  Result<std::unique_ptr<SeriesSelection>> Select(std::span<const Matcher> matchers, const SelectHints& hints,
                                                  Budget& budget) const override;
  Result<std::vector<std::string>> LabelValues(std::string_view name, std::span<const Matcher> matchers, size_t limit,
                                               Budget& budget) const override;
  Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers, size_t limit,
                                              Budget& budget) const override;
  Result<std::vector<SeriesExemplars>> Exemplars(std::span<const std::vector<Matcher>> matcher_sets,
                                                 TimeRange range) const override;
  const SymbolSpace& symbols() const override { return *symbols_; }

  const Head& head() const { return head_; }
  uint64_t visible() const { return visible_; }
  // Samples in order before it are not read: they are in a block.
  TimestampMs clip() const { return clip_; }

 private:
  std::vector<uint32_t> Match(std::span<const Matcher> matchers) const;

  const Head& head_;
  const TimeRange range_;
  // Order matters: the number is pinned before the symbols are counted, so that every series it covers has known
  // symbols.
  const uint64_t visible_;
  const TimestampMs clip_;
  const std::shared_ptr<const ViewSymbols> symbols_;
};

}  // namespace epi::tsdb
