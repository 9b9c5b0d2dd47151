#include "discovery/aws_query.h"

#include "discovery/waiting.h"
#include "model/case_mapping.h"
#include "net/url.h"

namespace epi::discovery {
namespace {

constexpr int64_t kAwsCallTimeoutMs = 60'000;

std::string ActionOf(const AwsParameters& parameters) {
  for (const auto& [name, value] : parameters) {
    if (name == "Action") return value;
  }
  return {};
}

}  // namespace

std::string AwsDomain(std::string_view region) {
  return region.starts_with("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
}

Result<AwsAnswer> AskAws(net::HttpClient& http, const Clock& clock, std::shared_ptr<const net::HttpProfile> profile,
                         const AwsEndpoint& endpoint, const AwsParameters& parameters,
                         const AwsCredentials& credentials, std::stop_token stop) {
  const std::string absolute = endpoint.url.find("://") == std::string::npos ? "https://" + endpoint.url : endpoint.url;
  EPI_ASSIGN(const auto url, net::ParseUrl(absolute));
  net::HttpRequest request;
  request.method = "POST";
  request.url = url.scheme + "://" + url.host + "/";
  request.body = net::EncodeQueryString(parameters);
  request.profile = std::move(profile);
  request.timeout_ms = kAwsCallTimeoutMs;
  request.max_body_bytes = kMaxAnswerBytes;
  const std::string type = "application/x-www-form-urlencoded; charset=utf-8";
  request.headers.Add("Content-Type", type);
  const AwsRequest to_sign{"POST", url.host, "/", "", request.body, {{"content-type", type}}};
  for (auto& [name, value] : SignAwsRequest(to_sign, credentials, endpoint.region, endpoint.service, clock.NowMs())) {
    request.headers.Add(name, value);
  }
  EPI_ASSIGN(const auto response, CallUnlessStopped(http, std::move(request), stop));
  EPI_ASSIGN(const std::string body, BodyText(response, kMaxAnswerBytes));
  auto answer = ParseXml(body);
  if (response.status == 200) {
    if (!answer) return Fail(answer.error());
    return AwsAnswer{std::move(*answer), body.size()};
  }
  std::string code;
  std::string message;
  std::string id;
  if (answer) {
    const XmlElement& error = answer->Has("Errors") ? (*answer)["Errors"]["Error"] : (*answer)["Error"];
    code = error["Code"].text;
    message = error["Message"].text;
    id = (*answer)[answer->Has("RequestID") ? "RequestID" : "RequestId"].text;
  }
  const bool denied =
      code == "AuthFailure" || code == "UnauthorizedOperation" || code == "ExpiredToken" || response.status == 403;
  // In the words of AWS's own client.
  constexpr std::string_view kUnknown = "UnknownError";
  std::string text = "operation error " + ToUpperUtf8(endpoint.service) + ": " + ActionOf(parameters) +
                     ", https response error StatusCode: " + std::to_string(response.status) + ", RequestID: " + id +
                     ", api error " + (code.empty() ? std::string(kUnknown) : code) + ": " +
                     (message.empty() ? std::string(kUnknown) : message);
  return Fail(denied ? ErrorCode::kDenied : ErrorCode::kUnavailable, std::move(text));
}

}  // namespace epi::discovery
