// Command-line flags: Prometheus 3.14's, read with the rules of kingpin (--no-flag, no --flag=value for booleans,
// @file, repetition only where it is meant). One table row a flag; /api/v1/status/flags, --help and the documentation
// come from it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"

namespace epi::config {

// Durations are milliseconds unless the name says otherwise; sizes are bytes. Defaults are in the table (flags.cc).
struct Flags {
  std::string config_file;
  bool config_auto_reload = false;
  int64_t config_auto_reload_interval_ms = 0;
  bool config_expand_references = false;
  std::vector<std::string> web_listen_addresses;
  bool auto_gomaxprocs = false;
  bool auto_gomemlimit = false;
  double auto_gomemlimit_ratio = 0;
  int64_t auto_gomemlimit_refresh_ms = 0;
  std::string web_config_file;
  int64_t web_read_timeout_ms = 0;
  int64_t web_max_connections = 0;
  int64_t web_max_notifications_subscribers = 0;
  std::string web_external_url;
  std::string web_route_prefix;
  std::string web_user_assets;
  bool web_enable_lifecycle = false;
  bool web_enable_admin_api = false;
  bool web_enable_remote_write_receiver = false;
  std::vector<std::string> web_accepted_write_messages;
  bool web_enable_otlp_receiver = false;
  std::string web_console_templates;
  std::string web_console_libraries;
  std::string web_page_title;
  std::string web_cors_origin;
  int64_t web_search_max_limit = 0;
  std::string tsdb_path;
  int64_t tsdb_min_block_duration_ms = 0;
  int64_t tsdb_max_block_duration_ms = 0;  // 0: derived from retention
  int64_t tsdb_max_block_chunk_segment_bytes = 0;
  int64_t tsdb_wal_segment_bytes = 0;
  int64_t tsdb_retention_ms = 0;  // 0: not given
  int64_t tsdb_retention_bytes = 0;
  bool tsdb_no_lockfile = false;
  bool tsdb_allow_overlapping_compaction = false;
  bool tsdb_wal_compression = false;
  std::string tsdb_wal_compression_type;
  int64_t tsdb_head_chunks_write_queue_size = 0;
  int64_t tsdb_samples_per_chunk = 0;
  int64_t tsdb_delayed_compaction_max_percent = 0;
  std::string tsdb_delay_compact_file;
  int64_t tsdb_block_reload_interval_ms = 0;
  std::string wal_fsync;  // "interval" or "commit"
  std::string agent_path;
  int64_t agent_wal_segment_bytes = 0;
  bool agent_wal_compression = false;
  std::string agent_wal_compression_type;
  int64_t agent_wal_truncate_frequency_ms = 0;
  int64_t agent_retention_min_time_ms = 0;
  int64_t agent_retention_max_time_ms = 0;
  bool agent_checkpoint_from_memory = false;
  int64_t agent_checkpoint_batch_size = 0;
  bool agent_no_lockfile = false;
  int64_t remote_flush_deadline_ms = 0;
  int64_t remote_read_sample_limit = 0;
  int64_t remote_read_concurrent_limit = 0;
  int64_t remote_read_max_bytes_in_frame = 0;
  int64_t rules_for_outage_tolerance_ms = 0;
  int64_t rules_for_grace_period_ms = 0;
  int64_t rules_resend_delay_ms = 0;
  int64_t rules_history_retention_ms = 0;
  int64_t rules_max_concurrent_evals = 0;
  bool scrape_adjust_timestamps = false;
  int64_t scrape_timestamp_tolerance_ns = 0;
  int64_t scrape_discovery_reload_interval_ms = 0;
  int64_t notification_queue_capacity = 0;
  int64_t notification_batch_size = 0;
  bool notification_drain_on_shutdown = false;
  int64_t query_lookback_delta_ms = 0;
  int64_t query_timeout_ms = 0;
  int64_t query_max_concurrency = 0;
  int64_t query_max_samples = 0;
  int64_t query_max_memory_bytes = 0;            // 0: half of the memory there is
  int64_t query_max_memory_per_query_bytes = 0;  // 0: half of the former
  int64_t query_result_cache_bytes = 0;          // 0: no cache
  std::vector<std::string> enabled_features;     // as given, each maybe a comma-separated list
  bool agent = false;
  std::string log_level;
  std::string log_format;
};

struct ParsedFlags {
  enum class Action : unsigned char { kRun, kExit };
  Action action = Action::kRun;
  // For kExit.
  int exit_code = 0;
  std::string complaint;  // for stderr
  std::string output;     // for stdout: usage, version or documentation
  Flags flags;
  // Every flag but help and version, printed as /api/v1/status/flags shows it.
  std::map<std::string, std::string> shown;
  std::vector<std::string> given;  // long names of flags that were on the command line, in its order
};

// `program` is the name it was called by, `arguments` what follows. What is wrong is answered as kingpin answers:
// what cannot be taken apart into flags with two lines and exit code 1, a value that is none with one line, the usage
// and 2. `files` reads @file.
ParsedFlags ParseFlags(std::string_view program, const std::vector<std::string>& arguments, FileSystem& files,
                       std::string_view version_text);

// Flags of one mode given in the other: empty when the command line fits its mode. The exact sentence, for exit code 3.
std::string ModeProblem(const ParsedFlags& parsed);

}  // namespace epi::config
