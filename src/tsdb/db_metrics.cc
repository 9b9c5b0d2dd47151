#include "tsdb/db_metrics.h"

#include <span>
#include <string_view>

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
double Of(uint64_t count) { return static_cast<double>(count); }
double None(const Db&) { return 0; }

constexpr FamilyType kCounter = FamilyType::kCounter;
constexpr FamilyType kGauge = FamilyType::kGauge;

double Bytes(const Db& db) {
  uint64_t bytes = 0;
  const auto blocks = db.blocks().blocks();
  for (const auto& block : *blocks) bytes += block->bytes();
  return static_cast<double>(bytes);
}

double SymbolBytes(const Db& db) {
  size_t bytes = 0;
  const auto blocks = db.blocks().blocks();
  for (const auto& block : *blocks) bytes += block->index().symbol_bytes();
  return static_cast<double>(bytes);
}

// Prometheus's log consists of pages of this size.
constexpr uint64_t kWalPageBytes = 32 * 1024;

// Names and help texts are Prometheus's.
constexpr Reading kReadings[] = {
    {"prometheus_tsdb_blocks_loaded", "Number of currently loaded data blocks", kGauge,
     [](const Db& db) { return static_cast<double>(db.blocks().blocks()->size()); }},
    {"prometheus_tsdb_symbol_table_size_bytes", "Size of symbol table in memory for loaded blocks", kGauge,
     &SymbolBytes},
    {"prometheus_tsdb_retention_limit_bytes",
     "Max number of bytes to be retained in the tsdb blocks, configured 0 means disabled", kGauge,
     [](const Db& db) { return Of(db.blocks().retention().max_bytes); }},
    {"prometheus_tsdb_retention_limit_percentage",
     "Max percentage of total storage space to be retained in the tsdb blocks, configured 0 means disabled", kGauge,
     [](const Db& db) { return db.blocks().retention().percentage; }},
    {"prometheus_tsdb_retention_limit_seconds", "How long to retain samples in storage.", kGauge,
     [](const Db& db) { return static_cast<double>(db.blocks().retention().duration_ms) / 1000; }},
    {"prometheus_tsdb_compactions_triggered_total", "Total number of triggered compactions for the partition.",
     kCounter, [](const Db& db) { return Of(db.counters().compactions_triggered); }},
    {"prometheus_tsdb_compactions_skipped_total",
     "Total number of skipped compactions due to disabled auto compaction.", kCounter, &None},
    {"prometheus_tsdb_compactions_failed_total", "Total number of compactions that failed for the partition.", kCounter,
     [](const Db& db) { return Of(db.counters().compactions_failed); }},
    {"prometheus_tsdb_compactions_total", "Total number of compactions that were executed for the partition.", kCounter,
     [](const Db& db) { return Of(db.blocks().meter().writes()); }},
    {"prometheus_tsdb_compaction_populating_block", "Set to 1 when a block is currently being written to the disk.",
     kGauge, [](const Db& db) { return db.blocks().meter().writing() ? 1.0 : 0.0; }},
    {"prometheus_tsdb_stale_series_compactions_triggered_total", "Total number of triggered stale series compactions.",
     kCounter, &None},
    {"prometheus_tsdb_stale_series_compactions_failed_total", "Total number of stale series compactions that failed.",
     kCounter, &None},
    {"prometheus_tsdb_selected_series_compactions_triggered_total",
     "Total number of compactions triggered for an explicit caller-provided list of series references.", kCounter,
     &None},
    {"prometheus_tsdb_selected_series_compactions_failed_total",
     "Total number of compactions triggered for an explicit caller-provided list of series references that failed.",
     kCounter, &None},
    {"prometheus_tsdb_lowest_timestamp",
     "Lowest timestamp value stored in the database. The unit is decided by the library consumer.", kGauge,
     [](const Db& db) { return static_cast<double>(db.OldestTime()); }},
    {"prometheus_tsdb_lowest_timestamp_seconds", "Lowest timestamp value stored in the database.", kGauge,
     [](const Db& db) { return static_cast<double>(db.OldestTime()) / 1000; }},
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
    {"epimetheus_tsdb_early_batches_total", "Batches that were appended while the head was loading.", kCounter,
     [](const Db& db) { return Of(db.early_log().counters().batches); }},
    {"epimetheus_tsdb_early_refused_total",
     "Batches and series that arrived while the head was loading and could not be kept.", kCounter,
     [](const Db& db) { return Of(db.early_log().counters().refused); }},
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
     "exemplar buffer limit allows. This usually means the last timestampfor all exemplars for a typical setup. This "
     "is not true though if one of the series "
     "timestamp is in future compared to rest series.",
     kGauge, [](const Db& db) { return static_cast<double>(db.head().exemplars().stats().oldest) / 1000; }},
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
    {"prometheus_tsdb_head_appenders_created_total", "Total number of appender transactions created.", kCounter,
     [](const Db& db) { return Of(db.head().counters().appenders_created); }},
    {"prometheus_tsdb_head_chunks", "Total number of chunks in the head block.", kGauge,
     [](const Db& db) { return static_cast<double>(db.head().CountTotals().chunks()); }},
    {"prometheus_tsdb_head_chunks_created_total", "Total number of chunks created in the head", kCounter,
     [](const Db& db) { return Of(db.head().CountTotals().chunks_created); }},
    {"prometheus_tsdb_head_chunks_removed_total", "Total number of chunks removed in the head", kCounter,
     [](const Db& db) { return Of(db.head().CountTotals().chunks_removed); }},
    {"prometheus_tsdb_head_chunks_storage_size_bytes", "Size of the files of sealed samples of the head.", kGauge,
     [](const Db& db) { return Of(db.spill().storage_bytes()); }},
    {"prometheus_tsdb_mmap_chunks_total", "Total number of chunks of the head that were moved from memory to files.",
     kCounter, [](const Db& db) { return Of(db.spill().chunks_spilled()); }},
    {"prometheus_tsdb_mmap_chunk_corruptions_total",
     "Total number of corruptions found in the files of sealed samples of the head.", kCounter,
     [](const Db& db) { return Of(db.spill().corruptions()); }},
    {"prometheus_tsdb_head_max_time",
     "Maximum timestamp of the head block. The unit is decided by the library consumer.", kGauge,
     [](const Db& db) { return static_cast<double>(db.head().max_time()); }},
    {"prometheus_tsdb_head_max_time_seconds", "Maximum timestamp of the head block.", kGauge,
     [](const Db& db) { return static_cast<double>(db.head().max_time()) / 1000; }},
    {"prometheus_tsdb_head_min_time",
     "Minimum time bound of the head block. The unit is decided by the library consumer.", kGauge,
     [](const Db& db) { return static_cast<double>(db.head().min_time()); }},
    {"prometheus_tsdb_head_min_time_seconds", "Minimum time bound of the head block.", kGauge,
     [](const Db& db) { return static_cast<double>(db.head().min_time()) / 1000; }},
    {"prometheus_tsdb_head_native_histogram_buckets",
     "Number of positive and negative bucket entries in the most recent in-order native histogram sample of each "
     "series, including entries carried by staleness markers.",
     kGauge, [](const Db& db) { return static_cast<double>(db.head().CountTotals().histogram_buckets); }},
    {"prometheus_tsdb_head_native_histogram_series",
     "Number of series whose most recent in-order sample is a native histogram.", kGauge,
     [](const Db& db) { return static_cast<double>(db.head().CountTotals().histogram_series); }},
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
    {"prometheus_tsdb_head_truncations_failed_total", "Total number of head truncations that failed.", kCounter,
     [](const Db& db) { return Of(db.counters().head_truncations_failed); }},
    {"prometheus_tsdb_isolation_high_watermark", "The highest TSDB append ID that has been given out.", kGauge,
     [](const Db& db) { return Of(db.highest_lsn()); }},
    {"prometheus_tsdb_isolation_low_watermark", "The lowest TSDB append ID that is still referenced.", kGauge,
     [](const Db& db) { return Of(db.head().Settled()); }},
    {"prometheus_tsdb_checkpoint_creations_total", "Total number of checkpoint creations attempted.", kCounter,
     [](const Db& db) { return Of(db.series_log().counters().rewrites); }},
    {"prometheus_tsdb_checkpoint_creations_failed_total", "Total number of checkpoint creations that failed.", kCounter,
     [](const Db& db) { return Of(db.series_log().counters().rewrites_failed); }},
    {"prometheus_tsdb_checkpoint_deletions_total", "Total number of checkpoint deletions attempted.", kCounter,
     [](const Db& db) { return Of(db.series_log().counters().removals); }},
    {"prometheus_tsdb_checkpoint_deletions_failed_total", "Total number of checkpoint deletions that failed.", kCounter,
     [](const Db& db) { return Of(db.series_log().counters().removals_failed); }},
    {"prometheus_tsdb_snapshot_replay_error_total", "Total number snapshot replays that failed.", kCounter,
     [](const Db& db) { return static_cast<double>(db.snapshot_errors()); }},
    {"prometheus_tsdb_wal_corruptions_total", "Total number of WAL corruptions.", kCounter,
     [](const Db& db) { return static_cast<double>(db.corruptions()); }},
    {"prometheus_tsdb_wal_record_parts_bytes_written_total",
     "Total number of record part bytes written before flushing, including CRC and compression headers.", kCounter,
     [](const Db& db) { return Of(db.wal().counters().bytes_written); }},
    {"prometheus_tsdb_wal_record_part_writes_total", "Total number of record parts written before flushing.", kCounter,
     [](const Db& db) { return Of(db.wal().counters().records); }},
    {"prometheus_tsdb_wal_completed_pages_total", "Total number of completed pages.", kCounter,
     [](const Db& db) { return Of(db.wal().counters().bytes_written / kWalPageBytes); }},
    {"prometheus_tsdb_wal_page_flushes_total", "Total number of page flushes.", kCounter,
     [](const Db& db) { return Of(db.wal().counters().writes); }},
    {"prometheus_tsdb_wal_segment_current", "Write log segment index that TSDB is currently writing to.", kGauge,
     [](const Db& db) { return static_cast<double>(db.wal().current_segment()); }},
    {"prometheus_tsdb_wal_truncations_total", "Total number of write log truncations attempted.", kCounter,
     [](const Db& db) { return Of(db.wal().counters().truncations); }},
    {"prometheus_tsdb_wal_truncations_failed_total", "Total number of write log truncations that failed.", kCounter,
     [](const Db& db) { return Of(db.wal().counters().truncations_failed); }},
    {"prometheus_tsdb_wal_writes_failed_total", "Total number of write log writes that failed.", kCounter,
     [](const Db& db) { return Of(db.wal().counters().writes_failed); }},
};

