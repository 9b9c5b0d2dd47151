// The parts of the server that work by themselves: scraping and rules.
#include <algorithm>

#include "app/server.h"
#include "discovery/kind_metrics.h"
#include "scrape/job_from_config.h"

namespace epi::app {

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
                           .stop = [this] { scrape_->Stop(); },
                           .stopping = "Stopping scrape manager...",
                           .stopped = "Scrape manager stopped"}));
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
                          .stop = [this] { discovery_->Stop(); },
                          .stopping = "Stopping scrape discovery manager...",
                          .stopped = "Scrape discovery manager stopped"});
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
                           .stop = [this] { notifier_->Stop(); },
                           .stopping = "Stopping notifier manager...",
                           .stopped = "Notifier manager stopped"}));
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
                              },
                          .stopping = "Stopping rule manager manager...",
                          .stopped = "Rule manager stopped"});
}

}  // namespace epi::app
