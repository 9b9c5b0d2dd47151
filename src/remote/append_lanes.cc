#include "remote/append_lanes.h"

#include <algorithm>

#include "base/xxhash64.h"

namespace epi::remote {

Result<std::unique_ptr<BatchAppender>> AppendLanes::Take() {
  size_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      auto appender = std::move(free_.back());
      free_.pop_back();
      return appender;
    }
    number = made_++;
  }
  return storage_.OpenGroup({GroupIdentity::Kind::kRemoteWrite, name_ + " " + std::to_string(number)});
}

void AppendLanes::Give(std::unique_ptr<BatchAppender> appender) {
  appender->Rollback();
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(appender));
}

uint64_t HashOfPairs(std::span<const LabelView> pairs) {
  uint64_t hash = pairs.size();
  for (const auto& [name, value] : pairs) hash = XxHash64(value, XxHash64(name, hash));
  return hash;
}

SeriesRef SentSeries::Find(uint64_t hash) const {
  const std::shared_lock lock(mutex_);
  const auto at = refs_.find(hash);
  return at == refs_.end() ? kNoSeries : at->second;
}

void SentSeries::Put(uint64_t hash, SeriesRef ref) {
  const std::unique_lock lock(mutex_);
  if (refs_.size() >= limit_) refs_.clear();
  refs_.insert_or_assign(hash, ref);
}

void SentSeries::Forget(const std::vector<SeriesRef>& dead) {
  const std::unique_lock lock(mutex_);
  boost::unordered::erase_if(
      refs_, [&](const auto& entry) { return std::find(dead.begin(), dead.end(), entry.second) != dead.end(); });
}

}  // namespace epi::remote
