#include "tsdb/head/label_store.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace epi::tsdb {
namespace {
// Sets with more labels than the mask has bits are stored as a template of their own.
constexpr size_t kMaskBits = 64;
constexpr size_t kFreeClasses = 128;  // larger tuples are not reused

uint64_t ShapeKey(uint32_t family, LabelTuple tuple) {
  uint64_t h = family * 0x9e3779b97f4a7c15ull + tuple.size();
  for (const auto& label : tuple) h = (h ^ static_cast<uint32_t>(label.name)) * 0xff51afd7ed558ccdull + (h >> 29);
  return h;
}

size_t Put(uint8_t* to, uint64_t v) {
  size_t n = 0;
  while (v >= 0x80) {
    to[n++] = static_cast<uint8_t>(v | 0x80);
    v >>= 7;
  }
  to[n++] = static_cast<uint8_t>(v);
  return n;
}

uint64_t Get(const uint8_t*& from) {
  uint64_t v = 0;
  for (unsigned shift = 0;; shift += 7) {
    const uint8_t byte = *from++;
    v |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return v;
  }
}

bool SameNames(const LabelSymbols* a, LabelTuple b) {
  return std::equal(b.begin(), b.end(), a,
                    [](const LabelSymbols& x, const LabelSymbols& y) { return x.name == y.name; });
}
}  // namespace

LabelStore::LabelStore() : free_(kFreeClasses) {}

std::optional<LabelStore::Offset> LabelStore::Add(uint32_t family, LabelTuple tuple) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (templates_.full() && free_templates_.empty()) return std::nullopt;
  const uint32_t number = ChooseTemplate(family, tuple);
  Template& like = templates_[number];
  uint8_t bytes[20 + 5 * kMaskBits];
  size_t size = Put(bytes, number);
  uint64_t mask = 0;
  if (tuple.size() <= kMaskBits) {
    for (size_t i = 0; i < tuple.size(); ++i)
      mask |= static_cast<uint64_t>(tuple[i].value != like.labels[i].value) << i;
  }
  size += Put(bytes + size, mask);
  for (uint64_t rest = mask; rest != 0; rest &= rest - 1) {
    size += Put(bytes + size, static_cast<uint32_t>(tuple[static_cast<size_t>(std::countr_zero(rest))].value));
  }
  const auto offset = Place(bytes, size);
  if (offset) {
    ++like.uses;
  } else if (like.uses == 0) {
    DropTemplate(number);
  }
  return offset;
}

uint32_t LabelStore::ChooseTemplate(uint32_t family, LabelTuple tuple) {
  if (tuple.size() > kMaskBits) return AddTemplate(family, tuple);
  Recent& recent = recent_[ShapeKey(family, tuple)];
  uint32_t best = 0;
  size_t best_differs = std::max<size_t>(2, tuple.size() / 2) + 1;
  for (const uint32_t candidate : recent) {
    if (candidate == 0) break;
    const Template& like = templates_[candidate - 1];
    if (like.count != tuple.size() || !SameNames(like.labels.get(), tuple)) continue;
    size_t differs = 0;
    for (size_t i = 0; i < tuple.size(); ++i) differs += tuple[i].value != like.labels[i].value;
    if (differs < best_differs) {
      best_differs = differs;
      best = candidate;
    }
  }
  if (best != 0) return best - 1;
  const uint32_t number = AddTemplate(family, tuple);
  std::copy_backward(recent.begin(), recent.end() - 1, recent.end());
  recent[0] = number + 1;
  return number;
}

uint32_t LabelStore::AddTemplate(uint32_t family, LabelTuple tuple) {
  Template made;
  made.count = static_cast<uint32_t>(tuple.size());
  made.family = family;
  made.labels = std::make_unique<LabelSymbols[]>(tuple.size());
  std::copy(tuple.begin(), tuple.end(), made.labels.get());
  template_bytes_ += tuple.size() * sizeof(LabelSymbols);
  if (!free_templates_.empty()) {
    const uint32_t number = free_templates_.back();
    free_templates_.pop_back();
    templates_[number] = std::move(made);
    return number;
  }
  const auto number = static_cast<uint32_t>(templates_.size());
  templates_.Append(std::move(made));
  return number;
}

void LabelStore::DropTemplate(uint32_t number) {
  Template& gone = templates_[number];
  const auto key = ShapeKey(gone.family, {gone.labels.get(), gone.count});
  if (const auto found = recent_.find(key); found != recent_.end()) {
    Recent& recent = found->second;
    std::fill(std::remove(recent.begin(), recent.end(), number + 1), recent.end(), 0);
    if (recent[0] == 0) recent_.erase(found);
  }
  template_bytes_ -= gone.count * sizeof(LabelSymbols);
  gone = Template();
  free_templates_.push_back(number);
}

std::optional<LabelStore::Offset> LabelStore::Place(const uint8_t* bytes, size_t size) {
  constexpr size_t kPage = size_t{1} << kPageBits;
  Offset offset = 0;
  if (size < kFreeClasses && !free_[size].empty()) {
    offset = free_[size].back();
    free_[size].pop_back();
  } else {
    if (page_used_ + size > kPage) {
      if (pages_.full()) return std::nullopt;
      pages_.Append(std::make_unique<uint8_t[]>(kPage));
      page_used_ = 0;
    }
    offset = static_cast<Offset>(((pages_.size() - 1) << kPageBits) + page_used_);
    page_used_ += size;
  }
  std::memcpy(&pages_[offset >> kPageBits][offset & (kPage - 1)], bytes, size);
  return offset;
}

void LabelStore::Decode(Offset offset, std::vector<LabelSymbols>& out) const {
  const uint8_t* at = At(offset);
  const Template& like = templates_[Get(at)];
  const size_t first = out.size();
  out.insert(out.end(), like.labels.get(), like.labels.get() + like.count);
  for (uint64_t rest = Get(at); rest != 0; rest &= rest - 1) {
    out[first + static_cast<size_t>(std::countr_zero(rest))].value = SymbolId{static_cast<uint32_t>(Get(at))};
  }
}

std::optional<SymbolId> LabelStore::Value(Offset offset, SymbolId name) const {
  const uint8_t* at = At(offset);
  const Template& like = templates_[Get(at)];
  uint64_t mask = Get(at);
  for (uint32_t i = 0; i < like.count; ++i) {
    const bool differs = i < kMaskBits && ((mask >> i) & 1) != 0;
    if (like.labels[i].name == name) return differs ? SymbolId{static_cast<uint32_t>(Get(at))} : like.labels[i].value;
    if (differs) Get(at);
  }
  return std::nullopt;
}

void LabelStore::Free(Offset offset) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const uint8_t* const start = At(offset);
  const uint8_t* at = start;
  const auto number = static_cast<uint32_t>(Get(at));
  for (uint64_t rest = Get(at); rest != 0; rest &= rest - 1) Get(at);
  const auto size = static_cast<size_t>(at - start);
  if (size < kFreeClasses) free_[size].push_back(offset);
  if (--templates_[number].uses == 0) DropTemplate(number);
}

size_t LabelStore::bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  size_t free_lists = free_templates_.capacity() * sizeof(uint32_t);
  for (const auto& list : free_) free_lists += list.capacity() * sizeof(Offset);
  return templates_.bytes() + template_bytes_ + (pages_.size() << kPageBits) + pages_.bytes() + free_lists +
         recent_.bucket_count() * (sizeof(Recent) + sizeof(uint64_t) + 1);
}

}  // namespace epi::tsdb
