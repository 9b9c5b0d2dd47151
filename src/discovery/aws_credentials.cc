#include "discovery/aws_credentials.h"

#include <map>

#include "base/trim.h"
#include "discovery/aws_query.h"
#include "discovery/environment.h"
#include "discovery/json.h"
#include "discovery/waiting.h"

namespace epi::discovery {
namespace {

constexpr char kMetadataHost[] = "http://169.254.169.254";
constexpr int64_t kMetadataTimeoutMs = 5'000;
constexpr int64_t kRenewBeforeMs = 5 * 60'000;
constexpr int64_t kAssumedForMs = 3600'000;       // STS's default for AssumeRole
constexpr int64_t kInstanceRoleForMs = 3600'000;  // renewed at least this often, though it lives longer

// What is set, else an environment variable of the AWS SDKs, else the usual.
std::string Chosen(const std::string& set, const char* variable, const std::string& usual) {
  if (!set.empty()) return set;
  std::string out = EnvironmentVariable(variable);
  while (out.ends_with('/')) out.pop_back();
  return out.empty() ? usual : out;
}

// The values of one section, "[name]", of an INI file as the AWS tools write it.
std::map<std::string, std::string> ReadSection(std::string_view text, const std::string& name) {
  std::map<std::string, std::string> out;
  bool inside = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = Trimmed(text.substr(0, end), kSpaces);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with('[')) inside = line == "[" + name + "]";
    const size_t equals = line.find('=');
    if (!inside || equals == std::string::npos) continue;
    out[std::string(Trimmed(line.substr(0, equals), kSpaces))] = Trimmed(line.substr(equals + 1), kSpaces);
  }
  return out;
}

std::string ProfileOf(const AwsSettings& settings) {
  const std::string out = settings.profile.empty() ? EnvironmentVariable("AWS_PROFILE") : settings.profile;
  return out.empty() ? "default" : out;
}

// One of the two files that the AWS tools share; empty when it is not there.
std::string SharedFile(FileSystem& files, const char* variable, const char* usual) {
  std::string path = EnvironmentVariable(variable);
  if (path.empty()) path = EnvironmentVariable("HOME") + "/.aws/" + usual;
  return files.ReadFile(path, 1 << 20).value_or(std::string());
}

}  // namespace

std::string ConfiguredAwsRegion(const AwsSettings& settings, FileSystem& files) {
  if (!settings.region.empty()) return settings.region;
  for (const char* variable : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (std::string region = EnvironmentVariable(variable); !region.empty()) return region;
  }
  const std::string profile = ProfileOf(settings);
  return ReadSection(SharedFile(files, "AWS_CONFIG_FILE", "config"),
                     profile == "default" ? profile : "profile " + profile)["region"];
}

Result<std::string> AwsCredentialSource::Region(std::stop_token stop) {
  if (!region_.empty()) return region_;
  region_ = ConfiguredAwsRegion(settings_, files_);
  if (!region_.empty()) return region_;
  auto text = InstanceMetadata("/latest/dynamic/instance-identity/document", stop);
  if (!text) return Fail(text.error().WithContext("could not determine AWS region"));
  EPI_ASSIGN(const Json document, Json::Parse(*text));
  region_ = document["region"].text();
  if (region_.empty())
    return Fail(ErrorCode::kUnavailable, "could not determine AWS region: region not found in AWS config or IMDS");
  return region_;
}

Result<std::string> AwsCredentialSource::InstanceMetadata(const std::string& path, std::stop_token stop) {
  const std::string host = Chosen(settings_.metadata_endpoint, "AWS_EC2_METADATA_SERVICE_ENDPOINT", kMetadataHost);
  net::HttpRequest token;
  token.method = "PUT";
  token.url = host + "/latest/api/token";
  token.headers.Add("X-aws-ec2-metadata-token-ttl-seconds", "60");
  token.timeout_ms = kMetadataTimeoutMs;
  token.max_body_bytes = 1 << 16;
  EPI_ASSIGN(const auto granted, CallUnlessStopped(http_, std::move(token), stop));
  net::HttpRequest request;
  request.url = host + path;
  request.timeout_ms = kMetadataTimeoutMs;
  request.max_body_bytes = 1 << 20;
  if (granted.status == 200) request.headers.Add("X-aws-ec2-metadata-token", std::string(granted.body.view()));
  EPI_ASSIGN(const auto answer, CallUnlessStopped(http_, std::move(request), stop));
  if (answer.status != 200) return Fail(ErrorCode::kUnavailable, "instance metadata: " + answer.status_text);
  return std::string(answer.body.view());
}

