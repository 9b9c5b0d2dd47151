#include "scrape/scrape_manager.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/escaping.h"

namespace epi::scrape {

// Metric callbacks outlive the manager: the registry has no way to take a family back.
struct ScrapeManager::Registration {
  std::mutex mutex;
  const ScrapeManager* manager = nullptr;  // guarded by mutex; null once the manager is gone
};

uint64_t OffsetSeed(std::string_view fqdn, const Labels& external_labels) {
  return Fnv64a(std::string(fqdn) + external_labels.ToString());
}

ScrapeManager::ScrapeManager(ScrapeManagerParts parts, ScrapeManagerOptions options)
    : parts_(std::move(parts)),
      options_(options),
      metrics_(parts_.registry),
      scheduler_(parts_.clock),
      workers_(std::max<size_t>(1, options.workers)),
      context_{parts_.storage,
               parts_.http,
               parts_.clock,
               parts_.logger.Named("scrape manager"),
               metrics_,
               scheduler_,
               workers_,
               inflaters_,
               in_flight_,
               std::make_shared<MetadataInterner>(),
               TextHashKey{parts_.random.Next(), parts_.random.Next()},
               0,
               options.align_timestamps,
               options.timestamp_tolerance_ms * 1'000'000,
               options.body_hard_cap},
      failure_logs_(parts_.files, parts_.clock),
      registration_(std::make_shared<Registration>()) {
  registration_->manager = this;
  RegisterCallbacks(parts_.registry);
}

ScrapeManager::~ScrapeManager() {
  {
    const std::lock_guard lock(registration_->mutex);
    registration_->manager = nullptr;
  }
  Stop();
}

void ScrapeManager::Stop() {
  scheduler_.Stop();
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    for (const auto& [name, pool] : pools_) pool->Stop(ScrapeLoop::StopReason::kShutdown);
  }
  in_flight_.AwaitNone();
}

Result<std::shared_ptr<const PoolSettings>> ScrapeManager::MakeSettings(const ScrapeJob& job) {
  auto settings = std::make_shared<PoolSettings>();
  settings->job = job;
  settings->rules = RulesOf(job, options_.storage);
  EPI_ASSIGN(settings->profile, parts_.http.Prepare(job.http, job.job_name));
  settings->accept = AcceptHeader(job.scrape_protocols, job.name_escaping);
  EPI_ASSIGN(settings->failure_log, failure_logs_.Open(job.scrape_failure_log_file));
  return std::shared_ptr<const PoolSettings>(std::move(settings));
}

void ScrapeManager::MakePool(const ScrapeJob& job) {
  metrics_.pools.Increment();
  auto settings = MakeSettings(job);
  if (!settings) {
    metrics_.pools_failed.Increment();
    context_.logger.Error("error creating new scrape pool",
                          {{"err", settings.error().message()}, {"scrape_pool", job.job_name}});
    unmade_[job.job_name] = job;
    return;
  }
  unmade_.erase(job.job_name);
  auto& pool = pools_[job.job_name];
  pool = std::make_unique<ScrapePool>(context_, std::move(*settings));
  if (const auto groups = groups_.find(job.job_name); groups != groups_.end()) pool->Sync(groups->second);
}

Result<void> ScrapeManager::ApplyJob(const ScrapeJob& job) {
  const auto found = pools_.find(job.job_name);
  if (found == pools_.end()) {
    MakePool(job);
    return {};
  }
  ScrapePool& pool = *found->second;
  if (pool.settings().job == job) return {};
  metrics_.pool_reloads.Increment();
  auto settings = MakeSettings(job);
  if (!settings) {
    metrics_.pool_reloads_failed.Increment();
    return epi::Fail(settings.error().WithContext("scrape job " + job.job_name));
  }
  const MonotonicNs begun = parts_.clock.Monotonic();
  pool.Reload(std::move(*settings));
  metrics_.ReloadLength(FormatGoDuration(job.scrape_interval * 1'000'000))
      .Observe(static_cast<double>(parts_.clock.Monotonic() - begun) / 1e9);
  return {};
}

