// The queue of one Alertmanager: batches go out one after the other, so that a slow or dead one delays nobody else.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "discovery/aws_signer.h"
#include "net/http_client.h"
#include "rules/journal/alert_journal.h"
#include "rules/notifier/alertmanager_metrics.h"
#include "rules/notifier/notification.h"
#include "telemetry/log.h"

namespace epi::rules {

struct NotifierLimits {
  size_t queue_capacity = 10'000;  // alerts for one Alertmanager; the oldest make room
  size_t batch_size = 256;         // alerts in one request
  bool drain_on_shutdown = true;   // what is queued is sent before the end, not dropped
};

// Thread-safe. Held by shared pointers: a request in flight holds one too.
class SendLoop : public std::enable_shared_from_this<SendLoop> {
 public:
  struct Settings {
    std::string url;
    std::shared_ptr<const net::HttpProfile> profile;
    int64_t timeout_ms = 10'000;
    NotifierLimits limits;
    // Told of every answer, and of alerts that were dropped; may be null. Both outlive the loop.
    DeliveryObserver* observer = nullptr;
    const Clock* clock = nullptr;  // needed with an observer
    // Signs every request; may be null. Outlives the requests of the loop.
    discovery::AwsSigner* signer = nullptr;
  };
  // `client` outlives it. `metrics` may be null.
  static std::shared_ptr<SendLoop> Make(Settings settings, net::HttpClient& client,
                                        std::shared_ptr<AlertmanagerMetrics> metrics, Logger logger);

  void Add(std::vector<Notification> notifications);
  // Nothing is taken any more; what is queued is sent or dropped. Returns at once.
  void Stop();
  // After Stop: returns when the last request has ended.
  void AwaitEnd();
  bool ended() const;
  const std::string& url() const { return settings_.url; }

 private:
  SendLoop(Settings settings, net::HttpClient& client, std::shared_ptr<AlertmanagerMetrics> metrics, Logger logger);
  void SendNext(std::unique_lock<std::mutex>& lock);
  using Origins = std::vector<std::shared_ptr<const NotificationOrigin>>;
  void Sent(size_t count, const Origins& origins, const Result<net::HttpResponse>& result);
  void Drop(size_t count);
  // Drops the first `count` of `list`.
  template <typename List>
  void DropFirst(List& list, size_t count, const std::string& why);
  void Tell(const NotificationOrigin& origin, const std::string& error) const;

  Settings settings_;
  net::HttpClient& client_;
  Logger logger_;
  const std::shared_ptr<AlertmanagerMetrics> metrics_;
  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::deque<Notification> queue_;  // guarded by mutex_
  bool in_flight_ = false;          // guarded by mutex_
  bool stopping_ = false;           // guarded by mutex_
};

}  // namespace epi::rules
