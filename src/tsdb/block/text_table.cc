#include "tsdb/block/text_table.h"

#include <cstring>

#include "base/xxhash64.h"

namespace epi::tsdb {

size_t TextTable::SlotOf(std::string_view text) const {
  size_t slot = XxHash64(text) & (slots_.size() - 1);
  while (slots_[slot] != 0 && texts_[slots_[slot] - 1] != text) slot = (slot + 1) & (slots_.size() - 1);
  return slot;
}

void TextTable::Grow() {
  slots_.assign(slots_.empty() ? 64 : slots_.size() * 2, 0);
  for (uint32_t id = 0; id < texts_.size(); ++id) slots_[SlotOf(texts_[id])] = id + 1;
}

std::string_view TextTable::Keep(std::string_view text) {
  if (text.empty()) return {};
  if (text.size() > free_bytes_) {
    const size_t size = std::max(kBlockBytes, text.size());
    blocks_.push_back(std::make_unique<char[]>(size));
    free_ = blocks_.back().get();
    free_bytes_ = size;
  }
  std::memcpy(free_, text.data(), text.size());
  const std::string_view kept(free_, text.size());
  free_ += text.size();
  free_bytes_ -= text.size();
  return kept;
}

uint32_t TextTable::Intern(std::string_view text) {
  if (texts_.size() * 4 >= slots_.size() * 3) Grow();
  const size_t slot = SlotOf(text);
  if (slots_[slot] == 0) {
    texts_.push_back(Keep(text));
    slots_[slot] = static_cast<uint32_t>(texts_.size());
  }
  return slots_[slot] - 1;
}

std::optional<uint32_t> TextTable::Find(std::string_view text) const {
  if (slots_.empty()) return std::nullopt;
  const uint32_t found = slots_[SlotOf(text)];
  if (found == 0) return std::nullopt;
  return found - 1;
}

std::string_view LocalSymbols::Text(SymbolId id) const {
  const std::shared_lock lock(mutex_);
  return table_.Text(static_cast<uint32_t>(id));
}

SymbolId LocalSymbols::Intern(std::string_view text) const {
  if (const auto known = Find(text)) return *known;
  const std::unique_lock lock(mutex_);
  return static_cast<SymbolId>(table_.Intern(text));
}

std::optional<SymbolId> LocalSymbols::Find(std::string_view text) const {
  const std::shared_lock lock(mutex_);
  const auto id = table_.Find(text);
  if (!id) return std::nullopt;
  return static_cast<SymbolId>(*id);
}

}  // namespace epi::tsdb
