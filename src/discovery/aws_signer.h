// Requests of others signed for AWS: those of the notifier, say.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "discovery/aws_credentials.h"

namespace epi::discovery {

// Thread-safe. Has a thread, because credentials may have to be asked for over the network. What it is made with
// outlives it.
class AwsSigner {
 public:
  AwsSigner(AwsSettings settings, std::string service, net::HttpClient& http, FileSystem& files, Clock& clock);
  // Requests that wait end with kCanceled.
  ~AwsSigner();
  AwsSigner(const AwsSigner&) = delete;
  AwsSigner& operator=(const AwsSigner&) = delete;

  // `done` is called once, on the signer's thread, with the request and its signature, or with the reason why there are
  // no credentials. It must not end the signer.
  using Done = std::function<void(Result<net::HttpRequest>)>;
  void Sign(net::HttpRequest request, Done done);

 private:
  void Run(std::stop_token stop);
  Result<net::HttpRequest> Signed(net::HttpRequest request, std::stop_token stop);

  const std::string service_;
  Clock& clock_;
  AwsCredentialSource credentials_;  // of the thread
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<std::pair<net::HttpRequest, Done>> waiting_;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace epi::discovery
