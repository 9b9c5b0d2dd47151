#include "tsdb/head/view_symbols.h"

#include <mutex>

namespace epi::tsdb {

std::string_view ViewSymbols::Text(SymbolId id) const {
  const auto number = static_cast<uint32_t>(id);
  if (number < SymbolTable::kMaxSymbols) return table_.Text(id);
  const std::shared_lock<std::shared_mutex> lock(mutex_);
  return own_[number - SymbolTable::kMaxSymbols];
}

std::optional<SymbolId> ViewSymbols::Find(std::string_view text) const {
  if (const auto id = table_.FindAsOf(text, moment_)) return id;
  const std::shared_lock<std::shared_mutex> lock(mutex_);
  const auto found = own_by_text_.find(text);
  if (found == own_by_text_.end()) return std::nullopt;
  return SymbolId{SymbolTable::kMaxSymbols + found->second};
}

SymbolId ViewSymbols::Intern(std::string_view text) const {
  if (const auto found = Find(text)) return *found;
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  if (const auto found = own_by_text_.find(text); found != own_by_text_.end()) {
    return SymbolId{SymbolTable::kMaxSymbols + found->second};
  }
  const auto index = static_cast<uint32_t>(own_.size());
  own_.emplace_back(text);
  own_by_text_.emplace(own_.back(), index);
  return SymbolId{SymbolTable::kMaxSymbols + index};
}

}  // namespace epi::tsdb
