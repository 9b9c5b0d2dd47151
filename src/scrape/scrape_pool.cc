#include "scrape/scrape_pool.h"

#include <algorithm>

namespace epi::scrape {

ScrapePool::ScrapePool(ScrapeContext& context, std::shared_ptr<const PoolSettings> settings)
    : context_(context), settings_(std::move(settings)), metrics_(context.metrics.ForPool(settings_->job.job_name)) {
  metrics_.target_limit->Set(static_cast<double>(settings_->job.target_limit));
}

ScrapePool::~ScrapePool() { context_.metrics.RemovePool(settings_->job.job_name); }

void ScrapePool::Sync(TargetGroups groups) {
  const MonotonicNs begun = context_.clock.Monotonic();
  groups_ = std::move(groups);
  const ScrapeJob& job = settings_->job;
  dropped_.clear();
  dropped_count_ = 0;
  std::unordered_map<uint64_t, KeptTarget> wanted;
  for (const auto& group : groups_) {
    GroupTargets found = TargetsFromGroup(group, job);
    for (const auto& failure : found.failures) {
      context_.logger.Error("Creating target failed", {{"scrape_pool", job.job_name}, {"err", failure}});
    }
    metrics_.sync_failures->Increment(static_cast<double>(found.failures.size()));
    for (auto& kept : found.active) wanted.insert_or_assign(kept.target->hash(), std::move(kept));
    dropped_count_ += found.dropped.size();
    for (auto& target : found.dropped) {
      if (job.keep_dropped_targets == 0 || dropped_.size() < job.keep_dropped_targets) dropped_.push_back(target);
    }
  }
  std::erase_if(retiring_, [](const auto& entry) { return entry.second.expired(); });
  std::erase_if(running_, [&](const auto& entry) {
    if (wanted.contains(entry.first)) return false;
    entry.second.loop->Stop(ScrapeLoop::StopReason::kTargetGone);
    retiring_[entry.first] = entry.second.loop;
    return true;
  });
  std::vector<std::shared_ptr<ScrapeLoop>> fresh;
  for (auto& [hash, kept] : wanted) {
    if (const auto known = running_.find(hash); known != running_.end()) {
      // The same target, of which discovery may say something else by now.
      known->second.discovered = std::move(kept.discovered);
      continue;
    }
    auto loop = std::make_shared<ScrapeLoop>(context_, std::move(kept.target), settings_);
    if (const auto former = retiring_.find(hash); former != retiring_.end()) {
      if (const auto alive = former->second.lock()) loop->Adopt(*alive);
      retiring_.erase(former);
    }
    running_.emplace(hash, RunningTarget{loop, std::move(kept.discovered)});
    fresh.push_back(std::move(loop));
  }
  EnforceTargetLimit();
  for (const auto& loop : fresh) loop->Start();
  metrics_.targets->Set(static_cast<double>(running_.size()));
  metrics_.syncs->Increment();
  const double seconds = static_cast<double>(context_.clock.Monotonic() - begun) / 1e9;
  metrics_.sync_length->Observe(seconds);
  metrics_.sync_length_histogram->Observe(seconds);
}

void ScrapePool::EnforceTargetLimit() {
  const uint64_t limit = settings_->job.target_limit;
  std::optional<Error> error;
  if (limit > 0 && running_.size() > limit) {
    error = Error(ErrorCode::kLimit, "target_limit exceeded (number of targets: " + std::to_string(running_.size()) +
                                         ", limit: " + std::to_string(limit) + ")");
    context_.metrics.exceeded_target_limit.Increment();
  }
  if (!error && !over_limit_) return;
  over_limit_ = error.has_value();
  for (const auto& [hash, running] : running_) running.loop->ForceError(error);
}

void ScrapePool::Reload(std::shared_ptr<const PoolSettings> settings) {
  settings_ = std::move(settings);
  metrics_.target_limit->Set(static_cast<double>(settings_->job.target_limit));
  for (const auto& [hash, running] : running_) running.loop->Reconfigure(settings_);
  Sync(std::move(groups_));
}

void ScrapePool::Stop(ScrapeLoop::StopReason reason) {
  for (const auto& [hash, running] : running_) running.loop->Stop(reason);
  running_.clear();
}

std::vector<ScrapePool::RunningTarget> ScrapePool::Running() const {
  std::vector<RunningTarget> out;
  out.reserve(running_.size());
  for (const auto& [hash, running] : running_) out.push_back(running);
  std::sort(out.begin(), out.end(), [](const auto& left, const auto& right) {
    const Target& a = left.loop->target();
    const Target& b = right.loop->target();
    return a.url() != b.url() ? a.url() < b.url() : a.labels() < b.labels();
  });
  return out;
}

}  // namespace epi::scrape
