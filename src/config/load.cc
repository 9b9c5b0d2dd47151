#include <algorithm>
#include <charconv>
#include <map>

#include "base/escaping.h"
#include "base/file_system.h"
#include "config/config.h"
#include "config/config_schema.h"
#include "config/glob.h"
#include "config/references.h"
#include "config/relabel_schema.h"
#include "config/scrape_schema.h"
#include "model/case_mapping.h"

namespace epi::config {
namespace {

// prometheus/common's and Prometheus's defaults of the global section, milliseconds.
constexpr int64_t kDefaultScrapeInterval = kMinuteMs;
constexpr int64_t kDefaultScrapeTimeout = 10 * kSecondMs;
constexpr int64_t kDefaultEvaluationInterval = kMinuteMs;
constexpr int64_t kDefaultMaxExemplars = 100'000;
constexpr int64_t kDefaultGogc = 75;

constexpr std::string_view kTranslationStrategies[] = {"UnderscoreEscapingWithSuffixes",
                                                       "UnderscoreEscapingWithoutSuffixes",
                                                       "NoUTF8EscapingWithSuffixes", "NoTranslation"};

tl::unexpected<Error> InvalidConfig(std::string text) { return Fail(ErrorCode::kInvalid, std::move(text)); }

std::string QuotedName(std::string_view text) {
  std::string out;
  AppendQuoted(out, text);
  return out;
}

Result<void> CompleteGlobal(GlobalConfig& global, const LoadOptions& options) {
  if (!global.metric_name_validation_scheme) global.metric_name_validation_scheme = NameScheme::kUtf8;
  if (global.scrape_interval == 0) global.scrape_interval = kDefaultScrapeInterval;
  if (global.scrape_timeout > global.scrape_interval)
    return InvalidConfig("global scrape timeout greater than scrape interval");
  if (global.scrape_timeout == 0) global.scrape_timeout = std::min(kDefaultScrapeTimeout, global.scrape_interval);
  if (global.evaluation_interval == 0) global.evaluation_interval = kDefaultEvaluationInterval;
  if (!global.scrape_native_histograms) global.scrape_native_histograms = false;
  if (!global.extra_scrape_metrics) global.extra_scrape_metrics = options.default_extra_scrape_metrics;
  if (!global.scrape_protocols_given && !options.default_scrape_protocols.empty()) {
    global.scrape_protocols = options.default_scrape_protocols;
    global.scrape_protocols_given = true;
  }
  // Only a section that was left out has an escaping scheme of its own; otherwise each job infers it.
  if (!global.given) global.metric_name_escaping_scheme = "allow-utf-8";
  if (!global.scrape_protocols_given) return {};
  if (const auto valid = ValidateScrapeProtocols(global.scrape_protocols); !valid) {
    return InvalidConfig(valid.error().message() + " for global config");
  }
  return {};
}

void CompleteStorage(StorageConfig& storage, const LoadOptions& options) {
  if (!storage.tsdb) storage.tsdb.emplace();
  if (!storage.tsdb->retention) storage.tsdb->retention = options.default_retention;
  if (options.exemplar_storage && !storage.max_exemplars) storage.max_exemplars = kDefaultMaxExemplars;
}

Result<void> CheckPatterns(const std::vector<std::string>& patterns, std::string_view what) {
  for (const auto& pattern : patterns) {
    if (!IsAllowedPathPattern(pattern))
      return InvalidConfig("invalid " + std::string(what) + " file path " + QuotedName(pattern));
  }
  return {};
}

template <typename T>
Result<void> CheckUniqueNames(const std::vector<T>& configs, std::string T::*name, std::string_view what) {
  std::map<std::string_view, int> seen;
  for (const auto& config : configs) {
    const std::string& text = config.*name;
    if (!text.empty() && ++seen[text] > 1) {
      return InvalidConfig("found multiple " + std::string(what) + " configs with job name " + QuotedName(text));
    }
  }
  return {};
}

Result<void> CompleteAlerting(AlertingConfig& alerting, NameScheme scheme) {
  EPI_TRY(CompleteRelabelConfigs(alerting.alert_relabel_configs, scheme));
  for (auto& manager : alerting.alertmanagers) {
    EPI_TRY(CompleteRelabelConfigs(manager.alert_relabel_configs, scheme));
    EPI_TRY(CompleteRelabelConfigs(manager.relabel_configs, scheme));
  }
  return {};
}

Result<void> CheckTranslation(const OtlpConfig& otlp, NameScheme scheme) {
  const std::string& strategy = otlp.translation_strategy;
  if (strategy.empty()) return {};
  if (std::find(std::begin(kTranslationStrategies), std::end(kTranslationStrategies), strategy) ==
      std::end(kTranslationStrategies)) {
    return InvalidConfig("unsupported OTLP translation strategy " + QuotedName(strategy));
  }
  if (scheme == NameScheme::kLegacy && strategy.starts_with("No")) {
    return InvalidConfig("OTLP translation strategy " + QuotedName(strategy) + " is not allowed when UTF8 is disabled");
  }
  return {};
}

// A sentence for a relative name: where it is on this machine.
std::string AbsolutePath(const std::string& path, const LoadOptions& options) {
  return options.working_directory.empty() ? path : JoinDirectory(options.working_directory, path);
}

tl::unexpected<Error> FileError(const std::string& path, const Error& error, const LoadOptions& options) {
  return Fail(error.code(), QuotedName(AbsolutePath(path, options)) + ": " + error.message());
}

void ExpandExternalLabels(GlobalConfig& global, const LoadOptions& options) {
  for (auto& [name, value] : global.external_labels) {
    value = ExpandVariables(value, [&](const std::string& variable) -> std::string {
      if (variable == "$") return "$";
      std::string found = EnvironmentValue(options, variable);
      if (found.empty() && options.empty_variable) options.empty_variable(variable);
      return found;
    });
  }
}

// Go's shell names: one special character, or a run of letters, digits and underscores.
bool IsSpecialVariable(char c) { return std::string_view("*#$@!?-0123456789").find(c) != std::string_view::npos; }
bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The variable's name at the front of `text` and how many characters it takes with its braces; an empty name with a
// width is bad syntax that vanishes, one without a width is no variable at all.
std::string_view ShellName(std::string_view text, size_t& width) {
  if (text.starts_with('{')) {
    if (text.size() > 2 && IsSpecialVariable(text[1]) && text[2] == '}') {
      width = 3;
      return text.substr(1, 1);
    }
    const size_t close = text.find('}');
    if (close == std::string_view::npos || close == 1) {
      width = close == 1 ? 2 : 1;
      return {};
    }
    width = close + 1;
    return text.substr(1, close - 1);
  }
  if (IsSpecialVariable(text.front())) {
    width = 1;
    return text.substr(0, 1);
  }
  width = static_cast<size_t>(std::find_if_not(text.begin(), text.end(), IsNameCharacter) - text.begin());
  return text.substr(0, width);
}

Result<Config> Parse(std::string_view text, const ScalarReplacer& replace, const LoadOptions& options) {
  Config out;
  EPI_TRY(ReadDocument(text, out, replace));
  EPI_TRY(CompleteGlobal(out.global, options));
  if (out.runtime.gogc == 0) out.runtime.gogc = options.default_gogc;
  CompleteStorage(out.storage, options);
  EPI_TRY(CheckPatterns(out.rule_files, "rule"));
  EPI_TRY(CheckPatterns(out.scrape_config_files, "scrape config"));
  for (auto& config : out.scrape_configs) EPI_TRY(CompleteScrapeConfig(config, out.global));
  EPI_TRY(CheckUniqueNames(out.scrape_configs, &ScrapeConfig::job_name, "scrape"));
  const NameScheme scheme = out.global.name_scheme();
  EPI_TRY(CompleteAlerting(out.alerting, scheme));
  EPI_TRY(CheckUniqueNames(out.remote_write, &RemoteWriteConfig::name, "remote write"));
  for (auto& config : out.remote_write) EPI_TRY(CompleteRelabelConfigs(config.write_relabel_configs, scheme));
  EPI_TRY(CheckUniqueNames(out.remote_read, &RemoteReadConfig::name, "remote read"));
  ExpandExternalLabels(out.global, options);
  EPI_TRY(CheckTranslation(out.otlp, scheme));
  return out;
}

}  // namespace

std::string ExpandVariables(std::string_view text, const std::function<std::string(const std::string& name)>& value) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    size_t width = 0;
    const std::string_view name = ShellName(text.substr(i + 1), width);
    if (!name.empty()) {
      out += value(std::string(name));
    } else if (width == 0) {
      out += '$';
    }
    i += width;
  }
  return out;
}

