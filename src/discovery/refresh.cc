#include "discovery/refresh.h"

#include "discovery/discovery_log.h"
#include "discovery/waiting.h"

namespace epi::discovery {
namespace {

class RefreshingDiscoverer final : public Discoverer {
 public:
  RefreshingDiscoverer(std::unique_ptr<Refresher> refresher, std::string mechanism, int64_t interval_ms,
                       const DiscoveryParts& parts)
      : refresher_(std::move(refresher)), interval_ms_(interval_ms), clock_(parts.clock), logger_(parts, mechanism) {
    const MetricLabels labels = {{"mechanism", mechanism}, {"config", parts.set_name}};
    failures_ = &parts.registry.AddCounter("prometheus_sd_refresh_failures_total",
                                           "Number of refresh failures for the given SD mechanism.", labels);
    duration_ = &parts.registry.AddSummary("prometheus_sd_refresh_duration_seconds",
                                           "The duration of a refresh in seconds for the given SD mechanism.",
                                           {0.5, 0.9, 0.99}, labels);
    buckets_ = &parts.registry.AddNativeHistogram("prometheus_sd_refresh_duration_histogram_seconds",
                                                  "The duration of a refresh for the given SD mechanism.",
                                                  {0.01, 0.1, 1, 10}, {{"mechanism", mechanism}});
  }

  void Run(TargetGroupSink& sink, std::stop_token stop) override {
    do {
      const MonotonicNs begin = clock_.Monotonic();
      auto groups = refresher_->Refresh(stop);
      const double seconds = static_cast<double>(clock_.Monotonic() - begin) / 1e9;
      duration_->Observe(seconds);
      buckets_->Observe(seconds);
      if (stop.stop_requested()) return;
      if (groups) {
        sink.Update(std::move(*groups));
      } else {
        failures_->Increment();
        logger_.Error("Unable to refresh target groups", {{"err", groups.error().message()}});
      }
    } while (WaitFor(clock_, interval_ms_, stop));
  }

 private:
  std::unique_ptr<Refresher> refresher_;
  int64_t interval_ms_;
  Clock& clock_;
  DiscoveryLog logger_;
  Counter* failures_;
  Observer* buckets_ = nullptr;
  Observer* duration_;
};

}  // namespace

std::unique_ptr<Discoverer> MakeRefreshing(std::unique_ptr<Refresher> refresher, std::string mechanism,
                                           int64_t interval_ms, const DiscoveryParts& parts) {
  return std::make_unique<RefreshingDiscoverer>(std::move(refresher), std::move(mechanism), interval_ms, parts);
}

}  // namespace epi::discovery
