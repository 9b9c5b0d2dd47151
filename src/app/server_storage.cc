// The parts of the server around stored samples: the database, the query engine, what receives and hands out samples.
#include <algorithm>

#include "app/memory_limit.h"
#include "app/server.h"
#include "config/byte_size.h"
#include "model/duration.h"
#include "model/number_format.h"

namespace epi::app {
namespace {

constexpr int64_t kLongestBlockMs = int64_t{31} * 24 * 3600 * 1000;

tsdb::RetentionLimits Limits(const config::RetentionConfig& retention) {
  tsdb::RetentionLimits limits;
  limits.duration_ms = retention.time;
  limits.max_bytes = static_cast<uint64_t>(std::max<int64_t>(0, retention.size));
  limits.percentage = retention.percentage;
  return limits;
}

promql::FeatureSwitches QueryFeatures(const config::Features& features) {
  promql::FeatureSwitches out;
  out.experimental_functions = features.promql_experimental_functions;
  out.extended_range_selectors = features.promql_extended_range_selectors;
  out.binop_fill_modifiers = features.promql_binop_fill_modifiers;
  out.delayed_name_removal = features.promql_delayed_name_removal;
  out.per_step_stats = features.promql_per_step_stats;
  out.type_and_unit_labels = features.type_and_unit_labels;
  out.use_start_timestamps = features.use_start_timestamps;
  return out;
}

size_t MaxExemplars(const config::Config& config, const config::Features& features) {
  if (!features.exemplar_storage) return 0;
  return static_cast<size_t>(std::max<int64_t>(0, config.storage.max_exemplars.value_or(0)));
}

}  // namespace

Result<void> Server::OpenDatabase() {
  const config::Flags& flags = setup_.flags.flags;
  const auto config = current();
  tsdb::DbOptions options;
  options.directory = flags.tsdb_path;
  options.no_lock_file = flags.tsdb_no_lockfile;
  options.sync_each_commit = flags.wal_fsync == "commit";
  options.merge_overlapping = flags.tsdb_allow_overlapping_compaction;
  if (flags.tsdb_wal_segment_bytes != 0) {
    options.wal_segment_bytes = static_cast<uint64_t>(flags.tsdb_wal_segment_bytes);
  }
  options.head.group.block_range_ms = flags.tsdb_min_block_duration_ms;
  options.head.out_of_order_window_ms = config->config.storage.tsdb->out_of_order_time_window;
  const config::RetentionConfig& retention = *config->config.storage.tsdb->retention;
  options.retention = Limits(retention);
  options.delay_compact_file = flags.tsdb_delay_compact_file;
  options.max_block_duration_ms = flags.tsdb_max_block_duration_ms;
  if (options.max_block_duration_ms == 0) {
    options.max_block_duration_ms = kLongestBlockMs;
    if (retention.time != 0) options.max_block_duration_ms = std::min(kLongestBlockMs, retention.time / 10);
  }
  if (flags.tsdb_samples_per_chunk > 0) options.samples_per_chunk = static_cast<uint32_t>(flags.tsdb_samples_per_chunk);
  options.float_encoding = FloatEncoding(config->config, setup_.features);
  options.keep_start_times = setup_.features.st_storage;
  options.histogram_start_times = setup_.features.histograms_st_encoding;
  options.head.max_exemplars = MaxExemplars(config->config, setup_.features);
  auto opened = tsdb::Db::Open(options, {files_, clock_, random_, setup_.logger.Named("tsdb"), &metrics_});
  if (!opened) return Fail(opened.error().WithContext("opening storage failed"));
  db_ = std::move(*opened);
  database_ = std::make_unique<DatabaseAdapter>(*db_);
  EPI_TRY(components_.Add({.name = "db_storage",
                           .start = {},
                           .apply = [this](const LoadedConfig& loaded) -> Result<void> {
                             const config::TsdbConfig& tsdb = *loaded.config.storage.tsdb;
                             LogRetention(*tsdb.retention);
                             // It was opened with these very settings, and is still loading.
                             if (!db_->ready()) return {};
                             db_->head().SetOutOfOrderWindow(tsdb.out_of_order_time_window);
                             db_->SetRetention(Limits(*tsdb.retention));
                             db_->SetFloatEncoding(FloatEncoding(loaded.config, setup_.features));
                             db_->head().exemplars().Resize(MaxExemplars(loaded.config, setup_.features));
                             return {};
                           },
                           .stop =
                               [this] {
                                 if (auto closed = db_->Close(); !closed) {
                                   setup_.logger.Error("Error stopping storage", {{"err", closed.error().message()}});
                                 }
                               },
                           .stopping = "Stopping storage...",
                           .stopped = "TSDB stopped"}));
  EPI_TRY(MakeReceivers());
  return MakeQueryEngine();
}

Result<void> Server::MakeReceivers() {
  const config::Flags& flags = setup_.flags.flags;
  remote::WriteReceiverOptions receiver;
  receiver.accepted.clear();
  for (const auto& name : flags.web_accepted_write_messages) {
    if (const auto message = remote::WriteMessageFromName(name)) receiver.accepted.push_back(*message);
  }
  receiver.type_and_unit_labels = setup_.features.type_and_unit_labels;
  receiver.append_metadata = setup_.features.metadata_wal_records;
  receiver.start_time_zero_samples = setup_.features.created_timestamp_zero_ingestion;
  write_receiver_ =
      std::make_unique<remote::WriteReceiver>(receiver, *db_, clock_, metrics_, setup_.logger.Named("web"));
  remote::OtlpReceiverOptions otlp;
  using Deltas = remote::OtlpReceiverOptions::Deltas;
  otlp.deltas = setup_.features.otlp_delta_to_cumulative      ? Deltas::kToCumulative
                : setup_.features.otlp_native_delta_ingestion ? Deltas::kStore
                                                              : Deltas::kRefuse;
  otlp.lookback_delta_ms = flags.query_lookback_delta_ms;
  otlp.type_and_unit_labels = receiver.type_and_unit_labels;
  otlp.append_metadata = receiver.append_metadata;
  otlp.start_time_zero_samples = receiver.start_time_zero_samples;
  otlp_receiver_ = std::make_unique<remote::OtlpReceiver>(otlp, *db_, clock_, metrics_, setup_.logger.Named("web"));
  remote::ReadServerOptions reads;
  reads.sample_limit = flags.remote_read_sample_limit;
  reads.concurrent_limit = static_cast<size_t>(flags.remote_read_concurrent_limit);
  reads.max_bytes_in_frame = static_cast<size_t>(flags.remote_read_max_bytes_in_frame);
  read_server_ = std::make_unique<remote::ReadServer>(reads, *db_, metrics_);
  return components_.Add({.name = "remote_storage",
                          .start = {},
                          .apply = [this](const LoadedConfig& loaded) -> Result<void> {
                            read_server_->SetExternalLabels(loaded.config.global.ExternalLabels());
                            otlp_receiver_->SetConfig(loaded.config.otlp);
                            return {};
                          },
                          .stop = {}});
}

Result<void> Server::MakeQueryEngine() {
  const config::Flags& flags = setup_.flags.flags;
  if (flags.query_max_concurrency < 0)
    return Fail(ErrorCode::kInvalid,
                "--query.max-concurrency must not be negative, got " + std::to_string(flags.query_max_concurrency));
  promql::EngineOptions engine;
  engine.lookback_delta_ms = flags.query_lookback_delta_ms;
  engine.max_samples = flags.query_max_samples;
  engine.timeout_ms = flags.query_timeout_ms;
  engine.max_concurrency = static_cast<size_t>(flags.query_max_concurrency);
  const QueryMemory memory =
      QueryMemoryLimits(flags.query_max_memory_bytes, flags.query_max_memory_per_query_bytes, MemoryOfProcess(files_));
  engine.max_memory = memory.all;
  engine.max_memory_per_query = memory.per_query;
  setup_.logger.Info("Memory of queries is limited", {{"component", "query engine"},
                                                      {"all", std::to_string(memory.all)},
                                                      {"per_query", std::to_string(memory.per_query)}});
  engine.features = QueryFeatures(setup_.features);
  engine.pool = &pool_;
  engine.threads = pool_.size() + 1;
  engine.clock = &clock_;
  engine.logger = setup_.logger.Named("query engine");
  engine.metrics = &metrics_;
  query_log_ = std::make_unique<promql::QueryLog>(files_, clock_, &metrics_);
  engine.log = query_log_.get();
  auto active =
      promql::ActiveQueryFile::Open(files_, JoinPath(flags.tsdb_path, "queries.active"), engine.max_concurrency, clock_,
                                    setup_.logger.Named("activeQueryTracker"));
  if (!active) return Fail(active.error().WithContext("opening the file of active queries"));
  active_queries_ = std::move(*active);
  engine.active_file = active_queries_.get();
  engine_ = std::make_unique<promql::Engine>(engine);
  range_cache_ = std::make_unique<promql::RangeCache>(
      *engine_, promql::RangeCacheOptions{flags.query_result_cache_bytes, &clock_, &metrics_});
  return components_.Add({.name = "query_engine",
                          .start = {},
                          .apply = [this](const LoadedConfig& loaded) -> Result<void> {
                            engine_->SetDefaultStepMs(loaded.config.global.evaluation_interval);
                            return query_log_->SetFile(loaded.config.global.query_log_file);
                          },
                          .stop = {}});
}

void Server::LogRetention(const config::RetentionConfig& retention) {
  if (retention == logged_retention_) return;
  logged_retention_ = retention;
  setup_.logger.Info("TSDB retention updated", {{"duration", FormatDuration(retention.time)},
                                                {"size", config::FormatByteSize(retention.size)},
                                                {"percentage", FormatFloatGeneral(retention.percentage)}});
}

void Server::LogFileSystem() const {
  const std::string type = FileSystemType(setup_.flags.flags.tsdb_path);
  if (type == "NFS_SUPER_MAGIC") {
    setup_.logger.Warn("This filesystem is not supported and may lead to data corruption and data loss.",
                       {{"fs_type", type}});
  } else {
    setup_.logger.Info("filesystem information", {{"fs_type", type}});
  }
}

}  // namespace epi::app
