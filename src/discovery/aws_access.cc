#include "discovery/aws_access.h"

namespace epi::discovery {

Result<std::unique_ptr<AwsAccess>> AwsAccess::Make(const config::Ec2SdConfig& config, const DiscoveryParts& parts) {
  EPI_ASSIGN(auto profile, parts.http.Prepare(config.http, "ec2_sd"));
  AwsSettings settings;
  settings.region = config.region;
  settings.access_key = config.access_key;
  settings.secret_key = config.secret_key;
  settings.profile = config.profile;
  settings.role_arn = config.role_arn;
  settings.external_id = config.external_id;
  settings.profile_of_client = profile;
  return std::unique_ptr<AwsAccess>(new AwsAccess(std::move(settings), config.endpoint, std::move(profile), parts));
}

Result<AwsAnswer> AwsAccess::Call(const std::string& service, const AwsParameters& parameters, std::stop_token stop) {
  EPI_ASSIGN(const std::string region, credentials_.Region(stop));
  EPI_ASSIGN(const AwsCredentials credentials, credentials_.Credentials(stop));
  const std::string url = endpoint_.empty() ? "https://" + service + "." + region + "." + AwsDomain(region) : endpoint_;
  auto answer = AskAws(http_, clock_, profile_, {service, region, url}, parameters, credentials, stop);
  if (!answer && answer.error().code() == ErrorCode::kDenied) credentials_.Forget();
  return answer;
}

}  // namespace epi::discovery