int64_t GogcFromEnvironment(std::string_view value) {
  if (ToLowerUtf8(value) == "off") return -1;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc() && end == value.data() + value.size() ? number : kDefaultGogc;
}

Labels GlobalConfig::ExternalLabels() const {
  std::vector<LabelView> pairs;
  for (const auto& [name, value] : external_labels) pairs.push_back({name, value});
  return Labels::FromPairs(std::move(pairs));
}

Result<Config> ParseConfig(std::string_view text, const LoadOptions& options) {
  return Parse(text, ReferenceReplacer(nullptr, {}, options), options);
}

Result<Config> LoadConfig(FileSystem& files, const std::string& path, const LoadOptions& options) {
  EPI_ASSIGN(const std::string text, files.ReadFile(path));
  const std::string directory(DirectoryName(path));
  auto parsed = Parse(text, ReferenceReplacer(&files, directory, options), options);
  if (!parsed) return Fail(parsed.error().WithContext("parsing YAML file " + path));
  Config& config = *parsed;
  if (options.agent_mode) {
    if (!config.alerting.alertmanagers.empty() || !config.alerting.alert_relabel_configs.empty()) {
      return InvalidConfig("field alerting is not allowed in agent mode");
    }
    if (!config.rule_files.empty()) return InvalidConfig("field rule_files is not allowed in agent mode");
    if (!config.remote_read.empty()) return InvalidConfig("field remote_read is not allowed in agent mode");
  }
  const auto join = [&](std::string& name) { name = JoinDirectory(directory, name); };
  join(config.global.query_log_file);
  join(config.global.scrape_failure_log_file);
  for (auto& manager : config.alerting.alertmanagers) {
    SetDirectory(manager.service_discovery, directory);
    SetDirectory(manager.http, directory);
  }
  SetDirectory(config.tracing.tls_config, directory);
  for (auto& name : config.rule_files) join(name);
  for (auto& name : config.scrape_config_files) join(name);
  for (auto& job : config.scrape_configs) SetDirectory(job, directory);
  for (auto& remote : config.remote_write) SetDirectory(remote.http, directory);
  for (auto& remote : config.remote_read) SetDirectory(remote.http, directory);
  return parsed;
}

