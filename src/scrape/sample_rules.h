// What configuration and target say about the samples of a scrape.
#pragma once

#include <cstdint>
#include <vector>

#include "model/label_names.h"
#include "model/relabel.h"

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

}  // namespace epi::scrape
