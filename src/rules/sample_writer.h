// Writes what rules give into storage, and stale markers for what they gave before and give no more.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "rules/rule.h"
#include "storage/storage.h"

namespace epi::rules {

// Series of one rule's last evaluation.
using SeriesSet = std::unordered_map<Labels, SeriesRef>;

// What storage said to one rule's samples.
struct WriteOutcome {
  struct Discarded {
    const RuleSample* sample = nullptr;  // of those written
    std::optional<RejectReason> reason;  // none: no series could be made for it
    std::string error;                   // Prometheus's text
  };
  std::vector<Discarded> discarded;
};

// One group's way into storage. Not thread-safe.
class SampleWriter {
 public:
  // `storage` outlives it. `key` names the group over restarts.
  SampleWriter(Storage& storage, std::string key);
  // One batch: the samples and a stale marker at `stale_time` for every series of `previous` that is not among them. On
  // success `previous` becomes the series of `samples` that were stored.
  Result<WriteOutcome> Write(const std::vector<RuleSample>& samples, TimestampMs stale_time, SeriesSet& previous);
  // Stale markers only; what storage refuses is left alone.
  Result<void> MarkStale(const std::vector<Labels>& series, TimestampMs time);

 private:
  Result<BatchAppender*> Appender();
  Storage& storage_;
  std::string key_;
  std::unique_ptr<BatchAppender> appender_;
};

}  // namespace epi::rules