Result<std::vector<ScrapeConfig>> LoadScrapeConfigs(FileSystem& files, const Config& config,
                                                    const LoadOptions& options) {
  std::vector<ScrapeConfig> out = config.scrape_configs;
  std::map<std::string, std::string> first_seen;
  for (const auto& job : out) first_seen[job.job_name] = "main config file";
  for (const auto& pattern : config.scrape_config_files) {
    const auto paths = Glob(files, pattern);
    if (!paths)
      return InvalidConfig("error retrieving scrape config files for " + QuotedName(pattern) + ": " +
                           paths.error().message());
    for (const auto& path : *paths) {
      const auto text = files.ReadFile(path);
      if (!text) return FileError(path, text.error(), options);
      ScrapeConfigsFile file;
      const std::string directory(DirectoryName(path));
      if (const auto read = ReadDocument(*text, file, ReferenceReplacer(&files, directory, options)); !read)
        return FileError(path, read.error(), options);
      for (auto& job : file.scrape_configs) {
        if (const auto valid = CompleteScrapeConfig(job, config.global); !valid)
          return FileError(path, valid.error(), options);
        const auto [at, is_new] = first_seen.emplace(job.job_name, QuotedName(AbsolutePath(path, options)));
        if (!is_new) {
          const Error error(ErrorCode::kInvalid, "found multiple scrape configs with job name " +
                                                     QuotedName(job.job_name) + ", first found in " + at->second);
          return FileError(path, error, options);
        }
        SetDirectory(job, directory);
        out.push_back(std::move(job));
      }
    }
  }
  return out;
}

std::string Config::ToYaml() const { return Codec<Config>::Write(*this, {}).Text(); }

std::string ScrapeConfigToYaml(const ScrapeConfig& config) { return Codec<ScrapeConfig>::Write(config, {}).Text(); }

}  // namespace epi::config