// Families of which each member has a value of one label.
struct LabelledReading {
  const char* name;
  const char* help;
  const char* label;
  struct Member {
    const char* value;
    double (*read)(const Db& db);
  };
  std::span<const Member> members;
};
using Member = LabelledReading::Member;
constexpr Member kAppended[] = {
    {"float", [](const Db& db) { return Of(db.head().counters().appended.floats); }},
    {"histogram", [](const Db& db) { return Of(db.head().counters().appended.histograms); }}};
constexpr Member kLateAppended[] = {
    {"float", [](const Db& db) { return Of(db.head().counters().late_appended.floats); }},
    {"histogram", [](const Db& db) { return Of(db.head().counters().late_appended.histograms); }}};
constexpr Member kOutOfBounds[] = {
    {"float", [](const Db& db) { return Of(db.head().counters().out_of_bounds.floats); }},
    {"histogram", [](const Db& db) { return Of(db.head().counters().out_of_bounds.histograms); }}};
constexpr Member kOutOfOrder[] = {
    {"float", [](const Db& db) { return Of(db.head().counters().out_of_order.floats); }},
    {"histogram", [](const Db& db) { return Of(db.head().counters().out_of_order.histograms); }}};
constexpr Member kTooOld[] = {{"float", [](const Db& db) { return Of(db.head().counters().too_old.floats); }},
                              {"histogram", [](const Db& db) { return Of(db.head().counters().too_old.histograms); }}};
