#include "discovery/aws_access.h"

#include <cstdlib>

#include "discovery/json.h"
#include "discovery/waiting.h"
#include "net/url.h"

namespace epi::discovery {
namespace {

constexpr char kMetadataHost[] = "http://169.254.169.254";
constexpr int64_t kMetadataTimeoutMs = 5'000;
constexpr int64_t kCallTimeoutMs = 60'000;
constexpr int64_t kRenewBeforeMs = 5 * 60'000;
constexpr int64_t kAssumedForMs = 3600'000;       // STS's default for AssumeRole
constexpr int64_t kInstanceRoleForMs = 3600'000;  // renewed at least this often, though it lives longer

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

// One profile of an INI file as the AWS tools write it.
AwsCredentials ReadProfile(std::string_view text, std::string_view profile) {
  AwsCredentials out;
  bool inside = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string line = Trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with('[')) inside = line == "[" + std::string(profile) + "]";
    const size_t equals = line.find('=');
    if (!inside || equals == std::string::npos) continue;
    const std::string key = Trimmed(std::string_view(line).substr(0, equals));
    const std::string value = Trimmed(std::string_view(line).substr(equals + 1));
    if (key == "aws_access_key_id") out.access_key = value;
    if (key == "aws_secret_access_key") out.secret_key = value;
    if (key == "aws_session_token") out.session_token = value;
  }
  return out;
}

}  // namespace

Result<AwsAccess> AwsAccess::Make(const config::Ec2SdConfig& config, const DiscoveryParts& parts) {
  AwsAccess out;
  out.config_ = config;
  out.http_ = &parts.http;
  out.files_ = &parts.files;
  out.clock_ = &parts.clock;
  EPI_ASSIGN(out.profile_, parts.http.Prepare(config.http));
  return out;
}

Result<std::string> AwsAccess::Region(std::stop_token stop) {
  if (!region_.empty()) return region_;
  region_ = config_.region;
  if (region_.empty()) region_ = Environment("AWS_REGION");
  if (region_.empty()) region_ = Environment("AWS_DEFAULT_REGION");
  if (!region_.empty()) return region_;
  auto text = InstanceMetadata("/latest/dynamic/instance-identity/document", stop);
  if (!text) return Fail(text.error().WithContext("could not determine AWS region"));
  EPI_ASSIGN(const Json document, Json::Parse(*text));
  region_ = document["region"].text();
  if (region_.empty())
    return Fail(ErrorCode::kUnavailable, "could not determine AWS region: region not found in AWS config or IMDS");
  return region_;
}

Result<std::string> AwsAccess::InstanceMetadata(const std::string& path, std::stop_token stop) {
  net::HttpRequest token;
  token.method = "PUT";
  token.url = std::string(kMetadataHost) + "/latest/api/token";
  token.headers.Add("X-aws-ec2-metadata-token-ttl-seconds", "60");
  token.timeout_ms = kMetadataTimeoutMs;
  token.max_body_bytes = 1 << 16;
  EPI_ASSIGN(const auto granted, CallUnlessStopped(*http_, std::move(token), stop));
  net::HttpRequest request;
  request.url = kMetadataHost + path;
  request.timeout_ms = kMetadataTimeoutMs;
  request.max_body_bytes = 1 << 20;
  if (granted.status == 200) request.headers.Add("X-aws-ec2-metadata-token", std::string(granted.body.view()));
  EPI_ASSIGN(const auto answer, CallUnlessStopped(*http_, std::move(request), stop));
  if (answer.status != 200) return Fail(ErrorCode::kUnavailable, "instance metadata: " + answer.status_text);
  return std::string(answer.body.view());
}

Result<AwsCredentials> AwsAccess::FromInstance(std::stop_token stop) {
  const std::string path = "/latest/meta-data/iam/security-credentials/";
  EPI_ASSIGN(const std::string roles, InstanceMetadata(path, stop));
  EPI_ASSIGN(const std::string text, InstanceMetadata(path + Trimmed(roles.substr(0, roles.find('\n'))), stop));
  EPI_ASSIGN(const Json json, Json::Parse(text));
  AwsCredentials out;
  out.access_key = json["AccessKeyId"].text();
  out.secret_key = json["SecretAccessKey"].text();
  out.session_token = json["Token"].text();
  out.expires_ms = clock_->NowMs() + kInstanceRoleForMs;
  if (out.access_key.empty()) return Fail(ErrorCode::kUnavailable, "the instance role gives no credentials");
  return out;
}

