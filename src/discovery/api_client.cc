#include "discovery/api_client.h"

#include "discovery/waiting.h"
#include "model/label_names.h"

namespace epi::discovery {
namespace {

constexpr size_t kErrorBodyBytes = 200;  // of an answer that an error text quotes

}  // namespace

Result<ApiClient> ApiClient::Make(net::HttpClient& http, std::string base, const net::HttpClientSettings& settings,
                                  const std::string& dialer) {
  ApiClient out;
  out.http_ = &http;
  while (base.ends_with('/')) base.pop_back();
  out.base_ = std::move(base);
  EPI_ASSIGN(out.profile_, http.Prepare(settings, dialer));
  return out;
}

net::HttpRequest ApiClient::MakeRequest(const std::string& path_and_query) const {
  net::HttpRequest request;
  request.url = base_ + path_and_query;
  request.profile = profile_;
  request.unix_socket = unix_socket_;
  request.timeout_ms = timeout_ms_;
  request.headers.Add("Accept", "application/json");
  for (const auto& [name, value] : headers_) request.headers.Add(name, value);
  return request;
}

Result<ApiResponse> ApiClient::Get(const std::string& path_and_query, const JsonShape& shape,
                                   std::stop_token stop) const {
  return Read(CallUnlessStopped(*http_, MakeGet(path_and_query), stop), shape);
}

net::HttpRequest ApiClient::MakeGet(const std::string& path_and_query) const {
  net::HttpRequest request = MakeRequest(path_and_query);
  request.max_body_bytes = kMaxAnswerBytes;
  request.headers.Add("Accept-Encoding", "gzip");
  return request;
}

Result<ApiResponse> ApiClient::Read(const Result<net::HttpResponse>& answer, const JsonShape& shape) const {
  if (!answer) {
    const bool dialing = answer.error().message().find(": dial ") != std::string::npos;
    if (!dialing || unreachable_ == nullptr) return Fail(answer.error());
    return Fail(answer.error().code(), unreachable_(host_, answer.error()));
  }
  const net::HttpResponse& response = *answer;
  EPI_ASSIGN(const std::string body, BodyText(response, kMaxAnswerBytes));
  if (response.status != 200) {
    const std::string begin = body.substr(0, kErrorBodyBytes);
    if (complaint_ != nullptr) return Fail(ErrorCode::kUnavailable, complaint_(response, begin));
    return Fail(ErrorCode::kUnavailable, response.status_text + (begin.empty() ? "" : ": " + begin));
  }
  ApiResponse out;
  EPI_ASSIGN(out.json, Json::Parse(body));
  EPI_TRY(shape.Check(out.json));
  out.headers = response.headers;
  out.bytes = body.size();
  return out;
}

std::string_view TrimSpace(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
}

std::string UnexpectedResponseCode(const net::HttpResponse& response, std::string_view body) {
  return "Unexpected response code: " + std::to_string(response.status) + " (" + std::string(TrimSpace(body)) + ")";
}

void SetPrefixed(LabelsBuilder& labels, std::string_view prefix, const Json& members) {
  for (const auto& [name, value] : members.members()) {
    std::string label(prefix);
    label += SanitizeLabelName(name);
    labels.Set(label, value.text());
  }
}

}  // namespace epi::discovery