Result<void> ScrapeManager::ApplyConfig(std::vector<ScrapeJob> jobs, uint64_t offset_seed) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return Fail(ErrorCode::kUnavailable, "scraping has been stopped");
  context_.offset_seed = offset_seed;
  failure_logs_.Reopen();
  std::set<std::string_view> names;
  for (const auto& job : jobs) names.insert(job.job_name);
  std::erase_if(pools_, [&names](const auto& entry) {
    if (names.contains(entry.first)) return false;
    entry.second->Stop(ScrapeLoop::StopReason::kTargetGone);
    return true;
  });
  std::erase_if(groups_, [&names](const auto& entry) { return !names.contains(entry.first); });
  unmade_.clear();
  std::optional<Error> first;
  for (const auto& job : jobs) {
    auto applied = ApplyJob(job);
    if (applied) continue;
    context_.logger.Error("error reloading scrape pool",
                          {{"scrape_pool", job.job_name}, {"err", applied.error().message()}});
    if (!first) first = std::move(applied).error();
  }
  // Targets that come with a new configuration are not kept waiting.
  last_sync_ = 0;
  if (first) return Fail(std::move(*first));
  return {};
}

void ScrapeManager::UpdateTargets(std::map<std::string, TargetGroups> groups) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  for (auto& [job, targets] : groups) pending_[job] = std::move(targets);
  if (sync_scheduled_) return;
  const MonotonicNs now = parts_.clock.Monotonic();
  const MonotonicNs allowed =
      last_sync_ == 0 ? now : std::max(now, last_sync_ + options_.discovery_reload_interval_ms * 1'000'000);
  sync_scheduled_ = true;
  scheduler_.At(allowed, [this](MonotonicNs) {
    in_flight_.Enter();
    workers_.Submit([this] {
      SyncPending();
      in_flight_.Leave();
    });
  });
}

void ScrapeManager::SyncPending() {
  const std::lock_guard lock(mutex_);
  sync_scheduled_ = false;
  if (stopped_) return;
  last_sync_ = std::max<MonotonicNs>(1, parts_.clock.Monotonic());
  for (auto& [job, targets] : pending_) {
    groups_[job] = targets;
    if (const auto unmade = unmade_.find(job); unmade != unmade_.end()) {
      MakePool(ScrapeJob(unmade->second));
      continue;
    }
    if (const auto pool = pools_.find(job); pool != pools_.end()) pool->second->Sync(std::move(targets));
  }
  pending_.clear();
}

bool ScrapeManager::SyncsPending() const {
  const std::lock_guard lock(mutex_);
  return sync_scheduled_;
}

void ScrapeManager::AwaitIdle() {
  scheduler_.AwaitQuiet();
  in_flight_.AwaitNone();
}

const ScrapePool* ScrapeManager::Find(std::string_view pool) const {
  const auto found = pools_.find(pool);
  return found == pools_.end() ? nullptr : found->second.get();
}

std::vector<std::string> ScrapeManager::PoolNames() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, pool] : pools_) names.push_back(name);
  return names;
}

std::vector<ActiveTarget> ScrapeManager::ActiveTargets(std::string_view pool_name) const {
  std::vector<ScrapePool::RunningTarget> all;
  std::shared_ptr<const PoolSettings> settings;
  {
    const std::lock_guard lock(mutex_);
    const ScrapePool* pool = Find(pool_name);
    if (pool == nullptr) return {};
    all = pool->Running();
    settings = pool->shared_settings();
  }
  std::vector<ActiveTarget> targets;
  targets.reserve(all.size());
  for (const auto& running : all) {
    const Target& target = running.loop->target();
    TargetState state = running.loop->state();
    ActiveTarget out;
    out.discovered = running.discovered.LabelsFor(settings->job);
    out.labels = target.public_labels();
    out.scrape_pool.assign(pool_name);
    out.scrape_url = UrlOfTarget(target.labels(), settings->job);
    out.last_error = std::move(state.last_error);
    out.last_scrape_ns = state.last_scrape_ns;
    out.last_duration_seconds = state.last_duration_seconds;
    out.refused_new_series = state.refused_new_series;
    out.health = state.health;
    out.interval.assign(target.labels().Get("__scrape_interval__"));
    out.timeout.assign(target.labels().Get("__scrape_timeout__"));
    targets.push_back(std::move(out));
  }
  return targets;
}

