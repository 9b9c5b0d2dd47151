// Appenders for receivers to work with, and the way from labels as sent to series.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/labels.h"
#include "storage/storage.h"

namespace epi::remote {

// One appender a request, kept for the next: as many exist as requests were ever under way at once. Thread-safe.
class AppendLanes {
 public:
  // `name` begins the keys of the groups: "lane" makes "lane 0", …. `storage` outlives the lanes.
  AppendLanes(Storage& storage, std::string name) : storage_(storage), name_(std::move(name)) {}
  Result<std::unique_ptr<BatchAppender>> Take();
  void Give(std::unique_ptr<BatchAppender> appender);

 private:
  Storage& storage_;
  const std::string name_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<BatchAppender>> free_;  // guarded by mutex_
  size_t made_ = 0;                                   // guarded by mutex_
};

uint64_t HashOfPairs(std::span<const LabelView> pairs);

// From the hash of labels as sent to the series, so that known series cost no label handling. A 64-bit hash stands for
// the text; it is seeded by nothing a sender controls beyond the labels themselves, and a wrong guess needs 2^32
// series. Thread-safe.
class SentSeries {
 public:
  explicit SentSeries(size_t limit) : limit_(limit) {}
  SeriesRef Find(uint64_t hash) const;
  void Put(uint64_t hash, SeriesRef ref);
  void Forget(const std::vector<SeriesRef>& dead);

 private:
  size_t limit_;
  mutable std::shared_mutex mutex_;
  boost::unordered_flat_map<uint64_t, SeriesRef> refs_;  // guarded by mutex_; emptied when full
};

}  // namespace epi::remote
