// All series of the head by id: their hot records, what identifies them, and the way from labels to id.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <vector>

#include "storage/appender.h"
#include "tsdb/head/hot_record.h"
#include "tsdb/head/label_store.h"
#include "tsdb/head/paged_array.h"

namespace epi::tsdb {

inline constexpr uint32_t kNoSeriesId = 0xffffffff;

inline SeriesRef MakeRef(uint32_t id, uint32_t generation) {
  return SeriesRef{static_cast<uint64_t>(generation) << 32 | id};
}
inline uint32_t RefId(SeriesRef ref) { return static_cast<uint32_t>(static_cast<uint64_t>(ref)); }
inline uint32_t RefGeneration(SeriesRef ref) { return static_cast<uint32_t>(static_cast<uint64_t>(ref) >> 32); }

// What does not change while the series lives.
struct ColdRecord {
  uint64_t label_hash = 0;
  LabelStore::Offset labels = 0;
  std::atomic<uint32_t> generation{0};  // counts up with every life of the id; even = not alive
};
static_assert(sizeof(ColdRecord) == 16);

// 64 neighbouring ids, all of one group.
struct Slab {
  static constexpr uint32_t kSeries = 64;
  std::array<HotRecord, kSeries> hot;  // guarded by the group's lock
  std::array<ColdRecord, kSeries> cold;
  uint64_t in_batch = 0;   // owned by whoever commits to the group: admitted in the current batch
  uint64_t in_layout = 0;  // likewise: part of the layout that the log's next difference refers to
  uint64_t unused = 0;     // guarded by the group's lock: was seen without any sample when garbage was collected
  uint32_t group = 0;      // changes only while no series of the slab lives
};

// Reading is lock-free for published ids; creating and removing is serialised by the head.
class SeriesTable {
 public:
  static constexpr uint32_t kMaxSlabs = 1u << 22;

  // A slab of 64 ids for `group`: its first id. Nothing when ids are used up.
  std::optional<uint32_t> AddSlab(uint32_t group);
  // Makes the slab of `id` exist and belong to `group`; false when it belongs to another. A slab of group kNoSeriesId
  // belongs to none.
  bool RestoreSlab(uint32_t id, uint32_t group);

  uint32_t id_limit() const { return static_cast<uint32_t>(slabs_.size()) * Slab::kSeries; }
  bool HasSlab(uint32_t id) const { return id < id_limit() && slabs_[id / Slab::kSeries] != nullptr; }
  Slab& slab(uint32_t id) { return *slabs_[id / Slab::kSeries]; }
  const Slab& slab(uint32_t id) const { return *slabs_[id / Slab::kSeries]; }
  HotRecord& hot(uint32_t id) { return slab(id).hot[id % Slab::kSeries]; }
  const HotRecord& hot(uint32_t id) const { return slab(id).hot[id % Slab::kSeries]; }
  ColdRecord& cold(uint32_t id) { return slab(id).cold[id % Slab::kSeries]; }
  const ColdRecord& cold(uint32_t id) const { return slab(id).cold[id % Slab::kSeries]; }
  // Whether `ref` names a series that lives.
  bool Alive(SeriesRef ref) const {
    return (RefGeneration(ref) & 1) != 0 && HasSlab(RefId(ref)) &&
           cold(RefId(ref)).generation.load(std::memory_order_acquire) == RefGeneration(ref);
  }
  bool Alive(uint32_t id) const {
    return HasSlab(id) && (cold(id).generation.load(std::memory_order_acquire) & 1) != 0;
  }
  // Whether any series has had a native histogram; stays true.
  bool has_histograms() const { return has_histograms_.load(std::memory_order_acquire); }
  void NoteHistograms() {
    if (!has_histograms()) has_histograms_.store(true, std::memory_order_release);
  }
  size_t bytes() const { return slabs_.bytes() + slab_count_.load(std::memory_order_relaxed) * sizeof(Slab); }

 private:
  PagedArray<std::unique_ptr<Slab>, 10, (kMaxSlabs >> 10)> slabs_;
  std::atomic<size_t> slab_count_{0};
  std::atomic<bool> has_histograms_{false};
};

// From the hash of a label set to ids: 8 bytes a slot. Thread-safe.
class LabelHashTable {
 public:
  LabelHashTable() : slots_(kFirstSlots) {}
  // The id with this hash for which `same(id)` is true. What `same` looks at is not given up while it runs: Remove
  // waits.
  std::optional<uint32_t> Find(uint64_t hash, const std::function<bool(uint32_t)>& same) const;
  void Add(uint64_t hash, uint32_t id);
  // As Find, and when that finds nothing, as Add.
  std::optional<uint32_t> FindOrAdd(uint64_t hash, uint32_t id, const std::function<bool(uint32_t)>& same);
  // Makes room for so many ids in all.
  void Reserve(size_t ids);
  void Remove(uint64_t hash, uint32_t id);
  // Waits until nobody is in a Find that began before.
  void AwaitReaders() const { const std::unique_lock<std::shared_mutex> lock(mutex_); }
  size_t bytes() const;

 private:
  struct Slot {
    uint32_t tag = 0;
    uint32_t id = kNoSeriesId;
    bool free() const { return id == kNoSeriesId; }
  };
  static constexpr size_t kFirstSlots = 1024;
  static uint32_t Tag(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }
  // Where a tag belongs: slots lie in the order of their tags, so any number of slots will do.
  size_t Home(uint32_t tag) const { return (uint64_t{tag} * slots_.size()) >> 32; }
  size_t Next(size_t at) const { return at + 1 == slots_.size() ? 0 : at + 1; }
  size_t Distance(size_t from, size_t to) const { return to >= from ? to - from : to + slots_.size() - from; }
  // These require mutex_.
  std::optional<uint32_t> FindLocked(uint64_t hash, const std::function<bool(uint32_t)>& same) const;
  void AddLocked(uint64_t hash, uint32_t id);
  void Resize(size_t size);

  mutable std::shared_mutex mutex_;
  std::vector<Slot> slots_;  // guarded by mutex_; open addressing
  size_t used_ = 0;          // guarded by mutex_
};

}  // namespace epi::tsdb