std::vector<Labels> ScrapeManager::DroppedTargets(std::string_view pool_name) const {
  std::vector<DiscoveredTarget> dropped;
  std::shared_ptr<const PoolSettings> settings;
  {
    const std::lock_guard lock(mutex_);
    const ScrapePool* pool = Find(pool_name);
    if (pool == nullptr) return {};
    dropped = pool->dropped();
    settings = pool->shared_settings();
  }
  std::vector<Labels> out;
  out.reserve(dropped.size());
  for (const auto& target : dropped) out.push_back(target.LabelsFor(settings->job));
  return out;
}

uint64_t ScrapeManager::DroppedCount(std::string_view pool_name) const {
  const std::lock_guard lock(mutex_);
  const ScrapePool* pool = Find(pool_name);
  return pool == nullptr ? 0 : pool->dropped_count();
}

std::shared_ptr<const ScrapeJob> ScrapeManager::Job(std::string_view pool_name) const {
  const std::lock_guard lock(mutex_);
  const ScrapePool* pool = Find(pool_name);
  if (pool == nullptr) return nullptr;
  auto settings = pool->shared_settings();
  return {settings, &settings->job};
}

Result<std::vector<RelabelStep>> ScrapeManager::RelabelSteps(std::string_view pool_name, const Labels& labels) const {
  const auto job = Job(pool_name);
  if (!job) {
    std::string message = "scrape pool ";
    AppendQuoted(message, pool_name);
    return Fail(ErrorCode::kNotFound, message + " not found");
  }
  std::vector<RelabelStep> steps;
  LabelsBuilder builder(labels);
  bool keep = true;
  for (const auto& rule : job->relabel) {
    keep = keep && ApplyRelabelConfig(rule, builder);
    steps.push_back({rule, keep ? builder.Build() : Labels(), keep});
  }
  return steps;
}

void ScrapeManager::ForEachMetadata(const std::function<void(const Labels&, const FamilyMetadata&)>& visit) const {
  std::vector<std::shared_ptr<ScrapeLoop>> loops;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, pool] : pools_) {
      for (auto& running : pool->Running()) loops.push_back(std::move(running.loop));
    }
  }
  for (const auto& loop : loops) {
    loop->metadata()->ForEach([&](const FamilyMetadata& family) { visit(loop->target().public_labels(), family); });
  }
}

std::vector<CollectedSample> ScrapeManager::CollectMetadata(bool bytes) const {
  const std::lock_guard lock(mutex_);
  std::vector<CollectedSample> samples;
  for (const auto& [name, pool] : pools_) {
    size_t total = 0;
    for (const auto& running : pool->Running()) {
      const auto metadata = running.loop->metadata();
      total += bytes ? metadata->bytes() : metadata->entries();
    }
    samples.push_back({{{"scrape_job", name}}, static_cast<double>(total)});
  }
  return samples;
}

void ScrapeManager::RegisterCallbacks(MetricRegistry& registry) {
  const auto collect = [registration = registration_](bool bytes) -> std::vector<CollectedSample> {
    const std::lock_guard lock(registration->mutex);
    if (registration->manager == nullptr) return {};
    return registration->manager->CollectMetadata(bytes);
  };
  registry.AddCallback("prometheus_target_metadata_cache_entries",
                       "Total number of metric metadata entries in the cache", FamilyType::kGauge,
                       [collect] { return collect(false); });
  registry.AddCallback("prometheus_target_metadata_cache_bytes",
                       "The number of bytes that are currently used for storing metric metadata in the cache",
                       FamilyType::kGauge, [collect] { return collect(true); });
}

}  // namespace epi::scrape
