// The timestamps that series of a group share in its open phase.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tsdb/head/hot_record.h"

namespace epi::tsdb {

// Entry numbers are a byte.
inline constexpr size_t kMaxColumnEntries = 255;

// Ascending times, delta coded, with the commit number of each entry as long as some view may still have to tell it
// apart. Not thread-safe: the group's lock covers it.
class Column {
 public:
  // `time` is above last_time(). `settled`: every view, open or to come, sees commits up to it.
  void Append(TimestampMs time, uint64_t commit, uint64_t settled);
  size_t size() const { return count_; }
  TimestampMs last_time() const { return last_time_; }
  uint64_t last_commit() const { return last_commit_; }
  TimestampMs TimeAt(size_t entry) const;
  // Writes size() times.
  void Times(TimestampMs* out) const;
  const std::string& encoded() const { return bytes_; }
  // Entries below see_all() belong to every view; the rest's commit numbers are in commits().
  size_t see_all() const { return see_all_; }
  const std::vector<uint64_t>& commits() const { return commits_; }
  // How many entries a view at `visible` sees: commits ascend, so it is a prefix.
  size_t Visible(uint64_t visible) const;
  size_t bytes() const;
  // A column whose entries every view sees, from its coding. kDataLoss when the bytes are no such column.
  static Result<Column> Restore(std::string encoded, size_t count, uint64_t last_commit);

 private:
  std::string bytes_;  // first time, then zigzag varints of the change of the step
  std::vector<uint64_t> commits_;
  TimestampMs last_time_ = kNoTime;
  int64_t last_step_ = 0;
  uint64_t last_commit_ = 0;
  uint16_t count_ = 0;
  uint16_t see_all_ = 0;
};

// The inverse of Column's coding: exactly `count` ascending times. kDataLoss when the bytes are not that.
Result<void> DecodeTimes(std::string_view encoded, size_t count, TimestampMs* out);

}  // namespace epi::tsdb
