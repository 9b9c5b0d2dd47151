// What others may know of scraping: the targets, their health and metadata. Web, remote write and tests read it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/duration.h"
#include "model/labels.h"
#include "net/url.h"
#include "scrape/metadata_cache.h"
#include "scrape/scrape_job.h"

namespace epi::scrape {

enum class TargetHealth : unsigned char { kUnknown, kUp, kDown };
std::string_view TargetHealthText(TargetHealth health);  // "unknown", "up", "down"

struct ActiveTarget {
  Labels discovered;  // before relabeling, with the job's defaults
  Labels labels;      // attached to samples
  std::string scrape_pool;
  net::Url scrape_url;
  std::string last_error;      // empty when fine
  int64_t last_scrape_ns = 0;  // wall clock; 0 before the first scrape
  double last_duration_seconds = 0;
  uint64_t refused_new_series = 0;  // of the last scrape, by sample_limit_action drop_new
  TargetHealth health = TargetHealth::kUnknown;
  std::string interval;  // as their labels say: "15s"
  std::string timeout;
};

// One step of a target's relabeling.
struct RelabelStep {
  RelabelConfig rule;
  Labels output;  // empty once dropped
  bool keep = false;
};

// Thread-safe.
class ScrapeStatus {
 public:
  virtual ~ScrapeStatus() = default;
  virtual std::vector<std::string> PoolNames() const = 0;  // sorted
  // Of one pool, sorted by URL and labels; empty for an unknown one.
  virtual std::vector<ActiveTarget> ActiveTargets(std::string_view pool) const = 0;
  // Discovered labels of dropped targets, at most keep_dropped_targets of them.
  virtual std::vector<Labels> DroppedTargets(std::string_view pool) const = 0;
  virtual uint64_t DroppedCount(std::string_view pool) const = 0;
  // The job as it is in force; null for an unknown one.
  virtual std::shared_ptr<const ScrapeJob> Job(std::string_view pool) const = 0;
  // kNotFound for an unknown pool.
  virtual Result<std::vector<RelabelStep>> RelabelSteps(std::string_view pool, const Labels& labels) const = 0;
  // Calls visit(labels attached to samples, family) for every metric family of every active target.
  virtual void ForEachMetadata(const std::function<void(const Labels&, const FamilyMetadata&)>& visit) const = 0;
};

// How a target on this very host is reached from outside.
struct ExternalAddress {
  std::string listen_address;  // what the server listens on: "0.0.0.0:9090"
  std::string scheme;          // of the external URL
  std::string host;            // of the external URL, with port
};
struct GlobalUrlResult {
  std::string url;
  std::string error;  // why it could not be told, or empty; `url` is then the scrape URL
};
GlobalUrlResult GlobalUrl(const net::Url& scrape_url, const ExternalAddress& external);

}  // namespace epi::scrape
