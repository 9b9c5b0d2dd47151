// HELP, TYPE and UNIT of the metric families that a target exposes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/sample.h"

namespace epi::scrape {

struct FamilyMetadata {
  std::string family;
  MetricMetadata metadata;
  friend bool operator==(const FamilyMetadata&, const FamilyMetadata&) = default;
};

// Targets of one job expose the same families: equal metadata is kept once. Thread-safe.
class MetadataInterner {
 public:
  std::shared_ptr<const FamilyMetadata> Intern(FamilyMetadata metadata);

 private:
  void Sweep();
  std::mutex mutex_;
  std::unordered_multimap<size_t, std::weak_ptr<const FamilyMetadata>> table_;  // guarded by mutex_
  size_t sweep_at_ = 1024;                                                      // guarded by mutex_
};

// Written by the target's scrape loop (one thread at a time), read by anyone.
class MetadataCache {
 public:
  explicit MetadataCache(std::shared_ptr<MetadataInterner> interner) : interner_(std::move(interner)) {}

  // All return the family's index, which stays valid while the family is kept. `changed` is set, and never reset, when
  // the metadata is now another.
  uint32_t SetType(std::string_view family, MetricType type, bool& changed);
  uint32_t SetHelp(std::string_view family, std::string_view help, bool& changed);
  uint32_t SetUnit(std::string_view family, std::string_view unit, bool& changed);
  // The family's line was seen again, unchanged.
  void Touch(uint32_t family) {
    if (family < seen_.size()) seen_[family] = scrape_;
  }
  // Ends a scrape. `drop_unseen`: it was stored, so families that were not seen for ten scrapes are forgotten.
  void EndScrape(bool drop_unseen);

  // Of the family itself, or of the family whose _total, _bucket, … the metric is.
  std::shared_ptr<const FamilyMetadata> ForMetric(std::string_view metric) const;
  std::shared_ptr<const FamilyMetadata> Get(std::string_view family) const;
  void ForEach(const std::function<void(const FamilyMetadata&)>& visit) const;
  size_t entries() const;
  size_t bytes() const;  // of help, type and unit texts

 private:
  template <typename Change>
  uint32_t Update(std::string_view family, bool& changed, Change change);

  std::shared_ptr<MetadataInterner> interner_;
  uint32_t scrape_ = 1;
  std::vector<uint32_t> seen_;  // by index: the scrape that saw the family last; only for the writer
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const FamilyMetadata>> families_;  // guarded by mutex_; null where free
  std::unordered_map<std::string_view, uint32_t> by_name_;       // guarded by mutex_; keys lie in families_
  std::vector<uint32_t> free_;                                   // guarded by mutex_
};

}  // namespace epi::scrape
