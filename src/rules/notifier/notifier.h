// Sends alerts to all Alertmanagers of the configuration.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/config.h"
#include "discovery/discoverer.h"
#include "discovery/manager_metrics.h"
#include "net/http_client.h"
#include "rules/notifier/alertmanager_set.h"
#include "rules/notifier/discovery_runner.h"
#include "rules/rule_options.h"

namespace epi::rules {

// All pointers outlive the notifier.
struct NotifierOptions {
  net::HttpClient* client = nullptr;
  FileSystem* files = nullptr;
  Clock* clock = nullptr;
  MetricRegistry* metrics = nullptr;
  Logger logger;
  std::string external_url;
  NotifierLimits limits;
  DeliveryObserver* deliveries = nullptr;  // told of every answer; may be null
  std::string resolver_config;             // of DNS discovery; empty: the system's
};

// Thread-safe.
class Notifier final : public AlertSink {
 public:
  explicit Notifier(NotifierOptions options);
  ~Notifier() override;  // stops

  // Sections that stay the same keep their queues and discoveries. kInvalid changes nothing.
  Result<void> Load(const config::AlertingConfig& config, const Labels& external_labels);
  void Send(const std::string& query, std::vector<Alert> alerts) override;
  void Send(std::vector<Notification> notifications);
  // Discoveries end, queues are drained or dropped, in this order. Idempotent.
  void Stop();

  // URLs as they are posted to, sorted within each section.
  std::vector<std::string> ActiveAlertmanagers() const;
  std::vector<std::string> DroppedAlertmanagers() const;

 private:
  class TargetCount;
  struct Section {
    std::string fingerprint;
    std::shared_ptr<TargetCount> target_count;
    std::shared_ptr<AlertmanagerSet> set;
    std::unique_ptr<DiscoveryRunner> discovery;  // calls into `set`, so it goes first
  };
  Result<std::unique_ptr<Section>> MakeSection(const config::AlertmanagerConfig& config, const std::string& name,
                                               std::string fingerprint);

  void CountDiscovered();

  NotifierOptions options_;
  const std::shared_ptr<AlertmanagerMetricsTable> metrics_;
  Gauge& discovered_;
  discovery::ManagerMetrics discoveries_;
  std::mutex load_mutex_;  // one Load at a time; taken before mutex_
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Section>> sections_;  // guarded by mutex_
  std::vector<RelabelConfig> relabel_configs_;      // guarded by mutex_
  Labels external_labels_;                          // guarded by mutex_
  bool stopped_ = false;                            // guarded by mutex_
};

}  // namespace epi::rules
