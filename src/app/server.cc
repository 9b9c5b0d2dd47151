#include "app/server.h"

#include <algorithm>
#include <limits>

#include "app/feature_table.h"
#include "app/memory_limit.h"
#include "app/version.h"
#include "config/config_checksum.h"
#include "discovery/kind_metrics.h"
#include "model/anchored_regex.h"
#include "scrape/job_from_config.h"
#include "web/handlers.h"

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

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kHttpShutdownGraceMs = 2'000;
// Bodies of requests under way, all together.
constexpr int64_t kRequestMemoryLimit = int64_t{1} << 30;

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

Server::Server(ServerSetup setup, LoadedConfig first, SignalSource& signals)
    : setup_(std::move(setup)),
      signals_(signals),
      files_(PosixFileSystem()),
      clock_(SystemClock()),
      random_(SystemRandom()),
      started_ns_(clock_.NowNs()),
      reload_successful_(metrics_.AddGauge("prometheus_config_last_reload_successful",
                                           "Whether the last configuration reload attempt was successful.")),
      reload_success_time_(metrics_.AddGauge("prometheus_config_last_reload_success_timestamp_seconds",
                                             "Timestamp of the last successful configuration reload.")),
      ready_(metrics_.AddGauge("prometheus_ready",
                               "Whether Prometheus startup was fully completed and the server is "
                               "ready for normal operation.")),
      config_(std::make_shared<const LoadedConfig>(std::move(first))),
      last_config_ns_(started_ns_),
      request_budget_("all HTTP requests", kRequestMemoryLimit),
      pool_(std::max(1u, setup_.host.cpus) - 1),
      notifications_(static_cast<size_t>(setup_.flags.flags.web_max_notifications_subscribers), clock_, metrics_),
      components_(clock_, setup_.logger) {
  const web::BuildInfo build = ThisBuild();
  metrics_
      .AddGauge("prometheus_build_info",
                "A metric with a constant '1' value labeled by version, revision, branch, goversion from which "
                "prometheus was built, and the goos and goarch for the build.",
                {{"branch", build.branch},
                 {"goarch", "amd64"},
                 {"goos", "linux"},
                 {"goversion", build.go_version},
                 {"revision", build.revision},
                 {"tags", "epimetheus"},
                 {"version", build.version}})
      .Set(1);
}

Server::~Server() { Stop(); }

std::shared_ptr<const LoadedConfig> Server::current() const {
  const std::lock_guard lock(config_mutex_);
  return config_;
}

Result<void> Server::Start() {
  notifications_.Add(web::kReplayNotice);
  net::HttpClient::Options client;
  client.metrics = &metrics_;
  EPI_ASSIGN(http_client_, net::HttpClient::Start(client, files_, clock_, setup_.logger.Named("http client")));
  EPI_TRY(OpenDatabase());
  EPI_TRY(StartScraping());
  EPI_TRY(StartRules());
  FillServices();
  EPI_TRY(StartHttp());
  db_->Start();
  loader_ = std::thread([this] { BecomeReady(); });
  return {};
}

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
  EPI_ASSIGN(db_, tsdb::Db::Open(options, {files_, clock_, random_, setup_.logger.Named("tsdb"), &metrics_}));
  database_ = std::make_unique<DatabaseAdapter>(*db_);
  EPI_TRY(
      components_.Add({.name = "db_storage",
                       .start = {},
                       .apply = [this](const LoadedConfig& loaded) -> Result<void> {
                         // It was opened with these very settings, and is still loading.
                         if (!db_->ready()) return {};
                         const config::TsdbConfig& tsdb = *loaded.config.storage.tsdb;
                         db_->head().SetOutOfOrderWindow(tsdb.out_of_order_time_window);
                         db_->SetRetention(Limits(*tsdb.retention));
                         db_->SetFloatEncoding(FloatEncoding(loaded.config, setup_.features));
                         db_->head().exemplars().Resize(MaxExemplars(loaded.config, setup_.features));
                         return {};
                       },
                       .stop =
                           [this] {
                             if (auto closed = db_->Close(); !closed) {
                               setup_.logger.Error("Closing the database failed", {{"err", closed.error().message()}});
                             }
                           }}));
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
  EPI_TRY(components_.Add({.name = "remote_storage",
                           .start = {},
                           .apply = [this](const LoadedConfig& loaded) -> Result<void> {
                             read_server_->SetExternalLabels(loaded.config.global.ExternalLabels());
                             otlp_receiver_->SetConfig(loaded.config.otlp);
                             return {};
                           },
                           .stop = {}}));
  return components_.Add({.name = "query_engine",
                          .start = {},
                          .apply = [this](const LoadedConfig& loaded) -> Result<void> {
                            engine_->SetDefaultStepMs(loaded.config.global.evaluation_interval);
                            return query_log_->SetFile(loaded.config.global.query_log_file);
                          },
                          .stop = {}});
}

