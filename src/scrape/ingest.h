// From a scraped body to a batch of samples: one target's cache, relabeling, limits and staleness.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "model/labels.h"
#include "scrape/metadata_cache.h"
#include "scrape/parse/format.h"
#include "scrape/sample_rules.h"
#include "scrape/series_cache.h"
#include "scrape/start_synthesis.h"
#include "scrape/timed_series.h"
#include "storage/appender.h"

namespace epi::scrape {

// Outcome of one body.
struct IngestResult {
  std::optional<Error> error;  // the scrape failed: nothing of the body is in the batch
  uint64_t scraped = 0;        // samples in the body (up to the error)
  uint64_t kept = 0;           // of them, after relabeling
  uint64_t series_added = 0;
  // Refused here and not by storage.
  uint64_t duplicates = 0;
  uint64_t out_of_bounds = 0;
  uint64_t refused_new = 0;  // by sample_limit_action drop_new
  bool sample_limit_hit = false;
  bool bucket_limit_hit = false;
  bool label_limit_hit = false;
  bool cache_flushed = false;
};

// One target's. Not thread-safe. The appender passed to the calls is the target's group.
class SampleIngest {
 public:
  SampleIngest(TextHashKey key, std::shared_ptr<MetadataInterner> interner)
      : cache_(key), metadata_(std::make_shared<MetadataCache>(std::move(interner))) {}

  // Adds the samples of `body`, and stale markers for what vanished, to `appender`. After an error the appender holds
  // stale markers for everything that was there before and nothing else. `time`: of samples without one of their own.
  // `target_labels` are those that are attached to samples.
  IngestResult Ingest(std::string_view body, ExpositionFormat format, TimestampMs time, const Labels& target_labels,
                      const SampleRules& rules, const HistogramRules& histograms, BatchAppender& appender);
  // The request failed: only stale markers.
  IngestResult IngestFailure(TimestampMs time, BatchAppender& appender);
  // After a commit: forgets series that storage no longer has. True when the body is worth a second pass, in which only
  // those series are added.
  bool ForgetDead(std::span<const SeriesRef> dead);
  // With synthesize_starts: storage refused samples of these series.
  void ForgetStarts(std::span<const AppendReport::Refusal> refused);
  // With track_timestamps_staleness, after the commit of a scrape at `time`: storage refused these of its samples (none
  // when the scrape failed). True when that ends series, of which markers were added.
  bool TakeRefusals(std::span<const AppendReport::Refusal> refusals, TimestampMs time, BatchAppender& appender);
  IngestResult IngestMissing(std::string_view body, ExpositionFormat format, TimestampMs time,
                             const Labels& target_labels, const SampleRules& rules, const HistogramRules& histograms,
                             BatchAppender& appender);
  // Labels, relabeling or limits changed: nothing cached holds any more. Series that do not come back with the next
  // body get stale markers then.
  void Clear() {
    cache_.Clear();
    last_appended_ = 0;
  }

  std::shared_ptr<const MetadataCache> metadata() const { return metadata_; }
  size_t cached_lines() const { return cache_.size(); }

 private:
  class Run;
  SeriesCache cache_;
  // With start_zero_samples: the start timestamps that have their zero sample.
  std::unordered_map<SeriesRef, TimestampMs> zeroed_starts_;
  StartSynthesis starts_;       // with synthesize_starts
  TimedSeries timed_;           // with track_timestamps_staleness
  uint64_t last_appended_ = 0;  // against sample_limit, in the last body that was stored
  const std::shared_ptr<MetadataCache> metadata_;
};

}  // namespace epi::scrape
