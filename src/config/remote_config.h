// Remote write and remote read endpoints.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/http_client_config.h"
#include "config/schema.h"
#include "config/sd_configs.h"
#include "model/relabel.h"

namespace epi::config {

inline constexpr std::string_view kRemoteWriteV1 = "prometheus.WriteRequest";
inline constexpr std::string_view kRemoteWriteV2 = "io.prometheus.write.v2.Request";

// AWS request signing.
struct SigV4Config {
  std::string region;
  std::string access_key;
  std::string secret_key;
  std::string profile;
  std::string role_arn;
  std::string external_id;
  bool use_fips_sts_endpoint = false;
  std::string service_name;  // empty: "aps"
};

// One of the ways to log in to Azure; which one it is says where it stands in AzureAdConfig.
struct AzureIdentity {
  std::string client_id;
  std::string client_secret;
  std::string tenant_id;
  std::string token_file_path;
  std::string certificate_path;
  std::string certificate_key_path;
  std::string certificate_password;
  bool send_certificate_chain = false;
};
struct AzureManagedIdentity : AzureIdentity {};
struct AzureWorkloadIdentity : AzureIdentity {};
struct AzureOAuth : AzureIdentity {};
struct AzureSdk : AzureIdentity {};
struct AzureCertificate : AzureIdentity {};

struct AzureAdConfig {
  std::optional<AzureManagedIdentity> managed_identity;
  std::optional<AzureWorkloadIdentity> workload_identity;
  std::optional<AzureOAuth> oauth;
  std::optional<AzureSdk> sdk;
  std::optional<AzureCertificate> certificate;
  std::string cloud = "AzurePublic";
  std::string scope;
};

struct GoogleIamConfig {
  std::string credentials_file;
};

struct QueueConfig {
  int64_t capacity = 10000;
  int64_t max_shards = 50;
  int64_t min_shards = 1;
  int64_t max_samples_per_send = 2000;
  int64_t batch_send_deadline = 5 * kSecondMs;
  int64_t min_backoff = 30;
  int64_t max_backoff = 5 * kSecondMs;
  bool retry_on_http_429 = false;
  int64_t sample_age_limit = 0;
};

struct MetadataConfig {
  bool send = true;
  int64_t send_interval = kMinuteMs;
  int64_t max_samples_per_send = 2000;
};

// The same block with HTTP/2 off, which is remote write's default.
struct RemoteWriteHttpConfig : HttpClientConfig {
  RemoteWriteHttpConfig() { enable_http2 = false; }
};

struct RemoteWriteConfig {
  std::optional<std::string> url;  // always there in a configuration that was read
  int64_t remote_timeout = 30 * kSecondMs;
  StringMap headers;
  std::vector<RelabelConfig> write_relabel_configs;
  std::string name;
  bool send_exemplars = false;
  bool send_native_histograms = false;
  bool round_robin_dns = false;
  std::string protobuf_message{kRemoteWriteV1};
  bool failed_request_logging = false;
  RemoteWriteHttpConfig http;
  QueueConfig queue_config;
  MetadataConfig metadata_config;
  std::optional<SigV4Config> sigv4;
  std::optional<AzureAdConfig> azuread;
  std::optional<GoogleIamConfig> google_iam;
};

struct RemoteReadConfig {
  std::optional<std::string> url;  // always there in a configuration that was read
  int64_t remote_timeout = kMinuteMs;
  uint64_t chunked_read_limit = 50'000'000;
  StringMap headers;
  bool read_recent = false;
  std::string name;
  HttpClientConfig http;
  StringMap required_matchers;
  bool filter_external_labels = true;
};

// Header names that must not be configured, in any case: `x is a reserved header. It must not be changed`.
// `authorization_text` is what is said about an Authorization header.
Result<void> ValidateConfiguredHeaders(const StringMap& headers, std::string_view authorization_text);

// The endpoint as YAML with its secrets: equal texts mean that a reload changes nothing for it.
std::string RemoteWriteFingerprint(const RemoteWriteConfig& config);
std::string RemoteReadFingerprint(const RemoteReadConfig& config);

}  // namespace epi::config
