// Everything that handlers may look at, as pointers that the program fills in before the server starts. A null pointer
// means that this server has no such thing; its endpoints then answer as Prometheus does where the thing is switched
// off.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/labels.h"
#include "net/router.h"
#include "promql/parser/parser.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "web/database.h"
#include "web/notifications.h"
#include "web/rules_source.h"

namespace epi {
class Storage;
class ThreadPool;
class AnchoredRegex;
}  // namespace epi
namespace epi::promql {
class Engine;
class RangeCache;
}  // namespace epi::promql
namespace epi::scrape {
class ScrapeStatus;
}
namespace epi::rules {
class AlertJournal;
class RuleManager;
}  // namespace epi::rules
namespace epi::remote {
class WriteReceiver;
class OtlpReceiver;
class ReadServer;
}  // namespace epi::remote

namespace epi::web {

enum class Readiness : unsigned char { kStarting, kReady, kStopping };

struct BuildInfo {
  std::string version, revision, branch, build_user, build_date, go_version;
};

struct RuntimeInfo {
  int64_t start_time_ns = 0;
  std::string working_directory;
  std::string hostname;
  bool reload_config_success = false;
  int64_t last_config_time_ns = kNever;
  int64_t corruption_count = 0;
  int64_t threads = 0;       // shown as goroutineCount
  int64_t max_threads = 0;   // shown as GOMAXPROCS
  int64_t memory_limit = 0;  // shown as GOMEMLIMIT
  std::string gogc, godebug;
  std::string storage_retention;  // "15d", "15d or 512MiB or 80%"
};

// category -> feature -> on.
using FeatureTable = std::map<std::string, std::map<std::string, bool>>;

struct WebOptions {
  std::string external_url;    // "http://host:9090/prom", without a trailing slash
  std::string listen_address;  // the first one, as configured
  std::string page_title;
  std::string cors_origin = ".*";  // anchored regular expression
  int64_t lookback_delta_ms = 300'000;
  bool agent_mode = false;
  bool enable_lifecycle = false;
  bool enable_admin_api = false;
  bool enable_remote_write_receiver = false;
  bool enable_otlp_receiver = false;
  bool enable_search = false;         // --enable-feature=search-api
  int64_t search_max_limit = 10'000;  // --web.search.max-limit; 0: no cap
  bool per_step_stats = false;        // --enable-feature=promql-per-step-stats
};

// Thread-safe where the things it points at are. Outlives the HTTP server.
struct Services final : net::HandlerContext {
  WebOptions options;
  std::shared_ptr<const AnchoredRegex> cors_pattern;  // of options.cors_origin; null: nothing matches
  Clock* clock = nullptr;                             // required
  MetricRegistry* metrics = nullptr;                  // required
  Logger logger;
  std::atomic<Readiness> readiness{Readiness::kStarting};

  const Storage* storage = nullptr;        // what queries see: local and remote
  const Storage* local_storage = nullptr;  // what federation sees
  const promql::Engine* engine = nullptr;
  promql::RangeCache* range_cache = nullptr;  // of that engine; null: every query is evaluated
  promql::ParseOptions parse_options;
  const scrape::ScrapeStatus* scrape = nullptr;
  const RulesSource* rules = nullptr;
  const AlertmanagersSource* alertmanagers = nullptr;
  const rules::AlertJournal* alert_history = nullptr;
  Storage* backfill_storage = nullptr;               // takes what recording rules would have given
  const rules::RuleManager* rule_manager = nullptr;  // for backtests of loaded rules
  ThreadPool* pool = nullptr;                        // for long work that is cut into pieces; null: one after the other
  Database* database = nullptr;
  Notifications* notifications = nullptr;
  remote::WriteReceiver* write_receiver = nullptr;
  remote::OtlpReceiver* otlp_receiver = nullptr;
  remote::ReadServer* read_server = nullptr;

  BuildInfo build;
  std::map<std::string, std::string> flags;
  FeatureTable features;
  std::function<std::string()> config_yaml;  // effective, secrets masked
  // The YAML of one scrape job; kNotFound names it.
  std::function<Result<std::string>(std::string_view pool)> scrape_config_yaml;
  std::function<RuntimeInfo()> runtime_info;
  std::function<Labels()> external_labels;

  // Notes a request to an admin route, with the status it was answered with.
  std::function<void(const net::Request&, int status)> audit;
  // Reloads the configuration and waits for it.
  std::function<Result<void>()> reload;
  // Asks the program to end. True the first time.
  std::function<bool()> quit;
};

// The table of every path that this server answers. Lives for the whole process.
std::span<const net::Route> Routes();
// How the router asks for readiness, CORS and method rules, and how it answers errors. `prefix` is the route prefix.
net::Router::Options RouterOptions(std::string prefix, const Logger& logger);

}  // namespace epi::web
