// http_sd_configs: an endpoint that answers with a JSON list of target groups.
#include "discovery/http.h"

#include "base/escaping.h"
#include "discovery/kind_metrics.h"
#include "discovery/kinds.h"
#include "discovery/refresh.h"
#include "discovery/waiting.h"
#include "model/case_mapping.h"
#include "model/number_format.h"
#include "net/http_client.h"

namespace epi::discovery {
namespace {

class HttpRefresher final : public Refresher {
 public:
  HttpRefresher(const config::HttpSdConfig& config, std::shared_ptr<const net::HttpProfile> profile,
                const DiscoveryParts& parts)
      : config_(config), profile_(std::move(profile)), client_(parts.http), failures_(HttpFailures(parts.registry)) {}

  Result<std::vector<TargetGroup>> Refresh(std::stop_token stop) override {
    auto groups = Ask(stop);
    if (!groups) {
      failures_.Increment();
      return groups;
    }
    for (size_t i = 0; i < groups->size(); ++i) {
      (*groups)[i].source = SourceOf(i);
      (*groups)[i].labels = (*groups)[i].labels.With("__meta_url", config_.url);
    }
    const size_t count = groups->size();
    for (size_t i = count; i < last_count_; ++i) groups->emplace_back().source = SourceOf(i);
    last_count_ = count;
    return groups;
  }

 private:
  std::string SourceOf(size_t index) const { return config_.url + ":" + std::to_string(index); }

  Result<std::vector<TargetGroup>> Ask(std::stop_token stop) {
    net::HttpRequest request;
    request.url = config_.url;
    request.profile = profile_;
    request.timeout_ms = config_.refresh_interval;
    request.max_body_bytes = kMaxAnswerBytes;
    request.headers.Add("Accept", "application/json");
    request.headers.Add("Accept-Encoding", "gzip");
    request.headers.Add("X-Prometheus-Refresh-Interval-Seconds",
                        FormatFloatPlain(static_cast<double>(config_.refresh_interval) / 1000));
    EPI_ASSIGN(const auto response, CallUnlessStopped(client_, std::move(request), stop));
    if (response.status != 200)
      return Fail(ErrorCode::kUnavailable, "server returned HTTP status " + response.status_text);
    const std::string_view type = response.headers.Get("Content-Type");
    if (!IsJsonContentType(type)) {
      std::string text = "unsupported content type ";
      AppendQuoted(text, type);
      return Fail(ErrorCode::kInvalid, std::move(text));
    }
    EPI_ASSIGN(const std::string body, BodyText(response, kMaxAnswerBytes));
    return ParseTargetGroupsJson(body);
  }

  const config::HttpSdConfig config_;
  std::shared_ptr<const net::HttpProfile> profile_;
  net::HttpClient& client_;
  Counter& failures_;
  size_t last_count_ = 0;
};

}  // namespace

bool IsJsonContentType(std::string_view header) {
  constexpr std::string_view kType = "application/json";
  const std::string lower = ToLowerUtf8(header);
  if (lower == kType) return true;
  if (!lower.starts_with(std::string(kType) + ";")) return false;
  std::string_view rest = std::string_view(lower).substr(kType.size() + 1);
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t\n\f\r"), rest.size()));
  return rest == "charset=utf-8" || rest == "charset=\"utf-8\"";
}

MadeDiscoverer MakeHttp(const config::HttpSdConfig& config, const DiscoveryParts& parts) {
  EPI_ASSIGN(auto profile, parts.http.Prepare(config.http, "http"));
  return MakeRefreshing(std::make_unique<HttpRefresher>(config, std::move(profile), parts), "http",
                        config.refresh_interval, parts);
}

}  // namespace epi::discovery
