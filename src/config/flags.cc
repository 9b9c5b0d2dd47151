#include "config/flags.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <variant>

#include "config/byte_size.h"
#include "model/duration.h"
#include "model/number_format.h"

namespace epi::config {
namespace {

enum class FlagKind : unsigned char { kBool, kText, kTexts, kInt, kFloat, kDuration, kGoDuration, kSize, kChoice };
enum class Mode : unsigned char { kBoth, kServer, kAgent };

using Field = std::variant<bool Flags::*, std::string Flags::*, std::vector<std::string> Flags::*, int64_t Flags::*,
                           double Flags::*>;

struct Spec {
  std::string_view name;
  FlagKind kind;
  Field field;
  std::string_view fallback;  // the default, as it would be given
  Mode mode = Mode::kBoth;
  bool hidden = false;
  std::string_view help;
  std::string_view choices = {};      // kChoice: separated by ','
  std::string_view placeholder = {};  // in usage, where there is no default
};

constexpr Spec kSpecs[] = {
    {"config.file", FlagKind::kText, &Flags::config_file, "prometheus.yml", Mode::kBoth, false,
     "Configuration file. Relative paths inside it start from its folder."},
    {"config.auto-reload", FlagKind::kBool, &Flags::config_auto_reload, "false", Mode::kBoth, false,
     "Reload when the configuration file, its rule files or its scrape configuration files change."},
    {"config.auto-reload-interval", FlagKind::kDuration, &Flags::config_auto_reload_interval_ms, "30s", Mode::kBoth,
     false, "How often to look for changes of the configuration; at least 1s."},
    {"config.expand-references", FlagKind::kBool, &Flags::config_expand_references, "false", Mode::kBoth, false,
     "Replace ${VAR} and file:PATH in every string of the configuration file."},
    {"web.listen-address", FlagKind::kTexts, &Flags::web_listen_addresses, "0.0.0.0:9090", Mode::kBoth, false,
     "Address to serve UI, API and telemetry on. May be repeated."},
    {"auto-gomaxprocs", FlagKind::kBool, &Flags::auto_gomaxprocs, "true", Mode::kBoth, false,
     "Accepted for compatibility: the number of threads follows the CPUs this process may use."},
    {"auto-gomemlimit", FlagKind::kBool, &Flags::auto_gomemlimit, "true", Mode::kBoth, false,
     "Accepted for compatibility: there is no garbage collector to limit."},
    {"auto-gomemlimit.ratio", FlagKind::kFloat, &Flags::auto_gomemlimit_ratio, "0.9", Mode::kBoth, false,
     "Accepted for compatibility; above 0 and at most 1."},
    {"auto-gomemlimit.refresh-interval", FlagKind::kDuration, &Flags::auto_gomemlimit_refresh_ms, "0s", Mode::kBoth,
     false, "Accepted for compatibility."},
    {"web.config.file", FlagKind::kText, &Flags::web_config_file, "", Mode::kBoth, false,
     "File that turns on TLS, authentication and rate limits for the HTTP server."},
    {"web.read-timeout", FlagKind::kDuration, &Flags::web_read_timeout_ms, "5m", Mode::kBoth, false,
     "How long reading a request may take, and how long an idle connection is kept."},
    {"web.max-connections", FlagKind::kInt, &Flags::web_max_connections, "512", Mode::kBoth, false,
     "Connections served at the same time, over all listeners; others wait."},
    {"web.max-notifications-subscribers", FlagKind::kInt, &Flags::web_max_notifications_subscribers, "16", Mode::kBoth,
     false, "Subscribers of live notifications at the same time."},
    {"web.external-url",
     FlagKind::kText,
     &Flags::web_external_url,
     "",
     Mode::kBoth,
     false,
     "URL under which the server is reachable from outside, for links; its path prefixes all routes. Derived from host "
     "name and port when omitted.",
     {},
     "<URL>"},
    {"web.route-prefix",
     FlagKind::kText,
     &Flags::web_route_prefix,
     "",
     Mode::kBoth,
     false,
     "Prefix of all routes; the path of --web.external-url when omitted.",
     {},
     "<path>"},
    {"web.user-assets",
     FlagKind::kText,
     &Flags::web_user_assets,
     "",
     Mode::kBoth,
     false,
     "Folder served below /user.",
     {},
     "<path>"},
    {"web.enable-lifecycle", FlagKind::kBool, &Flags::web_enable_lifecycle, "false", Mode::kBoth, false,
     "Allow reload and shutdown over HTTP."},
    {"web.enable-admin-api", FlagKind::kBool, &Flags::web_enable_admin_api, "false", Mode::kBoth, false,
     "Allow the endpoints that delete and snapshot data."},
    {"web.enable-remote-write-receiver", FlagKind::kBool, &Flags::web_enable_remote_write_receiver, "false",
     Mode::kBoth, false, "Accept remote-write requests at /api/v1/write."},
    {"web.remote-write-receiver.accepted-protobuf-messages", FlagKind::kTexts, &Flags::web_accepted_write_messages,
     "prometheus.WriteRequest,io.prometheus.write.v2.Request", Mode::kBoth, false,
     "Remote-write messages to accept. May be repeated."},
    {"web.enable-otlp-receiver", FlagKind::kBool, &Flags::web_enable_otlp_receiver, "false", Mode::kBoth, false,
     "Accept OTLP metrics at /api/v1/otlp/v1/metrics."},
    {"web.console.templates", FlagKind::kText, &Flags::web_console_templates, "consoles", Mode::kBoth, false,
     "Accepted for compatibility: console templates are not served."},
    {"web.console.libraries", FlagKind::kText, &Flags::web_console_libraries, "console_libraries", Mode::kBoth, false,
     "Accepted for compatibility: console templates are not served."},
    {"web.page-title", FlagKind::kText, &Flags::web_page_title,
     "Prometheus Time Series Collection and Processing Server", Mode::kBoth, false, "Title of the HTML pages."},
    {"web.cors.origin", FlagKind::kText, &Flags::web_cors_origin, ".*", Mode::kBoth, false,
     "Regular expression, fully anchored, for origins that may use the API from other sites."},
    {"web.search.max-limit", FlagKind::kInt, &Flags::web_search_max_limit, "10000", Mode::kServer, false,
     "Largest limit of a search request; 0 allows any."},
    {"storage.tsdb.path", FlagKind::kText, &Flags::tsdb_path, "data/", Mode::kServer, false, "Folder of the data."},
    {"storage.tsdb.min-block-duration", FlagKind::kDuration, &Flags::tsdb_min_block_duration_ms, "2h", Mode::kServer,
     true, "Time span of a block cut from the head."},
    {"storage.tsdb.max-block-duration",
     FlagKind::kDuration,
     &Flags::tsdb_max_block_duration_ms,
     "0s",
     Mode::kServer,
     true,
     "Longest time span of a compacted block; a tenth of the retention time when omitted, at most 31d.",
     {},
     "<duration>"},
    {"storage.tsdb.max-block-chunk-segment-size",
     FlagKind::kSize,
     &Flags::tsdb_max_block_chunk_segment_bytes,
     "0B",
     Mode::kServer,
     true,
     "Largest chunk file of a block; 512MiB when omitted.",
     {},
     "<bytes>"},
    {"storage.tsdb.wal-segment-size",
     FlagKind::kSize,
     &Flags::tsdb_wal_segment_bytes,
     "0B",
     Mode::kServer,
     true,
     "Size at which a new write-ahead log segment begins: 10MB to 256MB.",
     {},
     "<bytes>"},
    {"storage.tsdb.retention.time",
     FlagKind::kDuration,
     &Flags::tsdb_retention_ms,
     "0s",
     Mode::kServer,
     false,
     "How long samples are kept; 15d when neither this nor a size is set. Deprecated: use storage.tsdb.retention.time "
     "in "
     "the configuration file.",
     {},
     "STORAGE.TSDB.RETENTION.TIME"},
    {"storage.tsdb.retention.size",
     FlagKind::kSize,
     &Flags::tsdb_retention_bytes,
     "0B",
     Mode::kServer,
     false,
     "Most bytes that blocks may take; the unit is required. Deprecated: use storage.tsdb.retention.size in the "
     "configuration file.",
     {},
     "STORAGE.TSDB.RETENTION.SIZE"},
    {"storage.tsdb.no-lockfile", FlagKind::kBool, &Flags::tsdb_no_lockfile, "false", Mode::kServer, false,
     "Do not lock the data folder."},
    {"storage.tsdb.allow-overlapping-compaction", FlagKind::kBool, &Flags::tsdb_allow_overlapping_compaction, "true",
     Mode::kServer, true, "Merge blocks that overlap in time."},
    {"storage.tsdb.wal-compression", FlagKind::kBool, &Flags::tsdb_wal_compression, "true", Mode::kServer, true,
     "Accepted for compatibility: the log's own format decides."},
    {"storage.tsdb.wal-compression-type", FlagKind::kChoice, &Flags::tsdb_wal_compression_type, "snappy", Mode::kServer,
     true, "Accepted for compatibility: the log's own format decides.", "snappy,zstd"},
    {"storage.tsdb.head-chunks-write-queue-size", FlagKind::kInt, &Flags::tsdb_head_chunks_write_queue_size, "0",
     Mode::kServer, false, "Accepted for compatibility: there are no head chunk files."},
    {"storage.tsdb.samples-per-chunk", FlagKind::kInt, &Flags::tsdb_samples_per_chunk, "120", Mode::kServer, true,
     "Samples a chunk of a block is meant to hold."},
    {"storage.tsdb.delayed-compaction.max-percent", FlagKind::kInt, &Flags::tsdb_delayed_compaction_max_percent, "10",
     Mode::kServer, true, "With the feature delayed-compaction: the longest delay in percent of a block's span."},
    {"storage.tsdb.delay-compact-file.path", FlagKind::kText, &Flags::tsdb_delay_compact_file, "", Mode::kServer, true,
     "JSON file that lists uploaded blocks; other level-1 blocks are not compacted."},
    {"storage.tsdb.block-reload-interval", FlagKind::kDuration, &Flags::tsdb_block_reload_interval_ms, "1m",
     Mode::kServer, true, "How often to look for changed blocks; at least 1s."},
    {"storage.wal.fsync", FlagKind::kChoice, &Flags::wal_fsync, "interval", Mode::kServer, false,
     "When the write-ahead log is forced to the device: every second, or at each commit before it is acknowledged.",
     "interval,commit"},
    {"storage.agent.path", FlagKind::kText, &Flags::agent_path, "data-agent/", Mode::kAgent, false,
     "Folder of the data."},
    {"storage.agent.wal-segment-size",
     FlagKind::kSize,
     &Flags::agent_wal_segment_bytes,
     "0B",
     Mode::kAgent,
     true,
     "Size at which a new write-ahead log segment begins: 10MB to 256MB.",
     {},
     "<bytes>"},
    {"storage.agent.wal-compression", FlagKind::kBool, &Flags::agent_wal_compression, "true", Mode::kAgent, false,
     "Compress the write-ahead log."},
    {"storage.agent.wal-compression-type", FlagKind::kChoice, &Flags::agent_wal_compression_type, "snappy",
     Mode::kAgent, false, "How the write-ahead log is compressed.", "snappy,zstd"},
    {"storage.agent.wal-truncate-frequency",
     FlagKind::kDuration,
     &Flags::agent_wal_truncate_frequency_ms,
     "0s",
     Mode::kAgent,
     true,
     "How often the log is cut; 2h when omitted.",
     {},
     "<duration>"},
    {"storage.agent.retention.min-time", FlagKind::kDuration, &Flags::agent_retention_min_time_ms, "0s", Mode::kAgent,
     false, "Youngest age at which samples may be dropped."},
    {"storage.agent.retention.max-time", FlagKind::kDuration, &Flags::agent_retention_max_time_ms, "0s", Mode::kAgent,
     false, "Oldest age at which samples are dropped even when they were not sent."},
    {"storage.agent.checkpoint-from-in-memory-series", FlagKind::kBool, &Flags::agent_checkpoint_from_memory, "false",
     Mode::kAgent, false, "Write checkpoints from the series in memory."},
    {"storage.agent.checkpoint-batch-size", FlagKind::kInt, &Flags::agent_checkpoint_batch_size, "1000", Mode::kAgent,
     false, "Series written to a checkpoint at once."},
    {"storage.agent.no-lockfile", FlagKind::kBool, &Flags::agent_no_lockfile, "false", Mode::kAgent, false,
     "Do not lock the data folder."},
    {"storage.remote.flush-deadline",
     FlagKind::kDuration,
     &Flags::remote_flush_deadline_ms,
     "1m",
     Mode::kBoth,
     false,
     "How long to wait for unsent samples at shutdown and reload.",
     {},
     "<duration>"},
    {"storage.remote.read-sample-limit", FlagKind::kInt, &Flags::remote_read_sample_limit, "50000000", Mode::kServer,
     false, "Most samples of one remote-read answer; 0 allows any. Streamed answers are not limited."},
    {"storage.remote.read-concurrent-limit", FlagKind::kInt, &Flags::remote_read_concurrent_limit, "10", Mode::kServer,
     false, "Remote-read requests at the same time; 0 allows any number."},
    {"storage.remote.read-max-bytes-in-frame", FlagKind::kInt, &Flags::remote_read_max_bytes_in_frame, "1048576",
     Mode::kServer, false, "Largest frame of a streamed remote-read answer before it is encoded."},
    {"rules.alert.for-outage-tolerance", FlagKind::kDuration, &Flags::rules_for_outage_tolerance_ms, "1h",
     Mode::kServer, false, "Longest outage after which the state of `for` is restored."},
    {"rules.alert.for-grace-period", FlagKind::kDuration, &Flags::rules_for_grace_period_ms, "10m", Mode::kServer,
     false, "Least time between an alert and its restored `for` state; only for alerts whose `for` is longer."},
    {"rules.alert.resend-delay", FlagKind::kDuration, &Flags::rules_resend_delay_ms, "1m", Mode::kServer, false,
     "Least time before an alert is sent to Alertmanager again."},
    {"rules.alert.history-retention", FlagKind::kDuration, &Flags::rules_history_retention_ms, "30d", Mode::kServer,
     false, "How long the history of alerts is kept."},
    {"rules.max-concurrent-evals", FlagKind::kInt, &Flags::rules_max_concurrent_evals, "4", Mode::kServer, false,
     "Independent rules evaluated at the same time, with the feature concurrent-rule-eval."},
    {"scrape.adjust-timestamps", FlagKind::kBool, &Flags::scrape_adjust_timestamps, "true", Mode::kBoth, true,
     "Align scrape timestamps to the interval within the tolerance, for better compression."},
    {"scrape.timestamp-tolerance", FlagKind::kGoDuration, &Flags::scrape_timestamp_tolerance_ns, "2ms", Mode::kBoth,
     true, "How far a scrape timestamp may be moved."},
    {"scrape.discovery-reload-interval", FlagKind::kDuration, &Flags::scrape_discovery_reload_interval_ms, "5s",
     Mode::kBoth, true, "How often discovered targets are applied."},
    {"alertmanager.notification-queue-capacity", FlagKind::kInt, &Flags::notification_queue_capacity, "10000",
     Mode::kServer, false, "Alerts waiting to be sent; the oldest are dropped beyond it."},
    {"alertmanager.notification-batch-size", FlagKind::kInt, &Flags::notification_batch_size, "256", Mode::kServer,
     false, "Alerts in one request to Alertmanager."},
    {"alertmanager.drain-notification-queue-on-shutdown", FlagKind::kBool, &Flags::notification_drain_on_shutdown,
     "true", Mode::kServer, false, "Send waiting alerts before stopping."},
    {"query.lookback-delta", FlagKind::kDuration, &Flags::query_lookback_delta_ms, "5m", Mode::kServer, false,
     "How far back a query looks for a series' newest sample."},
    {"query.timeout", FlagKind::kDuration, &Flags::query_timeout_ms, "2m", Mode::kServer, false,
     "Longest time a query may take."},
    {"query.max-concurrency", FlagKind::kInt, &Flags::query_max_concurrency, "20", Mode::kServer, false,
     "Queries evaluated at the same time."},
    {"query.max-samples", FlagKind::kInt, &Flags::query_max_samples, "50000000", Mode::kServer, false,
     "Most samples one query may hold in memory."},
    {"query.max-memory", FlagKind::kSize, &Flags::query_max_memory_bytes, "0B", Mode::kServer, false,
     "Most memory all queries together may hold, answers being written included; 0 means half of the machine's memory, "
     "or "
     "of what its control group allows."},
    {"query.max-memory-per-query", FlagKind::kSize, &Flags::query_max_memory_per_query_bytes, "0B", Mode::kServer,
     false, "Most memory one query may hold; 0 means half of --query.max-memory."},
    {"query.result-cache-size", FlagKind::kSize, &Flags::query_result_cache_bytes, "32MB", Mode::kServer, false,
     "Most memory for kept answers of range queries; 0 keeps none."},
    {"enable-feature",
     FlagKind::kTexts,
     &Flags::enabled_features,
     "",
     Mode::kBoth,
     false,
     "Comma-separated names of features to enable. May be repeated.",
     {},
     "ENABLE-FEATURE"},
    {"agent", FlagKind::kBool, &Flags::agent, "false", Mode::kBoth, false, "Run in agent mode."},
    {"log.level", FlagKind::kChoice, &Flags::log_level, "info", Mode::kBoth, false,
     "Log only messages of this severity or above.", "debug,info,warn,error"},
    {"log.format", FlagKind::kChoice, &Flags::log_format, "logfmt", Mode::kBoth, false, "Format of log lines.",
     "logfmt,json"},
};
constexpr size_t kCount = std::size(kSpecs);

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto at = text.find(separator);
    out.emplace_back(text.substr(0, at));
    text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  }
  return out;
}

