// Signed questions to AWS's query APIs, with credentials from wherever the SDKs look for them.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "config/sd_configs.h"
#include "discovery/aws_signature.h"
#include "discovery/discoverer.h"
#include "discovery/xml.h"
#include "net/http_client.h"

namespace epi::discovery {

using AwsParameters = std::vector<std::pair<std::string, std::string>>;

// Not thread-safe. Must not outlive the parts it was made with.
class AwsAccess {
 public:
  static Result<AwsAccess> Make(const config::Ec2SdConfig& config, const DiscoveryParts& parts);
  // The configured region, AWS_REGION, AWS_DEFAULT_REGION, or that of the instance this runs on.
  Result<std::string> Region(std::stop_token stop);
  // One action of a service; the root element of the answer. Credentials are found, and renewed five minutes before
  // they expire, in the SDKs' order: keys of the configuration, environment, shared credentials file, instance role;
  // then role_arn is assumed with them.
  Result<XmlElement> Call(const std::string& service, AwsParameters parameters, std::stop_token stop);

 private:
  Result<AwsCredentials> Credentials(std::stop_token stop);
  Result<AwsCredentials> BaseCredentials(std::stop_token stop);
  Result<AwsCredentials> FromInstance(std::stop_token stop);
  Result<AwsCredentials> AssumeRole(const AwsCredentials& base, std::stop_token stop);
  Result<std::string> InstanceMetadata(const std::string& path, std::stop_token stop);
  Result<XmlElement> Send(const std::string& service, const std::string& endpoint, const AwsParameters& parameters,
                          const AwsCredentials& credentials, std::stop_token stop);

  config::Ec2SdConfig config_;
  net::HttpClient* http_ = nullptr;
  FileSystem* files_ = nullptr;
  Clock* clock_ = nullptr;
  std::shared_ptr<const net::HttpProfile> profile_;
  std::string region_;
  AwsCredentials credentials_;  // in use; empty keys: none yet
};

}  // namespace epi::discovery
