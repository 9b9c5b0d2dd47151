// The whole configuration file as plain structs, as Prometheus 3.14 understands it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/remote_config.h"
#include "config/scrape_config.h"

namespace epi {
class FileSystem;
}

namespace epi::config {

// Members are named as the keys of the file; durations are milliseconds, sizes bytes, 0 means no limit.
struct GlobalConfig {
  int64_t scrape_interval = 0;
  int64_t scrape_timeout = 0;
  std::vector<std::string> scrape_protocols;
  bool scrape_protocols_given = false;
  int64_t evaluation_interval = 0;
  int64_t rule_query_offset = 0;
  std::string query_log_file;
  std::string scrape_failure_log_file;
  StringMap external_labels;  // after expansion; a value may be empty, then the label is not added
  int64_t body_size_limit = 0;
  uint64_t sample_limit = 0;
  std::string sample_limit_action;
  uint64_t target_limit = 0;
  uint64_t label_limit = 0;
  uint64_t label_name_length_limit = 0;
  uint64_t label_value_length_limit = 0;
  uint64_t keep_dropped_targets = 0;
  std::optional<NameScheme> metric_name_validation_scheme;
  std::string metric_name_escaping_scheme;
  std::optional<bool> scrape_native_histograms;
  bool convert_classic_histograms_to_nhcb = false;
  bool always_scrape_classic_histograms = false;
  std::optional<bool> extra_scrape_metrics;
  bool given = false;  // the section was there and not empty

  NameScheme name_scheme() const { return metric_name_validation_scheme.value_or(NameScheme::kUtf8); }
  Labels ExternalLabels() const;
};

struct RuntimeConfig {
  int64_t gogc = 0;  // 75 after loading, when nothing else is said
};

struct AlertmanagerConfig {
  HttpClientConfig http;
  std::optional<SigV4Config> sigv4;
  std::string scheme = "http";
  std::string path_prefix;
  int64_t timeout = 10 * kSecondMs;
  std::string api_version = "v2";
  std::vector<RelabelConfig> relabel_configs;        // of the Alertmanagers found
  std::vector<RelabelConfig> alert_relabel_configs;  // of alerts sent to them
  SdConfigs service_discovery;
};

struct AlertingConfig {
  std::vector<RelabelConfig> alert_relabel_configs;
  std::vector<AlertmanagerConfig> alertmanagers;
};

struct RetentionConfig {
  int64_t time = 0;
  int64_t size = 0;
  double percentage = 0;  // of the file system
  bool operator==(const RetentionConfig&) const = default;
};

struct TsdbConfig {
  int64_t out_of_order_time_window = 0;
  double stale_series_compaction_threshold = 0;  // ratio of stale series in the head, 0: off
  std::string float_chunk_encoding;              // chunk_encoding.floats: "xor", "xor2" or empty
  std::optional<RetentionConfig> retention;      // always there after loading
};

struct StorageConfig {
  std::optional<TsdbConfig> tsdb;  // always there after loading
  std::optional<int64_t> max_exemplars;
};

struct TracingConfig {
  std::string client_type;  // "grpc" or "http"; empty without the section
  std::string endpoint;
  double sampling_fraction = 0;
  bool insecure = false;
  net::TlsSettings tls_config;
  StringMap headers;
  std::string compression;
  int64_t timeout = 0;
  bool enabled() const { return !endpoint.empty(); }
};

struct OtlpConfig {
  bool promote_all_resource_attributes = false;
  std::vector<std::string> promote_resource_attributes;
  std::vector<std::string> ignore_resource_attributes;
  std::string translation_strategy = "UnderscoreEscapingWithSuffixes";
  bool keep_identifying_resource_attributes = false;
  bool convert_histograms_to_nhcb = false;
  bool promote_scope_metadata = false;
  bool label_name_underscore_sanitization = true;
  bool label_name_preserve_multiple_underscores = true;
};

struct Config {
  GlobalConfig global;
  RuntimeConfig runtime;
  AlertingConfig alerting;
  std::vector<std::string> rule_files;
  std::vector<std::string> scrape_config_files;
  std::vector<ScrapeConfig> scrape_configs;  // of the main file; see LoadScrapeConfigs
  StorageConfig storage;
  TracingConfig tracing;
  std::vector<RemoteWriteConfig> remote_write;
  std::vector<RemoteReadConfig> remote_read;
  OtlpConfig otlp;

  // As /api/v1/status/config shows it: Prometheus's keys, order and style, secrets redacted.
  std::string ToYaml() const;
};

// What flags and the environment say about defaults.
struct LoadOptions {
  bool agent_mode = false;
  // storage.exemplars is filled in when it is missing (feature exemplar-storage).
  bool exemplar_storage = false;
  std::vector<std::string> default_scrape_protocols;  // empty: decided per job
  bool default_extra_scrape_metrics = false;
  int64_t default_gogc = 75;
  RetentionConfig default_retention;
  // The value of an environment variable, empty when it is not set; none: every variable is empty.
  std::function<std::string(const std::string& name)> environment;
  // Called for each variable in external_labels that is empty; may be null.
  std::function<void(const std::string& name)> empty_variable;
  // Makes relative names absolute in error texts; empty: names as given.
  std::string working_directory;
  // ${VAR} and file:PATH are replaced in every string of the file, names of members included, and of the files that
  // scrape_config_files match, not only in external_labels. A variable's name has capital letters, digits and '_' only,
  // so that ${1} and ${name} in relabeling rules stay; one that is not set is an error. A text that begins with file:
  // becomes what the file holds, without surrounding white space; a relative path, which may have variables, starts
  // from the directory of the file it stands in. What is brought in is a string: a number or a boolean cannot be.
  bool expand_references = false;
};

// GOGC's meaning for LoadOptions::default_gogc: "off" is -1, a number itself, anything else 75.
int64_t GogcFromEnvironment(std::string_view value);

// Parses and validates text; paths and file: references stay as they are written.
Result<Config> ParseConfig(std::string_view text, const LoadOptions& options);
// Reads, parses and validates a file; paths become relative to its directory. Errors name file, line and field:
// "parsing YAML file x.yml: yaml: unmarshal errors:\n  line 3: field y not found in type config.plain".
Result<Config> LoadConfig(FileSystem& files, const std::string& path, const LoadOptions& options);
// All jobs: those of the main file, then those of scrape_config_files, which are read again each time.
Result<std::vector<ScrapeConfig>> LoadScrapeConfigs(FileSystem& files, const Config& config,
                                                    const LoadOptions& options);

// Go's os.Expand: $name, ${name}; `value` gives what stands for a name.
std::string ExpandVariables(std::string_view text, const std::function<std::string(const std::string& name)>& value);

}  // namespace epi::config