std::string Joined(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const auto& part : parts) {
    if (!out.empty()) out += separator;
    out += part;
  }
  return out;
}

Result<int64_t> ParseInt(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    return Fail(ErrorCode::kInvalid, "strconv.ParseInt: parsing \"" + std::string(text) + "\": value out of range");
  }
  if (error != std::errc() || end != text.data() + text.size()) {
    return Fail(ErrorCode::kInvalid, "strconv.ParseInt: parsing \"" + std::string(text) + "\": invalid syntax");
  }
  return value;
}

Result<int64_t> ParseInteger(FlagKind kind, std::string_view text) {
  switch (kind) {
    case FlagKind::kDuration:
      return ParseDuration(text);
    case FlagKind::kGoDuration:
      return ParseGoDuration(text);
    case FlagKind::kSize:
      return ParseByteSize(text);
    default:
      return ParseInt(text);
  }
}

// Sets one flag from its text. A repeatable flag appends.
Result<void> Assign(const Spec& spec, std::string_view text, Flags& flags) {
  switch (spec.kind) {
    case FlagKind::kBool:
      flags.*std::get<bool Flags::*>(spec.field) = text == "true";
      return {};
    case FlagKind::kChoice: {
      const auto choices = Split(spec.choices, ',');
      if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
        return Fail(ErrorCode::kInvalid,
                    "enum value must be one of " + std::string(spec.choices) + ", got '" + std::string(text) + "'");
      }
      [[fallthrough]];
    }
    case FlagKind::kText:
      flags.*std::get<std::string Flags::*>(spec.field) = std::string(text);
      return {};
    case FlagKind::kTexts:
      (flags.*std::get<std::vector<std::string> Flags::*>(spec.field)).emplace_back(text);
      return {};
    case FlagKind::kFloat: {
      EPI_ASSIGN(flags.*std::get<double Flags::*>(spec.field), ParseGoFloatOrError(text));
      return {};
    }
    default: {
      EPI_ASSIGN(flags.*std::get<int64_t Flags::*>(spec.field), ParseInteger(spec.kind, text));
      return {};
    }
  }
}

