#include "tsdb/head/symbol_table.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <mutex>
#include <string>

#include "base/xxhash64.h"

namespace epi::tsdb {
namespace {
constexpr size_t kSymbolPage = size_t{1} << 16;
constexpr size_t kFirstSlots = 1024;
// Larger texts get a page of their own.
constexpr size_t kLargeText = kSymbolPage / 4;
// So many symbols are retired, or moved, in one go under the lock.
constexpr size_t kSymbolsPerTurn = 2048;
// Births are compared by their low 32 bits, so none may seem older than this.
constexpr uint32_t kOldestBirth = 1u << 30;
constexpr size_t kMaxTextLengthBytes = 10;

uint32_t TagOf(std::string_view text) { return static_cast<uint32_t>(XxHash64(text)); }

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

SymbolTable::SymbolTable() : slots_(kFirstSlots) {
  filling_ = NewPage(kSymbolPage);
  pages_[filling_].used = 1;  // offset 0 means no text, so this page is never given up
}

std::string_view SymbolTable::TextAt(uint32_t offset) const {
  return Unpack(pages_[offset >> kPageBits].bytes.get() + (offset & (kSymbolPage - 1)));
}

size_t SymbolTable::StoredSize(uint32_t offset) const {
  const char* const stored = pages_[offset >> kPageBits].bytes.get() + (offset & (kSymbolPage - 1));
  const std::string_view text = Unpack(stored);
  return static_cast<size_t>(text.data() - stored) + text.size();
}

std::string_view SymbolTable::Text(SymbolId id) const {
  const uint32_t offset = Offset(entries_[static_cast<uint32_t>(id)].load(std::memory_order_acquire));
  return offset == 0 ? std::string_view() : TextAt(offset);
}

bool SymbolTable::KnownAt(SymbolId id, Moment moment) const {
  if (static_cast<uint32_t>(id) >= count()) return false;
  const uint64_t entry = entries_[static_cast<uint32_t>(id)].load(std::memory_order_acquire);
  return Offset(entry) != 0 && static_cast<int32_t>(static_cast<uint32_t>(moment) - Birth(entry)) >= 0;
}

size_t SymbolTable::Probe(std::string_view text, uint32_t tag) const {
  for (size_t at = Home(tag);; at = Next(at)) {
    const Slot& slot = slots_[at];
    if (slot.id_plus_one == 0) return at;
    if (slot.tag == tag && Text(SymbolId{slot.id_plus_one - 1}) == text) return at;
  }
}

std::optional<SymbolId> SymbolTable::Find(std::string_view text) const {
  const uint32_t tag = TagOf(text);
  const std::shared_lock<std::shared_mutex> lock(mutex_);
  const Slot& slot = slots_[Probe(text, tag)];
  if (slot.id_plus_one == 0) return std::nullopt;
  return SymbolId{slot.id_plus_one - 1};
}

std::optional<SymbolId> SymbolTable::FindAsOf(std::string_view text, Moment moment) const {
  const uint32_t tag = TagOf(text);
  const std::shared_lock<std::shared_mutex> lock(mutex_);
  const Slot& slot = slots_[Probe(text, tag)];
  if (slot.id_plus_one != 0 && KnownAt(SymbolId{slot.id_plus_one - 1}, moment)) return SymbolId{slot.id_plus_one - 1};
  if (retired_.empty() || moment >= retired_at_) return std::nullopt;
  auto old =
      std::lower_bound(retired_.begin(), retired_.end(), tag, [](const Slot& s, uint32_t t) { return s.tag < t; });
  for (; old != retired_.end() && old->tag == tag; ++old) {
    const SymbolId id{old->id_plus_one - 1};
    if (KnownAt(id, moment) && Text(id) == text) return id;
  }
  return std::nullopt;
}

bool SymbolTable::full() const {
  const std::shared_lock<std::shared_mutex> lock(mutex_);
  const bool no_ids = free_ids_.size() < 2 && entries_.size() + 2 > decltype(entries_)::kCapacity;
  const bool no_pages = free_pages_.size() < 2 && pages_.size() + 2 > decltype(pages_)::kCapacity;
  return no_ids || no_pages;
}

SymbolId SymbolTable::Intern(std::string_view text) {
  const uint32_t tag = TagOf(text);
  {
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    const Slot& slot = slots_[Probe(text, tag)];
    if (slot.id_plus_one != 0 && !retiring_) return SymbolId{slot.id_plus_one - 1};
  }
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  if (const Slot& slot = slots_[Probe(text, tag)]; slot.id_plus_one != 0) {
    if (retiring_) spared_.push_back(slot.id_plus_one - 1);
    return SymbolId{slot.id_plus_one - 1};
  }
  uint32_t id = 0;
  if (free_ids_.empty()) {
    id = count();
    entries_.Grow(size_t{id} + 1);
  } else {
    id = free_ids_.back();
    free_ids_.pop_back();
  }
  // Born after every moment there was: the entry must be whole before the clock says so.
  entries_[id].store(Entry(static_cast<uint32_t>(clock_.load(std::memory_order_relaxed)) + 1, Store(text)),
                     std::memory_order_release);
  AdvanceLocked();
  if (retiring_) spared_.push_back(id);
  Place(tag, id);
  return SymbolId{id};
}

Result<void> SymbolTable::Restore(SymbolId id, std::string_view text) {
  const auto number = static_cast<uint32_t>(id);
  const uint32_t tag = TagOf(text);
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  const auto refuse = [&](const char* why) {
    return Fail(ErrorCode::kDataLoss, "symbol " + std::to_string(number) + " " + why);
  };
  if (number >= decltype(entries_)::kCapacity) return refuse("is out of range");
  if (pages_.size() + 2 > decltype(pages_)::kCapacity) return refuse("has no room");
  if (const Slot& slot = slots_[Probe(text, tag)]; slot.id_plus_one != 0) {
    if (slot.id_plus_one == number + 1) return {};
    return refuse("is defined twice");
  }
  entries_.Grow(size_t{number} + 1);
  if (const uint32_t old = Offset(entries_[number].load(std::memory_order_relaxed)); old != 0) {
    Unlink(TagOf(TextAt(old)), number);
    Drop(old);
  }
  const auto birth = static_cast<uint32_t>(clock_.load(std::memory_order_relaxed));
  entries_[number].store(Entry(birth, Store(text)), std::memory_order_release);
  Place(tag, number);
  return {};
}

void SymbolTable::Forget(SymbolId id) {
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  auto& entry = entries_[static_cast<uint32_t>(id)];
  const uint32_t offset = Offset(entry.load(std::memory_order_relaxed));
  if (offset == 0) return;
  Unlink(TagOf(TextAt(offset)), static_cast<uint32_t>(id));
  Drop(offset);
  entry.store(0, std::memory_order_release);
}

void SymbolTable::FinishRestore() {
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  free_ids_.clear();
  // From the highest down, so that the lowest is handed out first.
  for (uint32_t id = count(); id-- > 0;) {
    if (Offset(entries_[id].load(std::memory_order_relaxed)) == 0) free_ids_.push_back(id);
  }
}

// --- text ---

uint32_t SymbolTable::NewPage(size_t size) {
  uint32_t number = 0;
  if (free_pages_.empty()) {
    number = static_cast<uint32_t>(pages_.size());
    pages_.Grow(pages_.size() + 1);
  } else {
    number = free_pages_.back();
    free_pages_.pop_back();
  }
  Page& page = pages_[number];
  page.bytes.reset(new char[size]);
  page.size = static_cast<uint32_t>(size);
  page.used = 0;
  page.live = 0;
  page_bytes_ += size;
  return number;
}

uint32_t SymbolTable::Allocate(size_t size) {
  live_bytes_ += size;
  if (size > kLargeText) {
    const uint32_t own = NewPage(size);
    pages_[own].used = pages_[own].live = static_cast<uint32_t>(size);
    return own << kPageBits;
  }
  if (pages_[filling_].used + size > kSymbolPage) filling_ = NewPage(kSymbolPage);
  Page& page = pages_[filling_];
  const uint32_t offset = (filling_ << kPageBits) + page.used;
  page.used += static_cast<uint32_t>(size);
  page.live += static_cast<uint32_t>(size);
  return offset;
}

uint32_t SymbolTable::Store(std::string_view text) {
  char length[kMaxTextLengthBytes];
  size_t digits = 0;
  size_t rest = text.size();
  while (rest >= 0x80) {
    length[digits++] = static_cast<char>(rest | 0x80);
    rest >>= 7;
  }
  length[digits++] = static_cast<char>(rest);
  const uint32_t offset = Allocate(digits + text.size());
  char* const to = pages_[offset >> kPageBits].bytes.get() + (offset & (kSymbolPage - 1));
  std::memcpy(to, length, digits);
  std::memcpy(to + digits, text.data(), text.size());
  return offset;
}

void SymbolTable::Drop(uint32_t offset) {
  const size_t size = StoredSize(offset);
  Page& page = pages_[offset >> kPageBits];
  page.live -= static_cast<uint32_t>(size);
  live_bytes_ -= size;
}

// --- slots ---

void SymbolTable::Place(uint32_t tag, uint32_t id) {
  if ((used_ + 1) * 4 > slots_.size() * 3) ResizeSlots(slots_.size() + slots_.size() / 4);
  size_t at = Home(tag);
  while (slots_[at].id_plus_one != 0) at = Next(at);
  slots_[at] = Slot{tag, id + 1};
  ++used_;
}

void SymbolTable::Unlink(uint32_t tag, uint32_t id) {
  size_t hole = Home(tag);
  while (slots_[hole].id_plus_one != id + 1) {
    if (slots_[hole].id_plus_one == 0) return;
    hole = Next(hole);
  }
  // What follows moves up, unless that would put it before its home.
  for (size_t at = Next(hole); slots_[at].id_plus_one != 0; at = Next(at)) {
    if (Distance(Home(slots_[at].tag), at) < Distance(hole, at)) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = Slot{};
  --used_;
}

void SymbolTable::ResizeSlots(size_t size) {
  std::vector<Slot> old(size);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.id_plus_one == 0) continue;
    size_t at = Home(slot.tag);
    while (slots_[at].id_plus_one != 0) at = Next(at);
    slots_[at] = slot;
  }
}

// --- reclaiming ---

SymbolTable::Moment SymbolTable::Advance() {
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  return AdvanceLocked();
}

void SymbolTable::BeginRetiring() {
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  retiring_ = true;
  spared_.clear();
}

size_t SymbolTable::Retire(const std::vector<bool>& used) {
  EPI_CHECK(retiring_ && retired_.empty());
  std::vector<Slot> dead;
  const auto now = static_cast<uint32_t>(clock_.load(std::memory_order_relaxed));
  for (uint32_t id = 0; id < count(); ++id) {
    uint64_t entry = entries_[id].load(std::memory_order_acquire);
    if (Offset(entry) == 0) continue;
    if (id >= used.size()) break;  // born since
    if (!used[id]) {
      dead.push_back({TagOf(TextAt(Offset(entry))), id + 1});
    } else if (static_cast<int32_t>(now - Birth(entry)) > static_cast<int32_t>(kOldestBirth)) {
      // Only this thread changes entries that have text. Every view that is open is younger.
      entries_[id].store(Entry(now - kOldestBirth, Offset(entry)), std::memory_order_release);
    }
  }
  std::sort(dead.begin(), dead.end(), [](const Slot& a, const Slot& b) { return a.tag < b.tag; });
  {
    // First of all older views can find what is about to be unlinked.
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    retired_ = dead;
    retired_at_ = std::numeric_limits<Moment>::max();
  }
  std::vector<uint32_t> spared;
  for (size_t first = 0; first < dead.size(); first += kSymbolsPerTurn) {
    const size_t end = std::min(dead.size(), first + kSymbolsPerTurn);
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    spared = spared_;
    std::sort(spared.begin(), spared.end());
    for (size_t i = first; i < end; ++i) {
      if (std::binary_search(spared.begin(), spared.end(), dead[i].id_plus_one - 1)) {
        dead[i].id_plus_one = 0;
      } else {
        Unlink(dead[i].tag, dead[i].id_plus_one - 1);
      }
    }
  }
  std::erase_if(dead, [](const Slot& s) { return s.id_plus_one == 0; });
  dead.shrink_to_fit();
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  retired_.swap(dead);
  retired_at_ = AdvanceLocked();
  retiring_ = false;
  std::vector<uint32_t>().swap(spared_);
  if (used_ * 3 < slots_.size() && slots_.size() > kFirstSlots) ResizeSlots(slots_.size() / 2);
  return retired_.size();
}

std::vector<uint32_t> SymbolTable::ReleaseRetired() {
  std::vector<uint32_t> ids;
  {
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    for (const Slot& slot : retired_) {
      const uint32_t id = slot.id_plus_one - 1;
      auto& entry = entries_[id];
      Drop(Offset(entry.load(std::memory_order_relaxed)));
      entry.store(0, std::memory_order_release);
      ids.push_back(id);
    }
    std::vector<Slot>().swap(retired_);
    std::sort(ids.begin(), ids.end(), std::greater<>());
    free_ids_.insert(free_ids_.end(), ids.begin(), ids.end());
  }
  MoveAwayFromEmptyPages();
  return ids;
}

void SymbolTable::MoveAwayFromEmptyPages() {
  std::vector<bool> leaving;
  {
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    leaving.resize(pages_.size());
    for (uint32_t number = 1; number < pages_.size(); ++number) {
      Page& page = pages_[number];
      if (page.bytes == nullptr || number == filling_ || page.live * 4 >= page.used * 3) continue;
      if (std::find(abandoned_.begin(), abandoned_.end(), number) != abandoned_.end()) continue;
      leaving[number] = true;
      abandoned_.push_back(number);
    }
  }
  if (abandoned_.empty()) return;
  for (uint32_t first = 0; first < count(); first += kSymbolsPerTurn) {
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    const uint32_t end = std::min<uint32_t>(count(), first + static_cast<uint32_t>(kSymbolsPerTurn));
    for (uint32_t id = first; id < end; ++id) {
      const uint64_t entry = entries_[id].load(std::memory_order_relaxed);
      const uint32_t page = Offset(entry) >> kPageBits;
      if (Offset(entry) == 0 || page >= leaving.size() || !leaving[page]) continue;
      if (pages_.size() + 2 > decltype(pages_)::kCapacity && free_pages_.empty()) continue;
      const uint32_t offset = Store(TextAt(Offset(entry)));
      Drop(Offset(entry));
      entries_[id].store(Entry(Birth(entry), offset), std::memory_order_release);
    }
  }
  abandoned_at_ = Advance();
}

void SymbolTable::FreeAbandoned() {
  const std::unique_lock<std::shared_mutex> lock(mutex_);
  std::erase_if(abandoned_, [&](uint32_t number) {
    Page& page = pages_[number];
    if (page.live != 0) return false;  // there was no room for it elsewhere
    page_bytes_ -= page.size;
    page.bytes.reset();
    free_pages_.push_back(number);
    return true;
  });
}

SymbolTable::Usage SymbolTable::usage() const {
  const std::shared_lock<std::shared_mutex> lock(mutex_);
  Usage usage;
  usage.text = live_bytes_;
  usage.symbols = used_;
  usage.retired = retired_.size();
  usage.bytes = entries_.bytes() + pages_.bytes() + page_bytes_ + slots_.capacity() * sizeof(Slot) +
                (free_ids_.capacity() + free_pages_.capacity()) * sizeof(uint32_t) + retired_.capacity() * sizeof(Slot);
  return usage;
}

}  // namespace epi::tsdb
