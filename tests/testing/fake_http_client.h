// An HTTP client that answers from a table, for tests of loops and manager.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/http_client.h"

namespace epi::testing {

class FakeHttpClient final : public net::HttpClient {
 public:
  struct Answer {
    int status = 200;
    std::string status_text = "200 OK";
    std::string body;
    std::string content_type = "text/plain; version=0.0.4";
    std::string content_encoding;
    std::optional<Error> error;
    bool hang = false;  // answered only when cancelled
  };

  Result<std::shared_ptr<const net::HttpProfile>> Prepare(const net::HttpClientSettings& settings,
                                                          const std::string& /*dialer*/) override {
    struct Profile final : net::HttpProfile {
      net::HttpClientSettings s;
      const net::HttpClientSettings& settings() const override { return s; }
    };
    if (!settings.tls_config.ca_ref.empty()) return Fail(ErrorCode::kInvalid, "cannot use secret ref without manager");
    auto profile = std::make_shared<Profile>();
    profile->s = settings;
    return std::shared_ptr<const net::HttpProfile>(std::move(profile));
  }

  // The next answers of a URL, one a request; the last one stays.
  void Script(const std::string& url, std::vector<Answer> answers) {
    const std::lock_guard lock(mutex_);
    scripts_[url] = {answers.begin(), answers.end()};
  }
  void Script(const std::string& url, std::string body) {
    Answer answer;
    answer.body = std::move(body);
    Script(url, std::vector<Answer>{std::move(answer)});
  }

  RequestId Send(net::HttpRequest request, net::HttpCallback done) override {
    Answer answer;
    RequestId id = 0;
    {
      const std::lock_guard lock(mutex_);
      id = ++last_id_;
      requests_.push_back(request);
      arrived_.notify_all();
      auto& script = scripts_[request.url];
      if (script.empty()) {
        answer.error = Error(ErrorCode::kUnavailable,
                             "Get \"" + request.url + "\": dial tcp 127.0.0.1:1: connect: connection refused");
      } else {
        answer = script.front();
        if (script.size() > 1) script.pop_front();
      }
      if (answer.hang) {
        hanging_.emplace(id, std::move(done));
        return id;
      }
    }
    if (answer.error) {
      done(Fail(*answer.error));
      return id;
    }
    net::HttpResponse response;
    response.status = answer.status;
    response.status_text = answer.status_text;
    if (!answer.content_type.empty()) response.headers.Add("Content-Type", answer.content_type);
    if (!answer.content_encoding.empty()) response.headers.Add("Content-Encoding", answer.content_encoding);
    response.body.mutable_string() = answer.body;
    done(std::move(response));
    return id;
  }

  void Cancel(RequestId id) override {
    net::HttpCallback done;
    {
      const std::lock_guard lock(mutex_);
      const auto found = hanging_.find(id);
      if (found == hanging_.end()) return;
      done = std::move(found->second);
      hanging_.erase(found);
    }
    done(Fail(ErrorCode::kCanceled, "context canceled"));
  }

  // Blocks until that many requests have come in all.
  void AwaitRequests(size_t count) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return requests_.size() >= count; });
  }
  std::vector<net::HttpRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::map<std::string, std::deque<Answer>> scripts_;
  std::map<RequestId, net::HttpCallback> hanging_;
  std::vector<net::HttpRequest> requests_;
  RequestId last_id_ = 0;
};

}  // namespace epi::testing
