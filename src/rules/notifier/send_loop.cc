#include "rules/notifier/send_loop.h"

#include <algorithm>

namespace epi::rules {
SendLoop::SendLoop(Settings settings, net::HttpClient& client, std::shared_ptr<AlertmanagerMetrics> metrics,
                   Logger logger)
    : settings_(std::move(settings)), client_(client), logger_(std::move(logger)), metrics_(std::move(metrics)) {}

std::shared_ptr<SendLoop> SendLoop::Make(Settings settings, net::HttpClient& client,
                                         std::shared_ptr<AlertmanagerMetrics> metrics, Logger logger) {
  logger.Debug("Starting send loop", {{"alertmanager", settings.url}});
  return std::shared_ptr<SendLoop>(new SendLoop(std::move(settings), client, std::move(metrics), std::move(logger)));
}

void SendLoop::Drop(size_t count) {
  if (metrics_ != nullptr) metrics_->dropped.Increment(static_cast<double>(count));
}

void SendLoop::Tell(const NotificationOrigin& origin, const std::string& error) const {
  settings_.observer->Delivered(
      {origin.rule, origin.labels, origin.resolved, settings_.clock->NowMs(), settings_.url, error});
}

template <typename List>
void SendLoop::DropFirst(List& list, size_t count, const std::string& why) {
  const auto end = list.begin() + static_cast<int64_t>(count);
  if (settings_.observer != nullptr) {
    std::for_each(list.begin(), end, [&](const Notification& notification) {
      if (notification.origin != nullptr) Tell(*notification.origin, why);
    });
  }
  list.erase(list.begin(), end);
  Drop(count);
}

void SendLoop::Add(std::vector<Notification> notifications) {
  std::unique_lock lock(mutex_);
  if (stopping_) return;
  const size_t capacity = settings_.limits.queue_capacity;
  if (notifications.size() > capacity) {
    const size_t excess = notifications.size() - capacity;
    logger_.Warn("Alert batch larger than queue capacity, dropping alerts",
                 {{"alertmanager", settings_.url}, {"count", excess}});
    DropFirst(notifications, excess, "dropped: the batch is larger than the queue");
  }
  if (queue_.size() + notifications.size() > capacity) {
    const size_t excess = queue_.size() + notifications.size() - capacity;
    logger_.Warn("Alert notification queue full, dropping alerts",
                 {{"alertmanager", settings_.url}, {"count", excess}});
    DropFirst(queue_, excess, "dropped: the queue is full");
  }
  for (Notification& notification : notifications) queue_.push_back(std::move(notification));
  SendNext(lock);
}

// Sends a batch unless one is under way. Releases the lock to send.
void SendLoop::SendNext(std::unique_lock<std::mutex>& lock) {
  if (metrics_ != nullptr) metrics_->queue_length.Set(static_cast<double>(queue_.size()));
  if (in_flight_ || queue_.empty()) {
    if (!in_flight_) idle_.notify_all();
    return;
  }
  const size_t count = std::min(settings_.limits.batch_size, queue_.size());
  const std::vector<Notification> batch(std::make_move_iterator(queue_.begin()),
                                        std::make_move_iterator(queue_.begin() + static_cast<int64_t>(count)));
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<int64_t>(count));
  if (metrics_ != nullptr) metrics_->queue_length.Set(static_cast<double>(queue_.size()));
  in_flight_ = true;
  lock.unlock();
  net::HttpRequest request;
  request.url = settings_.url;
  request.method = "POST";
  request.headers.Set("Content-Type", "application/json");
  request.body = ToJson(batch);
  request.profile = settings_.profile;
  request.timeout_ms = settings_.timeout_ms;
  constexpr uint64_t kMaxAnswerBytes = 1 << 20;
  request.max_body_bytes = kMaxAnswerBytes;
  Origins origins;
  if (settings_.observer != nullptr) {
    for (const Notification& notification : batch) {
      if (notification.origin != nullptr) origins.push_back(notification.origin);
    }
  }
  auto done = [self = shared_from_this(), count, origins = std::move(origins)](Result<net::HttpResponse> result) {
    self->Sent(count, origins, result);
  };
  if (settings_.signer == nullptr) {
    client_.Send(std::move(request), std::move(done));
    return;
  }
  settings_.signer->Sign(std::move(request),
                         [&client = client_, done = std::move(done)](Result<net::HttpRequest> signed_request) {
                           if (signed_request) {
                             client.Send(std::move(*signed_request), done);
                           } else {
                             done(Fail(signed_request.error()));
                           }
                         });
}

void SendLoop::Sent(size_t count, const Origins& origins, const Result<net::HttpResponse>& result) {
  std::string error;
  if (!result) {
    error = result.error().message();
  } else if (result->status / 100 != 2) {
    error = "bad response status " + result->status_text;
  }
  const auto number = static_cast<double>(count);
  if (!error.empty()) {
    logger_.Error("Error sending alerts", {{"alertmanager", settings_.url}, {"count", count}, {"err", error}});
  }
  if (metrics_ != nullptr) {
    if (error.empty()) {
      const double seconds = static_cast<double>(result->elapsed_ns) / 1e9;
      metrics_->latency.Observe(seconds);
      metrics_->latency_histogram.Observe(seconds);
    }
    (error.empty() ? metrics_->sent : metrics_->errors).Increment(number);
  }
  if (!error.empty()) Drop(count);
  for (const auto& origin : origins) Tell(*origin, error);
  std::unique_lock lock(mutex_);
  in_flight_ = false;
  // At the end a peer that does not answer is not waited for again and again.
  const bool silent =
      !result && (result.error().code() == ErrorCode::kTimeout || result.error().code() == ErrorCode::kCanceled);
  if (stopping_ && silent) {
    DropFirst(queue_, queue_.size(), "dropped: the server ended");
  }
  SendNext(lock);
}

void SendLoop::Stop() {
  logger_.Debug("Stopping send loop", {{"alertmanager", settings_.url}});
  std::unique_lock lock(mutex_);
  stopping_ = true;
  if (!settings_.limits.drain_on_shutdown) {
    logger_.Warn("Alert notification queue not drained on shutdown, dropping alerts",
                 {{"alertmanager", settings_.url}, {"count", queue_.size()}});
    DropFirst(queue_, queue_.size(), "dropped: the server ended");
  }
  SendNext(lock);
}

bool SendLoop::ended() const {
  const std::lock_guard lock(mutex_);
  return stopping_ && !in_flight_ && queue_.empty();
}

void SendLoop::AwaitEnd() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return !in_flight_ && queue_.empty(); });
}

}  // namespace epi::rules
