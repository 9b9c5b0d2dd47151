// The makers of each kind of service discovery, for the table in discoverer.cc.
#pragma once

#include "discovery/discoverer.h"

namespace epi::discovery {

using MadeDiscoverer = Result<std::unique_ptr<Discoverer>>;

MadeDiscoverer MakeStatic(const config::StaticSdConfig& config, const DiscoveryParts& parts);
MadeDiscoverer MakeFile(const config::FileSdConfig& config, const DiscoveryParts& parts);
MadeDiscoverer MakeHttp(const config::HttpSdConfig& config, const DiscoveryParts& parts);
MadeDiscoverer MakeDns(const config::DnsSdConfig& config, const DiscoveryParts& parts);
MadeDiscoverer MakeConsul(const config::ConsulSdConfig& config, const DiscoveryParts& parts);
MadeDiscoverer MakeKubernetes(const config::KubernetesSdConfig& config, const DiscoveryParts& parts);
MadeDiscoverer MakeDocker(const config::DockerSdConfig& config, const DiscoveryParts& parts);
MadeDiscoverer MakeDockerSwarm(const config::DockerSwarmSdConfig& config, const DiscoveryParts& parts);
MadeDiscoverer MakeNomad(const config::NomadSdConfig& config, const DiscoveryParts& parts);
MadeDiscoverer MakeEc2(const config::Ec2SdConfig& config, const DiscoveryParts& parts);

}  // namespace epi::discovery
