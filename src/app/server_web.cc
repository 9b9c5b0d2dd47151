// The parts of the server that face its users.
#include "app/feature_table.h"
#include "app/server.h"
#include "app/version.h"
#include "model/anchored_regex.h"
#include "net/tls_server.h"
#include "web/handlers.h"

namespace epi::app {

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
  bool tls = false;
  if (!flags.web_config_file.empty()) {
    web_settings_ = std::make_unique<WebSettingsSource>(flags.web_config_file, files_);
    failure_title_ = "Unable to validate web configuration file";
    failed_file_ = flags.web_config_file;
    EPI_ASSIGN(const auto first, web_settings_->Current());
    tls = first->tls.enabled();
    // Once before there is a listener, so that the error has its own title.
    if (tls) EPI_TRY(net::MakeTlsServerContext(first->tls, files_));
    const auto file_name = [this] {
      const auto settings = web_settings_->Current();
      return settings ? (*settings)->audit_log_file : std::string();
    };
    audit_log_ = std::make_unique<AuditLog>(file_name, files_, clock_, setup_.logger.Named("audit"));
    services_.audit = [this](const net::Request& request, int status) { audit_log_->Note(request, status); };
    options.settings = [this] { return web_settings_->Current(); };
  }
  const Logger logger = setup_.logger.Named("web");
  for (const auto& address : options.listen_addresses) {
    logger.Info("Start listening for connections", {{"address", address}});
  }
  failed_file_.clear();
  failure_title_ = "Unable to start web listener";
  EPI_ASSIGN(http_server_, net::HttpServer::Start(options, *router_, files_, clock_, metrics_, logger));
  failure_title_ = "Fatal error";
  for (const auto& address : http_server_->bound_addresses()) {
    logger.Info("Listening on", {{"address", address}});
    logger.Info(tls ? "TLS is enabled." : "TLS is disabled.", {{"http2", false}, {"address", address}});
  }
  return {};
}

}  // namespace epi::app
