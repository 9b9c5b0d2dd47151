// Signed questions to AWS's query APIs, with credentials from wherever the SDKs look for them.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "config/sd_configs.h"
#include "discovery/aws_credentials.h"
#include "discovery/aws_query.h"
#include "discovery/discoverer.h"

namespace epi::discovery {

// Not thread-safe. Must not outlive the parts it was made with.
class AwsAccess {
 public:
  static Result<std::unique_ptr<AwsAccess>> Make(const config::Ec2SdConfig& config, const DiscoveryParts& parts);
  Result<std::string> Region(std::stop_token stop) { return credentials_.Region(stop); }
  // One action of a service.
  Result<AwsAnswer> Call(const std::string& service, const AwsParameters& parameters, std::stop_token stop);

 private:
  AwsAccess(AwsSettings settings, std::string endpoint, std::shared_ptr<const net::HttpProfile> profile,
            const DiscoveryParts& parts)
      : credentials_(std::move(settings), parts.http, parts.files, parts.clock),
        endpoint_(std::move(endpoint)),
        profile_(std::move(profile)),
        http_(parts.http),
        clock_(parts.clock) {}

  AwsCredentialSource credentials_;
  std::string endpoint_;
  std::shared_ptr<const net::HttpProfile> profile_;
  net::HttpClient& http_;
  Clock& clock_;
};

}  // namespace epi::discovery
