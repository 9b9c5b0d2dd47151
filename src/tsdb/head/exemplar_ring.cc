#include "tsdb/head/exemplar_ring.h"

#include <algorithm>
#include <bit>

namespace epi::tsdb {

size_t ExemplarLabelLength(const Labels& labels) {
  size_t length = 0;
  const auto characters = [](std::string_view text) {
    return static_cast<size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
  };
  for (const LabelView label : labels) length += characters(label.name) + characters(label.value);
  return length;
}

// A value that is no number is never the same as another.
ExemplarRing::Verdict ExemplarRing::Compare(const Exemplar& exemplar, const Exemplar& newest) const {
  if (exemplar.time < newest.time) {
    return exemplar.time <= newest.time - late_window_ms_ ? Verdict::kOutOfOrder : Verdict::kAccept;
  }
  if (exemplar.time > newest.time) return Verdict::kAccept;
  if (exemplar.labels == newest.labels && exemplar.value == newest.value) return Verdict::kSame;
  const bool before =
      exemplar.value < newest.value ||
      (exemplar.value == newest.value && exemplar.labels.PrometheusHash() < newest.labels.PrometheusHash());
  return before ? Verdict::kOutOfOrder : Verdict::kAccept;
}

ExemplarRing::Verdict ExemplarRing::Check(uint32_t series, const Exemplar& exemplar, const Exemplar* pending) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (capacity_ == 0) return Verdict::kDisabled;
  if (ExemplarLabelLength(exemplar.labels) > kMaxExemplarLabelLength) return Verdict::kLabelsTooLong;
  if (pending != nullptr) {
    if (const Verdict verdict = Compare(exemplar, *pending); verdict != Verdict::kAccept) return verdict;
  }
  const auto found = ends_.find(series);
  if (found == ends_.end()) return Verdict::kAccept;
  uint32_t at = found->second.newest;
  if (const Verdict verdict = Compare(exemplar, slots_[at].exemplar); verdict != Verdict::kAccept) return verdict;
  if (exemplar.time >= slots_[at].exemplar.time) return Verdict::kAccept;
  while (at != kNone && slots_[at].exemplar.time > exemplar.time) at = slots_[at].previous;
  return at != kNone && slots_[at].exemplar.time == exemplar.time ? Verdict::kSame : Verdict::kAccept;
}

void ExemplarRing::Unlink(uint32_t slot) {
  Slot& gone = slots_[slot];
  Ends& ends = ends_[gone.series];
  (gone.previous == kNone ? ends.oldest : slots_[gone.previous].next) = gone.next;
  (gone.next == kNone ? ends.newest : slots_[gone.next].previous) = gone.previous;
  if (ends.oldest == kNone) ends_.erase(gone.series);
}

void ExemplarRing::Link(uint32_t slot) {
  Slot& fresh = slots_[slot];
  Ends& ends = ends_[fresh.series];
  uint32_t after = ends.newest;
  while (after != kNone && slots_[after].exemplar.time > fresh.exemplar.time) after = slots_[after].previous;
  fresh.previous = after;
  fresh.next = after == kNone ? ends.oldest : slots_[after].next;
  (after == kNone ? ends.oldest : slots_[after].next) = slot;
  (fresh.next == kNone ? ends.newest : slots_[fresh.next].previous) = slot;
}

void ExemplarRing::AddLocked(uint32_t series, const Exemplar& exemplar) {
  if (capacity_ == 0) return;
  uint32_t slot = 0;
  if (slots_.size() < capacity_) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = static_cast<uint32_t>(next_);
    next_ = (next_ + 1) % capacity_;
    if (slots_[slot].series != kNone) Unlink(slot);
  }
  slots_[slot].series = series;
  slots_[slot].exemplar = exemplar;
  Link(slot);
}

void ExemplarRing::Add(uint32_t series, const Exemplar& exemplar) {
  const std::lock_guard<std::mutex> lock(mutex_);
  AddLocked(series, exemplar);
}

void ExemplarRing::Resize(size_t capacity) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (capacity == capacity_) return;
  const std::vector<Entry> kept = EntriesLocked();
  capacity_ = capacity;
  slots_.clear();
  slots_.shrink_to_fit();
  ends_.clear();
  next_ = 0;
  for (size_t i = kept.size() > capacity ? kept.size() - capacity : 0; i < kept.size(); ++i) {
    AddLocked(kept[i].series, kept[i].exemplar);
  }
}

void ExemplarRing::SetLateWindow(int64_t ms) {
  const std::lock_guard<std::mutex> lock(mutex_);
  late_window_ms_ = ms;
}

std::vector<Exemplar> ExemplarRing::Of(uint32_t series, TimeRange range) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<Exemplar> out;
  const auto found = ends_.find(series);
  if (found == ends_.end()) return out;
  for (uint32_t at = found->second.oldest; at != kNone; at = slots_[at].next) {
    if (range.Contains(slots_[at].exemplar.time)) out.push_back(slots_[at].exemplar);
  }
  return out;
}

bool ExemplarRing::Has(uint32_t series, const Exemplar& exemplar) const {
  const std::vector<Exemplar> same_time = Of(series, {exemplar.time, exemplar.time});
  return std::any_of(same_time.begin(), same_time.end(), [&](const Exemplar& known) {
    return known.labels == exemplar.labels &&
           std::bit_cast<uint64_t>(known.value) == std::bit_cast<uint64_t>(exemplar.value);
  });
}

std::vector<uint32_t> ExemplarRing::Series() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<uint32_t> out;
  for (const auto& [series, ends] : ends_) out.push_back(series);
  std::sort(out.begin(), out.end());
  return out;
}

void ExemplarRing::Forget(uint32_t series) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = ends_.find(series);
  if (found == ends_.end()) return;
  for (uint32_t at = found->second.oldest; at != kNone;) {
    const uint32_t next = slots_[at].next;
    slots_[at].series = kNone;
    slots_[at].exemplar = {};
    at = next;
  }
  ends_.erase(found);
}

ExemplarRing::Stats ExemplarRing::stats() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  Stats stats;
  stats.capacity = capacity_;
  stats.series = ends_.size();
  const size_t first = slots_.size() == capacity_ ? next_ : 0;
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[(first + i) % slots_.size()];
    if (slot.series == kNone) continue;
    if (stats.exemplars++ == 0) stats.oldest = slot.exemplar.time;
  }
  return stats;
}

std::vector<ExemplarRing::Entry> ExemplarRing::Entries() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return EntriesLocked();
}

std::vector<ExemplarRing::Entry> ExemplarRing::EntriesLocked() const {
  std::vector<Entry> out;
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[slots_.size() == capacity_ ? (next_ + i) % capacity_ : i];
    if (slot.series != kNone) out.push_back({slot.series, slot.exemplar});
  }
  return out;
}

}  // namespace epi::tsdb
