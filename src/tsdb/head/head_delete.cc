// Deletions, and what the log says beside samples.
#include <algorithm>

#include "tsdb/head/head.h"
#include "tsdb/head/select_series.h"

namespace epi::tsdb {

Result<void> Head::Delete(std::span<const Matcher> matchers, TimeRange range) {
  return DeleteSeries(SelectSeries({postings_, series_, labels_, symbols_}, matchers), range);
}

Result<void> Head::DeleteSeries(std::span<const uint32_t> ids, TimeRange range) {
  for (size_t first = 0; first < ids.size();) {
    Group& group = *groups_[series_.slab(ids[first]).group];
    group.BeginTurn();
    Batch batch;
    batch.group = group.id();
    size_t next = first;
    for (; next < ids.size() && group.Owns(ids[next]); ++next) {
      if (!series_.Alive(ids[next])) continue;
      // Clamped to what is there, so that samples to come are not hidden.
      const TimestampMs last = std::min(range.max, group.NewestOf(ids[next]));
      if (last != kNoTime && range.min <= last) batch.tombstones.push_back({ids[next], range.min, last});
    }
    first = next;
    if (batch.tombstones.empty()) {
      group.Abandon();
      continue;
    }
    uint64_t lsn = 0;
    {
      const auto lock = group.Lock();
      auto appended = log_.Append(batch, group.chain());
      if (!appended) {
        group.Abandon();
        return Fail(appended.error());
      }
      lsn = appended->lsn;
      group.Announce(lsn);
    }
    if (auto written = log_.AwaitWritten(lsn); !written) {
      group.Abandon();
      return written;
    }
    group.Apply(batch, {lsn, Settled(), min_valid_time()});
  }
  return {};
}

Batch Head::Untimed() const {
  Batch batch;
  for (auto& entry : exemplars_.Entries()) batch.exemplars.push_back({entry.series, std::move(entry.exemplar)});
  for (size_t i = 0; i < groups_.size(); ++i) groups_[i]->AppendTombstones(batch.tombstones);
  const std::shared_lock<std::shared_mutex> lock(metadata_mutex_);
  for (const auto& [metric, metadata] : metadata_) batch.metadata.push_back({metric, metadata});
  return batch;
}

}  // namespace epi::tsdb