Result<AwsCredentials> AwsCredentialSource::FromInstance(std::stop_token stop) {
  const std::string path = "/latest/meta-data/iam/security-credentials/";
  EPI_ASSIGN(const std::string roles, InstanceMetadata(path, stop));
  const std::string role(Trimmed(std::string_view(roles).substr(0, roles.find('\n')), kSpaces));
  EPI_ASSIGN(const std::string text, InstanceMetadata(path + role, stop));
  EPI_ASSIGN(const Json json, Json::Parse(text));
  AwsCredentials out;
  out.access_key = json["AccessKeyId"].text();
  out.secret_key = json["SecretAccessKey"].text();
  out.session_token = json["Token"].text();
  out.expires_ms = clock_.NowMs() + kInstanceRoleForMs;
  if (out.access_key.empty()) return Fail(ErrorCode::kUnavailable, "the instance role gives no credentials");
  return out;
}

Result<AwsCredentials> AwsCredentialSource::BaseCredentials(std::stop_token stop) {
  AwsCredentials out;
  out.access_key = settings_.access_key;
  out.secret_key = settings_.secret_key;
  if (!out.access_key.empty() && !out.secret_key.empty()) return out;
  if (settings_.profile.empty()) {
    out.access_key = EnvironmentVariable("AWS_ACCESS_KEY_ID");
    out.secret_key = EnvironmentVariable("AWS_SECRET_ACCESS_KEY");
    out.session_token = EnvironmentVariable("AWS_SESSION_TOKEN");
    if (!out.access_key.empty() && !out.secret_key.empty()) return out;
  }
  auto shared = ReadSection(SharedFile(files_, "AWS_SHARED_CREDENTIALS_FILE", "credentials"), ProfileOf(settings_));
  out.access_key = shared["aws_access_key_id"];
  out.secret_key = shared["aws_secret_access_key"];
  out.session_token = shared["aws_session_token"];
  if (!out.access_key.empty() && !out.secret_key.empty()) return out;
  auto instance = FromInstance(stop);
  if (!instance) return Fail(instance.error().WithContext("could not create aws config: no credentials found"));
  return instance;
}

Result<AwsCredentials> AwsCredentialSource::AssumeRole(const AwsCredentials& base, std::stop_token stop) {
  AwsParameters parameters = {{"Action", "AssumeRole"},
                              {"Version", "2011-06-15"},
                              {"RoleArn", settings_.role_arn},
                              {"RoleSessionName", "prometheus-" + std::to_string(clock_.NowMs())}};
  if (!settings_.external_id.empty()) parameters.emplace_back("ExternalId", settings_.external_id);
  EPI_ASSIGN(const std::string region, Region(stop));
  const std::string usual =
      std::string("https://sts") + (settings_.fips_sts ? "-fips." : ".") + region + "." + AwsDomain(region);
  const AwsEndpoint sts{"sts", region, Chosen(settings_.sts_endpoint, "AWS_ENDPOINT_URL_STS", usual)};
  EPI_ASSIGN(const AwsAnswer answer, AskAws(http_, clock_, settings_.profile_of_client, sts, parameters, base, stop));
  const XmlElement& given = answer.root["AssumeRoleResult"]["Credentials"];
  AwsCredentials out;
  out.access_key = given["AccessKeyId"].text;
  out.secret_key = given["SecretAccessKey"].text;
  out.session_token = given["SessionToken"].text;
  if (out.access_key.empty())
    return Fail(ErrorCode::kUnavailable, "STS gives no credentials for " + settings_.role_arn);
  out.expires_ms = clock_.NowMs() + kAssumedForMs;
  return out;
}

Result<AwsCredentials> AwsCredentialSource::Credentials(std::stop_token stop) {
  const bool fresh = credentials_.expires_ms == 0 || credentials_.expires_ms - kRenewBeforeMs > clock_.NowMs();
  if (!credentials_.access_key.empty() && fresh) return credentials_;
  EPI_ASSIGN(credentials_, BaseCredentials(stop));
  if (!settings_.role_arn.empty()) {
    EPI_ASSIGN(credentials_, AssumeRole(credentials_, stop));
  }
  return credentials_;
}

}  // namespace epi::discovery