void AssignDefault(const Spec& spec, Flags& flags) {
  if (spec.kind == FlagKind::kTexts) {
    flags.*std::get<std::vector<std::string> Flags::*>(spec.field) = Split(spec.fallback, ',');
  } else {
    EPI_CHECK(Assign(spec, spec.fallback, flags));
  }
}

std::string Shown(const Spec& spec, const Flags& flags) {
  switch (spec.kind) {
    case FlagKind::kBool:
      return flags.*std::get<bool Flags::*>(spec.field) ? "true" : "false";
    case FlagKind::kText:
    case FlagKind::kChoice:
      return flags.*std::get<std::string Flags::*>(spec.field);
    case FlagKind::kTexts:
      return Joined(flags.*std::get<std::vector<std::string> Flags::*>(spec.field), ",");
    case FlagKind::kFloat:
      return FormatFloatGeneral(flags.*std::get<double Flags::*>(spec.field));
    case FlagKind::kDuration:
      return FormatDuration(flags.*std::get<int64_t Flags::*>(spec.field));
    case FlagKind::kGoDuration:
      return FormatGoDuration(flags.*std::get<int64_t Flags::*>(spec.field));
    case FlagKind::kSize:
      return FormatByteSize(flags.*std::get<int64_t Flags::*>(spec.field));
    case FlagKind::kInt:
      return std::to_string(flags.*std::get<int64_t Flags::*>(spec.field));
  }
  return {};
}

