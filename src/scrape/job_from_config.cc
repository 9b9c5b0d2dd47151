#include "scrape/job_from_config.h"

#include <algorithm>

namespace epi::scrape {

ScrapeJob JobFromConfig(const config::ScrapeConfig& config) {
  ScrapeJob job;
  job.job_name = config.job_name;
  job.scrape_interval = config.scrape_interval;
  job.scrape_timeout = config.scrape_timeout;
  job.metrics_path = config.metrics_path;
  job.scheme = config.scheme;
  job.params = config.params;
  job.scrape_protocols.clear();
  for (const auto& name : config.scrape_protocols) {
    if (const auto protocol = ScrapeProtocolFromName(name)) job.scrape_protocols.push_back(*protocol);
  }
  job.fallback_scrape_protocol = ScrapeProtocolFromName(config.fallback_scrape_protocol);
  job.scrape_native_histograms = config.scrape_native_histograms.value_or(false);
  job.always_scrape_classic_histograms = config.always_scrape_classic_histograms.value_or(false);
  job.convert_classic_histograms_to_nhcb = config.convert_classic_histograms_to_nhcb.value_or(false);
  job.extra_scrape_metrics = config.extra_scrape_metrics.value_or(false);
  job.scrape_failure_log_file = config.scrape_failure_log_file;
  job.honor_labels = config.honor_labels;
  job.honor_timestamps = config.honor_timestamps;
  job.track_timestamps_staleness = config.track_timestamps_staleness;
  job.enable_compression = config.enable_compression;
  job.body_size_limit = static_cast<uint64_t>(std::max<int64_t>(0, config.body_size_limit));
  job.sample_limit = config.sample_limit;
  job.drop_new_over_sample_limit = config.sample_limit_action == config::kDropNewOverLimit;
  job.target_limit = config.target_limit;
  job.label_limit = config.label_limit;
  job.label_name_length_limit = config.label_name_length_limit;
  job.label_value_length_limit = config.label_value_length_limit;
  job.keep_dropped_targets = config.keep_dropped_targets;
  job.native_histogram_bucket_limit = config.native_histogram_bucket_limit;
  job.native_histogram_min_bucket_factor = config.native_histogram_min_bucket_factor;
  job.name_scheme = config.name_scheme();
  job.name_escaping = config.name_escaping();
  job.http = config.http;
  job.relabel = config.relabel_configs;
  job.metric_relabel = config.metric_relabel_configs;
  return job;
}

}  // namespace epi::scrape
