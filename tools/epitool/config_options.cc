#include "epitool/config_options.h"

#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "telemetry/log.h"

namespace epi::tool {

config::LoadOptions ConfigOptions(const Arguments& arguments, Console& console) {
  config::LoadOptions out;
  out.expand_references = arguments.On(kExpandReferencesFlag.name);
  out.environment = [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  };
  out.empty_variable = [&console](const std::string& name) {
    const auto write = [](void* context, std::string_view line) { static_cast<Console*>(context)->err << line; };
    Logger::ToFunction(LogLevel::kWarn, LogFormat::kLogfmt, write, &console)
        .Warn("Empty environment variable", {{"name", name}});
  };
  char directory[PATH_MAX];
  if (::getcwd(directory, sizeof directory) != nullptr) out.working_directory = directory;
  return out;
}

}  // namespace epi::tool
