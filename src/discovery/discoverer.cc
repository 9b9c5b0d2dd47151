#include "discovery/discoverer.h"

#include <algorithm>

#include "discovery/kinds.h"

namespace epi::discovery {
namespace {

struct Row {
  std::string_view name;
  MadeDiscoverer (*make)(const config::SdConfig& config, const DiscoveryParts& parts);
};

template <typename Config, MadeDiscoverer (*kMake)(const Config&, const DiscoveryParts&)>
constexpr Row MakeRow() {
  return {config::SdName<Config>::kName, [](const config::SdConfig& config, const DiscoveryParts& parts) {
            return kMake(*config.Get<Config>(), parts);
          }};
}

// Sorted by name.
constexpr Row kRows[] = {
    MakeRow<config::ConsulSdConfig, MakeConsul>(), MakeRow<config::DnsSdConfig, MakeDns>(),
    MakeRow<config::DockerSdConfig, MakeDocker>(), MakeRow<config::DockerSwarmSdConfig, MakeDockerSwarm>(),
    MakeRow<config::Ec2SdConfig, MakeEc2>(),       MakeRow<config::FileSdConfig, MakeFile>(),
    MakeRow<config::HttpSdConfig, MakeHttp>(),     MakeRow<config::KubernetesSdConfig, MakeKubernetes>(),
    MakeRow<config::NomadSdConfig, MakeNomad>(),   MakeRow<config::StaticSdConfig, MakeStatic>(),
};

}  // namespace

Result<std::unique_ptr<Discoverer>> MakeDiscoverer(const config::SdConfig& config, const DiscoveryParts& parts) {
  for (const auto& row : kRows) {
    if (row.name == config.name()) return row.make(config, parts);
  }
  return Fail(ErrorCode::kUnsupported, "service discovery of kind \"" + std::string(config.name()) +
                                           "\" is not built; its targets would silently be missing");
}

std::vector<std::string_view> BuiltDiscoveries() {
  std::vector<std::string_view> out;
  for (const auto& row : kRows) out.push_back(row.name);
  return out;
}

}  // namespace epi::discovery
