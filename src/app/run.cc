#include "app/run.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "app/server.h"
#include "app/version.h"
#include "model/anchored_regex.h"
#include "model/duration.h"
#include "net/url.h"

namespace epi::app {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongInput = 2;
constexpr int kWrongMode = 3;
// Of looking at files for changes.
constexpr int64_t kLeastIntervalMs = 1000;

void Print(std::FILE* to, const std::string& text) { std::fwrite(text.data(), 1, text.size(), to); }

int Complain(int code, const std::string& text) {
  Print(stderr, text + "\n");
  return code;
}

Logger MakeLogger(const config::Flags& flags) {
  const LogLevel level = flags.log_level == "debug"   ? LogLevel::kDebug
                         : flags.log_level == "warn"  ? LogLevel::kWarn
                         : flags.log_level == "error" ? LogLevel::kError
                                                      : LogLevel::kInfo;
  return Logger::ToStderr(level, flags.log_format == "json" ? LogFormat::kJson : LogFormat::kLogfmt);
}

// Of the empty path the working directory.
std::string AbsolutePath(const HostInfo& host, const std::string& path) {
  if (path.empty()) return host.working_directory;
  return net::CleanPath(path.front() == '/' ? path : host.working_directory + "/" + path);
}

// Rule files too: at the start a wrong one is a wrong configuration; at a reload the rules refuse it themselves. What
// is wrong is logged.
std::optional<LoadedConfig> LoadFirst(const ServerSetup& setup) {
  FileSystem& files = PosixFileSystem();
  const std::string& file = setup.flags.flags.config_file;
  const auto complain = [&](const std::string& what, const Error& error) {
    setup.logger.Error(what, {{"file", AbsolutePath(setup.host, file)}, {"err", error.message()}});
    setup.logger.Flush();
    return std::nullopt;
  };
  auto loaded = LoadConfiguration(files, setup.flags.flags, setup.features, setup.logger);
  if (!loaded) return complain("Error loading config (--config.file=" + file + ")", loaded.error());
  if (const auto rules = CheckRuleFiles(files, loaded->config, setup.features); !rules) {
    return complain("Error loading rule file patterns from config (--config.file=\"" + file + "\")", rules.error());
  }
  return std::move(*loaded);
}

void LogStart(const ServerSetup& setup) {
  const web::BuildInfo build = ThisBuild();
  setup.logger.Info(
      "Starting Prometheus Server",
      {{"mode", "server"},
       {"version", "(version=" + build.version + ", branch=" + build.branch + ", revision=" + build.revision + ")"}});
  setup.logger.Info("operational information",
                    {{"build_context", "(go=" + build.go_version + ", platform=" + setup.host.platform + ", user=" +
                                           build.build_user + ", date=" + build.build_date + ", tags=epimetheus)"},
                     {"host_details", setup.host.kernel},
                     {"fd_limits", FormatFileLimit(RaiseOpenFileLimit())},
                     {"vm_limits", FormatMemoryLimit()}});
}

// The bounds of sizes; 0 stands for the default. Empty when they are kept.
std::string SizeProblem(const config::Flags& flags) {
  constexpr int64_t kMb = int64_t{1} << 20;
  const int64_t segment = flags.tsdb_wal_segment_bytes;
  if (segment != 0 && (segment < 10 * kMb || segment > 256 * kMb)) {
    return "flag 'storage.tsdb.wal-segment-size' must be set between 10MB and 256MB";
  }
  const int64_t chunks = flags.tsdb_max_block_chunk_segment_bytes;
  if (chunks != 0 && chunks < kMb) return "flag 'storage.tsdb.max-block-chunk-segment-size' must be set over 1MB";
  return {};
}

// What else of the command line can be wrong, with its exit code; 0 when nothing is.
int CheckFlags(const config::ParsedFlags& parsed) {
  const config::Flags& flags = parsed.flags;
  if (flags.web_search_max_limit < 0) {
    return Complain(kFailed, "--web.search.max-limit must be non-negative; got " +
                                 std::to_string(flags.web_search_max_limit) + " (use 0 to disable the cap)");
  }
  if (const auto problem = config::ModeProblem(parsed); !problem.empty()) return Complain(kWrongMode, problem);
  if (flags.agent) {
    return Complain(kFailed, "Agent mode is not built yet: start without --agent.");
  }
  if (flags.auto_gomemlimit_ratio <= 0 || flags.auto_gomemlimit_ratio > 1) {
    return Complain(kFailed, "--auto-gomemlimit.ratio must be greater than 0 and less than or equal to 1.");
  }
  if (flags.web_max_connections < 0) {
    return Complain(kFailed,
                    "--web.max-connections must not be negative, got " + std::to_string(flags.web_max_connections));
  }
  return 0;
}

// What the flags alone make worth a line in the log.
void LogFlags(const config::Flags& flags, const config::ParsedFeatures& features, const Logger& logger) {
  for (const auto& note : features.notes) {
    const LogField field{note.attribute, note.value};
    if (note.warning) {
      logger.Warn(note.message, {field});
    } else if (note.attribute.empty()) {
      logger.Info(note.message);
    } else {
      logger.Info(note.message, {field});
    }
  }
  if (ReloadsByItself(flags, features.features)) {
    logger.Info("Automatic configuration file reloading enabled",
                {{"interval", FormatDuration(flags.config_auto_reload_interval_ms)}});
  }
}

}  // namespace

