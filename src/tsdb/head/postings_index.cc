#include "tsdb/head/postings_index.h"

#include <algorithm>
#include <mutex>
#include <numeric>

namespace epi::tsdb {
namespace {
size_t Spread(SymbolId value) { return (static_cast<uint32_t>(value) * 0x9e3779b97f4a7c15ull) >> 24; }
}  // namespace

size_t NamePostings::Probe(SymbolId value) const {
  const size_t mask = slots_.size() - 1;
  size_t at = Spread(value) & mask;
  while (slots_[at] != 0 && values_[slots_[at] - 1].value != value) at = (at + 1) & mask;
  return at;
}

void NamePostings::RebuildSlots() {
  size_t size = 4;
  while (size * 7 < (values_.size() + 1) * 10) size *= 2;
  slots_.assign(size, 0);
  for (size_t i = 0; i < values_.size(); ++i) slots_[Probe(values_[i].value)] = static_cast<uint32_t>(i + 1);
}

void NamePostings::Add(SymbolId value, uint32_t id) {
  if (slots_.empty()) RebuildSlots();
  size_t at = Probe(value);
  if (slots_[at] == 0) {
    values_.push_back(Value{value, {}});
    slots_[at] = static_cast<uint32_t>(values_.size());
    if (values_.size() * 10 > slots_.size() * 7) RebuildSlots();
    at = Probe(value);
  }
  values_[slots_[at] - 1].ids.Add(id);
}

const IdList* NamePostings::Find(SymbolId value) const {
  if (slots_.empty()) return nullptr;
  const uint32_t slot = slots_[Probe(value)];
  return slot == 0 ? nullptr : &values_[slot - 1].ids;
}

void NamePostings::Sort(const SymbolTable& symbols) {
  const auto by_text = [&](uint32_t a, uint32_t b) {
    return symbols.Text(values_[a].value) < symbols.Text(values_[b].value);
  };
  const auto old = static_cast<std::ptrdiff_t>(order_.size());
  order_.resize(values_.size());
  std::iota(order_.begin() + old, order_.end(), static_cast<uint32_t>(old));
  std::sort(order_.begin() + old, order_.end(), by_text);
  std::inplace_merge(order_.begin(), order_.begin() + old, order_.end(), by_text);
}

std::span<const uint32_t> NamePostings::SortedRange(std::string_view prefix, const SymbolTable& symbols) const {
  const auto head = [&](uint32_t i) { return symbols.Text(values_[i].value).substr(0, prefix.size()); };
  const auto first = std::lower_bound(order_.begin(), order_.end(), prefix,
                                      [&](uint32_t i, std::string_view p) { return head(i) < p; });
  const auto last =
      std::upper_bound(first, order_.end(), prefix, [&](std::string_view p, uint32_t i) { return p < head(i); });
  return {order_.data() + (first - order_.begin()), static_cast<size_t>(last - first)};
}

void NamePostings::Remove(std::span<const SymbolId> touched_values, std::span<const uint32_t> sorted_ids) {
  bool emptied = false;
  for (const SymbolId value : touched_values) {
    const uint32_t slot = slots_[Probe(value)];
    if (slot == 0) continue;
    IdList& ids = values_[slot - 1].ids;
    ids.Remove(sorted_ids);
    emptied |= ids.empty();
  }
  if (!emptied) return;
  std::erase_if(values_, [](const Value& v) { return v.ids.empty(); });
  order_.clear();
  order_.shrink_to_fit();
  RebuildSlots();
}

size_t NamePostings::bytes() const {
  size_t sum =
      sizeof *this + values_.capacity() * sizeof(Value) + (slots_.capacity() + order_.capacity()) * sizeof(uint32_t);
  for (const auto& value : values_) sum += value.ids.heap_bytes();
  return sum;
}

void PostingsIndex::Add(uint32_t id, LabelTuple labels) {
  const std::unique_lock<FairSharedMutex> lock(mutex_);
  for (const auto& label : labels) {
    auto& name = names_[static_cast<uint32_t>(label.name)];
    if (name == nullptr) name = std::make_unique<NamePostings>(label.name);
    name->Add(label.value, id);
  }
  all_.Add(id);
  id_limit_ = std::max(id_limit_, id + 1);
}

void PostingsIndex::Remove(std::span<const Gone> series) {
  std::vector<uint32_t> ids;
  boost::unordered_flat_map<uint32_t, std::vector<SymbolId>> touched;
  for (const auto& gone : series) {
    ids.push_back(gone.id);
    for (const auto& label : gone.labels) touched[static_cast<uint32_t>(label.name)].push_back(label.value);
  }
  std::sort(ids.begin(), ids.end());
  for (auto& [name, values] : touched) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    const std::unique_lock<FairSharedMutex> lock(mutex_);
    const auto found = names_.find(name);
    if (found == names_.end()) continue;
    found->second->Remove(values, ids);
    if (found->second->values().empty()) names_.erase(found);
  }
  const std::unique_lock<FairSharedMutex> lock(mutex_);
  all_.Remove(ids);
}

size_t PostingsIndex::bytes() const {
  const std::shared_lock<FairSharedMutex> lock(mutex_);
  size_t sum = names_.bucket_count() * 17 + all_.heap_bytes();
  for (const auto& [id, name] : names_) sum += name->bytes();
  return sum;
}

PostingsIndex::ReadLock::ReadLock(const PostingsIndex& index) : index_(index), lock_(index.mutex_) {}

const NamePostings* PostingsIndex::ReadLock::Name(SymbolId name) const {
  const auto found = index_.names_.find(static_cast<uint32_t>(name));
  return found == index_.names_.end() ? nullptr : found->second.get();
}

const NamePostings* PostingsIndex::ReadLock::SortedName(SymbolId name) {
  const NamePostings* found = Name(name);
  // Between the two locks another value may come; it is younger than this query's view, but the order must be whole.
  while (found != nullptr && !found->sorted()) {
    lock_.unlock();
    {
      const std::unique_lock<FairSharedMutex> alone(index_.mutex_);
      const auto again = index_.names_.find(static_cast<uint32_t>(name));
      if (again != index_.names_.end()) again->second->Sort(index_.symbols_);
    }
    lock_.lock();
    found = Name(name);
  }
  return found;
}

std::vector<SymbolId> PostingsIndex::ReadLock::Names() const {
  std::vector<SymbolId> out;
  for (const auto& [id, name] : index_.names_) out.push_back(SymbolId{id});
  return out;
}

}  // namespace epi::tsdb
