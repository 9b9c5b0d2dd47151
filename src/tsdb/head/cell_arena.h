// Memory for the bit streams of a group's open phase: 32-byte cells in pages, given up all at once at a seal. Groups
// seal at different times, so pages go back to the allocator, for the groups that grow meanwhile.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace epi::tsdb {

struct Cell {
  std::array<uint32_t, 7> words;
  uint32_t next;
};
static_assert(sizeof(Cell) == 32);

// Not thread-safe: the group's lock covers it. Cells are named by offset.
class CellArena {
 public:
  static constexpr uint32_t kNone = 0xffffffff;
  static constexpr uint32_t kCellBits = 7 * 32;

  // A zeroed cell.
  uint32_t Allocate() {
    if (used_ == pages_.size() << kPageBits) pages_.push_back(std::make_unique<Page>());
    const uint32_t at = used_++;
    Cell& cell = (*this)[at];
    cell.words.fill(0);
    cell.next = kNone;
    return at;
  }
  Cell& operator[](uint32_t at) { return (*pages_[at >> kPageBits])[at & (kPageCells - 1)]; }
  const Cell& operator[](uint32_t at) const { return (*pages_[at >> kPageBits])[at & (kPageCells - 1)]; }
  // Appends the payload of a stream of `bits` bits that starts at cell `first`, rounded up to bytes.
  void CopyStream(uint32_t first, uint32_t bits, std::string& out) const {
    size_t left = (bits + 7) / 8;
    for (uint32_t at = first; left > 0; at = (*this)[at].next) {
      const size_t take = left < sizeof(Cell::words) ? left : sizeof(Cell::words);
      out.append(reinterpret_cast<const char*>((*this)[at].words.data()), take);
      left -= take;
    }
  }
  // What a stream of `bits` bits takes.
  static size_t StreamBytes(uint32_t bits) { return (bits + kCellBits - 1) / kCellBits * sizeof(Cell); }
  uint32_t used() const { return used_; }
  // Appends all cells as they lie.
  void AppendTo(std::string& out) const {
    uint32_t left = used_;
    for (const auto& page : pages_) {
      const uint32_t take = left < kPageCells ? left : kPageCells;
      out.append(reinterpret_cast<const char*>(page->data()), take * sizeof(Cell));
      left -= take;
    }
  }
  // The inverse: `cells` cells from `from`, in place of what was there. What `next` says is not looked at.
  void Assign(const char* from, uint32_t cells) {
    Reset();
    pages_.reserve((cells + kPageCells - 1) >> kPageBits);
    while (used_ < cells) {
      const uint32_t take = cells - used_ < kPageCells ? cells - used_ : kPageCells;
      pages_.push_back(std::make_unique<Page>());
      std::memcpy(static_cast<void*>(pages_.back()->data()), from + size_t{used_} * sizeof(Cell), take * sizeof(Cell));
      used_ += take;
    }
  }
  // Forgets all cells.
  void Reset() {
    std::vector<std::unique_ptr<Page>>().swap(pages_);
    used_ = 0;
  }
  size_t used_bytes() const { return size_t{used_} * sizeof(Cell); }
  size_t bytes() const { return pages_.size() * sizeof(Page) + pages_.capacity() * sizeof(void*); }

 private:
  static constexpr unsigned kPageBits = 5;
  static constexpr uint32_t kPageCells = 1u << kPageBits;
  using Page = std::array<Cell, kPageCells>;
  std::vector<std::unique_ptr<Page>> pages_;
  uint32_t used_ = 0;
};

}  // namespace epi::tsdb
