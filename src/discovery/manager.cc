#include "discovery/manager.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "discovery/manager_metrics.h"

namespace epi::discovery {
namespace {

// The wait before the first update after a quiet time; it doubles up to the most (Prometheus: 1.5 times with some
// chance).
constexpr int64_t kFirstWaitMs = 100;

}  // namespace

struct DiscoveryManager::Impl {
  // One discovery and the thread that runs it.
  class Provider final : public TargetGroupSink {
   public:
    Provider(Impl& manager, std::string fingerprint) : manager_(manager), fingerprint_(std::move(fingerprint)) {}

    void Start(std::unique_ptr<Discoverer> discoverer) {
      discoverer_ = std::move(discoverer);
      thread_ = std::thread([this] { discoverer_->Run(*this, stop_.get_token()); });
    }
    void RequestStop() { stop_.request_stop(); }
    void Join() {
      if (thread_.joinable()) thread_.join();
    }
    const std::string& fingerprint() const { return fingerprint_; }

    void Update(std::vector<TargetGroup> groups) override {
      {
        const std::lock_guard<std::mutex> lock(manager_.mutex_);
        for (auto& group : groups) {
          std::string source = group.source;
          if (group.targets.empty()) {
            groups_.erase(source);
          } else {
            groups_[std::move(source)] = std::make_shared<const TargetGroup>(std::move(group));
          }
        }
        manager_.dirty_ = true;
      }
      manager_.metrics_.received.Increment();
      manager_.wake_.notify_all();
    }

    std::map<std::string, std::shared_ptr<const TargetGroup>> groups_;  // guarded by the manager's mutex; by source
    std::set<std::string> jobs_;                                        // guarded by the manager's mutex

   private:
    Impl& manager_;
    std::string fingerprint_;
    std::stop_source stop_;
    std::unique_ptr<Discoverer> discoverer_;
    std::thread thread_;
  };

  Impl(DiscoveryParts parts, DiscoveryManagerOptions options, std::function<void(TargetSets)> receive)
      : parts_(std::move(parts)),
        options_(std::move(options)),
        receive_(std::move(receive)),
        metrics_(parts_.registry, options_.name) {
    sender_ = std::thread([this] { SendLoop(); });
  }

  // Waits for changes and hands them on, at most once a wait that grows while changes keep coming.
  void SendLoop() {
    int64_t wait_ms = std::min(kFirstWaitMs, options_.max_update_wait_ms);
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return dirty_ || stopping_; });
      const MonotonicNs deadline = parts_.clock.Monotonic() + wait_ms * 1'000'000;
      if (parts_.clock.WaitUntil(lock, wake_, deadline, [this] { return stopping_; })) return;
      dirty_ = false;
      TargetSets sets = AllSets();
      ReportSets(sets);
      lock.unlock();
      metrics_.sent.Increment();
      receive_(std::move(sets));
      lock.lock();
      // A quiet time as long as the longest wait makes the next update prompt again.
      const MonotonicNs quiet = parts_.clock.Monotonic() + options_.max_update_wait_ms * 1'000'000;
      if (parts_.clock.WaitUntil(lock, wake_, quiet, [this] { return dirty_ || stopping_; })) {
        wait_ms = std::min(wait_ms * 2, options_.max_update_wait_ms);
        if (!stopping_) metrics_.delayed.Increment();
      } else {
        wait_ms = std::min(kFirstWaitMs, options_.max_update_wait_ms);
      }
      if (stopping_) return;
    }
  }

  TargetSets AllSets() const {
    TargetSets out;
    for (const auto& job : jobs_) out[job];
    for (const auto& provider : providers_) {
      for (const auto& job : provider->jobs_) {
        for (const auto& [source, group] : provider->groups_) out[job].push_back(group);
      }
    }
    return out;
  }

  void ReportSets(const TargetSets& sets) {
    for (const auto& [job, groups] : sets) {
      size_t targets = 0;
      for (const auto& group : groups) targets += group->targets.size();
      metrics_.Report(job, targets, parts_.clock.NowMs());
    }
  }

  size_t Apply(const std::map<std::string, config::SdConfigs>& jobs);
  std::unique_ptr<Provider> MakeProvider(const config::SdConfig& config, const std::string& fingerprint,
                                         const std::string& job);
  static void StopAll(std::vector<std::unique_ptr<Provider>>& providers) {
    for (auto& provider : providers) provider->RequestStop();
    for (auto& provider : providers) provider->Join();
    providers.clear();
  }

  DiscoveryParts parts_;
  DiscoveryManagerOptions options_;
  std::function<void(TargetSets)> receive_;
  ManagerMetrics metrics_;
  std::mutex apply_mutex_;  // one ApplyConfig or Stop at a time; taken before mutex_
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::unique_ptr<Provider>> providers_;  // guarded by mutex_
  std::set<std::string> jobs_;                        // guarded by mutex_
  bool dirty_ = false;                                // guarded by mutex_
  bool stopping_ = false;                             // guarded by mutex_
  std::thread sender_;
};

