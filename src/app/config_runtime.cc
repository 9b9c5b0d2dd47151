#include "app/config_runtime.h"

#include <algorithm>
#include <cstdlib>

#include "app/host.h"
#include "base/escaping.h"
#include "config/byte_size.h"
#include "config/config_checksum.h"
#include "config/glob.h"
#include "model/duration.h"
#include "model/number_format.h"
#include "rules/rule_file.h"

namespace epi::app {
namespace {

// Retention when neither a time nor a size is given (cmd/prometheus/main.go).
constexpr int64_t kDefaultRetentionMs = int64_t{15} * 24 * 60 * 60 * 1000;

struct IgnoredFlag {
  std::string_view name;
  std::string_view why;
};
constexpr IgnoredFlag kIgnoredFlags[] = {
    {"auto-gomaxprocs", "threads follow the CPUs of this process"},
    {"auto-gomemlimit", "there is no garbage collector"},
    {"auto-gomemlimit.ratio", "there is no garbage collector"},
    {"auto-gomemlimit.refresh-interval", "there is no garbage collector"},
    {"web.console.templates", "console templates are not served"},
    {"web.console.libraries", "console templates are not served"},
    {"storage.tsdb.wal-compression", "the log has a format of its own"},
    {"storage.tsdb.wal-compression-type", "the log has a format of its own"},
    {"storage.tsdb.head-chunks-write-queue-size", "there are no head chunk files"},
    {"storage.tsdb.max-block-chunk-segment-size", "chunk files always end at 512MiB"},
    {"storage.tsdb.delayed-compaction.max-percent", "compaction is not delayed"},
    {"storage.tsdb.block-reload-interval", "blocks are looked for after each compaction"},
};

std::string Environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::string() : std::string(value);
}

// How configuration files are read under these flags.
config::LoadOptions LoadOptionsFrom(const config::Flags& flags, const config::Features& features, Logger logger) {
  config::LoadOptions out;
  out.agent_mode = flags.agent;
  out.exemplar_storage = features.exemplar_storage;
  if (features.created_timestamp_zero_ingestion || features.st_storage) {
    out.default_scrape_protocols = config::DefaultScrapeProtocols(true);
  }
  out.default_extra_scrape_metrics = features.extra_scrape_metrics;
  out.default_gogc = config::GogcFromEnvironment(Environment("GOGC"));
  out.default_retention.size = flags.tsdb_retention_bytes;
  out.default_retention.time = flags.tsdb_retention_ms != 0      ? flags.tsdb_retention_ms
                               : flags.tsdb_retention_bytes == 0 ? kDefaultRetentionMs
                                                                 : 0;
  out.expand_references = flags.config_expand_references;
  out.environment = Environment;
  out.working_directory = ReadHostInfo().working_directory;
  out.empty_variable = [logger = std::move(logger)](const std::string& name) {
    logger.Warn("Empty environment variable", {{"name", name}});
  };
  return out;
}

Result<void> CheckDiscoveries(const config::SdConfigs& discoveries, const std::string& where,
                              const std::string& consequence) {
  for (const auto& discovery : discoveries) {
    if (discovery.kind().built) continue;
    return Fail(ErrorCode::kUnsupported, where + ": service discovery of kind \"" + std::string(discovery.name()) +
                                             "\" is not built yet: " + consequence);
  }
  return {};
}

}  // namespace

Result<LoadedConfig> LoadConfiguration(FileSystem& files, const config::Flags& flags, const config::Features& features,
                                       const Logger& logger) {
  const auto options = LoadOptionsFrom(flags, features, logger);
  LoadedConfig out;
  if (ReloadsByItself(flags, features)) {
    // A file that changes while it is read then counts as changed. What cannot be summed up cannot be read either.
    if (const auto sum = config::ConfigChecksum(files, flags.config_file, options)) out.checksum = *sum;
  }
  EPI_ASSIGN(out.config, config::LoadConfig(files, flags.config_file, options));
  EPI_ASSIGN(out.scrape_configs, config::LoadScrapeConfigs(files, out.config, options));
  EPI_TRY(CheckSupported(out.config, out.scrape_configs));
  if (features.st_storage && FloatEncoding(out.config, features) != ChunkEncoding::kXor2) {
    return Fail(ErrorCode::kInvalid,
                "the st-storage feature needs storage.tsdb.chunk_encoding.floats to be xor2: chunks of other encodings "
                "have no room for start timestamps");
  }
  return out;
}