Result<void> Server::StartScraping() {
  const config::Flags& flags = setup_.flags.flags;
  scrape::ScrapeManagerOptions options;
  options.workers = std::max(1u, setup_.host.cpus);
  options.discovery_reload_interval_ms = flags.scrape_discovery_reload_interval_ms;
  options.align_timestamps = flags.scrape_adjust_timestamps;
  options.timestamp_tolerance_ms = flags.scrape_timestamp_tolerance_ns / 1'000'000;
  options.storage.exemplars = setup_.features.exemplar_storage;
  options.storage.metadata = setup_.features.metadata_wal_records;
  options.storage.type_and_unit_labels = setup_.features.type_and_unit_labels;
  options.storage.start_timestamps = setup_.features.st_storage;
  options.storage.synthesize_starts = setup_.features.st_synthesis;
  options.storage.start_zero_samples = setup_.features.created_timestamp_zero_ingestion;
  scrape_ = std::make_unique<scrape::ScrapeManager>(
      scrape::ScrapeManagerParts{*db_, *http_client_, files_, clock_, random_, setup_.logger.Named("scrape manager"),
                                 metrics_},
      options);
  EPI_TRY(components_.Add({.name = "scrape",
                           .start = {},
                           .apply = [this](const LoadedConfig& loaded) -> Result<void> {
                             std::vector<scrape::ScrapeJob> jobs;
                             for (const auto& job : loaded.scrape_configs) jobs.push_back(scrape::JobFromConfig(job));
                             const auto seed =
                                 scrape::OffsetSeed(setup_.host.hostname, loaded.config.global.ExternalLabels());
                             return scrape_->ApplyConfig(std::move(jobs), seed);
                           },
                           .stop = [this] { scrape_->Stop(); }}));
  discovery::RegisterKindMetrics(metrics_);
  discovery::DiscoveryManagerOptions discovery;
  discovery.max_update_wait_ms = flags.scrape_discovery_reload_interval_ms;
  discovery_ = std::make_unique<discovery::DiscoveryManager>(
      discovery::DiscoveryParts{
          *http_client_, files_, clock_, setup_.logger.Named("discovery manager scrape"), metrics_, {}, {}},
      discovery, [this](discovery::TargetSets sets) { scrape_->UpdateTargets(std::move(sets)); });
  return components_.Add({.name = "scrape_sd",
                          .start = {},
                          .apply = [this](const LoadedConfig& loaded) -> Result<void> {
                            std::map<std::string, config::SdConfigs> jobs;
                            for (const auto& job : loaded.scrape_configs) jobs[job.job_name] = job.service_discovery;
                            discovery_->ApplyConfig(jobs);
                            return {};
                          },
                          .stop = [this] { discovery_->Stop(); }});
}

