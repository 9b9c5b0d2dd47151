#include "config/sd_schema.h"

#include <algorithm>

#include "model/case_mapping.h"

namespace epi::config {

EPI_SD_SCHEMA(FileSdConfig, "file.plain");
EPI_SD_SCHEMA(HttpSdConfig, "http.plain");
EPI_SD_SCHEMA(DnsSdConfig, "dns.plain");
EPI_SD_SCHEMA(ConsulSdConfig, "consul.plain");
EPI_SD_SCHEMA(DockerSdConfig, "moby.plain");
EPI_SD_SCHEMA(DockerSwarmSdConfig, "moby.plain");
EPI_SD_SCHEMA(NomadSdConfig, "nomad.plain");
EPI_SD_SCHEMA(Ec2SdConfig, "aws.plain");

namespace {

// ^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$
bool IsFileSdPath(std::string_view path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return false;
  constexpr std::string_view kExtensions[] = {"json", "yml", "yaml", "JSON", "YML", "YAML"};
  if (std::find(std::begin(kExtensions), std::end(kExtensions), path.substr(dot + 1)) == std::end(kExtensions))
    return false;
  const size_t star = path.find('*');
  return star == std::string_view::npos || path.find('/', star) == std::string_view::npos;
}

}  // namespace

std::span<const FieldSpec> Schema<NamedFilter>::Fields() {
  using T = NamedFilter;
  static constexpr FieldSpec kFields[] = {Key<T, &T::name>("name"), Key<T, &T::values>("values")};
  return kFields;
}

std::span<const FieldSpec> Schema<FileSdConfig>::Fields() {
  using T = FileSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::files>("files"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<FileSdConfig>::Validate(FileSdConfig& config) {
  if (config.files.empty()) return InvalidSd("file service discovery config must contain at least one path name");
  for (const auto& path : config.files) {
    if (!IsFileSdPath(path)) return InvalidSd("path name " + SdQuoted(path) + " is not valid for file discovery");
  }
  return {};
}

void Schema<FileSdConfig>::SetDirectory(FileSdConfig& config, std::string_view directory) {
  for (auto& path : config.files) path = JoinDirectory(directory, path);
}

std::span<const FieldSpec> Schema<HttpSdConfig>::Fields() {
  using T = HttpSdConfig;
  static constexpr FieldSpec kFields[] = {
      Inline<T, &T::http>(),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::url>("url"),
  };
  return kFields;
}

Result<void> Schema<HttpSdConfig>::Validate(HttpSdConfig& config) {
  EPI_TRY(CheckSdHttpUrl(config.url));
  return ValidateHttpClientConfig(config.http);
}

void Schema<HttpSdConfig>::SetDirectory(HttpSdConfig& config, std::string_view d) {
  config::SetDirectory(config.http, d);
}

std::span<const FieldSpec> Schema<DnsSdConfig>::Fields() {
  using T = DnsSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::names>("names"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::type>("type"),
      Key<T, &T::port>("port"),
  };
  return kFields;
}

Result<void> Schema<DnsSdConfig>::Validate(DnsSdConfig& config) {
  if (config.names.empty()) return InvalidSd("DNS-SD config must contain at least one SRV record name");
  const std::string type = ToUpperUtf8(config.type);
  if (type == "SRV") return {};
  if (type != "A" && type != "AAAA" && type != "MX" && type != "NS")
    return InvalidSd("invalid DNS-SD records type " + config.type);
  if (config.port == 0) return InvalidSd("a port is required in DNS-SD configs for all record types except SRV");
  return {};
}

void Schema<DnsSdConfig>::SetDirectory(DnsSdConfig&, std::string_view) {}

std::span<const FieldSpec> Schema<ConsulSdConfig>::Fields() {
  using T = ConsulSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::server>("server", Omit::kEmpty),
      Key<T, &T::path_prefix>("path_prefix", Omit::kEmpty),
      Key<T, &T::token, SecretCodec>("token", Omit::kEmpty),
      Key<T, &T::datacenter>("datacenter", Omit::kEmpty),
      Key<T, &T::name_space>("namespace", Omit::kEmpty),
      Key<T, &T::partition>("partition", Omit::kEmpty),
      Key<T, &T::tag_separator>("tag_separator", Omit::kEmpty),
      Key<T, &T::scheme>("scheme", Omit::kEmpty),
      Key<T, &T::username>("username", Omit::kEmpty),
      Key<T, &T::password, SecretCodec>("password", Omit::kEmpty),
      Key<T, &T::allow_stale>("allow_stale"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::services>("services", Omit::kEmpty),
      Key<T, &T::tags>("tags", Omit::kEmpty),
      Key<T, &T::node_meta>("node_meta", Omit::kEmpty),
      Key<T, &T::filter>("filter", Omit::kEmpty),
      Key<T, &T::health_filter>("health_filter", Omit::kEmpty),
      Inline<T, &T::http>(),
  };
  return kFields;
}

Result<void> Schema<ConsulSdConfig>::Validate(ConsulSdConfig& config) {
  if (config.server.find_first_not_of(" \t\r\n") == std::string::npos) {
    return InvalidSd("consul SD configuration requires a server address");
  }
  if (!config.username.empty() || !config.password.empty()) {
    if (config.http.basic_auth) {
      return InvalidSd("at most one of consul SD configuration username and password and basic auth can be configured");
    }
    config.http.basic_auth.emplace();
    config.http.basic_auth->username = config.username;
    config.http.basic_auth->password = config.password;
  }
  if (!config.token.empty() && (config.http.authorization || config.http.oauth2)) {
    return InvalidSd("at most one of consul SD token, authorization, or oauth2 can be configured");
  }
  return ValidateHttpClientConfig(config.http);
}

void Schema<ConsulSdConfig>::SetDirectory(ConsulSdConfig& config, std::string_view d) {
  config::SetDirectory(config.http, d);
}

std::span<const FieldSpec> Schema<DockerSdConfig>::Fields() {
  using T = DockerSdConfig;
  static constexpr FieldSpec kFields[] = {
      Inline<T, &T::http>(),
      Key<T, &T::host>("host"),
      Key<T, &T::port>("port"),
      Key<T, &T::filters>("filters"),
      Key<T, &T::host_networking_host>("host_networking_host"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval"),
      Key<T, &T::match_first_network>("match_first_network"),
  };
  return kFields;
}

Result<void> Schema<DockerSdConfig>::Validate(DockerSdConfig& config) {
  if (config.host.empty()) return InvalidSd("host missing");
  EPI_TRY(CheckSdUrl(config.host));
  return ValidateHttpClientConfig(config.http);
}

void Schema<DockerSdConfig>::SetDirectory(DockerSdConfig& config, std::string_view d) {
  config::SetDirectory(config.http, d);
}

std::span<const FieldSpec> Schema<DockerSwarmSdConfig>::Fields() {
  using T = DockerSwarmSdConfig;
  static constexpr FieldSpec kFields[] = {
      Inline<T, &T::http>(),          Key<T, &T::host>("host"),
      Key<T, &T::role>("role"),       Key<T, &T::port>("port"),
      Key<T, &T::filters>("filters"), Key<T, &T::refresh_interval, DurationCodec>("refresh_interval"),
  };
  return kFields;
}

Result<void> Schema<DockerSwarmSdConfig>::Validate(DockerSwarmSdConfig& config) {
  if (config.host.empty()) return InvalidSd("host missing");
  EPI_TRY(CheckSdUrl(config.host));
  if (config.role.empty()) return InvalidSd("role missing (one of: tasks, services, nodes)");
  if (config.role != "services" && config.role != "nodes" && config.role != "tasks") {
    return InvalidSd("invalid role " + config.role + ", expected tasks, services, or nodes");
  }
  return ValidateHttpClientConfig(config.http);
}

void Schema<DockerSwarmSdConfig>::SetDirectory(DockerSwarmSdConfig& config, std::string_view d) {
  config::SetDirectory(config.http, d);
}

std::span<const FieldSpec> Schema<NomadSdConfig>::Fields() {
  using T = NomadSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::allow_stale>("allow_stale"),
      Inline<T, &T::http>(),
      Key<T, &T::name_space>("namespace"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval"),
      Key<T, &T::region>("region"),
      Key<T, &T::server>("server"),
      Key<T, &T::tag_separator>("tag_separator", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<NomadSdConfig>::Validate(NomadSdConfig& config) {
  if (config.server.find_first_not_of(" \t\r\n") == std::string::npos) {
    return InvalidSd("nomad SD configuration requires a server address");
  }
  return ValidateHttpClientConfig(config.http);
}

void Schema<NomadSdConfig>::SetDirectory(NomadSdConfig& config, std::string_view d) {
  config::SetDirectory(config.http, d);
}

std::span<const FieldSpec> Schema<Ec2SdConfig>::Fields() {
  using T = Ec2SdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::endpoint>("endpoint"),
      Key<T, &T::region>("region"),
      Key<T, &T::access_key>("access_key", Omit::kEmpty),
      Key<T, &T::secret_key, SecretCodec>("secret_key", Omit::kEmpty),
      Key<T, &T::profile>("profile", Omit::kEmpty),
      Key<T, &T::role_arn>("role_arn", Omit::kEmpty),
      Key<T, &T::external_id>("external_id", Omit::kEmpty),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::port>("port"),
      Key<T, &T::filters, AwsFiltersCodec>("filters"),
      Inline<T, &T::http>(),
  };
  return kFields;
}

Result<void> Schema<Ec2SdConfig>::Validate(Ec2SdConfig& config) {
  for (const auto& filter : config.filters) {
    if (filter.values.empty()) return InvalidSd("EC2 SD configuration filter values cannot be empty");
  }
  return ValidateHttpClientConfig(config.http);
}

void Schema<Ec2SdConfig>::SetDirectory(Ec2SdConfig& config, std::string_view d) {
  config::SetDirectory(config.http, d);
}

std::span<const SdKind> CommonSdKinds() {
  static constexpr SdKind kKinds[] = {
      MakeSdKind<ConsulSdConfig>("consul", "consul_sd_configs", true),
      MakeSdKind<DnsSdConfig>("dns", "dns_sd_configs", true),
      MakeSdKind<DockerSdConfig>("docker", "docker_sd_configs", true),
      MakeSdKind<DockerSwarmSdConfig>("dockerswarm", "dockerswarm_sd_configs", true),
      MakeSdKind<Ec2SdConfig>("ec2", "ec2_sd_configs", true),
      MakeSdKind<FileSdConfig>("file", "file_sd_configs", true),
      MakeSdKind<HttpSdConfig>("http", "http_sd_configs", true),
      MakeSdKind<NomadSdConfig>("nomad", "nomad_sd_configs", true),
  };
  return kKinds;
}

}  // namespace epi::config
