#include "scrape/metadata_cache.h"

#include "base/xxhash64.h"

namespace epi::scrape {
namespace {

// A family is kept for this many scrapes after its lines went away.
constexpr uint32_t kKeptScrapes = 10;

constexpr std::string_view kMetricSuffixes[] = {"_total",   "_bucket", "_sum",  "_count",
                                                "_created", "_gcount", "_gsum", "_info"};

size_t HashOf(const FamilyMetadata& m) {
  const uint64_t type = static_cast<uint64_t>(m.metadata.type);
  return XxHash64(m.metadata.help, XxHash64(m.family, XxHash64(m.metadata.unit, type)));
}

}  // namespace

std::shared_ptr<const FamilyMetadata> MetadataInterner::Intern(FamilyMetadata metadata) {
  const size_t hash = HashOf(metadata);
  const std::lock_guard lock(mutex_);
  const auto range = table_.equal_range(hash);
  for (auto it = range.first; it != range.second; ++it) {
    if (auto known = it->second.lock(); known && *known == metadata) return known;
  }
  auto fresh = std::make_shared<const FamilyMetadata>(std::move(metadata));
  table_.emplace(hash, fresh);
  if (table_.size() >= sweep_at_) Sweep();
  return fresh;
}

void MetadataInterner::Sweep() {
  std::erase_if(table_, [](const auto& entry) { return entry.second.expired(); });
  sweep_at_ = 1024 + 2 * table_.size();
}

template <typename Change>
uint32_t MetadataCache::Update(std::string_view family, bool& changed, Change change) {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(family);
  FamilyMetadata updated;
  if (found != by_name_.end()) updated = *families_[found->second];
  updated.family.assign(family);
  const bool fresh = change(updated.metadata);
  uint32_t index = 0;
  if (found != by_name_.end()) {
    index = found->second;
    seen_[index] = scrape_;
    if (!fresh) return index;
    by_name_.erase(found);
  } else if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else {
    index = static_cast<uint32_t>(families_.size());
    families_.emplace_back();
    seen_.push_back(0);
  }
  changed = true;
  seen_[index] = scrape_;
  families_[index] = interner_->Intern(std::move(updated));
  by_name_.emplace(families_[index]->family, index);
  return index;
}

uint32_t MetadataCache::SetType(std::string_view family, MetricType type, bool& changed) {
  return Update(family, changed, [type](MetricMetadata& m) {
    const bool fresh = m.type != type;
    m.type = type;
    return fresh;
  });
}

uint32_t MetadataCache::SetHelp(std::string_view family, std::string_view help, bool& changed) {
  return Update(family, changed, [help](MetricMetadata& m) {
    const bool fresh = m.help != help;
    m.help.assign(help);
    return fresh;
  });
}

uint32_t MetadataCache::SetUnit(std::string_view family, std::string_view unit, bool& changed) {
  return Update(family, changed, [unit](MetricMetadata& m) {
    const bool fresh = m.unit != unit;
    m.unit.assign(unit);
    return fresh;
  });
}

void MetadataCache::EndScrape(bool drop_unseen) {
  if (drop_unseen) {
    for (uint32_t i = 0; i < seen_.size(); ++i) {
      // Only this thread changes families_, so it may look without the lock.
      if (scrape_ - seen_[i] <= kKeptScrapes || !families_[i]) continue;
      const std::lock_guard lock(mutex_);
      by_name_.erase(families_[i]->family);
      families_[i].reset();
      free_.push_back(i);
    }
  }
  ++scrape_;
}

std::shared_ptr<const FamilyMetadata> MetadataCache::Get(std::string_view family) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(family);
  return found == by_name_.end() ? nullptr : families_[found->second];
}

std::shared_ptr<const FamilyMetadata> MetadataCache::ForMetric(std::string_view metric) const {
  if (auto own = Get(metric)) return own;
  for (const auto suffix : kMetricSuffixes) {
    if (metric.size() <= suffix.size() || !metric.ends_with(suffix)) continue;
    if (auto family = Get(metric.substr(0, metric.size() - suffix.size()))) return family;
  }
  return nullptr;
}

void MetadataCache::ForEach(const std::function<void(const FamilyMetadata&)>& visit) const {
  std::vector<std::shared_ptr<const FamilyMetadata>> copy;
  {
    const std::lock_guard lock(mutex_);
    copy = families_;
  }
  for (const auto& family : copy) {
    if (family) visit(*family);
  }
}

size_t MetadataCache::entries() const {
  const std::lock_guard lock(mutex_);
  return by_name_.size();
}

size_t MetadataCache::bytes() const {
  const std::lock_guard lock(mutex_);
  size_t total = 0;
  for (const auto& family : families_) {
    if (!family) continue;
    const auto& m = family->metadata;
    total += m.help.size() + m.unit.size() + MetricTypeName(m.type).size();
  }
  return total;
}

}  // namespace epi::scrape
