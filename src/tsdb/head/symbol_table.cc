#include "tsdb/head/symbol_table.h"

#include <cstring>
#include <mutex>
#include <string>

#include "base/xxhash64.h"

namespace epi::tsdb {
namespace {
constexpr size_t kArenaBlock = 64 << 10;
constexpr size_t kFirstSlots = 1024;

std::string_view Unpack(const char* stored) {
  size_t length = 0;
  for (unsigned shift = 0;; shift += 7) {
    const auto byte = static_cast<uint8_t>(*stored++);
    length |= static_cast<size_t>(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return {stored, length};
}
}  // namespace

SymbolTable::SymbolTable() : slots_(kFirstSlots) {}

std::string_view SymbolTable::Text(SymbolId id) const {
  const char* stored = texts_[static_cast<uint32_t>(id)];
  return stored == nullptr ? std::string_view() : Unpack(stored);
}

size_t SymbolTable::Probe(std::string_view text, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.id_plus_one == 0) return at;
    if (slot.tag == tag && Unpack(texts_[slot.id_plus_one - 1]) == text) return at;
  }
}

std::optional<SymbolId> SymbolTable::Find(std::string_view text) const {
  const uint64_t hash = XxHash64(text);
  const std::shared_lock<std::shared_mutex> lock(mutex_);
  const Slot& slot = slots_[Probe(text, hash)];
  if (slot.id_plus_one == 0) return std::nullopt;
  return SymbolId{slot.id_plus_one - 1};
}

SymbolId SymbolTable::Intern(std::string_view text) {
  if (const auto found = Find(text)) return *found;
  const uint64_t hash = XxHash64(text);
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  const Slot& slot = slots_[Probe(text, hash)];
  if (slot.id_plus_one != 0) return SymbolId{slot.id_plus_one - 1};
  const auto id = static_cast<uint32_t>(texts_.size());
  texts_.Append(Store(text));
  Place(text, hash, id);
  return SymbolId{id};
}

Result<void> SymbolTable::Restore(SymbolId id, std::string_view text) {
  const auto number = static_cast<uint32_t>(id);
  const uint64_t hash = XxHash64(text);
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  if (number >= decltype(texts_)::kCapacity)
    return Fail(ErrorCode::kDataLoss, "symbol " + std::to_string(number) + " is out of range");
  const Slot& slot = slots_[Probe(text, hash)];
  if (slot.id_plus_one == number + 1) return {};
  if (slot.id_plus_one != 0 || (number < texts_.size() && texts_[number] != nullptr)) {
    return Fail(ErrorCode::kDataLoss, "symbol " + std::to_string(number) + " is defined twice");
  }
  texts_.Grow(number + 1);
  texts_[number] = Store(text);
  Place(text, hash, number);
  return {};
}

const char* SymbolTable::Store(std::string_view text) {
  char length[10];
  size_t digits = 0;
  size_t rest = text.size();
  while (rest >= 0x80) {
    length[digits++] = static_cast<char>(rest | 0x80);
    rest >>= 7;
  }
  length[digits++] = static_cast<char>(rest);
  const size_t need = digits + text.size();
  char* to = nullptr;
  if (need > kArenaBlock / 4) {
    arena_.emplace_back(new char[need]);
    arena_bytes_ += need;
    to = arena_.back().get();
  } else {
    if (need > arena_left_) {
      arena_.emplace_back(new char[kArenaBlock]);
      arena_bytes_ += kArenaBlock;
      arena_at_ = arena_.back().get();
      arena_left_ = kArenaBlock;
    }
    to = arena_at_;
    arena_at_ += need;
    arena_left_ -= need;
  }
  std::memcpy(to, length, digits);
  std::memcpy(to + digits, text.data(), text.size());
  return to;
}

void SymbolTable::Place(std::string_view text, uint64_t hash, uint32_t id) {
  slots_[Probe(text, hash)] = Slot{static_cast<uint32_t>(hash >> 32), id + 1};
  if (++used_ * 10 > slots_.size() * 7) GrowSlots();
}

void SymbolTable::GrowSlots() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  const size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.id_plus_one == 0) continue;
    size_t at = XxHash64(Unpack(texts_[slot.id_plus_one - 1])) & mask;
    while (slots_[at].id_plus_one != 0) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

size_t SymbolTable::bytes() const {
  const std::shared_lock<std::shared_mutex> lock(mutex_);
  return texts_.bytes() + arena_bytes_ + slots_.size() * sizeof(Slot);
}

}  // namespace epi::tsdb
