#include "scrape/scrape_metrics.h"

namespace epi::scrape {
namespace {

const std::vector<double> kSummaryQuantiles = {0.01, 0.05, 0.5, 0.9, 0.99};
const std::vector<double> kLengthBounds = {0.01, 0.1, 1, 10};

// Families labelled with scrape_job, which go when the pool goes.
constexpr const char* kPoolFamilies[] = {
    "prometheus_target_scrape_pool_sync_total",        "prometheus_target_sync_failed_total",
    "prometheus_target_scrape_pool_targets",           "prometheus_target_scrape_pool_target_limit",
    "prometheus_target_scrape_pool_symboltable_items", "prometheus_target_sync_length_seconds",
    "prometheus_target_sync_length_histogram_seconds",
};

}  // namespace

ScrapeMetrics::ScrapeMetrics(MetricRegistry& r)
    : pools(r.AddCounter("prometheus_target_scrape_pools_total", "Total number of scrape pool creation attempts.")),
      pools_failed(r.AddCounter("prometheus_target_scrape_pools_failed_total",
                                "Total number of scrape pool creations that failed.")),
      pool_reloads(r.AddCounter("prometheus_target_scrape_pool_reloads_total", "Total number of scrape pool reloads.")),
      pool_reloads_failed(r.AddCounter("prometheus_target_scrape_pool_reloads_failed_total",
                                       "Total number of failed scrape pool reloads.")),
      exceeded_target_limit(
          r.AddCounter("prometheus_target_scrape_pool_exceeded_target_limit_total",
                       "Total number of times scrape pools hit the target limit, during sync or config reload.")),
      exceeded_label_limits(
          r.AddCounter("prometheus_target_scrape_pool_exceeded_label_limits_total",
                       "Total number of times scrape pools hit the label limits, during sync or config reload.")),
      cache_flush_forced(
          r.AddCounter("prometheus_target_scrapes_cache_flush_forced_total",
                       "How many times a scrape cache was flushed due to getting big while scrapes are failing.")),
      exceeded_body_size_limit(r.AddCounter("prometheus_target_scrapes_exceeded_body_size_limit_total",
                                            "Total number of scrapes that hit the body size limit")),
      exceeded_sample_limit(r.AddCounter("prometheus_target_scrapes_exceeded_sample_limit_total",
                                         "Total number of scrapes that hit the sample limit and were rejected.")),
      exceeded_bucket_limit(
          r.AddCounter("prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total",
                       "Total number of scrapes that hit the native histogram bucket limit and were rejected.")),
      exemplar_out_of_order(
          r.AddCounter("prometheus_target_scrapes_exemplar_out_of_order_total",
                       "Total number of exemplar rejected due to not being out of the expected order.")),
      duplicate_timestamp(
          r.AddCounter("prometheus_target_scrapes_sample_duplicate_timestamp_total",
                       "Total number of samples rejected due to duplicate timestamps but different values.")),
      out_of_bounds(
          r.AddCounter("prometheus_target_scrapes_sample_out_of_bounds_total",
                       "Total number of samples rejected due to timestamp falling outside of the time bounds.")),
      out_of_order(r.AddCounter("prometheus_target_scrapes_sample_out_of_order_total",
                                "Total number of samples rejected due to not being out of the expected order.")),
      refused_new_series(
          r.AddCounter("epimetheus_target_scrapes_refused_new_series_total",
                       "Total number of samples of new series refused by a sample limit that keeps known series.")),
      scrape_duration(r.AddNativeHistogram("prometheus_target_scrape_duration_seconds",
                                           "Total duration of the scrape from start to commit completion in seconds.",
                                           {})),
      registry_(r) {}

ScrapeMetrics::IntervalMetrics ScrapeMetrics::ForInterval(const std::string& interval) {
  const MetricLabels labels = {{"interval", interval}};
  return {&registry_.AddSummary("prometheus_target_interval_length_seconds", "Actual intervals between scrapes.",
                                kSummaryQuantiles, labels),
          &registry_.AddNativeHistogram("prometheus_target_interval_length_histogram_seconds",
                                        "Actual intervals between scrapes.", kLengthBounds, labels)};
}

ScrapeMetrics::PoolMetrics ScrapeMetrics::ForPool(const std::string& job) {
  const MetricLabels labels = {{"scrape_job", job}};
  return {
      &registry_.AddCounter(kPoolFamilies[0], "Total number of syncs that were executed on a scrape pool.", labels),
      &registry_.AddCounter(kPoolFamilies[1], "Total number of target sync failures.", labels),
      &registry_.AddGauge(kPoolFamilies[2], "Current number of targets in this scrape pool.", labels),
      &registry_.AddGauge(kPoolFamilies[3], "Maximum number of targets allowed in this scrape pool.", labels),
      &registry_.AddGauge(kPoolFamilies[4], "Current number of symbols in table for this scrape pool.", labels),
      &registry_.AddSummary(kPoolFamilies[5], "Actual interval to sync the scrape pool.", kSummaryQuantiles, labels),
      &registry_.AddNativeHistogram(kPoolFamilies[6], "Actual interval to sync the scrape pool.", kLengthBounds,
                                    labels)};
}

void ScrapeMetrics::RemovePool(const std::string& job) {
  for (const char* family : kPoolFamilies) registry_.Remove(family, {{"scrape_job", job}});
}

Observer& ScrapeMetrics::ReloadLength(const std::string& interval) {
  return registry_.AddSummary("prometheus_target_reload_length_seconds",
                              "Actual interval to reload the scrape pool with a given configuration.",
                              kSummaryQuantiles, {{"interval", interval}});
}

}  // namespace epi::scrape
