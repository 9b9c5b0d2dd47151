// Scrape targets: from discovered label sets to what is scraped, under which labels.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "discovery/target_group.h"
#include "model/duration.h"
#include "model/labels.h"
#include "net/url.h"
#include "scrape/ingest.h"
#include "scrape/scrape_job.h"

namespace epi::scrape {

using discovery::TargetGroup;
using discovery::TargetGroups;

// What service discovery says of a target, with the job's defaults added: what relabeling starts from.
Labels DiscoveredLabels(const Labels& target, const Labels& group, const ScrapeJob& job);

// A target as discovery gave it: one of a group.
struct DiscoveredTarget {
  std::shared_ptr<const TargetGroup> group;
  size_t index = 0;
  // Made anew from the group, so that they need not be kept.
  Labels LabelsFor(const ScrapeJob& job) const { return DiscoveredLabels(group->targets[index], group->labels, job); }
};

struct PopulatedLabels {
  bool keep = false;  // false: dropped by relabeling
  Labels labels;      // with the internal __… ones; empty when dropped
};
// Relabels and checks. kInvalid with Prometheus's texts ("no address", …).
Result<PopulatedLabels> PopulateLabels(const Labels& discovered, const ScrapeJob& job);

// Immutable.
class Target {
 public:
  // `labels` as PopulateLabels gave them.
  Target(Labels labels, const ScrapeJob& job);

  const Labels& labels() const { return labels_; }                // all
  const Labels& public_labels() const { return public_labels_; }  // those attached to samples
  const std::string& url() const { return url_; }
  const std::string& unix_socket() const { return unix_socket_; }
  DurationMs interval_ms() const { return interval_ms_; }
  DurationMs timeout_ms() const { return timeout_ms_; }
  const HistogramRules& histograms() const { return histograms_; }
  // What makes it the same target: labels and URL.
  uint64_t hash() const { return hash_; }
  // Time from now until the target's next place on the wall clock's multiples of its interval.
  int64_t OffsetNs(int64_t now_ns, uint64_t seed) const;

 private:
  Labels labels_;
  Labels public_labels_;
  std::string url_;
  std::string unix_socket_;
  DurationMs interval_ms_ = 0;
  DurationMs timeout_ms_ = 0;
  HistogramRules histograms_;
  uint64_t hash_ = 0;
};

struct KeptTarget {
  std::shared_ptr<const Target> target;
  DiscoveredTarget discovered;
};

struct GroupTargets {
  std::vector<KeptTarget> active;
  std::vector<DiscoveredTarget> dropped;
  std::vector<std::string> failures;  // "instance N in group G: …"
};
GroupTargets TargetsFromGroup(const std::shared_ptr<const TargetGroup>& group, const ScrapeJob& job);

// Where a target with these labels is scraped.
net::Url UrlOfTarget(const Labels& labels, const ScrapeJob& job);

// FNV-1a, 64 bits: what Prometheus derives scrape offsets from.
uint64_t Fnv64a(std::string_view text);

}  // namespace epi::scrape