constexpr Member kUnknownRefs[] = {
    {"samples", [](const Db& db) { return db.ready() ? Of(db.replay_report().unknown_rows) : 0; }}};
constexpr Member kNoUnknownRefs[] = {{"samples", &None}};
constexpr Member kCorruptRecords[] = {{"damaged_record", [](const Db& db) { return Of(db.corruptions()); }}};
constexpr Member kUncompressed[] = {{"none", &None}};
constexpr Member kNoQueue[] = {{"add", &None}, {"get", &None}, {"complete", &None}, {"shrink", &None}};
constexpr LabelledReading kLabelledReadings[] = {
    {"prometheus_tsdb_head_samples_appended_total", "Total number of appended samples.", "type", kAppended},
    {"prometheus_tsdb_head_out_of_order_samples_appended_total", "Total number of appended out of order samples.",
     "type", kLateAppended},
    {"prometheus_tsdb_out_of_bound_samples_total",
     "Total number of out of bound samples ingestion failed attempts with out of order support disabled.", "type",
     kOutOfBounds},
    {"prometheus_tsdb_out_of_order_samples_total",
     "Total number of out of order samples ingestion failed attempts due to out of order being disabled.", "type",
     kOutOfOrder},
    {"prometheus_tsdb_too_old_samples_total",
     "Total number of out of order samples ingestion failed attempts with out of support enabled, but sample outside "
     "of time window.",
     "type", kTooOld},
    {"prometheus_tsdb_wal_replay_unknown_refs_total",
     "Total number of unknown series references encountered during WAL replay.", "type", kUnknownRefs},
    {"prometheus_tsdb_wbl_replay_unknown_refs_total",
     "Total number of unknown series references encountered during WBL replay.", "type", kNoUnknownRefs},
    {"prometheus_tsdb_wal_reader_corruption_errors_total", "Errors encountered when reading the WAL.", "error",
     kCorruptRecords},
    {"prometheus_tsdb_wal_record_bytes_saved_total",
     "Total number of bytes saved by the optional record compression. Use this metric to learn about the effectiveness "
     "compression.",
     "compression", kUncompressed},
    {"prometheus_tsdb_chunk_write_queue_operations_total", "Number of operations on the chunk_write_queue.",
     "operation", kNoQueue},
};

