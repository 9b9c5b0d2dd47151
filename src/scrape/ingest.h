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
#include "model/label_names.h"
#include "model/relabel.h"
#include "scrape/metadata_cache.h"
#include "scrape/parse/exposition.h"
#include "scrape/parse/format.h"
#include "scrape/series_cache.h"
#include "scrape/start_synthesis.h"
#include "scrape/timed_series.h"
#include "storage/appender.h"

namespace epi::scrape {

// What a scrape pool's configuration says about samples. Shared by the pool's targets; immutable while in use.
struct SampleRules {
  bool honor_labels = false;
  bool honor_timestamps = true;
  bool track_timestamps_staleness = false;
  NameScheme name_scheme = NameScheme::kUtf8;
  std::vector<RelabelConfig> metric_relabel;
  // 0 = no limit.
  uint64_t sample_limit = 0;
  uint64_t label_limit = 0;
  uint64_t label_name_length_limit = 0;
  uint64_t label_value_length_limit = 0;
  uint64_t native_histogram_bucket_limit = 0;
  double native_histogram_min_bucket_factor = 0;
  // Past sample_limit known series go on and only new ones are refused, instead of failing the scrape. A new series
  // gets a place only where the last stored body left one free, wherever it stands in the page.
  bool drop_new_over_limit = false;
  bool exemplars = false;           // storage keeps exemplars
  bool start_timestamps = false;    // start timestamps are stored beside the samples
  bool start_zero_samples = false;  // a new start timestamp puts a sample of zero there, before the sample itself
  bool synthesize_starts = false;   // cumulative series without a start timestamp get one, see start_synthesis.h
  bool append_metadata = false;     // metadata goes to storage with new series and on change
  bool type_and_unit_labels = false;
  bool validate_histograms = true;  // a native histogram that does not add up fails the scrape
};

// What the target itself decides (its __…__ labels may override the pool).
struct HistogramRules {
  bool scrape_native = false;
  bool keep_classic = false;
  bool convert_classic = false;
  friend bool operator==(const HistogramRules&, const HistogramRules&) = default;
};

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

// How exposed labels and target labels are brought together, before relabeling. `exposes_empty(name)`: the sample
// carries the label with an empty value.
Labels AttachTargetLabels(const Labels& exposed, const Labels& target_labels, bool honor_labels,
                          const ExpositionParser& parser);

}  // namespace epi::scrape
