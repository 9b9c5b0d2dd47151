// The head at one commit number.
#pragma once

#include <memory>
#include <vector>

#include "storage/view.h"
#include "tsdb/head/head.h"
#include "tsdb/head/view_symbols.h"

namespace epi::tsdb {

class HeadSelection;

// Pins its commit number until it is destroyed. The head outlives it.
class HeadView final : public View {
 public:
  explicit HeadView(const Head& head);
  // The same for others that read beside this view.
  const ViewSymbols& view_symbols() const { return symbols_; }
  ~HeadView() override;
  Result<std::unique_ptr<SeriesSelection>> Select(std::span<const Matcher> matchers, const SelectHints& hints,
                                                  Budget& budget) const override;
  // Every series that may have a sample in hints.range.
  Result<std::unique_ptr<HeadSelection>> SelectAll(const SelectHints& hints, Budget& budget) const;
  Result<std::vector<std::string>> LabelValues(std::string_view name, std::span<const Matcher> matchers, size_t limit,
                                               Budget& budget) const override;
  Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers, size_t limit,
                                              Budget& budget) const override;
  Result<std::vector<SeriesExemplars>> Exemplars(std::span<const std::vector<Matcher>> matcher_sets,
                                                 TimeRange range) const override;
  const SymbolSpace& symbols() const override { return symbols_; }
  // Whether any series of the head has had one since the start.
  bool MayHoldHistograms() const override;

  const Head& head() const { return head_; }
  uint64_t visible() const { return moment_.visible; }
  // Samples in order before it are not read: they are in a block.
  TimestampMs clip() const { return moment_.clip; }

 private:
  Result<std::unique_ptr<HeadSelection>> SelectIds(const std::vector<uint32_t>& ids, const SelectHints& hints,
                                                   Budget& budget) const;
  std::vector<uint32_t> Match(std::span<const Matcher> matchers) const;
  std::vector<SymbolId> ValuesOf(SymbolId name, std::span<const uint32_t> series) const;

  const Head& head_;
  // The number is pinned before the moment of the symbols is taken, so that every series it covers has known symbols.
  const Head::Moment moment_;
  const ViewSymbols symbols_;
};

}  // namespace epi::tsdb
