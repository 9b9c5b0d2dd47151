// One scrape job as plain data: what `config` says of a scrape_config, resolved against `global`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/duration.h"
#include "model/label_names.h"
#include "model/relabel.h"
#include "net/http_settings.h"
#include "scrape/parse/format.h"

namespace epi::scrape {

struct ScrapeJob {
  std::string job_name;
  DurationMs scrape_interval = 60'000;
  DurationMs scrape_timeout = 10'000;
  std::string metrics_path = "/metrics";
  std::string scheme = "http";
  std::vector<std::pair<std::string, std::vector<std::string>>> params;  // sorted by name
  std::vector<ScrapeProtocol> scrape_protocols = {
      ScrapeProtocol::kOpenMetricsText100, ScrapeProtocol::kOpenMetricsText001, ScrapeProtocol::kPrometheusText100,
      ScrapeProtocol::kPrometheusText004};
  std::optional<ScrapeProtocol> fallback_scrape_protocol;
  bool scrape_native_histograms = false;
  bool always_scrape_classic_histograms = false;
  bool convert_classic_histograms_to_nhcb = false;
  bool extra_scrape_metrics = false;
  std::string scrape_failure_log_file;  // empty: none
  bool honor_labels = false;
  bool honor_timestamps = true;
  bool track_timestamps_staleness = false;
  bool enable_compression = true;
  // 0 = no limit.
  uint64_t body_size_limit = 0;
  uint64_t sample_limit = 0;
  uint64_t target_limit = 0;
  uint64_t label_limit = 0;
  uint64_t label_name_length_limit = 0;
  uint64_t label_value_length_limit = 0;
  uint64_t keep_dropped_targets = 0;
  uint64_t native_histogram_bucket_limit = 0;
  double native_histogram_min_bucket_factor = 0;
  // Past sample_limit: fail the scrape (Prometheus's way), or keep the known series and refuse only new ones.
  bool drop_new_over_sample_limit = false;
  NameScheme name_scheme = NameScheme::kUtf8;
  NameEscaping name_escaping = NameEscaping::kNone;
  net::HttpClientSettings http;
  std::vector<RelabelConfig> relabel;
  std::vector<RelabelConfig> metric_relabel;
  friend bool operator==(const ScrapeJob&, const ScrapeJob&) = default;
};

}  // namespace epi::scrape