std::unique_ptr<DiscoveryManager::Impl::Provider> DiscoveryManager::Impl::MakeProvider(const config::SdConfig& config,
                                                                                       const std::string& fingerprint,
                                                                                       const std::string& job) {
  DiscoveryParts parts{parts_.http,     parts_.files, parts_.clock,          parts_.logger,
                       parts_.registry, job,          parts_.resolver_config};
  auto discoverer = MakeDiscoverer(config, parts);
  if (!discoverer) {
    parts_.logger.Error("Cannot create service discovery",
                        {{"err", discoverer.error().message()}, {"type", config.name()}, {"config", job}});
    return nullptr;
  }
  auto provider = std::make_unique<Provider>(*this, fingerprint);
  // What it finds before it is among providers_ waits in its groups.
  provider->Start(std::move(*discoverer));
  return provider;
}

size_t DiscoveryManager::Impl::Apply(const std::map<std::string, config::SdConfigs>& jobs) {
  const std::lock_guard<std::mutex> apply_lock(apply_mutex_);
  struct Wanted {
    const config::SdConfig* config;
    std::set<std::string> jobs;
  };
  std::map<std::string, Wanted> wanted;  // by fingerprint
  for (const auto& [job, configs] : jobs) {
    for (const auto& config : configs)
      wanted.try_emplace(config.Fingerprint(), Wanted{&config, {}}).first->second.jobs.insert(job);
  }

  std::vector<std::unique_ptr<Provider>> obsolete;
  std::set<std::string> gone;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return 0;
    for (auto& provider : providers_) {
      const auto at = wanted.find(provider->fingerprint());
      if (at == wanted.end()) {
        obsolete.push_back(std::move(provider));
      } else {
        provider->jobs_ = std::move(at->second.jobs);
        wanted.erase(at);
      }
    }
    std::erase(providers_, nullptr);
    for (const auto& job : jobs_) {
      if (!jobs.contains(job)) gone.insert(job);
    }
    jobs_.clear();
    for (const auto& [job, configs] : jobs) jobs_.insert(job);
    // Consumers expect the full state after a reload, also when nothing new is found.
    dirty_ = true;
  }
  StopAll(obsolete);
  for (const auto& job : gone) metrics_.Forget(job);

  size_t failed = 0;
  for (auto& [fingerprint, want] : wanted) {
    auto provider = MakeProvider(*want.config, fingerprint, *want.jobs.begin());
    if (provider == nullptr) {
      failed += want.jobs.size();
      continue;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    provider->jobs_ = std::move(want.jobs);
    providers_.push_back(std::move(provider));
    dirty_ = true;
  }
  metrics_.failed_configs.Set(static_cast<double>(failed));
  wake_.notify_all();
  return failed;
}

DiscoveryManager::DiscoveryManager(DiscoveryParts parts, DiscoveryManagerOptions options,
                                   std::function<void(TargetSets)> receive)
    : impl_(std::make_unique<Impl>(std::move(parts), std::move(options), std::move(receive))) {}

DiscoveryManager::~DiscoveryManager() { Stop(); }

size_t DiscoveryManager::ApplyConfig(const std::map<std::string, config::SdConfigs>& jobs) {
  return impl_->Apply(jobs);
}

void DiscoveryManager::Stop() {
  const std::lock_guard<std::mutex> apply_lock(impl_->apply_mutex_);
  std::vector<std::unique_ptr<Impl::Provider>> providers;
  {
    const std::lock_guard<std::mutex> lock(impl_->mutex_);
    impl_->stopping_ = true;
    providers = std::move(impl_->providers_);
    impl_->providers_.clear();
  }
  impl_->wake_.notify_all();
  Impl::StopAll(providers);
  if (impl_->sender_.joinable()) impl_->sender_.join();
}

size_t DiscoveryManager::provider_count() const {
  const std::lock_guard<std::mutex> lock(impl_->mutex_);
  return impl_->providers_.size();
}

}  // namespace epi::discovery
