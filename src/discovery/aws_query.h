// One signed question to one of AWS's query APIs (EC2, STS).
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "discovery/aws_signature.h"
#include "discovery/xml.h"
#include "net/http_client.h"

namespace epi::discovery {

using AwsParameters = std::vector<std::pair<std::string, std::string>>;

struct AwsEndpoint {
  std::string service;  // "ec2"
  std::string region;
  std::string url;  // without a scheme it is https
};

struct AwsAnswer {
  XmlElement root;
  uint64_t bytes = 0;  // of the body, inflated
};

// `profile` may be null. kDenied when AWS refuses the credentials.
Result<AwsAnswer> AskAws(net::HttpClient& http, const Clock& clock, std::shared_ptr<const net::HttpProfile> profile,
                         const AwsEndpoint& endpoint, const AwsParameters& parameters,
                         const AwsCredentials& credentials, std::stop_token stop);

// "amazonaws.com", or what stands for it in the region's partition.
std::string AwsDomain(std::string_view region);

}  // namespace epi::discovery
