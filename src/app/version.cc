#include "app/version.h"

namespace epi::app {

web::BuildInfo ThisBuild() {
  return {.version = "3.14.0",
          .revision = "epimetheus-" EPI_VERSION,
          .branch = "main",
          .build_user = "epimetheus",
          .build_date = "",
          .go_version = "none (C++20, " __VERSION__ ")"};
}

std::string VersionText(const web::BuildInfo& build, const std::string& platform) {
  const auto row = [](const char* name, const std::string& value) {
    return "\n  " + std::string(name) + std::string(18 - std::string(name).size(), ' ') + value;
  };
  return "prometheus, version " + build.version + " (branch: " + build.branch + ", revision: " + build.revision + ")" +
         row("build user:", build.build_user) + row("build date:", build.build_date) +
         row("go version:", build.go_version) + row("platform:", platform) + row("tags:", "epimetheus");
}

}  // namespace epi::app
