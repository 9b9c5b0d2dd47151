#include "app/run.h"

#include <unistd.h>

#include <cstdio>

#include "app/server.h"
#include "app/version.h"
#include "model/anchored_regex.h"

namespace epi::app {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongInput = 2;
constexpr int kWrongMode = 3;

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

// Rule files too: at the start a wrong one is a wrong configuration; at a reload the rules refuse it themselves.
Result<LoadedConfig> LoadFirst(const ServerSetup& setup) {
  FileSystem& files = PosixFileSystem();
  EPI_ASSIGN(auto loaded, LoadConfiguration(files, setup.flags.flags, setup.features, setup.logger));
  EPI_TRY(CheckRuleFiles(files, loaded.config, setup.features));
  return loaded;
}

void LogStart(const ServerSetup& setup) {
  const web::BuildInfo build = ThisBuild();
  setup.logger.Info(
      "Starting Prometheus Server",
      {{"mode", "server"},
       {"version", "(version=" + build.version + ", branch=" + build.branch + ", revision=" + build.revision + ")"}});
  setup.logger.Info("operational information",
                    {{"build_context", "(go=" + build.go_version + ", platform=" + setup.host.platform + ")"},
                     {"host_details", setup.host.kernel},
                     {"fd_limits", FormatFileLimit(RaiseOpenFileLimit())},
                     {"vm_limits", FormatMemoryLimit()}});
}

// What else of the command line can be wrong, with its exit code; 0 when nothing is.
int CheckFlags(const config::ParsedFlags& parsed) {
  const config::Flags& flags = parsed.flags;
  if (const auto problem = config::ModeProblem(parsed); !problem.empty()) return Complain(kWrongMode, problem);
  if (flags.agent) {
    return Complain(kFailed, "Agent mode is not built yet: start without --agent.");
  }
  if (flags.auto_gomemlimit_ratio <= 0 || flags.auto_gomemlimit_ratio > 1) {
    return Complain(kFailed, "--auto-gomemlimit.ratio must be greater than 0 and less than or equal to 1.");
  }
  if (flags.web_search_max_limit < 0) {
    return Complain(kFailed, "--web.search.max-limit must not be negative.");
  }
  if (const auto origin = AnchoredRegex::Compile(flags.web_cors_origin); !origin) {
    return Complain(kWrongInput, "could not compile CORS regex string \"" + flags.web_cors_origin +
                                     "\": " + origin.error().message());
  }
  return 0;
}

}  // namespace

int Run(const std::vector<std::string>& arguments) {
  const HostInfo host = ReadHostInfo();
  auto parsed = config::ParseFlags(arguments, PosixFileSystem(), VersionText(ThisBuild(), host.platform));
  if (!parsed) {
    return Complain(kWrongInput,
                    "Error parsing command line arguments: " + parsed.error().message() + "\n" + config::UsageText());
  }
  if (parsed->action == config::ParsedFlags::Action::kPrintAndExit) {
    Print(stdout, parsed->output);
    return 0;
  }
  if (const int code = CheckFlags(*parsed); code != 0) return code;
  const auto features = config::ParseFeatures(parsed->flags.enabled_features);
  if (!features) return Complain(kFailed, "Error parsing feature list: " + features.error().message());
  const config::Flags& flags = parsed->flags;
  const auto external = DeriveExternalUrl(flags.web_external_url, flags.web_route_prefix,
                                          flags.web_listen_addresses.front(), host.hostname);
  if (!external) {
    return Complain(kWrongInput,
                    "parse external URL \"" + flags.web_external_url + "\": " + external.error().message());
  }
  // Before the first thread, so that all of them leave signals to it.
  auto signals = SignalSource::Install();
  if (!signals) return Complain(kFailed, signals.error().message());

  ServerSetup setup{*parsed, features->features, host, *external, MakeLogger(flags)};
  for (const auto& note : features->notes) {
    if (note.warning) {
      setup.logger.Warn(note.message, {{"option", note.option}});
    } else {
      setup.logger.Info(note.message, {{"option", note.option}});
    }
  }
  auto config = LoadFirst(setup);
  if (!config) {
    setup.logger.Error("Error loading config (--config.file=" + flags.config_file + ")",
                       {{"file", flags.config_file}, {"err", config.error().message()}});
    setup.logger.Flush();
    return kWrongInput;
  }
  LogStart(setup);
  LogIgnored(setup.flags, config->config, setup.logger);
  const Logger logger = setup.logger;
  Server server(std::move(setup), std::move(*config), *signals);
  auto done = server.Start();
  if (done) done = server.Run();
  server.Stop();
  if (!done) {
    logger.Error("Fatal error", {{"err", done.error().message()}});
    logger.Flush();
    return kFailed;
  }
  logger.Info("See you next time!");
  logger.Flush();
  return 0;
}

}  // namespace epi::app
