// check config: the configuration file and everything it points to.
#include <ostream>
#include <string>
#include <vector>

#include "base/escaping.h"
#include "config/config.h"
#include "config/glob.h"
#include "discovery/target_group.h"
#include "epitool/command.h"
#include "epitool/config_options.h"
#include "epitool/query_features.h"
#include "epitool/rule_check.h"
#include "model/duration.h"
#include "scrape/job_from_config.h"
#include "scrape/target.h"

namespace epi::tool {
namespace {

constexpr FlagSpec kFlags[] = {
    {"syntax-only", false, "",
     "Only check the config file syntax, ignoring file and content validation referenced in the config"},
    {"lint", true, "duplicate-rules",
     "Linting checks to apply. Available options are: all, duplicate-rules, none, too-long-scrape-interval. Use "
     "--lint=none to disable linting"},
    {"lint-fatal", false, "", "Make lint errors exit with exit code 3."},
    {"ignore-unknown-fields", false, "", "Ignore unknown fields in the rule groups read by the config files."},
    {"agent", false, "", "Check config file for Prometheus in Agent mode."},
    kExpandReferencesFlag,
    {"query.lookback-delta", true, "5m", "The server's maximum query lookback duration.", false, 0,
     ValueForm::kDuration, 1},
};

Error Invalid(std::string message) { return Error(ErrorCode::kInvalid, std::move(message)); }

// Ok for an empty path: nothing is configured.
Result<void> CheckFileExists(FileSystem& files, const std::string& path) {
  if (path.empty() || files.Stat(path)) return {};
  return Fail(ErrorCode::kNotFound, "stat " + path + ": no such file or directory");
}

Result<void> CheckNamedFile(FileSystem& files, const std::string& path, std::string_view what) {
  if (auto exists = CheckFileExists(files, path); !exists) {
    return Fail(Invalid("error checking " + std::string(what) + " " + Quoted(path) + ": " + exists.error().message()));
  }
  return {};
}

Result<void> CheckTls(FileSystem& files, const net::TlsSettings& tls, bool syntax_only) {
  if (!tls.cert_file.empty() && tls.key_file.empty() && tls.key.empty()) {
    return Fail(Invalid("client cert file " + Quoted(tls.cert_file) + " specified without client key file"));
  }
  if (!tls.key_file.empty() && tls.cert_file.empty() && tls.cert.empty()) {
    return Fail(Invalid("client key file " + Quoted(tls.key_file) + " specified without client cert file"));
  }
  if (syntax_only) return {};
  EPI_TRY(CheckNamedFile(files, tls.cert_file, "client cert file"));
  return CheckNamedFile(files, tls.key_file, "client key file");
}

Result<void> CheckTargets(const std::vector<discovery::TargetGroup>& groups, const scrape::ScrapeJob& job) {
  for (const auto& group : groups) {
    const auto found = scrape::TargetsFromGroup(std::make_shared<const discovery::TargetGroup>(group), job);
    if (!found.failures.empty()) return Fail(Invalid(found.failures.front()));
  }
  return {};
}

// An Alertmanager's address is checked as a target's is, after the relabeling of its own section.
Result<void> CheckAlertmanagers(const std::vector<discovery::TargetGroup>& groups,
                                const config::AlertmanagerConfig& alertmanager) {
  for (const auto& group : groups) {
    for (const Labels& target : group.targets) {
      LabelsBuilder builder(group.labels);
      for (const LabelView label : target) builder.Set(label.name, label.value);
      if (!Relabel(alertmanager.relabel_configs, builder)) continue;
      const std::string_view address = builder.Get("__address__");
      if (address.find('/') != std::string_view::npos)
        return Fail(Invalid(Quoted(address) + " is not a valid hostname"));
    }
  }
  return {};
}

Result<std::vector<discovery::TargetGroup>> ReadSdFile(FileSystem& files, const std::string& path) {
  EPI_ASSIGN(const std::string text, files.ReadFile(path));
  const bool json = path.ends_with(".json");
  if (!json && !path.ends_with(".yml") && !path.ends_with(".yaml")) {
    return Fail(Invalid("invalid file extension: " +
                        Quoted(path.substr(path.rfind('.') == std::string::npos ? path.size() : path.rfind('.')))));
  }
  return json ? discovery::ParseTargetGroupsJson(text) : discovery::ParseTargetGroupsYaml(text);
}

std::vector<discovery::TargetGroup> GroupsOf(const config::StaticSdConfig& statics) {
  std::vector<discovery::TargetGroup> groups;
  for (size_t i = 0; i < statics.size(); ++i) {
    discovery::TargetGroup group;
    group.source = std::to_string(i);
    for (const auto& address : statics[i].targets) group.targets.push_back(Labels{{"__address__", address}});
    std::vector<LabelView> labels;
    for (const auto& [name, value] : statics[i].labels) labels.push_back({name, value});
    group.labels = Labels::FromPairs(std::move(labels));
    groups.push_back(std::move(group));
  }
  return groups;
}

// Checks one class of users of service discovery; `check` judges the groups that can be known without running anything.
template <typename Check>
Result<void> CheckDiscovery(const config::SdConfigs& configs, std::string_view warning_tail, bool syntax_only,
                            Console& console, Check check) {
  for (const auto& sd : configs) {
    if (const auto* kubernetes = sd.Get<config::KubernetesSdConfig>()) {
      EPI_TRY(CheckTls(console.files, kubernetes->http.tls_config, syntax_only));
    } else if (const auto* statics = sd.Get<config::StaticSdConfig>()) {
      EPI_TRY(check(GroupsOf(*statics)));
    } else if (const auto* file_sd = sd.Get<config::FileSdConfig>(); file_sd != nullptr && !syntax_only) {
      for (const auto& pattern : file_sd->files) {
        EPI_ASSIGN(const auto paths, config::Glob(console.files, pattern));
        if (paths.empty()) {
          console.out << "  WARNING: file " << Quoted(pattern) << " for file_sd in " << warning_tail
                      << " does not exist\n";
        }
        for (const auto& path : paths) {
          auto groups = ReadSdFile(console.files, path);
          if (!groups) return Fail(Invalid("checking SD file " + Quoted(path) + ": " + groups.error().message()));
          EPI_TRY(check(*groups));
        }
      }
    }
  }
  return {};
}

struct Checked {
  std::vector<std::string> rule_files;
  std::vector<config::ScrapeConfig> scrape_configs;
};

Result<std::vector<std::string>> RuleFiles(const config::Config& loaded, Console& console) {
  std::vector<std::string> files;
  for (const auto& pattern : loaded.rule_files) {
    EPI_ASSIGN(auto found, config::Glob(console.files, pattern));
    // A file given by its name must be there; a pattern may match nothing.
    if (pattern.find('*') == std::string::npos) {
      if (found.empty()) return Fail(Invalid(Quoted(pattern) + " does not point to an existing file"));
      EPI_TRY(CheckNamedFile(console.files, found[0], "rule file"));
    }
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

Result<Checked> CheckConfig(const std::string& path, const Arguments& arguments, Console& console) {
  console.out << "Checking " << path << "\n";
  const bool syntax_only = arguments.On("syntax-only");
  config::LoadOptions options = ConfigOptions(arguments, console);
  options.agent_mode = arguments.On("agent");
  EPI_ASSIGN(const config::Config loaded, config::LoadConfig(console.files, path, options));
  Checked checked;
  if (syntax_only) {
    checked.scrape_configs = loaded.scrape_configs;
  } else {
    EPI_ASSIGN(checked.rule_files, RuleFiles(loaded, console));
    auto scrape_configs = config::LoadScrapeConfigs(console.files, loaded, options);
    if (!scrape_configs) return Fail(Invalid("error loading scrape configs: " + scrape_configs.error().message()));
    checked.scrape_configs = std::move(*scrape_configs);
  }
  for (const auto& scrape_config : checked.scrape_configs) {
    if (!syntax_only && scrape_config.http.authorization) {
      EPI_TRY(CheckNamedFile(console.files, scrape_config.http.authorization->credentials_file,
                             "authorization credentials or bearer token file"));
    }
    EPI_TRY(CheckTls(console.files, scrape_config.http.tls_config, syntax_only));
    const scrape::ScrapeJob job = scrape::JobFromConfig(scrape_config);
    EPI_TRY(CheckDiscovery(scrape_config.service_discovery, "scrape job " + Quoted(scrape_config.job_name), syntax_only,
                           console, [&job](const auto& groups) { return CheckTargets(groups, job); }));
  }
  for (const auto& alertmanager : loaded.alerting.alertmanagers) {
    EPI_TRY(CheckDiscovery(alertmanager.service_discovery, "alertmanager config", syntax_only, console,
                           [&alertmanager](const auto& groups) { return CheckAlertmanagers(groups, alertmanager); }));
  }
  return checked;
}

// True when a job's interval is not shorter than the lookback: its series look stale between scrapes.
bool LintIntervals(const std::vector<config::ScrapeConfig>& jobs, int64_t lookback_ms, Console& console) {
  bool found = false;
  for (const auto& job : jobs) {
    if (job.scrape_interval < lookback_ms) continue;
    found = true;
    console.err << "  FAILED: too long scrape interval found, data point will be marked as stale - job: "
                << job.job_name << ", interval: " << FormatDuration(job.scrape_interval) << "\n";
  }
  return found;
}

int Run(const Arguments& arguments, Console& console) {
  const bool syntax_only = arguments.On("syntax-only");
  const LintSettings lint = ParseLint(arguments.Value("lint"), console);
  const QueryFeatures features = ReadQueryFeatures(arguments, console);
  const int64_t lookback_ms = arguments.DurationMs("query.lookback-delta");
  bool errors = false;
  bool lints = false;
  for (const auto& path : arguments.positional()) {
    const auto checked = CheckConfig(path, arguments, console);
    if (!checked) {
      console.err << "  FAILED: " << checked.error().message() << "\n";
      console.out << "\n";
      errors = true;
      continue;
    }
    if (!checked->rule_files.empty()) {
      console.out << "  SUCCESS: " << checked->rule_files.size() << " rule files found\n";
    }
    console.out << " SUCCESS: " << path << " is valid prometheus config file syntax\n\n";
    if (syntax_only) continue;
    if (lint.too_long_scrape_interval) lints |= LintIntervals(checked->scrape_configs, lookback_ms, console);
    const RuleVerdict rules =
        CheckRuleFiles(checked->rule_files, {lint, arguments.On("ignore-unknown-fields"), features.parser}, console);
    errors |= rules.errors;
    lints |= rules.lints;
  }
  if (errors) return kFailure;
  return lints && arguments.On("lint-fatal") ? kLintFailure : kSuccess;
}

}  // namespace

const Command kCheckConfig = {"check config",
                              "<config-files>...",
                              "Check if the config files are valid or not.",
                              kFlags,
                              1,
                              SIZE_MAX,
                              SIZE_MAX,
                              Run};

}  // namespace epi::tool