Result<uint64_t> ConfigurationChecksum(FileSystem& files, const config::Flags& flags) {
  return config::ConfigChecksum(files, flags.config_file, LoadOptionsFrom(flags, {}, Logger()));
}

ChunkEncoding FloatEncoding(const config::Config& config, const config::Features& features) {
  const std::string& given = config.storage.tsdb->float_chunk_encoding;
  if (given.empty()) return features.xor2_encoding ? ChunkEncoding::kXor2 : ChunkEncoding::kXor;
  return given == "xor2" ? ChunkEncoding::kXor2 : ChunkEncoding::kXor;
}

bool ReloadsByItself(const config::Flags& flags, const config::Features& features) {
  return flags.config_auto_reload || features.auto_reload_config;
}

Result<void> CheckSupported(const config::Config& config, const std::vector<config::ScrapeConfig>& jobs) {
  for (const auto& job : jobs) {
    EPI_TRY(CheckDiscoveries(job.service_discovery, "scrape config \"" + job.job_name + "\"",
                             "its targets would silently not be scraped"));
  }
  for (size_t i = 0; i < config.alerting.alertmanagers.size(); ++i) {
    EPI_TRY(CheckDiscoveries(config.alerting.alertmanagers[i].service_discovery,
                             "alertmanager config " + std::to_string(i),
                             "its Alertmanagers would silently get no alerts"));
  }
  if (!config.remote_write.empty()) {
    return Fail(ErrorCode::kUnsupported,
                "remote_write is not built yet: samples would silently not be sent; remove the section to start");
  }
  if (!config.remote_read.empty()) {
    return Fail(ErrorCode::kUnsupported,
                "remote_read is not built yet: queries would silently miss remote data; remove the section to start");
  }
  return {};
}

Result<void> CheckRuleFiles(FileSystem& files, const config::Config& config, const config::Features& features) {
  constexpr uint64_t kMaxBytes = uint64_t{64} << 20;
  rules::RuleFileOptions options;
  options.scheme = config.global.name_scheme();
  options.parser = QuerySyntax(features);
  for (const auto& pattern : config.rule_files) {
    EPI_ASSIGN(const auto paths, config::Glob(files, pattern));
    for (const auto& path : paths) {
      EPI_ASSIGN(const auto text, files.ReadFile(path, kMaxBytes));
      const auto outcome = rules::ParseRuleFile(text, options);
      if (outcome.ok()) continue;
      std::string message = "parse rules from file ";
      AppendQuoted(message, path);
      message += " (pattern: ";
      AppendQuoted(message, pattern);
      message += "): ";
      for (const std::string& error : outcome.errors) {
        if (&error != &outcome.errors.front()) message += '\n';
        message += path + ": " + error;
      }
      return Fail(ErrorCode::kInvalid, std::move(message));
    }
  }
  return {};
}

promql::ParseOptions QuerySyntax(const config::Features& features) {
  promql::ParseOptions out;
  out.experimental_functions = features.promql_experimental_functions;
  out.extended_range_selectors = features.promql_extended_range_selectors;
  out.binop_fill_modifiers = features.promql_binop_fill_modifiers;
  return out;
}

void LogIgnored(const config::ParsedFlags& flags, const config::Config& config, const Logger& logger) {
  for (const auto& row : kIgnoredFlags) {
    if (std::find(flags.given.begin(), flags.given.end(), row.name) != flags.given.end()) {
      logger.Info("This flag has no effect here", {{"flag", row.name}, {"reason", row.why}});
    }
  }
  if (config.storage.tsdb->stale_series_compaction_threshold > 0) {
    logger.Warn("storage.tsdb.stale_series_compaction_threshold has no effect here",
                {{"reason", "stale series leave the head with the block that holds their last sample"}});
  }
  if (config.tracing.enabled()) {
    logger.Warn("The tracing section has no effect here", {{"reason", "traces are not sent yet"}});
  }
}

std::string RetentionText(const config::RetentionConfig& retention) {
  std::string out;
  const auto add = [&](const std::string& part) { out += (out.empty() ? "" : " or ") + part; };
  if (retention.time > 0) add(FormatDuration(retention.time));
  if (retention.size > 0) add(config::FormatByteSize(retention.size));
  if (retention.percentage > 0) add(FormatFloatPlain(retention.percentage) + "%");
  return out;
}

}  // namespace epi::app
