#include "tsdb/db_metrics.h"

#include "tsdb/db.h"

namespace epi::tsdb {
namespace {

struct Reading {
  const char* name;
  const char* help;
  FamilyType type;
  double (*read)(const Db& db);
};

double Of(const std::atomic<uint64_t>& counter) { return static_cast<double>(counter.load(std::memory_order_relaxed)); }
double Time(TimestampMs t) {
  return t == std::numeric_limits<TimestampMs>::max() || t == std::numeric_limits<TimestampMs>::min()
             ? 0
             : static_cast<double>(t);
}

constexpr FamilyType kCounter = FamilyType::kCounter;
constexpr FamilyType kGauge = FamilyType::kGauge;

double Bytes(const Db& db) {
  uint64_t bytes = 0;
  const auto blocks = db.blocks().blocks();
  for (const auto& block : *blocks) bytes += block->bytes();
  return static_cast<double>(bytes);
}

// Names and help texts are Prometheus's.
constexpr Reading kReadings[] = {
    {"prometheus_tsdb_blocks_loaded", "Number of currently loaded data blocks", kGauge,
     [](const Db& db) { return static_cast<double>(db.blocks().blocks()->size()); }},
    {"prometheus_tsdb_compactions_failed_total", "Total number of compactions that failed for the partition.", kCounter,
     [](const Db& db) { return static_cast<double>(db.blocks().counts().compactions_failed); }},
    {"prometheus_tsdb_compactions_total", "Total number of compactions that were executed for the partition.", kCounter,
     [](const Db& db) { return static_cast<double>(db.blocks().counts().compactions); }},
    {"prometheus_tsdb_lowest_timestamp",
     "Lowest timestamp value stored in the database. The unit is decided by the library consumer.", kGauge,
     [](const Db& db) { return Time(db.OldestTime()); }},
    {"prometheus_tsdb_lowest_timestamp_seconds", "Lowest timestamp value stored in the database.", kGauge,
     [](const Db& db) { return Time(db.OldestTime()) / 1000; }},
    {"prometheus_tsdb_reloads_failures_total",
     "Number of times the database failed to reloadBlocks block data from disk.", kCounter,
     [](const Db& db) { return static_cast<double>(db.blocks().counts().reloads_failed); }},
    {"prometheus_tsdb_reloads_total", "Number of times the database reloaded block data from disk.", kCounter,
     [](const Db& db) { return static_cast<double>(db.blocks().counts().reloads); }},
    {"prometheus_tsdb_size_retentions_total",
     "The number of times that blocks were deleted because the maximum number of bytes was exceeded.", kCounter,
     [](const Db& db) { return static_cast<double>(db.blocks().counts().size_retentions); }},
    {"prometheus_tsdb_storage_blocks_bytes",
     "The number of bytes that are currently used for local storage by all blocks.", kGauge, &Bytes},
    {"prometheus_tsdb_time_retentions_total",
     "The number of times that blocks were deleted because the maximum time limit was exceeded.", kCounter,
     [](const Db& db) { return static_cast<double>(db.blocks().counts().time_retentions); }},
    {"prometheus_tsdb_vertical_compactions_total", "Total number of compactions done on overlapping blocks.", kCounter,
     [](const Db& db) { return static_cast<double>(db.blocks().counts().overlapping_compactions); }},
    {"prometheus_tsdb_wal_storage_size_bytes", "Size of the write log directory.", kGauge,
     [](const Db& db) { return static_cast<double>(db.log_bytes()); }},
    {"prometheus_tsdb_clean_start",
     "-1: lockfile is disabled. 0: a lockfile from a previous execution was replaced. 1: lockfile creation was clean",
     kGauge, [](const Db& db) { return static_cast<double>(db.clean_start()); }},
    {"prometheus_tsdb_data_replay_duration_seconds", "Time taken to replay the data on disk.", kGauge,
     [](const Db& db) { return db.replay_seconds(); }},
    {"prometheus_tsdb_exemplar_exemplars_appended_total", "Total number of appended exemplars.", kCounter,
     [](const Db& db) { return Of(db.head().counters().exemplars_appended); }},
    {"prometheus_tsdb_exemplar_exemplars_in_storage", "Number of exemplars currently in circular storage.", kGauge,
     [](const Db& db) { return static_cast<double>(db.head().exemplars().stats().exemplars); }},
    {"prometheus_tsdb_exemplar_last_exemplars_timestamp_seconds",
     "The timestamp of the oldest exemplar stored in circular storage. Useful to check for what timerange the current "
     "exemplar buffer limit allows. This usually "
     "means the last timestamp for all exemplars for a typical setup. This is not true though if one of the series "
     "timestamp is in future compared to rest series.",
     kGauge, [](const Db& db) { return static_cast<double>(db.head().exemplars().stats().newest) / 1000; }},
    {"prometheus_tsdb_exemplar_max_exemplars", "Total number of exemplars the exemplar storage can store, resizeable.",
     kGauge, [](const Db& db) { return static_cast<double>(db.head().exemplars().stats().capacity); }},
    {"prometheus_tsdb_exemplar_out_of_order_exemplars_total",
     "Total number of out of order exemplar ingestion failed attempts.", kCounter,
     [](const Db& db) { return Of(db.head().counters().exemplars_out_of_order); }},
    {"prometheus_tsdb_exemplar_series_with_exemplars_in_storage",
     "Number of series with exemplars currently in circular storage.", kGauge,
     [](const Db& db) { return static_cast<double>(db.head().exemplars().stats().series); }},
    {"prometheus_tsdb_head_active_appenders", "Number of currently active appender transactions", kGauge,
     [](const Db& db) { return static_cast<double>(db.head().counters().active_appenders.load()); }},
    {"prometheus_tsdb_head_appenders_created_total", "Total number of appenders created.", kCounter,
     [](const Db& db) { return Of(db.head().counters().appenders_created); }},
    {"prometheus_tsdb_head_chunks", "Total number of chunks in the head block.", kGauge,
     [](const Db& db) { return static_cast<double>(db.head().CountTotals().chunks); }},
    {"prometheus_tsdb_head_max_time",
     "Maximum timestamp of the head block. The unit is decided by the library consumer.", kGauge,
     [](const Db& db) { return Time(db.head().max_time()); }},
    {"prometheus_tsdb_head_max_time_seconds", "Maximum timestamp of the head block.", kGauge,
     [](const Db& db) { return Time(db.head().max_time()) / 1000; }},
    {"prometheus_tsdb_head_min_time",
     "Minimum time bound of the head block. The unit is decided by the library consumer.", kGauge,
     [](const Db& db) { return Time(db.head().min_time()); }},
    {"prometheus_tsdb_head_min_time_seconds", "Minimum time bound of the head block.", kGauge,
     [](const Db& db) { return Time(db.head().min_time()) / 1000; }},
    {"prometheus_tsdb_head_native_histogram_series", "Total number of native histogram series in the head block.",
     kGauge, [](const Db& db) { return static_cast<double>(db.head().CountTotals().histogram_series); }},
    {"prometheus_tsdb_head_out_of_order_samples_appended_total", "Total number of appended out of order samples.",
     kCounter, [](const Db& db) { return Of(db.head().counters().late_appended); }},
    {"prometheus_tsdb_head_series", "Total number of series in the head block.", kGauge,
     [](const Db& db) { return static_cast<double>(db.head().series_count()); }},
    {"prometheus_tsdb_head_series_created_total", "Total number of series created in the head", kCounter,
     [](const Db& db) { return Of(db.head().counters().series_created); }},
    {"prometheus_tsdb_head_series_not_found_total", "Total number of requests for series that were not found.",
     kCounter, [](const Db& db) { return Of(db.head().counters().series_not_found); }},
    {"prometheus_tsdb_head_series_removed_total", "Total number of series removed in the head", kCounter,
     [](const Db& db) { return Of(db.head().counters().series_removed); }},
    {"prometheus_tsdb_head_stale_series", "Total number of stale series in the head block.", kGauge,
     [](const Db& db) { return static_cast<double>(db.head().CountTotals().stale_series); }},
    {"prometheus_tsdb_head_truncations_total", "Total number of head truncations attempted.", kCounter,
     [](const Db& db) { return Of(db.head().counters().truncations); }},
    {"prometheus_tsdb_snapshot_replay_error_total", "Total number snapshot replays that failed.", kCounter,
     [](const Db& db) { return static_cast<double>(db.snapshot_errors()); }},
    {"prometheus_tsdb_wal_corruptions_total", "Total number of WAL corruptions.", kCounter,
     [](const Db& db) { return static_cast<double>(db.corruptions()); }},
    {"prometheus_tsdb_wal_record_parts_bytes_written_total",
     "Total number of record part bytes written, including CRC and other overhead.", kCounter,
     [](const Db& db) { return Of(db.wal().counters().bytes_written); }},
    {"prometheus_tsdb_wal_record_part_writes_total", "Total number of record parts written.", kCounter,
     [](const Db& db) { return Of(db.wal().counters().records); }},
    {"prometheus_tsdb_wal_page_flushes_total", "Total number of page flushes.", kCounter,
     [](const Db& db) { return Of(db.wal().counters().writes); }},
    {"prometheus_tsdb_wal_segment_current", "Write log segment index that TSDB is currently writing to.", kGauge,
     [](const Db& db) { return static_cast<double>(db.wal().current_segment()); }},
    {"prometheus_tsdb_wal_truncations_total", "Total number of write log truncations attempted.", kCounter,
     [](const Db& db) { return Of(db.wal().counters().truncations); }},
    {"prometheus_tsdb_wal_writes_failed_total", "Total number of write log writes that failed.", kCounter,
     [](const Db& db) { return Of(db.wal().counters().writes_failed); }},
};

// Families with a label `type`: float and histogram.
struct TypedReading {
  const char* name;
  const char* help;
  double (*floats)(const Db& db);
  double (*histograms)(const Db& db);
};
double None(const Db&) { return 0; }
constexpr TypedReading kTypedReadings[] = {
    {"prometheus_tsdb_head_samples_appended_total", "Total number of appended samples.",
     [](const Db& db) { return Of(db.head().counters().floats_appended); },
     [](const Db& db) { return Of(db.head().counters().histograms_appended); }},
    {"prometheus_tsdb_out_of_bound_samples_total",
     "Total number of out of bound samples ingestion failed attempts with out of order support disabled.",
     [](const Db& db) { return Of(db.head().counters().out_of_bounds); }, &None},
    {"prometheus_tsdb_out_of_order_samples_total",
     "Total number of out of order samples ingestion failed attempts due to out of order being disabled.",
     [](const Db& db) { return Of(db.head().counters().out_of_order); }, &None},
    {"prometheus_tsdb_too_old_samples_total",
     "Total number of out of order samples ingestion failed attempts with out of support enabled, but sample outside "
     "of time window.",
     [](const Db& db) { return Of(db.head().counters().too_old); }, &None},
};

}  // namespace

void RegisterDbMetrics(MetricRegistry& registry, std::shared_ptr<DbMetricsSource> source) {
  for (const Reading& reading : kReadings) {
    registry.AddCallback(reading.name, reading.help, reading.type, [source, read = reading.read] {
      std::vector<CollectedSample> out;
      source->WithDb([&](const Db& db) { out.push_back({{}, read(db)}); });
      return out;
    });
  }
  for (const TypedReading& reading : kTypedReadings) {
    registry.AddCallback(reading.name, reading.help, kCounter,
                         [source, floats = reading.floats, histograms = reading.histograms] {
                           std::vector<CollectedSample> out;
                           source->WithDb([&](const Db& db) {
                             out.push_back({{{"type", "float"}}, floats(db)});
                             out.push_back({{{"type", "histogram"}}, histograms(db)});
                           });
                           return out;
                         });
  }
}

}  // namespace epi::tsdb
