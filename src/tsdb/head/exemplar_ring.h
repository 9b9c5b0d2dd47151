// The newest exemplars of all series, in a ring of fixed size.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "model/sample.h"

namespace epi::tsdb {

// Thread-safe. The entry written longest ago makes room for a new one.
class ExemplarRing {
 public:
  // `late_window_ms`: how much older than the series' newest an exemplar may be.
  ExemplarRing(size_t capacity, int64_t late_window_ms) : capacity_(capacity), late_window_ms_(late_window_ms) {}

  enum class Verdict : unsigned char { kAccept, kSame, kOutOfOrder, kLabelsTooLong, kDisabled };
  // Prometheus's rules against the newest exemplar of the series (surface 8.8); `pending`, when given, is the newest of
  // those that are about to be added. A late one of a time that the series has an exemplar of is kSame, too.
  Verdict Check(uint32_t series, const Exemplar& exemplar, const Exemplar* pending = nullptr) const;
  void Add(uint32_t series, const Exemplar& exemplar);
  // Keeps the newest that fit.
  void Resize(size_t capacity);
  void SetLateWindow(int64_t ms);
  // Exemplars of a series in the range, by time.
  std::vector<Exemplar> Of(uint32_t series, TimeRange range) const;
  // Whether this very exemplar of the series is in the ring.
  bool Has(uint32_t series, const Exemplar& exemplar) const;
  std::vector<uint32_t> Series() const;
  void Forget(uint32_t series);

  struct Stats {
    size_t exemplars = 0;
    size_t series = 0;
    size_t capacity = 0;
    TimestampMs oldest = 0;  // of the entry written longest ago; 0 when there is none
  };
  Stats stats() const;
  // Every entry, the one written longest ago first.
  struct Entry {
    uint32_t series;
    Exemplar exemplar;
  };
  std::vector<Entry> Entries() const;

 private:
  struct Slot {
    uint32_t series = 0;
    uint32_t next = kNone;  // of the same series, by time
    uint32_t previous = kNone;
    Exemplar exemplar;
  };
  struct Ends {
    uint32_t oldest = kNone;
    uint32_t newest = kNone;
  };
  static constexpr uint32_t kNone = 0xffffffff;
  std::vector<Entry> EntriesLocked() const;
  void Unlink(uint32_t slot);
  void Link(uint32_t slot);
  Verdict Compare(const Exemplar& exemplar, const Exemplar& newest) const;
  void AddLocked(uint32_t series, const Exemplar& exemplar);

  mutable std::mutex mutex_;
  size_t capacity_;                                 // guarded by mutex_
  int64_t late_window_ms_;                          // guarded by mutex_
  std::vector<Slot> slots_;                         // guarded by mutex_
  size_t next_ = 0;                                 // guarded by mutex_; the slot written next once the ring is full
  boost::unordered_flat_map<uint32_t, Ends> ends_;  // guarded by mutex_
};

// Length in characters of all names and values together, as the limit counts them.
size_t ExemplarLabelLength(const Labels& labels);
inline constexpr size_t kMaxExemplarLabelLength = 128;

}  // namespace epi::tsdb