// Late samples are in the one log, so the log that Prometheus has for them is empty here. There while a window for
// them is configured.
struct LateLogReading {
  const char* name;
  const char* help;
  FamilyType type;
};
constexpr LateLogReading kLateLogReadings[] = {
    {"prometheus_tsdb_out_of_order_wbl_completed_pages_total", "Total number of completed pages.", kCounter},
    {"prometheus_tsdb_out_of_order_wbl_page_flushes_total", "Total number of page flushes.", kCounter},
    {"prometheus_tsdb_out_of_order_wbl_record_part_writes_total",
     "Total number of record parts written before flushing.", kCounter},
    {"prometheus_tsdb_out_of_order_wbl_record_parts_bytes_written_total",
     "Total number of record part bytes written before flushing, including CRC and compression headers.", kCounter},
    {"prometheus_tsdb_out_of_order_wbl_truncations_total", "Total number of write log truncations attempted.",
     kCounter},
    {"prometheus_tsdb_out_of_order_wbl_truncations_failed_total", "Total number of write log truncations that failed.",
     kCounter},
    {"prometheus_tsdb_out_of_order_wbl_writes_failed_total", "Total number of write log writes that failed.", kCounter},
    {"prometheus_tsdb_out_of_order_wbl_record_bytes_saved_total",
     "Total number of bytes saved by the optional record compression.", kCounter},
    {"prometheus_tsdb_out_of_order_wbl_segment_current", "Write log segment index that TSDB is currently writing to.",
     kGauge},
    {"prometheus_tsdb_out_of_order_wbl_storage_size_bytes", "Size of the write log directory.", kGauge},
};
constexpr std::string_view kCompressedSuffix = "bytes_saved_total";

