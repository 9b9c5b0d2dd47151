// Label sets of series in a few bytes each.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "storage/symbols.h"
#include "tsdb/head/paged_array.h"

namespace epi::tsdb {

// A tuple is stored as (template, which values differ, those values): series of one target with the same label names
// differ in one to three values, so 1M series take about 10 bytes each. Decoding is lock-free; adding is serialised
// inside.
class LabelStore {
 public:
  using Offset = uint32_t;

  LabelStore();
  // `family` groups sets that are likely alike (the series group's id). Nothing when the 4 GiB of tuples are used up.
  std::optional<Offset> Add(uint32_t family, LabelTuple tuple);
  // Appends the labels to `out`. `offset` came from Add and was published to this thread.
  void Decode(Offset offset, std::vector<LabelSymbols>& out) const;
  // The value of one label; nothing when absent.
  std::optional<SymbolId> Value(Offset offset, SymbolId name) const;
  // Gives the bytes back for later tuples. Nobody may decode `offset` any more.
  void Free(Offset offset);
  size_t bytes() const;

 private:
  static constexpr unsigned kPageBits = 16;
  struct Template {
    std::unique_ptr<LabelSymbols[]> labels;
    uint32_t count = 0;
    uint32_t family = 0;
    uint32_t uses = 0;  // tuples that refer to it
  };
  using Recent = std::array<uint32_t, 4>;  // template numbers plus one, newest first
  const uint8_t* At(Offset offset) const { return &pages_[offset >> kPageBits][offset & ((1u << kPageBits) - 1)]; }
  uint32_t ChooseTemplate(uint32_t family, LabelTuple tuple);
  uint32_t AddTemplate(uint32_t family, LabelTuple tuple);
  void DropTemplate(uint32_t number);
  std::optional<Offset> Place(const uint8_t* bytes, size_t size);

  PagedArray<Template, 12, 16384> templates_;
  PagedArray<std::unique_ptr<uint8_t[]>, 6, 1024> pages_;
  mutable std::mutex mutex_;
  boost::unordered_flat_map<uint64_t, Recent> recent_;  // guarded by mutex_; by family and names
  std::vector<std::vector<Offset>> free_;               // guarded by mutex_; by size
  std::vector<uint32_t> free_templates_;                // guarded by mutex_
  size_t page_used_ = size_t{1} << kPageBits;           // guarded by mutex_
  size_t template_bytes_ = 0;                           // guarded by mutex_
};

}  // namespace epi::tsdb