int Run(std::string_view program, const std::vector<std::string>& arguments) {
  const HostInfo host = ReadHostInfo();
  auto parsed = config::ParseFlags(program.substr(program.rfind('/') + 1), arguments, PosixFileSystem(),
                                   VersionText(ThisBuild(), host.platform));
  if (parsed.action == config::ParsedFlags::Action::kExit) {
    Print(stderr, parsed.complaint);
    Print(stdout, parsed.output);
    return parsed.exit_code;
  }
  const auto features = config::ParseFeatures(parsed.flags.enabled_features);
  if (!features) return Complain(kFailed, "Error parsing feature list: " + features.error().message());
  parsed.flags.config_auto_reload_interval_ms = std::max(parsed.flags.config_auto_reload_interval_ms, kLeastIntervalMs);
  const config::Flags& flags = parsed.flags;
  // Before the first thread, so that all of them leave signals to it.
  auto signals = SignalSource::Install();
  if (!signals) return Complain(kFailed, signals.error().message());

  const Logger logger = MakeLogger(flags);
  LogFlags(flags, *features, logger);
  if (const int code = CheckFlags(parsed); code != 0) {
    logger.Flush();
    return code;
  }
  const auto external = DeriveExternalUrl(flags.web_external_url, flags.web_route_prefix,
                                          flags.web_listen_addresses.front(), host.hostname);
  if (!external) {
    return Complain(kWrongInput,
                    "parse external URL \"" + flags.web_external_url + "\": " + external.error().message());
  }
  const auto origin = AnchoredRegex::Compile(flags.web_cors_origin, AnchoredRegex::Form::kWrapped);
  if (!origin) {
    return Complain(kWrongInput, "could not compile CORS regex string \"" + flags.web_cors_origin +
                                     "\": " + origin.error().message());
  }
  ServerSetup setup{parsed, features->features, host, *external, logger};
  auto config = LoadFirst(setup);
  if (!config) return kWrongInput;
  if (flags.tsdb_block_reload_interval_ms < kLeastIntervalMs) {
    logger.Warn(
        "The option --storage.tsdb.block-reload-interval is set to a value less than 1s. Setting it to 1s to avoid "
        "overload.");
  }
  if (const auto problem = SizeProblem(flags); !problem.empty()) {
    logger.Error("Fatal error", {{"err", problem}});
    logger.Flush();
    return kFailed;
  }
  LogStart(setup);
  LogIgnored(setup.flags, config->config, setup.logger);
  Server server(std::move(setup), std::move(*config), *signals);
  auto done = server.Start();
  if (done) done = server.Run();
  server.Stop();
  if (!done) {
    const LogField error{"err", done.error().message()};
    if (server.failed_file().empty()) {
      logger.Error(server.failure_title(), {error});
    } else {
      logger.Error(server.failure_title(), {error, {"file", server.failed_file()}});
    }
    logger.Flush();
    return kFailed;
  }
  logger.Info("See you next time!");
  logger.Flush();
  return 0;
}

}  // namespace epi::app
