// The service discoveries of Prometheus that are read, validated and printed, but not built.
#pragma once

#include "config/sd_configs.h"

namespace epi::config {

// ecs, elasticache, lightsail, msk and rds differ in which keys they have; see their schemas.
struct AwsServiceSdConfig {
  std::string region;
  std::string endpoint;
  std::string access_key;
  std::string secret_key;
  std::string profile;
  std::string role_arn;
  std::string external_id;
  std::vector<std::string> clusters;
  int64_t port = 80;
  int64_t refresh_interval = kMinuteMs;
  std::vector<NamedFilter> filters;
  int64_t request_concurrency = 10;
  HttpClientConfig http;
};
struct EcsSdConfig : AwsServiceSdConfig {
  EcsSdConfig() { request_concurrency = 20; }
};
struct ElasticacheSdConfig : AwsServiceSdConfig {};
struct LightsailSdConfig : AwsServiceSdConfig {};
struct MskSdConfig : AwsServiceSdConfig {};
struct RdsSdConfig : AwsServiceSdConfig {};

// Stands for one of the above, chosen by `role`.
struct AwsSdConfig {
  std::string role;
  std::string region;
  std::string endpoint;
  std::string access_key;
  std::string secret_key;
  std::string profile;
  std::string role_arn;
  std::string external_id;
  int64_t refresh_interval = 0;
  int64_t port = 0;
  HttpClientConfig http = PlainHttp();
  std::vector<NamedFilter> filters;
  std::vector<std::string> clusters;

  // Prometheus starts this one from Go's zero values: no redirects, no HTTP/2.
  static HttpClientConfig PlainHttp() {
    HttpClientConfig out;
    out.follow_redirects = false;
    out.enable_http2 = false;
    return out;
  }
};

struct AzureSdConfig {
  std::string environment = "AzurePublicCloud";
  int64_t port = 80;
  std::string subscription_id;
  std::string tenant_id;
  std::string client_id;
  std::string client_secret;
  int64_t refresh_interval = 5 * kMinuteMs;
  std::string authentication_method = "OAuth";
  std::string resource_group;
  HttpClientConfig http;
};

struct DigitalOceanSdConfig {
  HttpClientConfig http;
  int64_t refresh_interval = kMinuteMs;
  int64_t port = 80;
  std::string role = "droplets";
};

struct EurekaSdConfig {
  std::string server;
  HttpClientConfig http;
  int64_t refresh_interval = 30 * kSecondMs;
};

struct GceSdConfig {
  std::string project;
  std::string zone;
  std::string filter;
  int64_t refresh_interval = kMinuteMs;
  int64_t port = 80;
  std::string tag_separator = ",";
};

struct HetznerSdConfig {
  HttpClientConfig http;
  int64_t refresh_interval = kMinuteMs;
  int64_t port = 80;
  std::string role;
  std::string label_selector;
};

struct IonosSdConfig {
  std::string datacenter_id;
  HttpClientConfig http;
  int64_t refresh_interval = kMinuteMs;
  int64_t port = 80;
};

struct KumaSdConfig {
  HttpClientConfig http;
  int64_t refresh_interval = 15 * kSecondMs;
  int64_t fetch_timeout = 2 * kMinuteMs;
  std::string server;
  std::string client_id;
};

struct LinodeSdConfig {
  HttpClientConfig http;
  int64_t refresh_interval = kMinuteMs;
  int64_t port = 80;
  std::string tag_separator = ",";
  std::string region;
};

struct MarathonSdConfig {
  std::vector<std::string> servers;
  int64_t refresh_interval = 30 * kSecondMs;
  std::string auth_token;
  std::string auth_token_file;
  HttpClientConfig http;
};

struct ZookeeperSdConfig {
  std::vector<std::string> servers;
  std::vector<std::string> paths;
  int64_t timeout = 10 * kSecondMs;
};
struct NerveSdConfig : ZookeeperSdConfig {};
struct ServersetSdConfig : ZookeeperSdConfig {};

struct OciSdConfig {
  std::string auth = "api_key";
  std::string tenancy;
  std::string user;
  std::string fingerprint;
  std::string key_file;
  std::string key_passphrase;
  std::string key_passphrase_file;
  std::string region;
  std::vector<std::string> compartments;
  HttpClientConfig http;
  int64_t port = 80;
  int64_t refresh_interval = kMinuteMs;
};

struct OpenstackSdConfig {
  std::string identity_endpoint;
  std::string username;
  std::string userid;
  std::string password;
  std::string project_name;
  std::string project_id;
  std::string domain_name;
  std::string domain_id;
  std::string application_credential_name;
  std::string application_credential_id;
  std::string application_credential_secret;
  std::string role;
  std::string region;
  int64_t refresh_interval = kMinuteMs;
  int64_t port = 80;
  bool all_tenants = false;
  net::TlsSettings tls_config;
  std::string availability = "public";
};

struct OutscaleSdConfig {
  std::string endpoint;
  std::string region = "eu-west-2";
  std::string access_key;
  std::string secret_key;
  std::string secret_key_file;
  int64_t refresh_interval = kMinuteMs;
  int64_t port = 80;
  HttpClientConfig http;
};

struct OvhcloudSdConfig {
  std::string endpoint = "ovh-eu";
  std::string application_key;
  std::string application_secret;
  std::string consumer_key;
  int64_t refresh_interval = kMinuteMs;
  std::string service;
};

struct PuppetdbSdConfig {
  HttpClientConfig http;
  int64_t refresh_interval = kMinuteMs;
  std::string url;
  std::string query;
  bool include_parameters = false;
  int64_t port = 80;
};

struct ScalewaySdConfig {
  std::string project_id;
  std::string api_url = "https://api.scaleway.com";
  std::string zone = "fr-par-1";
  std::string access_key;
  std::string secret_key;
  std::string secret_key_file;
  std::string name_filter;
  std::vector<std::string> tags_filter;
  HttpClientConfig http;
  int64_t refresh_interval = kMinuteMs;
  int64_t port = 80;
  std::string role;
};

struct StackitSdConfig {
  HttpClientConfig http;
  std::string project;
  int64_t refresh_interval = kMinuteMs;
  int64_t port = 80;
  std::string region = "eu01";
  std::string endpoint;
  std::string service_account_key;
  std::string private_key;
  std::string service_account_key_path;
  std::string private_key_path;
  std::string credentials_file_path;
};

struct TritonSdConfig {
  std::string account;
  std::string role = "container";
  std::string dns_suffix;
  std::string endpoint;
  std::vector<std::string> groups;
  int64_t port = 9163;
  int64_t refresh_interval = kMinuteMs;
  net::TlsSettings tls_config;
  int64_t version = 1;
};

struct UyuniSdConfig {
  std::string server;
  std::string username;
  std::string password;
  HttpClientConfig http;
  std::string entitlement = "monitoring_entitled";
  std::string separator = ",";
  int64_t refresh_interval = kMinuteMs;
};

struct VultrSdConfig {
  HttpClientConfig http;
  int64_t refresh_interval = kMinuteMs;
  int64_t port = 80;
};

}  // namespace epi::config
