// The server's own metrics. Every module registers its families here under Prometheus's names; web exposes them.
// prometheus-cpp's headers stay inside metrics.cc.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "telemetry/exposition.h"
#include "telemetry/metric_family.h"

namespace epi {

// Handles are owned by the registry and live as long as it. All methods are thread-safe; those of counters and gauges
// take no lock.
class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Increment(double by = 1) = 0;
  virtual double Value() const = 0;
};
class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(double value) = 0;
  virtual void Add(double by) = 0;
  virtual double Value() const = 0;
};
// Classic histogram or summary, as the family was registered.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void Observe(double value) = 0;
};

struct CollectedSample {
  MetricLabels labels;  // without the metric's own suffixes
  double value = 0;
};
enum class FamilyType : unsigned char { kCounter, kGauge };

// Thread-safe. Asking twice for the same name and labels gives the same handle.
class MetricRegistry {
 public:
  MetricRegistry();
  ~MetricRegistry();
  Counter& AddCounter(const std::string& name, const std::string& help, const MetricLabels& labels = {});
  Gauge& AddGauge(const std::string& name, const std::string& help, const MetricLabels& labels = {});
  Observer& AddHistogram(const std::string& name, const std::string& help, const std::vector<double>& bounds,
                         const MetricLabels& labels = {});
  // With native buckets beside the classic ones, of which there may be none; the protobuf format shows both.
  Observer& AddNativeHistogram(const std::string& name, const std::string& help, const std::vector<double>& bounds,
                               const MetricLabels& labels = {});
  // Quantiles over the last 10 minutes, as client_golang's summaries.
  Observer& AddSummary(const std::string& name, const std::string& help, const std::vector<double>& quantiles,
                       const MetricLabels& labels = {});
  // A family whose values are read when it is exposed. `collect` is called from any thread and must not register
  // metrics.
  void AddCallback(const std::string& name, const std::string& help, FamilyType type,
                   std::function<std::vector<CollectedSample>()> collect);
  // Removes one labelled member (a scrape pool that went away). No effect when there is none.
  void Remove(const std::string& name, const MetricLabels& labels);

  enum class Format : unsigned char { kText004, kText100, kOpenMetrics100, kProtobuf };
  // The whole exposition, families sorted by name, process_* metrics included.
  std::string Expose(Format format) const;
  // The same in any negotiated format; only the families named in `names` when it is not empty (name[] of /metrics).
  std::string Expose(const Exposition& exposition, const std::vector<std::string_view>& names = {}) const;
  // The current values, sorted by name.
  std::vector<MetricFamily> Collect() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace epi
