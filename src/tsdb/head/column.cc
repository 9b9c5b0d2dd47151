#include "tsdb/head/column.h"

#include <algorithm>

#include "base/bytes.h"
#include "tsdb/wrapping.h"

namespace epi::tsdb {

void Column::Append(TimestampMs time, uint64_t commit, uint64_t settled) {
  EPI_CHECK(count_ < kMaxColumnEntries && (count_ == 0 || time > last_time_));
  const int64_t step = count_ == 0 ? 0 : WrappedMinus(time, last_time_);
  ByteWriter(bytes_).Varint(count_ == 0 ? time : WrappedMinus(step, last_step_));
  if (commits_.empty() || last_commit_ <= settled) {
    commits_.clear();
    see_all_ = count_;
  }
  commits_.push_back(commit);
  last_time_ = time;
  last_step_ = step;
  last_commit_ = commit;
  ++count_;
}

void Column::Times(TimestampMs* out) const {
  const bool whole = DecodeTimes(bytes_, count_, out).has_value();
  EPI_CHECK(whole);
}

TimestampMs Column::TimeAt(size_t entry) const {
  if (entry + 1 == count_) return last_time_;
  TimestampMs times[kMaxColumnEntries];
  Times(times);
  return times[entry];
}

size_t Column::Visible(uint64_t visible) const {
  if (last_commit_ <= visible) return count_;
  return see_all_ + static_cast<size_t>(std::upper_bound(commits_.begin(), commits_.end(), visible) - commits_.begin());
}

size_t Column::bytes() const {
  return sizeof *this + (bytes_.capacity() > 15 ? bytes_.capacity() : 0) + commits_.capacity() * sizeof(uint64_t);
}

Result<Column> Column::Restore(std::string encoded, size_t count, uint64_t last_commit) {
  if (count == 0 || count > kMaxColumnEntries) return Fail(ErrorCode::kDataLoss, "a column has no entries");
  TimestampMs times[kMaxColumnEntries];
  EPI_TRY(DecodeTimes(encoded, count, times));
  Column column;
  column.bytes_ = std::move(encoded);
  column.last_time_ = times[count - 1];
  column.last_step_ = count == 1 ? 0 : WrappedMinus(times[count - 1], times[count - 2]);
  column.last_commit_ = last_commit;
  column.count_ = column.see_all_ = static_cast<uint16_t>(count);
  return column;
}

Result<void> DecodeTimes(std::string_view encoded, size_t count, TimestampMs* out) {
  ByteReader reader(encoded);
  int64_t step = 0;
  for (size_t i = 0; i < count; ++i) {
    const int64_t coded = reader.Varint();
    if (i == 0) {
      out[0] = coded;
      continue;
    }
    step = WrappedPlus(step, coded);
    out[i] = WrappedPlus(out[i - 1], step);
    if (out[i] <= out[i - 1]) return Fail(ErrorCode::kDataLoss, "times of a column do not ascend");
  }
  if (!reader.ok() || !reader.empty()) return Fail(ErrorCode::kDataLoss, "a column of times is damaged");
  return {};
}

}  // namespace epi::tsdb
