#include "app/server.h"

#include <algorithm>
#include <limits>

#include "app/version.h"
#include "config/config_checksum.h"
#include "web/handlers.h"

namespace epi::app {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kHttpShutdownGraceMs = 2'000;
// Bodies of requests under way, all together.
constexpr int64_t kRequestMemoryLimit = int64_t{1} << 30;

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
  setup_.logger.Info("Starting TSDB ...");
  db_->Start();
  loader_ = std::thread([this] { BecomeReady(); });
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
  if (loaded) {
    loaded = db_->AwaitReady();
    if (!loaded) loaded = Fail(loaded.error().WithContext("opening storage failed"));
  }
  if (!loaded) {
    if (loaded.error().code() != ErrorCode::kCanceled) {
      const std::lock_guard lock(failure_mutex_);
      failure_ = Fail(loaded.error());
    }
    signals_.Interrupt();
    return;
  }
  LogFileSystem();
  setup_.logger.Info("TSDB started");
  setup_.logger.Named("rule manager").Info("Starting rule manager...");
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
    if (quit_asked_.load()) {
      setup_.logger.Warn("Received termination request via web service, exiting gracefully...");
    } else {
      setup_.logger.Warn("Received an OS signal, exiting gracefully...", {{"signal", signals_.stop_signal()}});
    }
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
  if (http_server_) {
    setup_.logger.Info("Stopping web handler...");
    http_server_->Stop(kHttpShutdownGraceMs);
    setup_.logger.Info("Web handler stopped");
  }
  // Signals are not listened to any more, and a reload over HTTP was waited for.
  setup_.logger.Info("Stopping reloaders...");
  setup_.logger.Info("Reloaders stopped");
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
  const auto now = ConfigurationChecksum(files_, setup_.flags.flags);
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
