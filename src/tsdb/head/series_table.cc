#include "tsdb/head/series_table.h"

#include <mutex>

namespace epi::tsdb {

std::optional<uint32_t> SeriesTable::AddSlab(uint32_t group) {
  if (slabs_.full()) return std::nullopt;
  auto slab = std::make_unique<Slab>();
  slab->group = group;
  const auto number = static_cast<uint32_t>(slabs_.size());
  slabs_.Append(std::move(slab));
  slab_count_.fetch_add(1, std::memory_order_relaxed);
  return number * Slab::kSeries;
}

bool SeriesTable::RestoreSlab(uint32_t id, uint32_t group) {
  const uint32_t number = id / Slab::kSeries;
  if (number >= kMaxSlabs) return false;
  slabs_.Grow(number + 1);
  auto& slab = slabs_[number];
  if (slab == nullptr) {
    slab = std::make_unique<Slab>();
    slab->group = group;
    slab_count_.fetch_add(1, std::memory_order_relaxed);
  }
  if (slab->group == kNoSeriesId) slab->group = group;
  return slab->group == group;
}

std::optional<uint32_t> LabelHashTable::FindLocked(uint64_t hash, const std::function<bool(uint32_t)>& same) const {
  const uint32_t tag = Tag(hash);
  for (size_t at = Home(tag); !slots_[at].free(); at = Next(at)) {
    if (slots_[at].tag == tag && same(slots_[at].id)) return slots_[at].id;
  }
  return std::nullopt;
}

void LabelHashTable::AddLocked(uint64_t hash, uint32_t id) {
  if ((used_ + 1) * 4 > slots_.size() * 3) Resize(slots_.size() + slots_.size() / 4);
  size_t at = Home(Tag(hash));
  while (!slots_[at].free()) at = Next(at);
  slots_[at] = Slot{Tag(hash), id};
  ++used_;
}

std::optional<uint32_t> LabelHashTable::Find(uint64_t hash, const std::function<bool(uint32_t)>& same) const {
  const std::shared_lock<std::shared_mutex> lock(mutex_);
  return FindLocked(hash, same);
}

void LabelHashTable::Add(uint64_t hash, uint32_t id) {
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  AddLocked(hash, id);
}

std::optional<uint32_t> LabelHashTable::FindOrAdd(uint64_t hash, uint32_t id,
                                                  const std::function<bool(uint32_t)>& same) {
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  const auto found = FindLocked(hash, same);
  if (!found) AddLocked(hash, id);
  return found;
}

void LabelHashTable::Reserve(size_t ids) {
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  const size_t size = ids + ids / 3 + 2;
  if (size > slots_.size()) Resize(size);
}

void LabelHashTable::Remove(uint64_t hash, uint32_t id) {
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  size_t hole = Home(Tag(hash));
  while (slots_[hole].id != id) {
    if (slots_[hole].free()) return;
    hole = Next(hole);
  }
  // What follows moves up, unless that would put it before its home.
  for (size_t at = Next(hole); !slots_[at].free(); at = Next(at)) {
    if (Distance(Home(slots_[at].tag), at) < Distance(hole, at)) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = Slot{};
  if (--used_ * 3 < slots_.size() && slots_.size() > kFirstSlots) Resize(slots_.size() / 2);
}

void LabelHashTable::Resize(size_t size) {
  std::vector<Slot> old(size);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.free()) continue;
    size_t at = Home(slot.tag);
    while (!slots_[at].free()) at = Next(at);
    slots_[at] = slot;
  }
}

size_t LabelHashTable::bytes() const {
  const std::shared_lock<std::shared_mutex> lock(mutex_);
  return slots_.capacity() * sizeof(Slot);
}

}  // namespace epi::tsdb
