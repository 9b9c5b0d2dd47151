// The whole server: every part made, wired, started, reloaded and stopped. The only place that sees all of them.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "app/audit_log.h"
#include "app/component.h"
#include "app/config_runtime.h"
#include "app/database_adapter.h"
#include "app/external_url.h"
#include "app/host.h"
#include "app/rules_adapter.h"
#include "app/signals.h"
#include "app/web_settings_source.h"
#include "base/thread_pool.h"
#include "config/features.h"
#include "config/flags.h"
#include "discovery/manager.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/router.h"
#include "promql/cache/range_cache.h"
#include "promql/engine/active_query_file.h"
#include "promql/engine/engine.h"
#include "remote/otlp_receiver.h"
#include "remote/read_server.h"
#include "remote/write_receiver.h"
#include "rules/engine_querier.h"
#include "rules/journal/alert_journal.h"
#include "rules/manager.h"
#include "rules/notifier/notifier.h"
#include "scrape/scrape_manager.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "tsdb/db.h"
#include "web/services.h"

namespace epi::app {

// What is fixed for the life of the process.
struct ServerSetup {
  config::ParsedFlags flags;
  config::Features features;
  HostInfo host;
  ExternalUrl external;
  Logger logger;
};

class Server {
 public:
  // `first` is the configuration to start with, already checked. `signals` outlives the server.
  Server(ServerSetup setup, LoadedConfig first, SignalSource& signals);
  ~Server();

  // Binds, opens the database and starts loading it. An error ends the process.
  Result<void> Start();
  // Serves until a signal or a request to quit, reloading on SIGHUP; an error when something broke meanwhile.
  Result<void> Run();
  // Stops everything, in reverse. Idempotent.
  void Stop();
  // What an error of Start() or Run() is called in the log.
  std::string_view failure_title() const { return failure_title_; }
  // The file it is about, when its text does not name one.
  std::string_view failed_file() const { return failed_file_; }

 private:
  // server_storage.cc; the first makes the others' parts too.
  Result<void> OpenDatabase();
  Result<void> MakeReceivers();
  Result<void> MakeQueryEngine();
  void LogRetention(const config::RetentionConfig& retention);
  void LogFileSystem() const;
  // server_work.cc
  Result<void> StartScraping();
  Result<void> StartRules();
  // server_web.cc
  void FillServices();
  Result<void> StartHttp();

  // On a thread of its own: waits for the database, applies the first configuration, begins to work.
  void BecomeReady();
  Result<void> Reload();
  // With auto-reload: reloads when the files are not those of the last successful reload.
  void ReloadWhenFilesChanged();
  void NoteReload(bool success);
  web::RuntimeInfo Runtime() const;
  std::shared_ptr<const LoadedConfig> current() const;

  const ServerSetup setup_;
  SignalSource& signals_;
  FileSystem& files_;
  Clock& clock_;
  Random& random_;
  const int64_t started_ns_;
  MetricRegistry metrics_;
  Gauge& reload_successful_;
  Gauge& reload_success_time_;
  Gauge& ready_;

  mutable std::mutex config_mutex_;
  std::shared_ptr<const LoadedConfig> config_;  // guarded by config_mutex_
  bool reload_ok_ = true;                       // guarded by config_mutex_
  int64_t last_config_ns_ = 0;                  // guarded by config_mutex_
  std::mutex reload_mutex_;                     // one reload at a time; also held while becoming ready
  std::optional<uint64_t> applied_checksum_;    // guarded by reload_mutex_: of the files of the last successful reload
  std::atomic<bool> reload_wanted_{false};      // asked for before the server was ready
  std::atomic<bool> quit_asked_{false};

  std::mutex failure_mutex_;
  Result<void> failure_;                            // guarded by failure_mutex_: why the server must end
  std::string_view failure_title_ = "Fatal error";  // while starting, of what is being started
  std::string failed_file_;

  config::RetentionConfig logged_retention_;  // guarded by reload_mutex_

  // In order of dependence: what stands further down uses what stands above.
  Budget request_budget_;
  ThreadPool pool_;
  web::Notifications notifications_;
  std::unique_ptr<net::HttpClient> http_client_;
  std::unique_ptr<tsdb::Db> db_;
  std::unique_ptr<DatabaseAdapter> database_;
  std::unique_ptr<promql::QueryLog> query_log_;
  std::unique_ptr<promql::ActiveQueryFile> active_queries_;
  std::unique_ptr<promql::Engine> engine_;
  std::unique_ptr<promql::RangeCache> range_cache_;
  std::unique_ptr<scrape::ScrapeManager> scrape_;
  std::unique_ptr<discovery::DiscoveryManager> discovery_;
  std::unique_ptr<rules::AlertJournal> alert_journal_;
  std::unique_ptr<rules::Notifier> notifier_;
  std::unique_ptr<rules::EngineQuerier> querier_;
  std::unique_ptr<rules::RuleManager> rules_;
  std::unique_ptr<RulesAdapter> rules_view_;
  std::unique_ptr<AlertmanagersAdapter> alertmanagers_view_;
  std::unique_ptr<remote::WriteReceiver> write_receiver_;
  std::unique_ptr<remote::OtlpReceiver> otlp_receiver_;
  std::unique_ptr<remote::ReadServer> read_server_;
  web::Services services_;
  std::unique_ptr<WebSettingsSource> web_settings_;
  std::unique_ptr<AuditLog> audit_log_;
  std::unique_ptr<net::Router> router_;
  std::unique_ptr<net::HttpServer> http_server_;
  std::thread loader_;
  Components components_;
};

}  // namespace epi::app