Result<void> Server::StartRules() {
  const config::Flags& flags = setup_.flags.flags;
  rules::AlertJournalOptions journal;
  journal.directory = JoinPath(JoinPath(flags.tsdb_path, "epimetheus"), "alerts");
  journal.history_ms = flags.rules_history_retention_ms;
  EPI_ASSIGN(alert_journal_, rules::AlertJournal::Open(files_, clock_, journal, setup_.logger.Named("rule manager")));
  rules::NotifierOptions notifier;
  notifier.deliveries = alert_journal_.get();
  notifier.client = http_client_.get();
  notifier.files = &files_;
  notifier.clock = &clock_;
  notifier.metrics = &metrics_;
  notifier.logger = setup_.logger.Named("notifier");
  notifier.external_url = setup_.external.url;
  notifier.limits.queue_capacity = static_cast<size_t>(flags.notification_queue_capacity);
  notifier.limits.batch_size = static_cast<size_t>(flags.notification_batch_size);
  notifier.limits.drain_on_shutdown = flags.notification_drain_on_shutdown;
  notifier_ = std::make_unique<rules::Notifier>(notifier);
  EPI_TRY(components_.Add({.name = "notify",
                           .start = {},
                           .apply = [this](const LoadedConfig& loaded) -> Result<void> {
                             return notifier_->Load(loaded.config.alerting, loaded.config.global.ExternalLabels());
                           },
                           .stop = [this] { notifier_->Stop(); }}));
  querier_ = std::make_unique<rules::EngineQuerier>(*engine_, *db_);
  rules::RuleOptions options;
  options.storage = db_.get();
  options.querier = querier_.get();
  options.files = &files_;
  options.clock = &clock_;
  options.alerts = notifier_.get();
  options.journal = alert_journal_.get();
  options.metrics = &metrics_;
  options.logger = setup_.logger.Named("rule manager");
  options.parser = QuerySyntax(setup_.features);
  options.external_url = setup_.external.url;
  options.path_prefix = setup_.external.path;
  options.resend_delay_ms = flags.rules_resend_delay_ms;
  options.for_grace_period_ms = flags.rules_for_grace_period_ms;
  options.outage_tolerance_ms = flags.rules_for_outage_tolerance_ms;
  options.concurrent_rules = setup_.features.concurrent_rule_eval;
  options.max_concurrent_rules = static_cast<size_t>(flags.rules_max_concurrent_evals);
  rules_ = std::make_unique<rules::RuleManager>(std::move(options));
  rules_view_ = std::make_unique<RulesAdapter>(*rules_);
  alertmanagers_view_ = std::make_unique<AlertmanagersAdapter>(*notifier_);
  return components_.Add({.name = "rules",
                          .start = {},
                          .apply = [this](const LoadedConfig& loaded) -> Result<void> {
                            const auto& global = loaded.config.global;
                            return rules_->Load({loaded.config.rule_files, global.evaluation_interval,
                                                 global.rule_query_offset, global.ExternalLabels()});
                          },
                          .stop =
                              [this] {
                                querier_->Cancel();
                                rules_->Stop();
                              }});
}

void Server::FillServices() {
  const config::Flags& flags = setup_.flags.flags;
  web::WebOptions& options = services_.options;
  options.external_url = setup_.external.url;
  options.listen_address = flags.web_listen_addresses.front();
  options.page_title = flags.web_page_title;
  options.cors_origin = flags.web_cors_origin;
  options.lookback_delta_ms = flags.query_lookback_delta_ms;
  options.enable_lifecycle = flags.web_enable_lifecycle;
  options.enable_admin_api = flags.web_enable_admin_api;
  options.enable_remote_write_receiver = flags.web_enable_remote_write_receiver;
  options.enable_otlp_receiver = flags.web_enable_otlp_receiver;
  options.enable_search = setup_.features.search_api;
  options.search_max_limit = flags.web_search_max_limit;
  options.per_step_stats = setup_.features.promql_per_step_stats;
  // Checked with the other flags; a pattern that does not compile has ended the start.
  if (auto pattern = AnchoredRegex::Compile(flags.web_cors_origin, AnchoredRegex::Form::kWrapped))
    services_.cors_pattern = *pattern;
  services_.clock = &clock_;
  services_.metrics = &metrics_;
  services_.logger = setup_.logger.Named("web");
  services_.storage = db_.get();
  services_.local_storage = db_.get();
  services_.engine = engine_.get();
  services_.range_cache = range_cache_.get();
  services_.parse_options = QuerySyntax(setup_.features);
  services_.scrape = scrape_.get();
  services_.rules = rules_view_.get();
  services_.alertmanagers = alertmanagers_view_.get();
  services_.alert_history = alert_journal_.get();
  services_.rule_manager = rules_.get();
  services_.backfill_storage = db_.get();
  services_.pool = &pool_;
  services_.database = database_.get();
  services_.notifications = &notifications_;
  services_.write_receiver = write_receiver_.get();
  services_.otlp_receiver = otlp_receiver_.get();
  services_.read_server = read_server_.get();
  services_.build = ThisBuild();
  services_.flags = setup_.flags.shown;
  services_.flags["web.route-prefix"] = setup_.external.route_prefix;
  services_.features = MakeFeatureTable(flags, setup_.features);
  services_.scrape_config_yaml = [this](std::string_view pool) -> Result<std::string> {
    const auto loaded = current();
    for (const auto& job : loaded->scrape_configs) {
      if (job.job_name == pool) return config::ScrapeConfigToYaml(job);
    }
    return Fail(ErrorCode::kNotFound, "scrape pool \"" + std::string(pool) + "\" not found");
  };
  services_.config_yaml = [this] { return current()->config.ToYaml(); };
  services_.runtime_info = [this] { return Runtime(); };
  services_.external_labels = [this] { return current()->config.global.ExternalLabels(); };
  services_.reload = [this] { return Reload(); };
  services_.quit = [this] {
    const bool first = !quit_asked_.exchange(true);
    if (first) signals_.Interrupt();
    return first;
  };
}

