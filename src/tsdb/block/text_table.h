// Text as dense small integers, in the order of first sight.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string_view>
#include <vector>

#include "storage/symbols.h"

namespace epi::tsdb {

// Not thread-safe. Text stays valid as long as the table.
class TextTable {
 public:
  uint32_t Intern(std::string_view text);
  std::optional<uint32_t> Find(std::string_view text) const;
  std::string_view Text(uint32_t id) const { return texts_[id]; }
  size_t size() const { return texts_.size(); }

 private:
  static constexpr size_t kBlockBytes = 64 << 10;
  size_t SlotOf(std::string_view text) const;
  void Grow();
  std::string_view Keep(std::string_view text);

  std::vector<std::string_view> texts_;
  std::vector<uint32_t> slots_;  // id + 1, 0 = free; size a power of two
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* free_ = nullptr;
  size_t free_bytes_ = 0;
};

// A space of its own, for tools and tests that read blocks without a head. Thread-safe.
class LocalSymbols final : public SymbolSpace {
 public:
  std::string_view Text(SymbolId id) const override;
  SymbolId Intern(std::string_view text) const override;
  std::optional<SymbolId> Find(std::string_view text) const override;

 private:
  mutable std::shared_mutex mutex_;
  mutable TextTable table_;  // guarded by mutex_
};

}  // namespace epi::tsdb
