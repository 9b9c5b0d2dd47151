// Messages about the server's own state that the UI shows: /api/v1/notifications and its live stream.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "telemetry/metrics.h"

namespace epi::web {

inline constexpr std::string_view kReloadFailedNotice = "Configuration reload has failed.";
inline constexpr std::string_view kReplayNotice = "Prometheus is starting and replaying the write-ahead log (WAL).";
inline constexpr std::string_view kShutdownNotice =
    "Prometheus is shutting down and gracefully stopping all operations.";

struct Notification {
  std::string text;
  int64_t date_ns = 0;
  bool active = true;
};

// Thread-safe.
class Notifications {
 public:
  Notifications(size_t max_subscribers, Clock& clock, MetricRegistry& metrics);
  void Add(std::string_view text);     // no effect when it is active already
  void Delete(std::string_view text);  // no effect when it is not
  std::vector<Notification> Current() const;

  // One listener. Destroyed before the Notifications.
  class Subscription {
   public:
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;
    // Waits for the next one; nothing once `stop` fires or the deadline has passed without any (then `stop` has not
    // fired).
    std::optional<Notification> Next(const std::stop_token& stop, MonotonicNs deadline);

   private:
    friend class Notifications;
    explicit Subscription(Notifications& owner) : owner_(owner) {}
    Notifications& owner_;
    std::vector<Notification> queue_;  // guarded by owner_.mutex_
  };
  // Begins with what is active. Null when there are too many.
  std::unique_ptr<Subscription> Subscribe();

 private:
  void Publish(const Notification& notification);  // with mutex_ held

  static constexpr size_t kMaxQueued = 100;
  const size_t max_subscribers_;
  Clock& clock_;
  Gauge& subscribers_metric_;
  Counter& sent_;
  Counter& dropped_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Notification> active_;          // guarded by mutex_
  std::vector<Subscription*> subscriptions_;  // guarded by mutex_
};

}  // namespace epi::web
