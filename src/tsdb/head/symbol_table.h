// Label text of the whole database as dense ids.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/symbols.h"
#include "tsdb/head/paged_array.h"

namespace epi::tsdb {

// Thread-safe. Equal text has one id among the living. A symbol that nobody uses any more is retired: it is not found
// from then on, except by views that are older, for which it still is what it was. When those are gone its id and its
// bytes are released and used again. Moments order births, retirements and views.
class SymbolTable {
 public:
  // Ids from here on belong to views (storage/symbols.h), never to this table.
  static constexpr uint32_t kMaxSymbols = 0x80000000;
  using Moment = uint64_t;

  SymbolTable();
  // Requires !full().
  SymbolId Intern(std::string_view text);
  // Whether no room is left for some more symbols.
  bool full() const;
  std::optional<SymbolId> Find(std::string_view text) const;
  // The symbol that a view of `moment` means by `text`.
  std::optional<SymbolId> FindAsOf(std::string_view text, Moment moment) const;
  // Lock-free. `id` was handed out and is not released.
  std::string_view Text(SymbolId id) const;
  // Every id below was handed out at some time.
  uint32_t count() const { return static_cast<uint32_t>(entries_.size()); }
  // Gives `text` the id it had before a restart. Ids that were lost in between stay unused. A symbol that has another
  // text until then has been released and is forgotten. kDataLoss when the text has another id.
  Result<void> Restore(SymbolId id, std::string_view text);
  // Between Restores: the id was given up before the restart, and has no text until it is restored again.
  void Forget(SymbolId id);
  // After the last Restore: ids without text may be handed out.
  void FinishRestore();

  // The latest birth. Views that begin now know all symbols born up to it.
  Moment now() const { return clock_.load(std::memory_order_acquire); }
  // A new moment: what happened until here is before it.
  Moment Advance();
  bool KnownAt(SymbolId id, Moment moment) const;

  // --- reclaiming; one caller at a time ---
  // From here on Intern remembers which symbols it hands out: Retire spares them. Whoever interns and then uses the
  // symbols must not be between the two.
  void BeginRetiring();
  // Retires the symbols that are not set in `used` (by id) and were not interned since BeginRetiring. How many. Views
  // of moments before retired_at() may go on to name them. Requires that nothing is retired.
  size_t Retire(const std::vector<bool>& used);
  bool has_retired() const { return !retired_.empty(); }
  Moment retired_at() const { return retired_at_; }
  // The ids and bytes of what is retired may be used again: no view is older than retired_at(), and nobody else reads
  // their texts. The ids that are free now. Text moves away from pages that have become empty for the most part.
  std::vector<uint32_t> ReleaseRetired();
  // Pages that text moved away from: readers of moments before abandoned_at() may still be on them.
  bool has_abandoned() const { return !abandoned_.empty(); }
  Moment abandoned_at() const { return abandoned_at_; }
  void FreeAbandoned();

  struct Usage {
    size_t bytes = 0;    // all
    size_t text = 0;     // of texts in use
    size_t symbols = 0;  // in use
    size_t retired = 0;  // symbols
  };
  Usage usage() const;
  size_t bytes() const { return usage().bytes; }

 private:
  struct Slot {
    uint32_t tag = 0;
    uint32_t id_plus_one = 0;  // 0 = free
  };
  struct Page {
    std::unique_ptr<char[]> bytes;
    uint32_t size = 0;  // allocated
    uint32_t used = 0;
    uint32_t live = 0;
  };
  static constexpr unsigned kPageBits = 16;
  static uint32_t Offset(uint64_t entry) { return static_cast<uint32_t>(entry); }
  static uint32_t Birth(uint64_t entry) { return static_cast<uint32_t>(entry >> 32); }
  static uint64_t Entry(uint32_t birth, uint32_t offset) { return uint64_t{birth} << 32 | offset; }
  std::string_view TextAt(uint32_t offset) const;
  size_t StoredSize(uint32_t offset) const;
  // Where `text` is, or the free slot where it goes. Requires mutex_.
  size_t Probe(std::string_view text, uint32_t tag) const;
  uint32_t NewPage(size_t size);
  uint32_t Allocate(size_t size);
  uint32_t Store(std::string_view text);
  void Drop(uint32_t offset);
  void Place(uint32_t tag, uint32_t id);
  void Unlink(uint32_t tag, uint32_t id);
  Moment AdvanceLocked() { return clock_.fetch_add(1, std::memory_order_acq_rel) + 1; }
  // Where a tag belongs: slots lie in the order of their tags, so any number of slots will do.
  size_t Home(uint32_t tag) const { return (uint64_t{tag} * slots_.size()) >> 32; }
  size_t Next(size_t at) const { return at + 1 == slots_.size() ? 0 : at + 1; }
  size_t Distance(size_t from, size_t to) const { return to >= from ? to - from : to + slots_.size() - from; }
  void ResizeSlots(size_t size);
  void MoveAwayFromEmptyPages();

  PagedArray<std::atomic<uint64_t>, 14, 8192> entries_;  // by id: birth and offset of the text; offset 0 = none
  PagedArray<Page, 8, 256> pages_;                       // elements guarded by mutex_, but for `bytes`
  std::atomic<Moment> clock_{1};                         // changes under mutex_
  mutable std::shared_mutex mutex_;
  std::vector<Slot> slots_;           // guarded by mutex_; open addressing
  size_t used_ = 0;                   // guarded by mutex_
  std::vector<uint32_t> free_ids_;    // guarded by mutex_
  std::vector<uint32_t> free_pages_;  // guarded by mutex_
  uint32_t filling_ = 0;              // guarded by mutex_; the page that texts are added to
  size_t page_bytes_ = 0;             // guarded by mutex_
  size_t live_bytes_ = 0;             // guarded by mutex_
  bool retiring_ = false;             // guarded by mutex_
  std::vector<uint32_t> spared_;      // guarded by mutex_; interned since BeginRetiring
  std::vector<Slot> retired_;         // guarded by mutex_; by tag
  Moment retired_at_ = 0;             // guarded by mutex_ for writing; max while retiring
  std::vector<uint32_t> abandoned_;   // owned by whoever reclaims; pages
  Moment abandoned_at_ = 0;           // likewise
};

}  // namespace epi::tsdb
