// Where AWS credentials come from.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "discovery/aws_signature.h"
#include "net/http_client.h"

namespace epi::discovery {

struct AwsSettings {
  std::string region;  // empty: ConfiguredAwsRegion, or that of the instance this runs on
  std::string access_key;
  std::string secret_key;
  std::string profile;  // of the shared credentials file
  std::string role_arn;
  std::string external_id;
  bool fips_sts = false;
  std::shared_ptr<const net::HttpProfile> profile_of_client;  // for questions to STS; may be null
  // For tests; empty: AWS_ENDPOINT_URL_STS and AWS_EC2_METADATA_SERVICE_ENDPOINT, else the real ones.
  std::string sts_endpoint;
  std::string metadata_endpoint;
};

// The region that the settings, the environment (AWS_REGION, AWS_DEFAULT_REGION) or the profile in the shared
// configuration file (AWS_CONFIG_FILE, ~/.aws/config) names; empty when none does.
std::string ConfiguredAwsRegion(const AwsSettings& settings, FileSystem& files);

// Not thread-safe. Client, files and clock outlive it.
class AwsCredentialSource {
 public:
  AwsCredentialSource(AwsSettings settings, net::HttpClient& http, FileSystem& files, Clock& clock)
      : settings_(std::move(settings)), http_(http), files_(files), clock_(clock) {}

  Result<std::string> Region(std::stop_token stop);
  // Found, and renewed five minutes before they expire, in the SDKs' order: keys of the configuration, environment,
  // shared credentials file, instance role; then role_arn is assumed with them.
  Result<AwsCredentials> Credentials(std::stop_token stop);
  // They were refused: the next call looks for them anew.
  void Forget() { credentials_ = {}; }

 private:
  Result<AwsCredentials> BaseCredentials(std::stop_token stop);
  Result<AwsCredentials> FromInstance(std::stop_token stop);
  Result<AwsCredentials> AssumeRole(const AwsCredentials& base, std::stop_token stop);
  Result<std::string> InstanceMetadata(const std::string& path, std::stop_token stop);

  AwsSettings settings_;
  net::HttpClient& http_;
  FileSystem& files_;
  Clock& clock_;
  std::string region_;
  AwsCredentials credentials_;  // in use; empty keys: none yet
};

}  // namespace epi::discovery