Result<AwsCredentials> AwsAccess::BaseCredentials(std::stop_token stop) {
  AwsCredentials out;
  out.access_key = config_.access_key;
  out.secret_key = config_.secret_key;
  if (!out.access_key.empty() && !out.secret_key.empty()) return out;
  if (config_.profile.empty()) {
    out.access_key = Environment("AWS_ACCESS_KEY_ID");
    out.secret_key = Environment("AWS_SECRET_ACCESS_KEY");
    out.session_token = Environment("AWS_SESSION_TOKEN");
    if (!out.access_key.empty() && !out.secret_key.empty()) return out;
  }
  std::string file = Environment("AWS_SHARED_CREDENTIALS_FILE");
  if (file.empty()) file = Environment("HOME") + "/.aws/credentials";
  std::string profile = config_.profile.empty() ? Environment("AWS_PROFILE") : config_.profile;
  if (profile.empty()) profile = "default";
  if (const auto text = files_->ReadFile(file, 1 << 20)) {
    out = ReadProfile(*text, profile);
    if (!out.access_key.empty() && !out.secret_key.empty()) return out;
  }
  auto instance = FromInstance(stop);
  if (!instance) return Fail(instance.error().WithContext("could not create aws config: no credentials found"));
  return instance;
}

Result<AwsCredentials> AwsAccess::AssumeRole(const AwsCredentials& base, std::stop_token stop) {
  AwsParameters parameters = {{"Action", "AssumeRole"},
                              {"Version", "2011-06-15"},
                              {"RoleArn", config_.role_arn},
                              {"RoleSessionName", "prometheus-" + std::to_string(clock_->NowMs())}};
  if (!config_.external_id.empty()) parameters.emplace_back("ExternalId", config_.external_id);
  EPI_ASSIGN(const XmlElement answer, Send("sts", "https://sts." + region_ + ".amazonaws.com", parameters, base, stop));
  const XmlElement& given = answer["AssumeRoleResult"]["Credentials"];
  AwsCredentials out;
  out.access_key = given["AccessKeyId"].text;
  out.secret_key = given["SecretAccessKey"].text;
  out.session_token = given["SessionToken"].text;
  out.expires_ms = clock_->NowMs() + kAssumedForMs;
  return out;
}

Result<AwsCredentials> AwsAccess::Credentials(std::stop_token stop) {
  const bool fresh = credentials_.expires_ms == 0 || credentials_.expires_ms - kRenewBeforeMs > clock_->NowMs();
  if (!credentials_.access_key.empty() && fresh) return credentials_;
  EPI_ASSIGN(credentials_, BaseCredentials(stop));
  if (!config_.role_arn.empty()) {
    EPI_ASSIGN(credentials_, AssumeRole(credentials_, stop));
  }
  return credentials_;
}

Result<XmlElement> AwsAccess::Call(const std::string& service, AwsParameters parameters, std::stop_token stop) {
  EPI_ASSIGN(const std::string region, Region(stop));
  EPI_ASSIGN(const AwsCredentials credentials, Credentials(stop));
  const std::string endpoint =
      config_.endpoint.empty() ? "https://" + service + "." + region + ".amazonaws.com" : config_.endpoint;
  auto answer = Send(service, endpoint, parameters, credentials, stop);
  // Refused credentials are looked for anew the next time.
  if (!answer && answer.error().code() == ErrorCode::kDenied) credentials_ = {};
  return answer;
}

Result<XmlElement> AwsAccess::Send(const std::string& service, const std::string& endpoint,
                                   const AwsParameters& parameters, const AwsCredentials& credentials,
                                   std::stop_token stop) {
  const std::string absolute = endpoint.find("://") == std::string::npos ? "https://" + endpoint : endpoint;
  EPI_ASSIGN(const auto url, net::ParseUrl(absolute));
  net::HttpRequest request;
  request.method = "POST";
  request.url = url.scheme + "://" + url.host + "/";
  request.body = net::EncodeQueryString(parameters);
  request.profile = profile_;
  request.timeout_ms = kCallTimeoutMs;
  request.max_body_bytes = kMaxAnswerBytes;
  const std::string type = "application/x-www-form-urlencoded; charset=utf-8";
  request.headers.Add("Content-Type", type);
  const AwsRequest to_sign{"POST", url.host, "/", "", request.body, {{"content-type", type}}};
  for (auto& [name, value] : SignAwsRequest(to_sign, credentials, region_, service, clock_->NowMs()))
    request.headers.Add(name, value);
  EPI_ASSIGN(const auto response, CallUnlessStopped(*http_, std::move(request), stop));
  EPI_ASSIGN(const std::string body, BodyText(response, kMaxAnswerBytes));
  auto answer = ParseXml(body);
  if (response.status == 200) return answer;
  std::string text = response.status_text;
  std::string code;
  if (answer) {
    const XmlElement& error = answer->Has("Errors") ? (*answer)["Errors"]["Error"] : (*answer)["Error"];
    code = error["Code"].text;
    text += ": " + code + ": " + error["Message"].text;
  }
  const bool denied =
      code == "AuthFailure" || code == "UnauthorizedOperation" || code == "ExpiredToken" || response.status == 403;
  return Fail(denied ? ErrorCode::kDenied : ErrorCode::kUnavailable, std::move(text));
}

}  // namespace epi::discovery