// `count` bounds from `first`, each `factor` times the one before.
std::vector<double> ExponentialBounds(double first, double factor, size_t count) {
  std::vector<double> bounds;
  for (double bound = first; bounds.size() < count; bound *= factor) bounds.push_back(bound);
  return bounds;
}

}  // namespace

DbObservers::DbObservers(MetricRegistry& registry, bool late_samples)
    : compaction(registry.AddHistogram("prometheus_tsdb_compaction_duration_seconds", "Duration of compaction runs",
                                       ExponentialBounds(1, 2, 14))),
      chunks{
          registry.AddHistogram("prometheus_tsdb_compaction_chunk_size_bytes",
                                "Final size of chunks on their first compaction", ExponentialBounds(32, 1.5, 12)),
          registry.AddHistogram("prometheus_tsdb_compaction_chunk_samples",
                                "Final number of samples on their first compaction", ExponentialBounds(4, 1.5, 12)),
          // In milliseconds, whatever its name says.
          registry.AddHistogram("prometheus_tsdb_compaction_chunk_range_seconds",
                                "Final time range of chunks on their first compaction", ExponentialBounds(100, 4, 10))},
      stale_series_compaction(registry.AddHistogram("prometheus_tsdb_stale_series_compaction_duration_seconds",
                                                    "Duration of stale series compaction runs.",
                                                    ExponentialBounds(1, 2, 14))),
      tombstone_cleanup(registry.AddHistogram("prometheus_tsdb_tombstone_cleanup_seconds",
                                              "The time taken to recompact blocks to remove tombstones.", {})),
      head_gc(registry.AddSummary("prometheus_tsdb_head_gc_duration_seconds",
                                  "Runtime of garbage collection in the head block.", {})),
      wal_truncation(
          registry.AddSummary("prometheus_tsdb_wal_truncate_duration_seconds", "Duration of WAL truncation.", {})),
      wal_sync(registry.AddSummary("prometheus_tsdb_wal_fsync_duration_seconds", "Duration of write log fsync.",
                                   {0.5, 0.9, 0.99})),
      late(registry.AddHistogram("prometheus_tsdb_sample_ooo_delta",
                                 "Delta in seconds by which a sample is considered out of order (reported regardless "
                                 "of OOO time window and whether sample is accepted or not).",
                                 {600, 1800, 3600, 7200, 10800, 21600, 43200})) {
  registry.AddHistogram("prometheus_tsdb_selected_series_compaction_duration_seconds",
                        "Duration of compactions triggered for an explicit caller-provided list of series references.",
                        ExponentialBounds(1, 2, 14));
  if (late_samples) {
    registry.AddSummary("prometheus_tsdb_out_of_order_wbl_fsync_duration_seconds", "Duration of write log fsync.",
                        {0.5, 0.9, 0.99});
  }
}

void RegisterDbMetrics(MetricRegistry& registry, std::shared_ptr<DbMetricsSource> source) {
  for (const Reading& reading : kReadings) {
    registry.AddCallback(reading.name, reading.help, reading.type, [source, read = reading.read] {
      std::vector<CollectedSample> out;
      source->WithDb([&](const Db& db) { out.push_back({{}, read(db)}); });
      return out;
    });
  }
  for (const LabelledReading& reading : kLabelledReadings) {
    registry.AddCallback(reading.name, reading.help, kCounter, [source, &reading] {
      std::vector<CollectedSample> out;
      source->WithDb([&](const Db& db) {
        for (const Member& member : reading.members) out.push_back({{{reading.label, member.value}}, member.read(db)});
      });
      return out;
    });
  }
  for (const LateLogReading& reading : kLateLogReadings) {
    registry.AddCallback(reading.name, reading.help, reading.type, [source, &reading] {
      std::vector<CollectedSample> out;
      source->WithDb([&](const Db& db) {
        if (db.head().out_of_order_window() <= 0) return;
        MetricLabels labels;
        if (std::string_view(reading.name).ends_with(kCompressedSuffix)) labels = {{"compression", "none"}};
        out.push_back({std::move(labels), 0});
      });
      return out;
    });
  }
}

}  // namespace epi::tsdb
