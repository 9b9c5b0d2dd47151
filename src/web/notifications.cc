#include "web/notifications.h"

#include <algorithm>

namespace epi::web {

Notifications::Notifications(size_t max_subscribers, Clock& clock, MetricRegistry& metrics)
    : max_subscribers_(max_subscribers),
      clock_(clock),
      subscribers_metric_(metrics.AddGauge("prometheus_api_notification_active_subscribers",
                                           "The current number of active notification subscribers.")),
      sent_(metrics.AddCounter("prometheus_api_notification_updates_sent_total",
                               "Total number of notification updates sent.")),
      dropped_(metrics.AddCounter("prometheus_api_notification_updates_dropped_total",
                                  "Total number of notification updates dropped.")) {}

void Notifications::Add(std::string_view text) {
  const std::lock_guard lock(mutex_);
  for (const auto& notification : active_)
    if (notification.text == text) return;
  active_.push_back({std::string(text), clock_.NowNs(), true});
  Publish(active_.back());
}

void Notifications::Delete(std::string_view text) {
  const std::lock_guard lock(mutex_);
  const auto at = std::find_if(active_.begin(), active_.end(), [&](const auto& n) { return n.text == text; });
  if (at == active_.end()) return;
  Notification gone = std::move(*at);
  active_.erase(at);
  gone.active = false;
  Publish(gone);
}

std::vector<Notification> Notifications::Current() const {
  const std::lock_guard lock(mutex_);
  return active_;
}

void Notifications::Publish(const Notification& notification) {
  for (Subscription* subscription : subscriptions_) {
    if (subscription->queue_.size() >= kMaxQueued) {
      dropped_.Increment();
      continue;
    }
    subscription->queue_.push_back(notification);
    sent_.Increment();
  }
  changed_.notify_all();
}

std::unique_ptr<Notifications::Subscription> Notifications::Subscribe() {
  const std::lock_guard lock(mutex_);
  if (subscriptions_.size() >= max_subscribers_) return nullptr;
  auto subscription = std::unique_ptr<Subscription>(new Subscription(*this));
  subscription->queue_ = active_;
  subscriptions_.push_back(subscription.get());
  subscribers_metric_.Set(static_cast<double>(subscriptions_.size()));
  return subscription;
}

Notifications::Subscription::~Subscription() {
  const std::lock_guard lock(owner_.mutex_);
  std::erase(owner_.subscriptions_, this);
  owner_.subscribers_metric_.Set(static_cast<double>(owner_.subscriptions_.size()));
}

std::optional<Notification> Notifications::Subscription::Next(const std::stop_token& stop, MonotonicNs deadline) {
  // Outside the lock: the callback takes it, and runs at once when the token has fired already.
  const std::stop_callback on_stop(stop, [this] {
    { const std::lock_guard lock(owner_.mutex_); }
    owner_.changed_.notify_all();
  });
  std::unique_lock lock(owner_.mutex_);
  owner_.clock_.WaitUntil(lock, owner_.changed_, deadline, [&] { return stop.stop_requested() || !queue_.empty(); });
  if (stop.stop_requested() || queue_.empty()) return std::nullopt;
  Notification next = std::move(queue_.front());
  queue_.erase(queue_.begin());
  return next;
}

}  // namespace epi::web
