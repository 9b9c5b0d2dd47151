// The symbols of one view: the database's as they were when the view opened, and the view's own beside them.
#pragma once

#include <deque>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tsdb/head/symbol_table.h"

namespace epi::tsdb {

// Thread-safe. A text that the database learns after the view opened is the view's own symbol here, so that equal ids
// and equal text stay the same thing; series with such a symbol are younger than the view and are not part of it. The
// head pins `moment` as long as the view lives, so that what the view knows is not released.
class ViewSymbols final : public SymbolSpace {
 public:
  ViewSymbols(const SymbolTable& table, SymbolTable::Moment moment) : table_(table), moment_(moment) {}
  std::string_view Text(SymbolId id) const override;
  SymbolId Intern(std::string_view text) const override;
  std::optional<SymbolId> Find(std::string_view text) const override;
  // Whether a symbol of the database belongs to this view.
  bool Knows(SymbolId id) const { return table_.KnownAt(id, moment_); }
  const SymbolTable& table() const { return table_; }

 private:
  const SymbolTable& table_;
  const SymbolTable::Moment moment_;
  mutable std::shared_mutex mutex_;
  mutable std::deque<std::string> own_;                                 // guarded by mutex_; id = kMaxSymbols + index
  mutable std::unordered_map<std::string_view, uint32_t> own_by_text_;  // guarded by mutex_; views into own_
};

}  // namespace epi::tsdb
