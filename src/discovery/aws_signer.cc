#include "discovery/aws_signer.h"

#include "net/url.h"

namespace epi::discovery {

AwsSigner::AwsSigner(AwsSettings settings, std::string service, net::HttpClient& http, FileSystem& files, Clock& clock)
    : service_(std::move(service)),
      clock_(clock),
      credentials_(std::move(settings), http, files, clock),
      thread_([this](std::stop_token stop) { Run(std::move(stop)); }) {}

AwsSigner::~AwsSigner() {
  thread_.request_stop();
  thread_.join();
  for (auto& [request, done] : waiting_) done(Fail(ErrorCode::kCanceled, "context canceled"));
}

void AwsSigner::Sign(net::HttpRequest request, Done done) {
  const std::lock_guard lock(mutex_);
  waiting_.emplace_back(std::move(request), std::move(done));
  wake_.notify_one();
}

void AwsSigner::Run(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (wake_.wait(lock, stop, [this] { return !waiting_.empty(); }) && !stop.stop_requested()) {
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    next.second(Signed(std::move(next.first), stop));
    lock.lock();
  }
}

Result<net::HttpRequest> AwsSigner::Signed(net::HttpRequest request, std::stop_token stop) {
  EPI_ASSIGN(const auto url, net::ParseUrl(request.url));
  auto region = credentials_.Region(stop);
  if (!region) return Fail(region.error().WithContext("cannot sign the request for AWS"));
  auto credentials = credentials_.Credentials(stop);
  if (!credentials) return Fail(credentials.error().WithContext("cannot sign the request for AWS"));
  // The port goes over the wire only when it is not the scheme's.
  std::string host = url.host;
  const std::string usual_port = url.scheme == "https" ? ":443" : ":80";
  if (host.ends_with(usual_port)) host.resize(host.size() - usual_port.size());
  const std::string path = CanonicalAwsPath(url.raw_path);
  const std::string query = CanonicalAwsQuery(url.raw_query);
  AwsRequest to_sign{request.method, host, path, query, request.body, {}};
  const std::string type(request.headers.Get("Content-Type"));
  if (!type.empty()) to_sign.headers.emplace_back("content-type", type);
  for (const auto& [name, value] : SignAwsRequest(to_sign, *credentials, *region, service_, clock_.NowMs())) {
    request.headers.Set(name, value);
  }
  return request;
}

}  // namespace epi::discovery
