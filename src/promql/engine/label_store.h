// Label sets of one query as tuples of symbol ids, and the changes that operators make to them.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/labels.h"
#include "promql/engine/memory_meter.h"
#include "storage/symbols.h"
#include "storage/view.h"

namespace epi::promql {

using LabelBuffer = std::vector<LabelSymbols>;

// One output series of an operator.
struct SeriesLabels {
  LabelTuple labels;       // lives as long as the query's LabelStore and selections
  bool drop_name = false;  // the name labels go at the end of the query (delayed name removal)
};
using SeriesList = std::vector<SeriesLabels>;

// Owns the tuples that operators make. Not thread-safe: labels are made by the thread that drives the query.
class LabelStore {
 public:
  LabelStore(const SymbolSpace& symbols, MemoryMeter& meter);
  LabelStore(const LabelStore&) = delete;
  LabelStore& operator=(const LabelStore&) = delete;

  const SymbolSpace& symbols() const { return symbols_; }
  std::string_view Text(SymbolId id) const { return symbols_.Text(id); }
  SymbolId Intern(std::string_view text) { return symbols_.Intern(text); }
  SymbolId metric_name() const { return name_; }
  SymbolId bucket() const { return bucket_; }
  bool IsMetadataLabel(SymbolId name) const { return name == name_ || name == type_ || name == unit_; }

  LabelTuple Store(LabelTuple labels);
  // Without __name__, __type__, __unit__; the tuple itself when it has none of them.
  LabelTuple DropMetadata(LabelTuple labels);
  // Whether it has __type__ or __unit__.
  bool HasTypeOrUnit(LabelTuple labels) const;
  // Whether DropMetadata ever took away more than names.
  bool dropped_type_or_unit() const { return dropped_type_or_unit_; }
  // Without one label.
  LabelTuple Drop(LabelTuple labels, SymbolId name);
  // With one label set or, when `value` is empty text, removed.
  LabelTuple With(LabelTuple labels, SymbolId name, std::string_view value);
  // Sets or replaces in a buffer, keeping the order by text of the names.
  void Set(LabelBuffer& buffer, SymbolId name, SymbolId value) const;

  static const SymbolId* Find(LabelTuple labels, SymbolId name);
  // The value's text, empty when absent.
  std::string_view Get(LabelTuple labels, SymbolId name) const;
  std::string_view MetricName(LabelTuple labels) const { return Get(labels, name_); }
  Labels ToLabels(LabelTuple labels) const { return epi::ToLabels(labels, symbols_); }
  // Prometheus's order of label sets.
  int Compare(LabelTuple a, LabelTuple b) const;

 private:
  const SymbolSpace& symbols_;
  SymbolId name_;
  SymbolId type_;
  SymbolId unit_;
  SymbolId bucket_;
  MeteredBytes bytes_;
  std::vector<std::unique_ptr<LabelSymbols[]>> chunks_;
  size_t used_ = 0;
  bool dropped_type_or_unit_ = false;
  size_t capacity_ = 0;
};

struct TupleHash {
  size_t operator()(LabelTuple labels) const noexcept;
};
struct TupleEqual {
  bool operator()(LabelTuple a, LabelTuple b) const noexcept;
};
// Keys are views: whoever owns the tuples outlives the map.
template <typename T>
using TupleMap = boost::unordered_flat_map<LabelTuple, T, TupleHash, TupleEqual>;

// Which labels make a group or a match signature.
class LabelSelector {
 public:
  // keep: only the named labels; otherwise all but the named ones.
  LabelSelector(std::span<const std::string> names, bool keep, LabelStore& store);
  void Apply(LabelTuple labels, LabelBuffer& out) const;

 private:
  std::vector<SymbolId> names_;
  bool keep_;
};

}  // namespace epi::promql
