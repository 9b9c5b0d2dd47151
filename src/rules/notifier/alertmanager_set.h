// The Alertmanagers of one section of the configuration, as its discoveries find them.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/config.h"
#include "discovery/target_group.h"
#include "net/http_client.h"
#include "rules/notifier/send_loop.h"

namespace epi::rules {

// What is found and what relabeling drops.
struct FoundAlertmanagers {
  std::vector<std::string> urls;
  std::vector<std::string> dropped;  // URLs before relabeling
};
// kInvalid `"http://x" is not a valid hostname` for an address with a slash.
Result<FoundAlertmanagers> AlertmanagersOf(const discovery::TargetGroup& group,
                                           const config::AlertmanagerConfig& config);

// Thread-safe.
class AlertmanagerSet {
 public:
  // `client` outlives it. `signer` is there when requests have to be signed for AWS.
  AlertmanagerSet(const config::AlertmanagerConfig& config, std::shared_ptr<const net::HttpProfile> profile,
                  net::HttpClient& client, NotifierLimits limits, std::shared_ptr<AlertmanagerMetricsTable> metrics,
                  Logger logger, DeliveryObserver* observer = nullptr, const Clock* clock = nullptr,
                  std::unique_ptr<discovery::AwsSigner> signer = nullptr);
  ~AlertmanagerSet();
  // All groups there are now. Loops of Alertmanagers that stay go on undisturbed.
  void Sync(const discovery::TargetGroups& groups);
  void Send(const std::vector<Notification>& notifications);
  std::vector<std::string> active() const;   // sorted
  std::vector<std::string> dropped() const;  // sorted
  // Queues are drained or dropped; AwaitEnd returns when that is done.
  void Stop();
  void AwaitEnd();

 private:
  void Forget();  // loops that have ended, with mutex_ held

  config::AlertmanagerConfig config_;
  std::shared_ptr<const net::HttpProfile> profile_;
  net::HttpClient& client_;
  NotifierLimits limits_;
  const std::shared_ptr<AlertmanagerMetricsTable> metrics_;
  Logger logger_;
  DeliveryObserver* observer_;
  const Clock* clock_;
  const std::unique_ptr<discovery::AwsSigner> signer_;  // every loop's; may be null
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<SendLoop>> loops_;  // by URL; guarded by mutex_
  std::vector<std::shared_ptr<SendLoop>> ending_;           // guarded by mutex_
  std::vector<std::string> dropped_;                        // guarded by mutex_
  bool stopped_ = false;                                    // guarded by mutex_
};

}  // namespace epi::rules
