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

Result<ApiResponse> ApiClient::Get(const std::string& path_and_query, std::stop_token stop) const {
  net::HttpRequest request = MakeRequest(path_and_query);
  request.max_body_bytes = kMaxAnswerBytes;
  request.headers.Add("Accept-Encoding", "gzip");
  EPI_ASSIGN(auto response, CallUnlessStopped(*http_, std::move(request), stop));
  EPI_ASSIGN(const std::string body, BodyText(response, kMaxAnswerBytes));
  if (response.status != 200) {
    return Fail(ErrorCode::kUnavailable,
                response.status_text + (body.empty() ? "" : ": " + body.substr(0, kErrorBodyBytes)));
  }
  ApiResponse out;
  EPI_ASSIGN(out.json, Json::Parse(body));
  out.headers = std::move(response.headers);
  return out;
}

void SetPrefixed(LabelsBuilder& labels, std::string_view prefix, const Json& members) {
  for (const auto& [name, value] : members.members()) {
    std::string label(prefix);
    label += SanitizeLabelName(name);
    labels.Set(label, value.text());
  }
}

}  // namespace epi::discovery
