// A set of series ids that grows, in few bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace epi::tsdb {

// 16 bytes while it has at most two ids. Beyond that: a compressed base (gaps and runs, so a target's neighbouring ids
// take a few bytes together) and an unsorted tail of recent ids, folded into the base when it has grown by an eighth.
// Not thread-safe: writers are alone, readers may share.
class IdList {
 public:
  IdList() = default;
  ~IdList() { Clear(); }
  IdList(IdList&& other) noexcept : count_(other.count_), heap_(other.heap_) { other.count_ = 0; }
  IdList& operator=(IdList&& other) noexcept;
  IdList(const IdList&) = delete;
  IdList& operator=(const IdList&) = delete;

  // `id` is not in the list.
  void Add(uint32_t id);
  // Takes out the ids whose bits are set in `gone`, which has a bit for every id.
  void Remove(const std::vector<uint64_t>& gone);
  uint32_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  // Appends the ids to `out`, ascending.
  void AppendTo(std::vector<uint32_t>& out) const;
  // Sets the ids' bits; `bits` has room for all.
  void SetBits(std::vector<uint64_t>& bits) const;
  // Whether the bit of one of them is set; what `bits` has no place for is not.
  bool Meets(const std::vector<uint64_t>& bits) const;
  // Bytes beside this object.
  size_t heap_bytes() const;

 private:
  static constexpr uint32_t kInline = 2;
  struct Heap {
    std::string base;
    std::vector<uint32_t> tail;
    uint32_t base_count = 0;
    uint64_t base_end = 0;  // above every id of the base
  };
  void Clear();
  void Rebuild(std::span<const uint32_t> sorted);
  template <typename Visit>
  void VisitBase(Visit visit) const;

  uint32_t count_ = 0;
  union {
    uint32_t few_[kInline];
    Heap* heap_ = nullptr;  // when count_ > kInline
  };
};

}  // namespace epi::tsdb
