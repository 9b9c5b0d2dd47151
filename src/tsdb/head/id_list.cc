#include "tsdb/head/id_list.h"

#include <algorithm>

#include "base/bytes.h"

namespace epi::tsdb {
namespace {
// The tail may hold this many ids, and an eighth of the base.
constexpr size_t kMinTail = 16;

// Runs of consecutive ids: uvarint(gap << 1 | longer), then uvarint(length - 2) when the run is longer than one.
// `next`: the smallest id that may come; then the end of the last run.
void EncodeRuns(std::span<const uint32_t> sorted, uint64_t& next, std::string& out) {
  ByteWriter writer(out);
  for (size_t i = 0; i < sorted.size();) {
    size_t end = i + 1;
    while (end < sorted.size() && sorted[end] == sorted[end - 1] + 1) ++end;
    const uint64_t length = end - i;
    writer.Uvarint((sorted[i] - next) << 1 | (length > 1 ? 1 : 0));
    if (length > 1) writer.Uvarint(length - 2);
    next = uint64_t{sorted[end - 1]} + 1;
    i = end;
  }
}
}  // namespace

IdList& IdList::operator=(IdList&& other) noexcept {
  if (this != &other) {
    Clear();
    count_ = other.count_;
    heap_ = other.heap_;
    other.count_ = 0;
  }
  return *this;
}

void IdList::Clear() {
  if (count_ > kInline) delete heap_;
  count_ = 0;
}

// Until `visit` returns false.
template <typename Visit>
void IdList::VisitBase(Visit visit) const {
  ByteReader reader(heap_->base);
  uint64_t next = 0;
  while (!reader.empty()) {
    const uint64_t head = reader.Uvarint();
    const uint64_t first = next + (head >> 1);
    const uint64_t length = (head & 1) != 0 ? reader.Uvarint() + 2 : 1;
    if (!visit(static_cast<uint32_t>(first), static_cast<uint32_t>(length))) return;
    next = first + length;
  }
}

void IdList::Add(uint32_t id) {
  if (count_ < kInline) {
    few_[count_++] = id;
    if (count_ == 2 && few_[0] > few_[1]) std::swap(few_[0], few_[1]);
    return;
  }
  if (count_ == kInline) {
    uint32_t ids[kInline + 1] = {few_[0], few_[1], id};
    std::sort(ids, ids + kInline + 1);
    heap_ = new Heap;
    count_ = kInline + 1;
    Rebuild(ids);
    return;
  }
  heap_->tail.push_back(id);
  ++count_;
  if (heap_->tail.size() > kMinTail && heap_->tail.size() > heap_->base_count / 8) {
    if (heap_->tail.front() >= heap_->base_end && std::is_sorted(heap_->tail.begin(), heap_->tail.end())) {
      // New ids are mostly above all others: what is there need not be looked at.
      EncodeRuns(heap_->tail, heap_->base_end, heap_->base);
      heap_->base_count = count_;
      heap_->tail = {};
      return;
    }
    std::vector<uint32_t> all;
    AppendTo(all);
    Rebuild(all);
  }
}

void IdList::Rebuild(std::span<const uint32_t> sorted) {
  std::string base;
  heap_->base_end = 0;
  EncodeRuns(sorted, heap_->base_end, base);
  base.shrink_to_fit();
  heap_->base = std::move(base);
  heap_->base_count = static_cast<uint32_t>(sorted.size());
  std::vector<uint32_t>().swap(heap_->tail);
}

void IdList::Remove(const std::vector<uint64_t>& gone) {
  const auto is_gone = [&](uint32_t id) { return ((gone[id >> 6] >> (id & 63)) & 1) != 0; };
  if (count_ <= kInline) {
    count_ = static_cast<uint32_t>(std::remove_if(few_, few_ + count_, is_gone) - few_);
    return;
  }
  std::vector<uint32_t> all;
  AppendTo(all);
  std::vector<uint32_t> kept;
  kept.reserve(all.size());
  std::remove_copy_if(all.begin(), all.end(), std::back_inserter(kept), is_gone);
  if (kept.size() == all.size()) return;
  if (kept.size() > kInline) {
    count_ = static_cast<uint32_t>(kept.size());
    Rebuild(kept);
    return;
  }
  Clear();
  for (const uint32_t id : kept) few_[count_++] = id;
}

void IdList::AppendTo(std::vector<uint32_t>& out) const {
  if (count_ <= kInline) {
    out.insert(out.end(), few_, few_ + count_);
    return;
  }
  const size_t first = out.size();
  out.reserve(first + count_);
  VisitBase([&](uint32_t id, uint32_t length) {
    for (uint32_t i = 0; i < length; ++i) out.push_back(id + i);
    return true;
  });
  if (heap_->tail.empty()) return;
  const auto middle = static_cast<std::ptrdiff_t>(out.size());
  out.insert(out.end(), heap_->tail.begin(), heap_->tail.end());
  std::sort(out.begin() + middle, out.end());
  std::inplace_merge(out.begin() + static_cast<std::ptrdiff_t>(first), out.begin() + middle, out.end());
}

void IdList::SetBits(std::vector<uint64_t>& bits) const {
  const auto set = [&](uint32_t id) { bits[id >> 6] |= uint64_t{1} << (id & 63); };
  if (count_ <= kInline) {
    for (uint32_t i = 0; i < count_; ++i) set(few_[i]);
    return;
  }
  VisitBase([&](uint32_t id, uint32_t length) {
    for (uint32_t i = 0; i < length; ++i) set(id + i);
    return true;
  });
  for (const uint32_t id : heap_->tail) set(id);
}

bool IdList::Meets(const std::vector<uint64_t>& bits) const {
  const auto in = [&](uint32_t id) { return (id >> 6) < bits.size() && ((bits[id >> 6] >> (id & 63)) & 1) != 0; };
  if (count_ <= kInline) return std::any_of(few_, few_ + count_, in);
  bool met = false;
  VisitBase([&](uint32_t id, uint32_t length) {
    const uint32_t end = id + length;
    for (uint32_t at = id; at < end && !met;) {
      // Whole words of a long run at once.
      if ((at & 63) == 0 && end - at >= 64 && (at >> 6) < bits.size() && bits[at >> 6] == 0) {
        at += 64;
      } else {
        met = in(at++);
      }
    }
    return !met;
  });
  return met || std::any_of(heap_->tail.begin(), heap_->tail.end(), in);
}

size_t IdList::heap_bytes() const {
  if (count_ <= kInline) return 0;
  return sizeof(Heap) + (heap_->base.capacity() > 15 ? heap_->base.capacity() + 1 : 0) +
         heap_->tail.capacity() * sizeof(uint32_t);
}

}  // namespace epi::tsdb
