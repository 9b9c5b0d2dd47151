// Scraping as a whole: jobs from the configuration, target groups from service discovery, samples to storage.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/random.h"
#include "base/result.h"
#include "net/http_client.h"
#include "scrape/scrape_job.h"
#include "scrape/scrape_loop.h"
#include "scrape/scrape_pool.h"
#include "scrape/status.h"
#include "storage/storage.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace epi::scrape {

struct ScrapeManagerOptions {
  // Threads that decompress, parse and store; with the scheduler's one and the HTTP client's one they are all there
  // are, whatever the number of targets.
  size_t workers = 2;
  int64_t discovery_reload_interval_ms = 5000;  // --scrape.discovery-reload-interval
  bool align_timestamps = true;                 // --no-scrape.adjust-timestamps
  int64_t timestamp_tolerance_ms = 2;           // --scrape.timestamp-tolerance
  StorageAbilities storage;
  uint64_t body_hard_cap = uint64_t{256} << 20;
};

// All outlive the manager.
struct ScrapeManagerParts {
  Storage& storage;
  net::HttpClient& http;
  FileSystem& files;
  Clock& clock;
  Random& random;
  Logger logger;
  MetricRegistry& registry;
};

// What sets the phases of this server's scrapes apart from those of its twins: from host name and external labels.
uint64_t OffsetSeed(std::string_view fqdn, const Labels& external_labels);

// Thread-safe.
class ScrapeManager final : public ScrapeStatus {
 public:
  ScrapeManager(ScrapeManagerParts parts, ScrapeManagerOptions options);
  ~ScrapeManager() override;  // Stop

  // Makes these the jobs. Jobs that did not change go on untouched; in changed ones, targets that are the same keep
  // their schedule. An error names the first changed job that goes on as before because its new settings cannot be
  // used, such as a certificate that cannot be read. A new job like that is logged, and tried again when its targets
  // are updated.
  Result<void> ApplyConfig(std::vector<ScrapeJob> jobs, uint64_t offset_seed);
  // The whole set of target groups of the jobs named; others keep theirs. Taken up at once, but not more often than
  // discovery_reload_interval.
  void UpdateTargets(std::map<std::string, TargetGroups> groups);
  // Ends scraping: running scrapes are cancelled and none is running when it returns. No stale markers are written.
  void Stop();

  // For tests: whether an UpdateTargets waits to be taken up, and waiting until everything due has begun and ended.
  bool SyncsPending() const;
  void AwaitIdle();

  std::vector<std::string> PoolNames() const override;
  std::vector<ActiveTarget> ActiveTargets(std::string_view pool) const override;
  std::vector<Labels> DroppedTargets(std::string_view pool) const override;
  uint64_t DroppedCount(std::string_view pool) const override;
  std::shared_ptr<const ScrapeJob> Job(std::string_view pool) const override;
  Result<std::vector<RelabelStep>> RelabelSteps(std::string_view pool, const Labels& labels) const override;
  void ForEachMetadata(const std::function<void(const Labels&, const FamilyMetadata&)>& visit) const override;

 private:
  Result<std::shared_ptr<const PoolSettings>> MakeSettings(const ScrapeJob& job);
  void MakePool(const ScrapeJob& job);
  Result<void> ApplyJob(const ScrapeJob& job);
  void SyncPending();
  const ScrapePool* Find(std::string_view pool) const;
  void RegisterCallbacks(MetricRegistry& registry);
  std::vector<CollectedSample> CollectMetadata(bool bytes) const;

  ScrapeManagerParts parts_;
  const ScrapeManagerOptions options_;
  ScrapeMetrics metrics_;
  Scheduler scheduler_;
  ThreadPool workers_;
  InflaterPool inflaters_;
  InFlight in_flight_;
  ScrapeContext context_;
  FailureLogs failure_logs_;

  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<ScrapePool>, std::less<>> pools_;  // guarded by mutex_
  std::map<std::string, ScrapeJob> unmade_;      // guarded by mutex_: of the configuration, but without a pool yet
  std::map<std::string, TargetGroups> groups_;   // guarded by mutex_: the last of every job, also of unknown ones
  std::map<std::string, TargetGroups> pending_;  // guarded by mutex_: not yet taken up
  MonotonicNs last_sync_ = 0;                    // guarded by mutex_; 0 = never
  bool sync_scheduled_ = false;                  // guarded by mutex_
  bool stopped_ = false;                         // guarded by mutex_
  // What the metric callbacks use after the manager is gone.
  struct Registration;
  std::shared_ptr<Registration> registration_;
};

}  // namespace epi::scrape
