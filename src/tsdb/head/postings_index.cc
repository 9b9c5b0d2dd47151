#include "tsdb/head/postings_index.h"

#include <algorithm>
#include <mutex>
#include <numeric>

namespace epi::tsdb {
namespace {
// So many values of a name are looked at in one go under the lock.
constexpr size_t kValuesPerTurn = 4096;
// More new values than this are sorted without the lock.
constexpr size_t kSortedUnderLock = 4096;

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

void NamePostings::MergeOrder(size_t old, const SymbolTable& symbols) {
  const auto by_text = [&](uint32_t a, uint32_t b) {
    return symbols.Text(values_[a].value) < symbols.Text(values_[b].value);
  };
  const auto middle = order_.begin() + static_cast<std::ptrdiff_t>(old);
  std::inplace_merge(order_.begin(), middle, order_.end(), by_text);
}

void NamePostings::Sort(const SymbolTable& symbols) {
  const size_t old = order_.size();
  order_.resize(values_.size());
  const auto fresh = order_.begin() + static_cast<std::ptrdiff_t>(old);
  std::iota(fresh, order_.end(), static_cast<uint32_t>(old));
  std::sort(fresh, order_.end(),
            [&](uint32_t a, uint32_t b) { return symbols.Text(values_[a].value) < symbols.Text(values_[b].value); });
  MergeOrder(old, symbols);
}

std::vector<std::pair<SymbolId, uint32_t>> NamePostings::ManyUnsorted() const {
  std::vector<std::pair<SymbolId, uint32_t>> out;
  if (values_.size() - order_.size() <= kSortedUnderLock) return out;
  for (size_t i = order_.size(); i < values_.size(); ++i) out.emplace_back(values_[i].value, static_cast<uint32_t>(i));
  return out;
}

void NamePostings::AdoptOrder(std::span<const std::pair<SymbolId, uint32_t>> sorted, const SymbolTable& symbols) {
  const size_t old = order_.size();
  if (sorted.size() > values_.size() - old) return;
  const bool same = std::all_of(sorted.begin(), sorted.end(), [&](const auto& item) {
    return item.second >= old && item.second < old + sorted.size() && values_[item.second].value == item.first;
  });
  if (!same) return;
  for (const auto& item : sorted) order_.push_back(item.second);
  MergeOrder(old, symbols);
}

std::span<const uint32_t> NamePostings::SortedRange(std::string_view prefix, const SymbolTable& symbols) const {
  const auto head = [&](uint32_t i) { return symbols.Text(values_[i].value).substr(0, prefix.size()); };
  const auto first = std::lower_bound(order_.begin(), order_.end(), prefix,
                                      [&](uint32_t i, std::string_view p) { return head(i) < p; });
  const auto last =
      std::upper_bound(first, order_.end(), prefix, [&](std::string_view p, uint32_t i) { return p < head(i); });
  return {order_.data() + (first - order_.begin()), static_cast<size_t>(last - first)};
}

void NamePostings::Remove(std::span<const SymbolId> touched_values, const std::vector<uint64_t>& gone) {
  for (const SymbolId value : touched_values) {
    const uint32_t slot = slots_[Probe(value)];
    if (slot != 0) values_[slot - 1].ids.Remove(gone);
  }
}

void NamePostings::DropEmptyValues() {
  constexpr uint32_t kDropped = 0xffffffff;
  std::vector<uint32_t> moved(values_.size(), kDropped);  // where each value goes
  size_t kept = 0;
  for (size_t i = 0; i < values_.size(); ++i) {
    if (values_[i].ids.empty()) continue;
    moved[i] = static_cast<uint32_t>(kept);
    if (kept != i) values_[kept] = std::move(values_[i]);
    ++kept;
  }
  if (kept == values_.size()) return;
  values_.erase(values_.begin() + static_cast<std::ptrdiff_t>(kept), values_.end());
  if (values_.size() * 2 < values_.capacity()) values_.shrink_to_fit();
  // The order stays one of the first values by index: dropping keeps their succession.
  for (uint32_t& i : order_) i = moved[i];
  std::erase(order_, kDropped);
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

void PostingsIndex::Remove(Gone gone) {
  if (gone.ids.empty()) return;
  std::vector<uint64_t> bits;
  {
    const std::shared_lock<FairSharedMutex> lock(mutex_);
    bits.resize((size_t{id_limit_} + 63) / 64);
  }
  for (const uint32_t id : gone.ids) bits[id >> 6] |= uint64_t{1} << (id & 63);
  std::sort(gone.labels.begin(), gone.labels.end());
  gone.labels.erase(std::unique(gone.labels.begin(), gone.labels.end()), gone.labels.end());
  std::vector<SymbolId> values;
  for (size_t first = 0; first < gone.labels.size();) {
    const SymbolId name = gone.labels[first].name;
    values.clear();
    size_t next = first;
    while (next < gone.labels.size() && gone.labels[next].name == name && values.size() < kValuesPerTurn)
      values.push_back(gone.labels[next++].value);
    const bool last = next == gone.labels.size() || gone.labels[next].name != name;
    first = next;
    const std::unique_lock<FairSharedMutex> lock(mutex_);
    bits.resize(std::max<size_t>(bits.size(), (size_t{id_limit_} + 63) / 64));
    const auto found = names_.find(static_cast<uint32_t>(name));
    if (found == names_.end()) continue;
    found->second->Remove(values, bits);
    if (!last) continue;
    found->second->DropEmptyValues();
    if (found->second->values().empty()) names_.erase(found);
  }
  const std::unique_lock<FairSharedMutex> lock(mutex_);
  bits.resize(std::max<size_t>(bits.size(), (size_t{id_limit_} + 63) / 64));
  all_.Remove(bits);
}

bool PostingsIndex::Uses(SymbolId symbol, std::vector<uint32_t>& ids) const {
  ids.clear();
  const std::shared_lock<FairSharedMutex> lock(mutex_);
  for (const auto& [id, name] : names_) {
    if (name->name() == symbol) {
      for (const auto& value : name->values()) value.ids.AppendTo(ids);
    } else if (const IdList* list = name->Find(symbol)) {
      list->AppendTo(ids);
    }
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return !ids.empty();
}

void PostingsIndex::MarkUsed(std::vector<bool>& symbols) const {
  const std::shared_lock<FairSharedMutex> lock(mutex_);
  const auto mark = [&](SymbolId symbol) {
    if (static_cast<uint32_t>(symbol) < symbols.size()) symbols[static_cast<uint32_t>(symbol)] = true;
  };
  for (const auto& [id, name] : names_) {
    mark(name->name());
    for (const auto& value : name->values()) mark(value.value);
  }
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
    // Many new values are sorted while others go on. The texts stay: whoever looks is a view, or keeps the head from
    // giving up symbols.
    auto many = found->ManyUnsorted();
    lock_.unlock();
    std::sort(many.begin(), many.end(), [&](const auto& a, const auto& b) {
      return index_.symbols_.Text(a.first) < index_.symbols_.Text(b.first);
    });
    {
      const std::unique_lock<FairSharedMutex> alone(index_.mutex_);
      const auto again = index_.names_.find(static_cast<uint32_t>(name));
      if (again != index_.names_.end()) {
        if (many.empty()) {
          again->second->Sort(index_.symbols_);
        } else {
          again->second->AdoptOrder(many, index_.symbols_);
        }
      }
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
