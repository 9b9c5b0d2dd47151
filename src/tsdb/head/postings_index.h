// Which series have which label: per name its values, per value the ids.
#pragma once

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <span>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "model/matcher.h"
#include "storage/symbols.h"
#include "tsdb/head/fair_shared_mutex.h"
#include "tsdb/head/id_list.h"
#include "tsdb/head/view_symbols.h"

namespace epi::tsdb {

// One label name. Not thread-safe by itself: PostingsIndex's lock covers it.
class NamePostings {
 public:
  struct Value {
    SymbolId value{};
    IdList ids;
  };
  explicit NamePostings(SymbolId name) : name_(name) {}
  SymbolId name() const { return name_; }
  void Add(SymbolId value, uint32_t id);
  const IdList* Find(SymbolId value) const;
  std::span<const Value> values() const { return values_; }
  // Values (indexes into values()) sorted by text, those that begin with `prefix`. Values without ids are included.
  std::span<const uint32_t> SortedRange(std::string_view prefix, const SymbolTable& symbols) const;
  // Brings the sorted order up to date; requires that nobody else reads.
  void Sort(const SymbolTable& symbols);
  bool sorted() const { return order_.size() == values_.size(); }
  // The values that are not in the sorted order yet, by their index; empty when they are few enough for Sort.
  std::vector<std::pair<SymbolId, uint32_t>> ManyUnsorted() const;
  // Puts an order of ManyUnsorted's values in place; requires that nobody else reads. Does nothing when values have
  // gone since.
  void AdoptOrder(std::span<const std::pair<SymbolId, uint32_t>> sorted, const SymbolTable& symbols);
  // Takes the ids whose bits are set in `gone` out of these values.
  void Remove(std::span<const SymbolId> touched_values, const std::vector<uint64_t>& gone);
  // Forgets the values without ids.
  void DropEmptyValues();
  size_t bytes() const;

 private:
  size_t Probe(SymbolId value) const;
  void RebuildSlots();
  void MergeOrder(size_t old, const SymbolTable& symbols);

  SymbolId name_;
  std::vector<Value> values_;
  std::vector<uint32_t> slots_;  // index into values_ plus one; open addressing, power of two
  std::vector<uint32_t> order_;  // values_ by text; shorter than values_ until Sort()
};

// Thread-safe through its lock: series are added by writers, queries hold a ReadLock.
class PostingsIndex {
 public:
  explicit PostingsIndex(const SymbolTable& symbols) : symbols_(symbols) {}
  // All labels of a series at once, so that no reader sees half of them.
  void Add(uint32_t id, LabelTuple labels);
  // Series that are gone. The lock is given away between steps of some milliseconds.
  struct Gone {
    std::vector<uint32_t> ids;
    std::vector<LabelSymbols> labels;  // of all of them, in any order, with or without repetition
  };
  void Remove(Gone gone);
  // Whether some series has the symbol as a name or a value.
  bool Uses(SymbolId symbol, std::vector<uint32_t>& ids) const;
  // Sets the bits of all symbols that some series has.
  void MarkUsed(std::vector<bool>& symbols) const;

  // Holds the index still.
  class ReadLock {
   public:
    explicit ReadLock(const PostingsIndex& index);
    // Null when no series has the label.
    const NamePostings* Name(SymbolId name) const;
    // The same with its values sorted.
    const NamePostings* SortedName(SymbolId name);
    std::vector<SymbolId> Names() const;
    const IdList& all() const { return index_.all_; }
    uint32_t id_limit() const { return index_.id_limit_; }

   private:
    const PostingsIndex& index_;
    std::shared_lock<FairSharedMutex> lock_;
  };
  size_t bytes() const;

 private:
  friend class ReadLock;
  const SymbolTable& symbols_;
  mutable FairSharedMutex mutex_;
  // Sorting a name's values is done under the exclusive lock although it changes nothing a reader sees.
  mutable boost::unordered_flat_map<uint32_t, std::unique_ptr<NamePostings>> names_;  // guarded by mutex_
  IdList all_;                                                                        // guarded by mutex_
  uint32_t id_limit_ = 0;  // guarded by mutex_; every id is below
};

}  // namespace epi::tsdb
