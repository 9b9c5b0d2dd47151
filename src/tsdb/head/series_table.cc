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

std::optional<uint32_t> LabelHashTable::Find(uint64_t hash, const std::function<bool(uint32_t)>& same) const {
  const auto tag = static_cast<uint32_t>(hash >> 32);
  const std::shared_lock<std::shared_mutex> lock(mutex_);
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask; !slots_[at].free(); at = (at + 1) & mask) {
    if (slots_[at].tag == tag && slots_[at].id != kNoSeriesId && same(slots_[at].id)) return slots_[at].id;
  }
  return std::nullopt;
}

void LabelHashTable::Add(uint64_t hash, uint32_t id) {
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  if ((used_ + 1) * 10 > slots_.size() * 7) Rebuild(live_ * 10 > slots_.size() * 4 ? slots_.size() * 2 : slots_.size());
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at].id != kNoSeriesId) at = (at + 1) & mask;
  used_ += slots_[at].free() ? 1 : 0;
  slots_[at] = Slot{static_cast<uint32_t>(hash >> 32), id};
  ++live_;
}

void LabelHashTable::Remove(uint64_t hash, uint32_t id) {
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask; !slots_[at].free(); at = (at + 1) & mask) {
    if (slots_[at].id != id) continue;
    slots_[at] = Slot{1, kNoSeriesId};
    --live_;
    return;
  }
}

void LabelHashTable::Rebuild(size_t size) {
  std::vector<Slot> old(size);
  old.swap(slots_);
  const size_t mask = size - 1;
  used_ = live_;
  for (const Slot& slot : old) {
    if (slot.id == kNoSeriesId) continue;
    size_t at = series_.cold(slot.id).label_hash & mask;
    while (slots_[at].id != kNoSeriesId) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

size_t LabelHashTable::bytes() const {
  const std::shared_lock<std::shared_mutex> lock(mutex_);
  return slots_.capacity() * sizeof(Slot);
}

}  // namespace epi::tsdb
