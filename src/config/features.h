// --enable-feature: which names there are in Prometheus 3.14 and what each one switches here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace epi::config {

struct Features {
  bool concurrent_rule_eval = false;
  bool created_timestamp_zero_ingestion = false;
  bool delayed_compaction = false;
  bool exemplar_storage = false;
  bool extra_scrape_metrics = false;
  bool fast_startup = false;
  bool histograms_st_encoding = false;
  bool memory_snapshot_on_shutdown = false;
  bool metadata_wal_records = false;
  bool old_ui = false;
  bool otlp_delta_to_cumulative = false;
  bool otlp_native_delta_ingestion = false;
  bool promql_binop_fill_modifiers = false;
  bool promql_delayed_name_removal = false;
  bool promql_experimental_functions = false;
  bool promql_extended_range_selectors = false;
  bool promql_per_step_stats = false;
  bool search_api = false;
  bool st_storage = false;
  bool st_synthesis = false;
  bool type_and_unit_labels = false;
  bool use_start_timestamps = false;
  bool use_uncached_io = false;
  bool xor2_encoding = false;
  bool auto_reload_config = false;  // the deprecated alias of --config.auto-reload
};

struct FeatureNote {
  bool warning = false;
  std::string message;         // for the log, Prometheus's where it is true here
  std::string_view attribute;  // of the log line, with its value; empty for none
  std::string value;
};

struct ParsedFeatures {
  Features features;
  std::vector<FeatureNote> notes;  // what to log, in the order given
};

// The names that switch something or are let pass, as a list with commas; not those of what is on for good.
std::string FeatureNames();

// `given` as the flag collected it: each entry a comma-separated list. Unknown names, empty ones too, are notes.
// kInvalid for names that exclude each other.
Result<ParsedFeatures> ParseFeatures(const std::vector<std::string>& given);

}  // namespace epi::config