const Spec* FindSpec(std::string_view name) {
  const auto at = std::find_if(std::begin(kSpecs), std::end(kSpecs), [&](const Spec& s) { return s.name == name; });
  return at == std::end(kSpecs) ? nullptr : &*at;
}

bool TakesDefaultInUsage(const Spec& spec) { return spec.placeholder.empty() && spec.kind != FlagKind::kBool; }

std::string UsageName(const Spec& spec) {
  std::string out = "--";
  if (spec.kind == FlagKind::kBool) return out + "[no-]" + std::string(spec.name);
  out += spec.name;
  out += '=';
  if (!TakesDefaultInUsage(spec)) return out + std::string(spec.placeholder);
  const bool quoted = spec.kind == FlagKind::kText || spec.kind == FlagKind::kTexts;
  out += quoted ? "\"" + std::string(spec.fallback) + "\"" : std::string(spec.fallback);
  if (spec.kind == FlagKind::kTexts) out += " ...";
  return out;
}

void AppendWrapped(std::string& out, std::string_view text, size_t indent, size_t width) {
  size_t column = indent;
  for (const auto& word : Split(text, ' ')) {
    if (column + 1 + word.size() > width && column > indent) {
      out += '\n';
      out.append(indent, ' ');
      column = indent;
    }
    if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  out += '\n';
}

constexpr size_t kHelpColumn = 33;
constexpr size_t kHelpWidth = 80;

void AppendUsageRow(std::string& out, std::string_view left, std::string_view help) {
  out += left;
  if (left.size() + 2 > kHelpColumn) {
    out += "  \n";
    out.append(kHelpColumn, ' ');
  } else {
    out.append(kHelpColumn - left.size(), ' ');
  }
  AppendWrapped(out, help, kHelpColumn, kHelpWidth);
}

std::string HelpOf(const Spec& spec) {
  std::string out(spec.help);
  if (spec.mode == Mode::kServer) out += " Use with server mode only.";
  if (spec.mode == Mode::kAgent) out += " Use with agent mode only.";
  if (spec.kind == FlagKind::kChoice) out += " One of: [" + Joined(Split(spec.choices, ','), ", ") + "]";
  return out;
}

std::string DocumentationText() {
  std::string out = "# prometheus\n\n## Flags\n\n| Flag | Description | Default |\n| --- | --- | --- |\n";
  for (const auto& spec : kSpecs) {
    if (spec.hidden) continue;
    out += "| `--" + std::string(spec.name) + "` | " + HelpOf(spec) + " | ";
    out += spec.fallback.empty() ? "" : "`" + std::string(spec.fallback) + "`";
    out += " |\n";
  }
  return out;
}

// Reads the arguments one by one.
class Reader {
 public:
  Reader(std::vector<std::string> arguments, FileSystem& files, std::string_view version)
      : arguments_(std::move(arguments)), files_(files), version_(version) {}

  Result<ParsedFlags> Run() {
    EPI_TRY(ExpandFiles());
    for (const auto& spec : kSpecs) AssignDefault(spec, out_.flags);
    for (; at_ < arguments_.size(); ++at_) EPI_TRY(One(arguments_[at_]));
    if (out_.action == ParsedFlags::Action::kPrintAndExit) return std::move(out_);
    EPI_TRY(CheckWriteMessages());
    for (const auto& spec : kSpecs) out_.shown.emplace(spec.name, Shown(spec, out_.flags));
    return std::move(out_);
  }

 private:
  Result<void> ExpandFiles() {
    std::vector<std::string> expanded;
    for (auto& argument : arguments_) {
      if (argument.size() < 2 || argument.front() != '@') {
        expanded.push_back(std::move(argument));
        continue;
      }
      EPI_ASSIGN(const std::string text, files_.ReadFile(argument.substr(1), 1 << 20));
      for (auto& line : Split(text, '\n')) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (!line.empty() && line.front() != '#') expanded.push_back(std::move(line));
      }
    }
    arguments_ = std::move(expanded);
    return {};
  }

  Result<void> One(const std::string& argument) {
    if (argument == "-h") return Print(UsageText());
    if (argument.size() > 1 && argument[0] == '-' && argument[1] != '-') {
      return Fail(ErrorCode::kInvalid, "unknown short flag '" + argument.substr(0, 2) + "'");
    }
    if (!argument.starts_with("--") || argument.size() == 2) {
      return Fail(ErrorCode::kInvalid, "unexpected " + argument);
    }
    const auto equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (name == "help" || name == "help-long" || name == "help-man") return Print(UsageText());
    if (name == "version") return Print(std::string(version_) + "\n");
    if (name == "write-documentation") return Print(DocumentationText());
    const Spec* spec = FindSpec(name);
    const bool negated = spec == nullptr && name.starts_with("no-");
    if (negated) spec = FindSpec(std::string_view(name).substr(3));
    if (spec == nullptr || (negated && spec->kind != FlagKind::kBool)) {
      return Fail(ErrorCode::kInvalid, "unknown long flag '--" + name + "'");
    }
    if (spec->kind == FlagKind::kBool) {
      // A value would be the next, unexpected, positional argument.
      if (equals != std::string::npos) return Fail(ErrorCode::kInvalid, "unexpected " + argument.substr(equals + 1));
      return Set(*spec, negated ? "false" : "true");
    }
    if (equals != std::string::npos) return Set(*spec, std::string_view(argument).substr(equals + 1));
    if (at_ + 1 >= arguments_.size() || (arguments_[at_ + 1].size() > 1 && arguments_[at_ + 1].starts_with('-'))) {
      return Fail(ErrorCode::kInvalid, "expected argument for flag '--" + name + "'");
    }
    return Set(*spec, arguments_[++at_]);
  }

  Result<void> Set(const Spec& spec, std::string_view text) {
    const bool again = std::find(out_.given.begin(), out_.given.end(), spec.name) != out_.given.end();
    if (again && spec.kind != FlagKind::kTexts) {
      return Fail(ErrorCode::kInvalid, "flag '" + std::string(spec.name) + "' cannot be repeated");
    }
    if (!again) {
      out_.given.emplace_back(spec.name);
      if (spec.kind == FlagKind::kTexts) (out_.flags.*std::get<std::vector<std::string> Flags::*>(spec.field)).clear();
    }
    return Assign(spec, text, out_.flags);
  }

  Result<void> Print(std::string text) {
    if (out_.action == ParsedFlags::Action::kRun) out_.output = std::move(text);
    out_.action = ParsedFlags::Action::kPrintAndExit;
    return {};
  }

  Result<void> CheckWriteMessages() const {
    const auto& messages = out_.flags.web_accepted_write_messages;
    for (auto at = messages.begin(); at != messages.end(); ++at) {
      if (*at != "prometheus.WriteRequest" && *at != "io.prometheus.write.v2.Request") {
        return Fail(ErrorCode::kInvalid, "unknown type for remote write protobuf message " + *at +
                                             ", supported: prometheus.WriteRequest, io.prometheus.write.v2.Request");
      }
      if (std::find(messages.begin(), at, *at) != at) {
        return Fail(ErrorCode::kInvalid, "duplicated " + *at + " flag value, got [" +
                                             Joined(std::vector<std::string>(messages.begin(), at), " ") + "] already");
      }
    }
    return {};
  }

  std::vector<std::string> arguments_;
  FileSystem& files_;
  std::string_view version_;
  size_t at_ = 0;
  ParsedFlags out_;
};

}  // namespace

Result<ParsedFlags> ParseFlags(const std::vector<std::string>& arguments, FileSystem& files,
                               std::string_view version_text) {
  return Reader(arguments, files, version_text).Run();
}

std::string UsageText() {
  std::string out = "usage: prometheus [<flags>]\n\nThe Prometheus monitoring server\n\n\nFlags:\n";
  AppendUsageRow(out, "  -h, --[no-]help", "Show this text.");
  AppendUsageRow(out, "      --[no-]version", "Show the version.");
  for (const auto& spec : kSpecs) {
    if (!spec.hidden) AppendUsageRow(out, "      " + UsageName(spec), HelpOf(spec));
  }
  return out;
}

std::string ModeProblem(const ParsedFlags& parsed) {
  const Mode foreign = parsed.flags.agent ? Mode::kServer : Mode::kAgent;
  std::string names;
  for (const auto& name : parsed.given) {
    if (FindSpec(name)->mode == foreign) names += (names.empty() ? "\"--" : " \"--") + name + "\"";
  }
  if (names.empty()) return {};
  return std::string("The following flag(s) can ") + (parsed.flags.agent ? "not" : "only") +
         " be used in agent mode: [" + names + "]";
}

}  // namespace epi::config