Result<void> Server::StartHttp() {
  const config::Flags& flags = setup_.flags.flags;
  const std::string prefix = setup_.external.route_prefix == "/" ? std::string() : setup_.external.route_prefix;
  web::FederationErrors(metrics_);
  router_ = std::make_unique<net::Router>(web::RouterOptions(prefix, services_.logger), services_, web::Routes(),
                                          metrics_, clock_);
  net::HttpServerOptions options;
  options.listen_addresses = flags.web_listen_addresses;
  options.max_connections = static_cast<size_t>(flags.web_max_connections);
  options.read_timeout_ms = flags.web_read_timeout_ms;
  options.budget = &request_budget_;
  if (!flags.web_config_file.empty()) {
    web_settings_ = std::make_unique<WebSettingsSource>(flags.web_config_file, files_);
    EPI_TRY(web_settings_->Current());
    const auto file_name = [this] {
      const auto settings = web_settings_->Current();
      return settings ? (*settings)->audit_log_file : std::string();
    };
    audit_log_ = std::make_unique<AuditLog>(file_name, files_, clock_, setup_.logger.Named("audit"));
    services_.audit = [this](const net::Request& request, int status) { audit_log_->Note(request, status); };
    options.settings = [this] { return web_settings_->Current(); };
  }
  EPI_ASSIGN(http_server_,
             net::HttpServer::Start(options, *router_, files_, clock_, metrics_, setup_.logger.Named("web")));
  for (const auto& address : http_server_->bound_addresses()) {
    setup_.logger.Info("Listening on", {{"component", "web"}, {"address", address}});
  }
  return {};
}

void Server::BecomeReady() {
  const std::lock_guard reloading(reload_mutex_);
  // Scraping begins while the head is loading, as soon as what it finds can be kept.
  auto loaded = db_->AwaitAppendable();
  if (loaded) {
    setup_.logger.Info("Loading configuration file", {{"filename", setup_.flags.flags.config_file}});
    loaded = components_.Apply(*current(), setup_.flags.flags.config_file);
  }
  if (loaded) loaded = db_->AwaitReady();
  if (!loaded) {
    if (loaded.error().code() != ErrorCode::kCanceled) {
      const std::lock_guard lock(failure_mutex_);
      failure_ = Fail(loaded.error());
    }
    signals_.Interrupt();
    return;
  }
  setup_.logger.Info("TSDB started");
  rules_->Start();
  applied_checksum_ = current()->checksum;
  NoteReload(true);
  notifications_.Delete(web::kReplayNotice);
  web::Readiness starting = web::Readiness::kStarting;
  if (services_.readiness.compare_exchange_strong(starting, web::Readiness::kReady)) {
    ready_.Set(1);
    setup_.logger.Info("Server is ready to receive web requests.");
  }
}

