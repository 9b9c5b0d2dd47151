// One scrape job.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/discovery_config.h"
#include "config/http_client_config.h"
#include "model/label_names.h"
#include "model/relabel.h"

namespace epi::config {

struct GlobalConfig;

inline constexpr std::string_view kPrometheusProto = "PrometheusProto";
inline constexpr std::string_view kPrometheusText004 = "PrometheusText0.0.4";
inline constexpr std::string_view kPrometheusText100 = "PrometheusText1.0.0";
inline constexpr std::string_view kOpenMetricsText001 = "OpenMetricsText0.0.1";
inline constexpr std::string_view kOpenMetricsText100 = "OpenMetricsText1.0.0";

// What sample_limit does to a scrape beyond it: nothing of it is stored, or only series that are new are refused. The
// key is an addition of ours; a file without it means what it means to Prometheus.
inline constexpr std::string_view kFailOverLimit = "fail";
inline constexpr std::string_view kDropNewOverLimit = "drop_new";

// What stands in an Accept header for a protocol: "text/plain;version=0.0.4"; empty for an unknown one.
std::string_view ScrapeProtocolHeader(std::string_view protocol);
// Its media type alone: "text/plain".
std::string_view ScrapeProtocolMediaType(std::string_view protocol);
// What is asked for when nothing is configured; protobuf in front when native histograms are scraped.
std::vector<std::string> DefaultScrapeProtocols(bool protobuf_first);

// After loading, everything left open is filled in from the global section. Members are named as the keys of the file;
// durations are milliseconds, sizes bytes, 0 means no limit.
struct ScrapeConfig {
  std::string job_name;
  bool honor_labels = false;
  bool honor_timestamps = true;
  bool track_timestamps_staleness = false;
  std::vector<std::pair<std::string, std::vector<std::string>>> params;  // sorted by name
  int64_t scrape_interval = 0;
  int64_t scrape_timeout = 0;
  std::vector<std::string> scrape_protocols;
  bool scrape_protocols_given = false;  // an empty list is an error, an absent one is not
  std::string fallback_scrape_protocol;
  std::optional<bool> scrape_native_histograms;
  std::optional<bool> always_scrape_classic_histograms;
  std::optional<bool> convert_classic_histograms_to_nhcb;
  std::string scrape_failure_log_file;
  std::string metrics_path = "/metrics";
  std::string scheme = "http";
  bool enable_compression = true;
  int64_t body_size_limit = 0;
  uint64_t sample_limit = 0;
  std::string sample_limit_action;  // kFailOverLimit (what empty means), kDropNewOverLimit
  uint64_t target_limit = 0;
  uint64_t label_limit = 0;
  uint64_t label_name_length_limit = 0;
  uint64_t label_value_length_limit = 0;
  uint64_t native_histogram_bucket_limit = 0;
  double native_histogram_min_bucket_factor = 0;
  uint64_t keep_dropped_targets = 0;
  std::optional<NameScheme> metric_name_validation_scheme;
  std::string metric_name_escaping_scheme;  // "allow-utf-8", "underscores", "dots", "values"
  std::optional<bool> extra_scrape_metrics;
  SdConfigs service_discovery;
  HttpClientConfig http;
  std::vector<RelabelConfig> relabel_configs;
  std::vector<RelabelConfig> metric_relabel_configs;

  NameScheme name_scheme() const { return metric_name_validation_scheme.value_or(NameScheme::kUtf8); }
  NameEscaping name_escaping() const;
};

// Fills what is open from `global` and validates; the texts are Prometheus's.
Result<void> CompleteScrapeConfig(ScrapeConfig& config, const GlobalConfig& global);
void SetDirectory(ScrapeConfig& config, std::string_view directory);
// The job as YAML with its secrets: equal texts mean that a reload changes nothing for it.
std::string ScrapeConfigFingerprint(const ScrapeConfig& config);

// Empty or one of the actions above.
Result<void> ValidateSampleLimitAction(const std::string& action);
// scrape_protocols as a list: not empty, known, each once.
Result<void> ValidateScrapeProtocols(const std::vector<std::string>& protocols);

// One scrape configuration as the configuration file has it, secrets masked.
std::string ScrapeConfigToYaml(const ScrapeConfig& config);

}  // namespace epi::config
