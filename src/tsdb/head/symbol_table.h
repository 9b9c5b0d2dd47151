// Label text of the whole database as dense ids.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/symbols.h"
#include "tsdb/head/paged_array.h"

namespace epi::tsdb {

// Thread-safe. Equal text has one id. Text lives as long as the table.
class SymbolTable {
 public:
  // Ids from here on belong to views (storage/symbols.h), never to this table.
  static constexpr uint32_t kMaxSymbols = 0x80000000;

  SymbolTable();
  SymbolId Intern(std::string_view text);
  std::optional<SymbolId> Find(std::string_view text) const;
  // Lock-free. `id` is below count().
  std::string_view Text(SymbolId id) const;
  // Every id below is handed out.
  uint32_t count() const { return static_cast<uint32_t>(texts_.size()); }
  // Gives `text` the id it had before a restart. Ids that were lost in between stay unused. kDataLoss when the id or
  // the text is taken otherwise.
  Result<void> Restore(SymbolId id, std::string_view text);
  size_t bytes() const;

 private:
  struct Slot {
    uint32_t tag = 0;
    uint32_t id_plus_one = 0;  // 0 = free
  };
  // Where `text` is, or the free slot where it goes. Requires mutex_.
  size_t Probe(std::string_view text, uint64_t hash) const;
  const char* Store(std::string_view text);
  void Place(std::string_view text, uint64_t hash, uint32_t id);
  void GrowSlots();

  PagedArray<const char*, 14, 8192> texts_;  // each: LEB128 length, text; null = unused id
  mutable std::shared_mutex mutex_;
  std::vector<Slot> slots_;                     // guarded by mutex_; open addressing, power of two
  size_t used_ = 0;                             // guarded by mutex_
  std::vector<std::unique_ptr<char[]>> arena_;  // guarded by mutex_
  size_t arena_left_ = 0;                       // guarded by mutex_
  char* arena_at_ = nullptr;                    // guarded by mutex_
  size_t arena_bytes_ = 0;                      // guarded by mutex_
};

}  // namespace epi::tsdb