Result<void> Server::Run() {
  const int64_t interval_ns = setup_.flags.flags.config_auto_reload_interval_ms * kNsPerMs;
  const bool by_itself = ReloadsByItself(setup_.flags.flags, setup_.features) && interval_ns > 0;
  MonotonicNs next_look = clock_.Monotonic() + interval_ns;
  for (;;) {
    // Before the server is ready a reload waits: becoming ready reads no file again.
    const bool pending = reload_wanted_.load();
    const int64_t until_look = std::max<int64_t>(0, next_look - clock_.Monotonic()) / kNsPerMs + 1;
    const int64_t longest = std::min<int64_t>(until_look, std::numeric_limits<int>::max());
    const SignalEvent event = signals_.Wait(pending ? 100 : by_itself ? static_cast<int>(longest) : -1);
    if (event == SignalEvent::kStop) break;
    if (by_itself && clock_.Monotonic() >= next_look) {
      next_look = clock_.Monotonic() + interval_ns;
      if (services_.readiness.load() == web::Readiness::kReady) ReloadWhenFilesChanged();
    }
    if (event == SignalEvent::kReload) reload_wanted_.store(true);
    if (!reload_wanted_.load() || services_.readiness.load() != web::Readiness::kReady) continue;
    reload_wanted_.store(false);
    // The outcome is logged and kept for runtimeinfo; nobody waits for it here.
    static_cast<void>(Reload());
  }
  const std::lock_guard lock(failure_mutex_);
  if (failure_) {
    setup_.logger.Warn(quit_asked_.load() ? "Received termination request via web service, exiting gracefully..."
                                          : "Received an OS signal, exiting gracefully...");
  }
  return failure_;
}

void Server::Stop() {
  if (services_.readiness.exchange(web::Readiness::kStopping) == web::Readiness::kStopping) return;
  ready_.Set(0);
  notifications_.Add(web::kShutdownNotice);
  // Ends a load that is under way, so that the loader can be joined; nobody appends to a closed database.
  if (loader_.joinable()) {
    if (scrape_) scrape_->Stop();
    if (db_ && !db_->ready()) static_cast<void>(db_->Close());
    loader_.join();
  }
  if (scrape_) scrape_->Stop();
  if (http_server_) http_server_->Stop(kHttpShutdownGraceMs);
  components_.Stop();
  http_server_.reset();
}

Result<void> Server::Reload() {
  const std::lock_guard reloading(reload_mutex_);
  const std::string& file = setup_.flags.flags.config_file;
  setup_.logger.Info("Loading configuration file", {{"filename", file}});
  auto loaded = LoadConfiguration(files_, setup_.flags.flags, setup_.features, setup_.logger);
  Result<void> outcome;
  if (!loaded) {
    outcome = Fail(loaded.error().WithContext("couldn't load configuration (--config.file=\"" + file + "\")"));
  } else {
    {
      const std::lock_guard lock(config_mutex_);
      config_ = std::make_shared<const LoadedConfig>(std::move(*loaded));
    }
    outcome = components_.Apply(*current(), file);
    if (outcome) applied_checksum_ = current()->checksum;
  }
  if (!outcome) setup_.logger.Error("Error reloading config", {{"err", outcome.error().message()}});
  NoteReload(outcome.has_value());
  return outcome;
}

void Server::ReloadWhenFilesChanged() {
  const auto now = config::ConfigChecksum(files_, setup_.flags.flags.config_file);
  if (!now) {
    setup_.logger.Error("Failed to generate checksum during configuration reload", {{"err", now.error().message()}});
  } else {
    const std::lock_guard reloading(reload_mutex_);
    if (*now == applied_checksum_) return;
  }
  setup_.logger.Info("Configuration file change detected, reloading the configuration.");
  // The outcome is logged and kept for runtimeinfo; a failed reload is tried again at the next look.
  static_cast<void>(Reload());
}

void Server::NoteReload(bool success) {
  const int64_t now = clock_.NowNs();
  {
    const std::lock_guard lock(config_mutex_);
    reload_ok_ = success;
    if (success) last_config_ns_ = now;
  }
  reload_successful_.Set(success ? 1 : 0);
  if (success) {
    reload_success_time_.Set(static_cast<double>(now) * 1e-9);
    notifications_.Delete(web::kReloadFailedNotice);
  } else {
    notifications_.Add(web::kReloadFailedNotice);
  }
}

web::RuntimeInfo Server::Runtime() const {
  web::RuntimeInfo out;
  out.start_time_ns = started_ns_;
  out.working_directory = setup_.host.working_directory;
  out.hostname = setup_.host.hostname;
  out.corruption_count = static_cast<int64_t>(db_->corruptions());
  out.threads = static_cast<int64_t>(pool_.size() + 1);
  out.max_threads = setup_.host.cpus;
  const std::lock_guard lock(config_mutex_);
  out.reload_config_success = reload_ok_;
  out.last_config_time_ns = last_config_ns_;
  out.storage_retention = RetentionText(*config_->config.storage.tsdb->retention);
  return out;
}

}  // namespace epi::app
