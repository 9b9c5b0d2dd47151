// The service discovery part of a scrape or Alertmanager section: a list of configurations of any kind.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"
#include "config/sd_configs.h"

namespace epi::config {

// One row of the table of kinds.
struct SdKind {
  std::string_view name;  // "consul"; "static" for static_configs
  std::string_view key;   // "consul_sd_configs"
  bool built;             // a discovery of this kind can be started
  std::shared_ptr<void> (*read)(YamlReader& reader, const YamlNode& node);
  YamlValue (*write)(const void* config, const WriteOptions& options);
  void (*set_directory)(void* config, std::string_view directory);
};

// All kinds in the order of their keys, which is the order in which a section prints and starts them.
std::span<const SdKind> SdKinds();
const SdKind* FindSdKind(std::string_view name);

template <typename T>
struct SdName;  // SdName<ConsulSdConfig>::kName is "consul"

// A configuration of one kind. Copies share it; it is not changed after loading.
class SdConfig {
 public:
  SdConfig(const SdKind& kind, std::shared_ptr<void> config) : kind_(&kind), config_(std::move(config)) {}
  const SdKind& kind() const { return *kind_; }
  std::string_view name() const { return kind_->name; }
  // Null when it is of another kind.
  template <typename T>
  const T* Get() const {
    return kind_->name == SdName<T>::kName ? static_cast<const T*>(config_.get()) : nullptr;
  }
  // The whole configuration with its secrets: equal texts mean equal discoveries, which jobs share.
  std::string Fingerprint() const;
  YamlValue Write(const WriteOptions& options) const { return kind_->write(config_.get(), options); }
  void SetDirectory(std::string_view directory) { kind_->set_directory(config_.get(), directory); }

 private:
  const SdKind* kind_;
  std::shared_ptr<void> config_;
};

using StaticSdConfig = std::vector<StaticGroup>;  // all items of static_configs

// In table order; at most one of kind "static".
using SdConfigs = std::vector<SdConfig>;

// Reads the section's key when it is one of the table's; false when it is not.
bool ReadSdSection(YamlReader& reader, const YamlEntry& entry, SdConfigs& out);
void WriteSdSections(const SdConfigs& configs, const WriteOptions& options, YamlValue& mapping);
void SetDirectory(SdConfigs& configs, std::string_view directory);
// `"x" is not a valid hostname` for a static target with a slash in it; only sections without relabeling are checked.
Result<void> CheckStaticTargets(const SdConfigs& configs);

// One item of static_configs by itself, as file and HTTP discovery have them too.
Result<StaticGroup> ParseStaticGroup(std::string_view yaml);
// A list of them; a null item is `nil target group item found`.
Result<std::vector<StaticGroup>> ParseStaticGroups(std::string_view yaml);

#define EPI_SD_NAME(type, name)                     \
  template <>                                       \
  struct SdName<type> {                             \
    static constexpr std::string_view kName = name; \
  }
EPI_SD_NAME(StaticSdConfig, "static");
EPI_SD_NAME(FileSdConfig, "file");
EPI_SD_NAME(HttpSdConfig, "http");
EPI_SD_NAME(DnsSdConfig, "dns");
EPI_SD_NAME(ConsulSdConfig, "consul");
EPI_SD_NAME(KubernetesSdConfig, "kubernetes");
EPI_SD_NAME(DockerSdConfig, "docker");
EPI_SD_NAME(DockerSwarmSdConfig, "dockerswarm");
EPI_SD_NAME(NomadSdConfig, "nomad");
EPI_SD_NAME(Ec2SdConfig, "ec2");
#undef EPI_SD_NAME

}  // namespace epi::config
