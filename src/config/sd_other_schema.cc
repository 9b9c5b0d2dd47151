#include <algorithm>

#include "config/scaleway_profile.h"
#include "config/sd_other_configs.h"
#include "config/sd_schema.h"

namespace epi::config {

template <>
struct SdName<AzureSdConfig> {
  static constexpr std::string_view kName = "azure";
};
template <>
struct SdName<DigitalOceanSdConfig> {
  static constexpr std::string_view kName = "digitalocean";
};
template <>
struct SdName<EurekaSdConfig> {
  static constexpr std::string_view kName = "eureka";
};
template <>
struct SdName<GceSdConfig> {
  static constexpr std::string_view kName = "gce";
};
template <>
struct SdName<HetznerSdConfig> {
  static constexpr std::string_view kName = "hetzner";
};
template <>
struct SdName<IonosSdConfig> {
  static constexpr std::string_view kName = "ionos";
};
template <>
struct SdName<KumaSdConfig> {
  static constexpr std::string_view kName = "kuma";
};
template <>
struct SdName<LinodeSdConfig> {
  static constexpr std::string_view kName = "linode";
};
template <>
struct SdName<MarathonSdConfig> {
  static constexpr std::string_view kName = "marathon";
};
template <>
struct SdName<NerveSdConfig> {
  static constexpr std::string_view kName = "nerve";
};
template <>
struct SdName<ServersetSdConfig> {
  static constexpr std::string_view kName = "serverset";
};
template <>
struct SdName<OciSdConfig> {
  static constexpr std::string_view kName = "oci";
};
template <>
struct SdName<OpenstackSdConfig> {
  static constexpr std::string_view kName = "openstack";
};
template <>
struct SdName<OutscaleSdConfig> {
  static constexpr std::string_view kName = "outscale";
};
template <>
struct SdName<OvhcloudSdConfig> {
  static constexpr std::string_view kName = "ovhcloud";
};
template <>
struct SdName<PuppetdbSdConfig> {
  static constexpr std::string_view kName = "puppetdb";
};
template <>
struct SdName<ScalewaySdConfig> {
  static constexpr std::string_view kName = "scaleway";
};
template <>
struct SdName<StackitSdConfig> {
  static constexpr std::string_view kName = "stackit";
};
template <>
struct SdName<TritonSdConfig> {
  static constexpr std::string_view kName = "triton";
};
template <>
struct SdName<UyuniSdConfig> {
  static constexpr std::string_view kName = "uyuni";
};
template <>
struct SdName<VultrSdConfig> {
  static constexpr std::string_view kName = "vultr";
};

EPI_SD_SCHEMA(AzureSdConfig, "azure.plain");
EPI_SD_SCHEMA(DigitalOceanSdConfig, "digitalocean.plain");
EPI_SD_SCHEMA(EurekaSdConfig, "eureka.plain");
EPI_SD_SCHEMA(GceSdConfig, "gce.plain");
EPI_SD_SCHEMA(HetznerSdConfig, "hetzner.plain");
EPI_SD_SCHEMA(IonosSdConfig, "ionos.plain");
EPI_SD_SCHEMA(KumaSdConfig, "xds.plainKumaConf");
EPI_SD_SCHEMA(LinodeSdConfig, "linode.plain");
EPI_SD_SCHEMA(MarathonSdConfig, "marathon.plain");
EPI_SD_SCHEMA(NerveSdConfig, "zookeeper.plain");
EPI_SD_SCHEMA(ServersetSdConfig, "zookeeper.plain");
EPI_SD_SCHEMA(OciSdConfig, "oci.plain");
EPI_SD_SCHEMA(OpenstackSdConfig, "openstack.plain");
EPI_SD_SCHEMA(OutscaleSdConfig, "outscale.plain");
EPI_SD_SCHEMA(OvhcloudSdConfig, "ovhcloud.plain");
EPI_SD_SCHEMA(PuppetdbSdConfig, "puppetdb.plain");
EPI_SD_SCHEMA(ScalewaySdConfig, "scaleway.plain");
EPI_SD_SCHEMA(StackitSdConfig, "stackit.plain");
EPI_SD_SCHEMA(TritonSdConfig, "triton.plain");
EPI_SD_SCHEMA(UyuniSdConfig, "uyuni.plain");
EPI_SD_SCHEMA(VultrSdConfig, "vultr.plain");

namespace {

template <size_t N>
Result<void> CheckOneOf(const std::string& value, const std::string_view (&words)[N], std::string_view complaint) {
  if (std::find(std::begin(words), std::end(words), value) != std::end(words)) return {};
  return InvalidSd(std::string(complaint) + SdQuoted(value));
}

constexpr std::string_view kDigitalOceanRoles[] = {"droplets", "databases"};
constexpr std::string_view kHetznerRoles[] = {"robot", "hcloud"};
constexpr std::string_view kOpenstackRoles[] = {"hypervisor", "instance", "loadbalancer"};
constexpr std::string_view kScalewayRoles[] = {"instance", "baremetal"};

// A Go member that Prometheus prints without meaning to; no file can set it.
constexpr FieldSpec UnusedClientKey() {
  FieldSpec out;
  out.key = "httpclient";
  out.read = [](YamlReader& reader, const YamlNode& node, void*) {
    if (!node.IsNull()) reader.WrongType(node, "http.Client");
  };
  out.write = [](const void*, const WriteOptions&) { return YamlValue::Null(); };
  out.is_empty = [](const void*) { return true; };
  return out;
}

Result<void> CheckDigitalOceanRole(std::string& role) {
  return CheckOneOf(role, kDigitalOceanRoles, "unknown DigitalOcean SD role ");
}
Result<void> CheckHetznerRole(std::string& role) { return CheckOneOf(role, kHetznerRoles, "unknown role "); }
Result<void> CheckOpenstackRole(std::string& role) {
  return CheckOneOf(role, kOpenstackRoles, "unknown OpenStack SD role ");
}
Result<void> CheckScalewayRole(std::string& role) { return CheckOneOf(role, kScalewayRoles, "unknown role "); }

Result<void> RequireOneSecret(const std::string& secret, const std::string& file) {
  if (secret.empty() && file.empty()) return InvalidSd("one of secret_key & secret_key_file must be configured");
  if (!secret.empty() && !file.empty())
    return InvalidSd("at most one of secret_key & secret_key_file must be configured");
  return {};
}

Result<void> ValidateZookeeper(const ZookeeperSdConfig& config, const std::string& kind) {
  if (config.servers.empty()) return InvalidSd(kind + " SD config must contain at least one Zookeeper server");
  if (config.paths.empty()) return InvalidSd(kind + " SD config must contain at least one path");
  for (const auto& path : config.paths) {
    if (!path.starts_with('/')) return InvalidSd(kind + " SD config paths must begin with '/': " + path);
  }
  return {};
}

Result<void> ValidateOciAuth(const OciSdConfig& config) {
  const bool has_passphrase = !config.key_passphrase.empty() || !config.key_passphrase_file.empty();
  if (config.auth == "instance_principal") {
    const bool any =
        !config.tenancy.empty() || !config.user.empty() || !config.fingerprint.empty() || !config.key_file.empty();
    if (!any && !has_passphrase) return {};
    return InvalidSd(
        "oci_sd: instance_principal auth must not have tenancy, user, fingerprint, key_file, key_passphrase, or "
        "key_passphrase_file set");
  }
  if (config.auth != "api_key") {
    return InvalidSd("oci_sd: unknown auth method " + SdQuoted(config.auth) +
                     ", expected \"api_key\" or \"instance_principal\"");
  }
  if (config.tenancy.empty()) return InvalidSd("oci_sd: api_key auth requires tenancy");
  if (config.user.empty()) return InvalidSd("oci_sd: api_key auth requires user");
  if (config.fingerprint.empty()) return InvalidSd("oci_sd: api_key auth requires fingerprint");
  if (config.key_file.empty()) return InvalidSd("oci_sd: api_key auth requires key_file");
  if (!config.key_passphrase.empty() && !config.key_passphrase_file.empty()) {
    return InvalidSd("oci_sd: at most one of key_passphrase and key_passphrase_file must be configured");
  }
  return {};
}

}  // namespace

std::span<const FieldSpec> Schema<AzureSdConfig>::Fields() {
  using T = AzureSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::environment>("environment", Omit::kEmpty),
      Key<T, &T::port>("port"),
      Key<T, &T::subscription_id>("subscription_id"),
      Key<T, &T::tenant_id>("tenant_id", Omit::kEmpty),
      Key<T, &T::client_id>("client_id", Omit::kEmpty),
      Key<T, &T::client_secret, SecretCodec>("client_secret", Omit::kEmpty),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::authentication_method>("authentication_method", Omit::kEmpty),
      Key<T, &T::resource_group>("resource_group", Omit::kEmpty),
      Inline<T, &T::http>(),
  };
  return kFields;
}

Result<void> Schema<AzureSdConfig>::Validate(AzureSdConfig& config) {
  const auto require = [](const std::string& value, std::string_view name) -> Result<void> {
    if (value.empty()) return InvalidSd("azure SD configuration requires a " + std::string(name));
    return {};
  };
  EPI_TRY(require(config.subscription_id, "subscription_id"));
  const std::string& method = config.authentication_method;
  if (method == "OAuth") {
    EPI_TRY(require(config.tenant_id, "tenant_id"));
    EPI_TRY(require(config.client_id, "client_id"));
    EPI_TRY(require(config.client_secret, "client_secret"));
  } else if (method != "ManagedIdentity" && method != "SDK" && method != "WorkloadIdentity") {
    return InvalidSd("unknown authentication_type " + SdQuoted(method) +
                     ". Supported types are \"OAuth\", \"ManagedIdentity\", \"SDK\" or \"WorkloadIdentity\"");
  }
  return ValidateHttpClientConfig(config.http);
}

void Schema<AzureSdConfig>::SetDirectory(AzureSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const FieldSpec> Schema<DigitalOceanSdConfig>::Fields() {
  using T = DigitalOceanSdConfig;
  static constexpr FieldSpec kFields[] = {
      Inline<T, &T::http>(),    Key<T, &T::refresh_interval, DurationCodec>("refresh_interval"),
      Key<T, &T::port>("port"), Key<T, &T::role, CheckedString<CheckDigitalOceanRole>>("role"),
      UnusedClientKey(),
  };
  return kFields;
}

Result<void> Schema<DigitalOceanSdConfig>::Validate(DigitalOceanSdConfig& config) {
  if (config.role.empty()) return InvalidSd("role missing (one of: droplets, databases)");
  return ValidateHttpClientConfig(config.http);
}

void Schema<DigitalOceanSdConfig>::SetDirectory(DigitalOceanSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const FieldSpec> Schema<EurekaSdConfig>::Fields() {
  using T = EurekaSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::server>("server", Omit::kEmpty),
      Inline<T, &T::http>(),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<EurekaSdConfig>::Validate(EurekaSdConfig& config) {
  if (config.server.empty()) return InvalidSd("eureka_sd: empty or null eureka server");
  EPI_TRY(CheckSdServerUrl(config.server, "eureka_sd: invalid eureka server URL"));
  return ValidateHttpClientConfig(config.http);
}

void Schema<EurekaSdConfig>::SetDirectory(EurekaSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const FieldSpec> Schema<GceSdConfig>::Fields() {
  using T = GceSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::project>("project"),
      Key<T, &T::zone>("zone"),
      Key<T, &T::filter>("filter", Omit::kEmpty),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::port>("port"),
      Key<T, &T::tag_separator>("tag_separator", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<GceSdConfig>::Validate(GceSdConfig& config) {
  if (config.project.empty()) return InvalidSd("GCE SD configuration requires a project");
  if (config.zone.empty()) return InvalidSd("GCE SD configuration requires a zone");
  return {};
}

void Schema<GceSdConfig>::SetDirectory(GceSdConfig&, std::string_view) {}

std::span<const FieldSpec> Schema<HetznerSdConfig>::Fields() {
  using T = HetznerSdConfig;
  static constexpr FieldSpec kFields[] = {
      Inline<T, &T::http>(),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval"),
      Key<T, &T::port>("port"),
      Key<T, &T::role, CheckedString<CheckHetznerRole>>("role"),
      Key<T, &T::label_selector>("label_selector", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<HetznerSdConfig>::Validate(HetznerSdConfig& config) {
  if (config.role.empty()) return InvalidSd("role missing (one of: robot, hcloud)");
  return ValidateHttpClientConfig(config.http);
}

void Schema<HetznerSdConfig>::SetDirectory(HetznerSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const FieldSpec> Schema<IonosSdConfig>::Fields() {
  using T = IonosSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::datacenter_id>("datacenter_id"),
      Inline<T, &T::http>(),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval"),
      Key<T, &T::port>("port"),
  };
  return kFields;
}

Result<void> Schema<IonosSdConfig>::Validate(IonosSdConfig& config) {
  if (config.datacenter_id.empty()) return InvalidSd("datacenter id can't be empty");
  return ValidateHttpClientConfig(config.http);
}

void Schema<IonosSdConfig>::SetDirectory(IonosSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const FieldSpec> Schema<KumaSdConfig>::Fields() {
  using T = KumaSdConfig;
  static constexpr FieldSpec kFields[] = {
      Inline<T, &T::http>(),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::fetch_timeout, DurationCodec>("fetch_timeout", Omit::kEmpty),
      Key<T, &T::server>("server", Omit::kEmpty),
      Key<T, &T::client_id>("client_id", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<KumaSdConfig>::Validate(KumaSdConfig& config) {
  if (config.server.empty()) return InvalidSd("kuma SD server must not be empty: ");
  EPI_TRY(CheckSdServerUrl(config.server, "kuma SD server must not be empty and have a scheme: " + config.server));
  return ValidateHttpClientConfig(config.http);
}

void Schema<KumaSdConfig>::SetDirectory(KumaSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const FieldSpec> Schema<LinodeSdConfig>::Fields() {
  using T = LinodeSdConfig;
  static constexpr FieldSpec kFields[] = {
      Inline<T, &T::http>(),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval"),
      Key<T, &T::port>("port"),
      Key<T, &T::tag_separator>("tag_separator", Omit::kEmpty),
      Key<T, &T::region>("region", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<LinodeSdConfig>::Validate(LinodeSdConfig& config) { return ValidateHttpClientConfig(config.http); }

void Schema<LinodeSdConfig>::SetDirectory(LinodeSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const FieldSpec> Schema<MarathonSdConfig>::Fields() {
  using T = MarathonSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::servers>("servers", Omit::kEmpty),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::auth_token, SecretCodec>("auth_token", Omit::kEmpty),
      Key<T, &T::auth_token_file>("auth_token_file", Omit::kEmpty),
      Inline<T, &T::http>(),
  };
  return kFields;
}

Result<void> Schema<MarathonSdConfig>::Validate(MarathonSdConfig& config) {
  if (config.servers.empty()) return InvalidSd("marathon_sd: must contain at least one Marathon server");
  if (!config.auth_token.empty() && !config.auth_token_file.empty()) {
    return InvalidSd("marathon_sd: at most one of auth_token & auth_token_file must be configured");
  }
  if (!config.auth_token.empty() || !config.auth_token_file.empty()) {
    if (config.http.basic_auth) {
      return InvalidSd("marathon_sd: at most one of basic_auth, auth_token & auth_token_file must be configured");
    }
    if (!config.http.bearer_token.empty() || !config.http.bearer_token_file.empty()) {
      return InvalidSd(
          "marathon_sd: at most one of bearer_token, bearer_token_file, auth_token & auth_token_file must be "
          "configured");
    }
    if (config.http.authorization) {
      return InvalidSd("marathon_sd: at most one of auth_token, auth_token_file & authorization must be configured");
    }
  }
  return ValidateHttpClientConfig(config.http);
}

void Schema<MarathonSdConfig>::SetDirectory(MarathonSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
  config.auth_token_file = JoinDirectory(directory, config.auth_token_file);
}

std::span<const FieldSpec> Schema<NerveSdConfig>::Fields() {
  using T = NerveSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::servers>("servers"),
      Key<T, &T::paths>("paths"),
      Key<T, &T::timeout, DurationCodec>("timeout", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<NerveSdConfig>::Validate(NerveSdConfig& config) { return ValidateZookeeper(config, "nerve"); }

void Schema<NerveSdConfig>::SetDirectory(NerveSdConfig&, std::string_view) {}

std::span<const FieldSpec> Schema<ServersetSdConfig>::Fields() {
  using T = ServersetSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::servers>("servers"),
      Key<T, &T::paths>("paths"),
      Key<T, &T::timeout, DurationCodec>("timeout", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<ServersetSdConfig>::Validate(ServersetSdConfig& config) {
  return ValidateZookeeper(config, "serverset");
}

void Schema<ServersetSdConfig>::SetDirectory(ServersetSdConfig&, std::string_view) {}

std::span<const FieldSpec> Schema<OciSdConfig>::Fields() {
  using T = OciSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::auth>("auth", Omit::kEmpty),
      Key<T, &T::tenancy>("tenancy", Omit::kEmpty),
      Key<T, &T::user>("user", Omit::kEmpty),
      Key<T, &T::fingerprint>("fingerprint", Omit::kEmpty),
      Key<T, &T::key_file>("key_file", Omit::kEmpty),
      Key<T, &T::key_passphrase, SecretCodec>("key_passphrase", Omit::kEmpty),
      Key<T, &T::key_passphrase_file>("key_passphrase_file", Omit::kEmpty),
      Key<T, &T::region>("region"),
      Key<T, &T::compartments>("compartments", Omit::kEmpty),
      Inline<T, &T::http>(),
      Key<T, &T::port>("port"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval"),
  };
  return kFields;
}

Result<void> Schema<OciSdConfig>::Validate(OciSdConfig& config) {
  if (config.region.empty()) return InvalidSd("oci_sd: region is required");
  EPI_TRY(ValidateOciAuth(config));
  for (size_t i = 0; i < config.compartments.size(); ++i) {
    if (config.compartments[i].empty())
      return InvalidSd("oci_sd: compartments[" + std::to_string(i) + "] must not be empty");
  }
  if (config.refresh_interval <= 0) return InvalidSd("oci_sd: refresh_interval must be positive, got 0s");
  return ValidateHttpClientConfig(config.http);
}

void Schema<OciSdConfig>::SetDirectory(OciSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
  config.key_file = JoinDirectory(directory, config.key_file);
  config.key_passphrase_file = JoinDirectory(directory, config.key_passphrase_file);
}

std::span<const FieldSpec> Schema<OpenstackSdConfig>::Fields() {
  using T = OpenstackSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::identity_endpoint>("identity_endpoint"),
      Key<T, &T::username>("username"),
      Key<T, &T::userid>("userid"),
      Key<T, &T::password, SecretCodec>("password"),
      Key<T, &T::project_name>("project_name"),
      Key<T, &T::project_id>("project_id"),
      Key<T, &T::domain_name>("domain_name"),
      Key<T, &T::domain_id>("domain_id"),
      Key<T, &T::application_credential_name>("application_credential_name"),
      Key<T, &T::application_credential_id>("application_credential_id"),
      Key<T, &T::application_credential_secret, SecretCodec>("application_credential_secret"),
      Key<T, &T::role, CheckedString<CheckOpenstackRole>>("role"),
      Key<T, &T::region>("region"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval"),
      Key<T, &T::port>("port"),
      Key<T, &T::all_tenants>("all_tenants", Omit::kEmpty),
      Key<T, &T::tls_config>("tls_config", Omit::kEmpty),
      Key<T, &T::availability>("availability", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<OpenstackSdConfig>::Validate(OpenstackSdConfig& config) {
  if (config.availability != "public" && config.availability != "internal" && config.availability != "admin") {
    return InvalidSd("unknown availability " + config.availability + ", must be one of admin, internal or public");
  }
  if (config.role.empty()) return InvalidSd("role missing (one of: instance, hypervisor, loadbalancer)");
  if (config.region.empty()) return InvalidSd("openstack SD configuration requires a region");
  return {};
}

void Schema<OpenstackSdConfig>::SetDirectory(OpenstackSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.tls_config, directory);
}

std::span<const FieldSpec> Schema<OutscaleSdConfig>::Fields() {
  using T = OutscaleSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::endpoint>("endpoint", Omit::kEmpty),
      Key<T, &T::region>("region"),
      Key<T, &T::access_key>("access_key"),
      Key<T, &T::secret_key, SecretCodec>("secret_key"),
      Key<T, &T::secret_key_file>("secret_key_file"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::port>("port"),
      Inline<T, &T::http>(),
  };
  return kFields;
}

Result<void> Schema<OutscaleSdConfig>::Validate(OutscaleSdConfig& config) {
  if (config.region.empty()) return InvalidSd("outscale SD configuration requires a region");
  if (config.access_key.empty()) return InvalidSd("outscale SD configuration requires access_key");
  EPI_TRY(RequireOneSecret(config.secret_key, config.secret_key_file));
  if (config.endpoint.empty()) config.endpoint = "https://api." + config.region + ".outscale.com/api/v1";
  return ValidateHttpClientConfig(config.http);
}

void Schema<OutscaleSdConfig>::SetDirectory(OutscaleSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
  config.secret_key_file = JoinDirectory(directory, config.secret_key_file);
}

std::span<const FieldSpec> Schema<OvhcloudSdConfig>::Fields() {
  using T = OvhcloudSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::endpoint>("endpoint"),
      Key<T, &T::application_key>("application_key"),
      Key<T, &T::application_secret, SecretCodec>("application_secret"),
      Key<T, &T::consumer_key, SecretCodec>("consumer_key"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval"),
      Key<T, &T::service>("service"),
  };
  return kFields;
}

Result<void> Schema<OvhcloudSdConfig>::Validate(OvhcloudSdConfig& config) {
  if (config.endpoint.empty()) return InvalidSd("endpoint can not be empty");
  if (config.application_key.empty()) return InvalidSd("application key can not be empty");
  if (config.application_secret.empty()) return InvalidSd("application secret can not be empty");
  if (config.consumer_key.empty()) return InvalidSd("consumer key can not be empty");
  if (config.service != "dedicated_server" && config.service != "vps")
    return InvalidSd("unknown service: " + config.service);
  return {};
}

void Schema<OvhcloudSdConfig>::SetDirectory(OvhcloudSdConfig&, std::string_view) {}

std::span<const FieldSpec> Schema<PuppetdbSdConfig>::Fields() {
  using T = PuppetdbSdConfig;
  static constexpr FieldSpec kFields[] = {
      Inline<T, &T::http>(),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::url>("url"),
      Key<T, &T::query>("query"),
      Key<T, &T::include_parameters>("include_parameters"),
      Key<T, &T::port>("port"),
  };
  return kFields;
}

Result<void> Schema<PuppetdbSdConfig>::Validate(PuppetdbSdConfig& config) {
  EPI_TRY(CheckSdHttpUrl(config.url));
  if (config.query.empty()) return InvalidSd("query missing");
  return ValidateHttpClientConfig(config.http);
}

void Schema<PuppetdbSdConfig>::SetDirectory(PuppetdbSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const FieldSpec> Schema<ScalewaySdConfig>::Fields() {
  using T = ScalewaySdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::project_id>("project_id"),
      Key<T, &T::api_url>("api_url", Omit::kEmpty),
      Key<T, &T::zone>("zone"),
      Key<T, &T::access_key>("access_key"),
      Key<T, &T::secret_key, SecretCodec>("secret_key"),
      Key<T, &T::secret_key_file>("secret_key_file"),
      Key<T, &T::name_filter>("name_filter", Omit::kEmpty),
      Key<T, &T::tags_filter>("tags_filter", Omit::kEmpty),
      Inline<T, &T::http>(),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval"),
      Key<T, &T::port>("port"),
      Key<T, &T::role, CheckedString<CheckScalewayRole>>("role"),
  };
  return kFields;
}

Result<void> Schema<ScalewaySdConfig>::Validate(ScalewaySdConfig& config) {
  if (config.role.empty()) return InvalidSd("role missing (one of: instance, baremetal)");
  if (config.project_id.empty()) return InvalidSd("project_id is mandatory");
  EPI_TRY(RequireOneSecret(config.secret_key, config.secret_key_file));
  if (config.access_key.empty()) return InvalidSd("access_key is mandatory");
  EPI_TRY(CheckScalewayProfile(config));
  return ValidateHttpClientConfig(config.http);
}

void Schema<ScalewaySdConfig>::SetDirectory(ScalewaySdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
  config.secret_key_file = JoinDirectory(directory, config.secret_key_file);
}

std::span<const FieldSpec> Schema<StackitSdConfig>::Fields() {
  using T = StackitSdConfig;
  static constexpr FieldSpec kFields[] = {
      Inline<T, &T::http>(),
      Key<T, &T::project>("project"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::port>("port", Omit::kEmpty),
      Key<T, &T::region>("region", Omit::kEmpty),
      Key<T, &T::endpoint>("endpoint", Omit::kEmpty),
      Key<T, &T::service_account_key, SecretCodec>("service_account_key", Omit::kEmpty),
      Key<T, &T::private_key, SecretCodec>("private_key", Omit::kEmpty),
      Key<T, &T::service_account_key_path>("service_account_key_path", Omit::kEmpty),
      Key<T, &T::private_key_path>("private_key_path", Omit::kEmpty),
      Key<T, &T::credentials_file_path>("credentials_file_path", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<StackitSdConfig>::Validate(StackitSdConfig& config) {
  if (config.endpoint.empty() && config.region.empty()) return InvalidSd("stackit_sd: endpoint and region missing");
  if (const auto url = CheckSdUrl(config.endpoint); !url) {
    return InvalidSd("stackit_sd: invalid endpoint " + SdQuoted(config.endpoint) + ": " + url.error().message());
  }
  return ValidateHttpClientConfig(config.http);
}

void Schema<StackitSdConfig>::SetDirectory(StackitSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const FieldSpec> Schema<TritonSdConfig>::Fields() {
  using T = TritonSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::account>("account"),
      Key<T, &T::role>("role"),
      Key<T, &T::dns_suffix>("dns_suffix"),
      Key<T, &T::endpoint>("endpoint"),
      Key<T, &T::groups>("groups", Omit::kEmpty),
      Key<T, &T::port>("port"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::tls_config>("tls_config", Omit::kEmpty),
      Key<T, &T::version>("version"),
  };
  return kFields;
}

Result<void> Schema<TritonSdConfig>::Validate(TritonSdConfig& config) {
  if (config.role != "container" && config.role != "cn") {
    return InvalidSd("triton SD configuration requires role to be 'container' or 'cn'");
  }
  if (config.account.empty()) return InvalidSd("triton SD configuration requires an account");
  if (config.dns_suffix.empty()) return InvalidSd("triton SD configuration requires a dns_suffix");
  if (config.endpoint.empty()) return InvalidSd("triton SD configuration requires an endpoint");
  if (config.refresh_interval <= 0)
    return InvalidSd("triton SD configuration requires RefreshInterval to be a positive integer");
  return {};
}

void Schema<TritonSdConfig>::SetDirectory(TritonSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.tls_config, directory);
}

std::span<const FieldSpec> Schema<UyuniSdConfig>::Fields() {
  using T = UyuniSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::server>("server"),
      Key<T, &T::username>("username"),
      Key<T, &T::password, SecretCodec>("password"),
      Inline<T, &T::http>(),
      Key<T, &T::entitlement>("entitlement", Omit::kEmpty),
      Key<T, &T::separator>("separator", Omit::kEmpty),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<UyuniSdConfig>::Validate(UyuniSdConfig& config) {
  if (config.server.empty()) return InvalidSd("Uyuni SD configuration requires server host");
  if (const auto url = CheckSdUrl(config.server); !url) {
    return InvalidSd("Uyuni Server URL is not valid: " + url.error().message());
  }
  if (config.username.empty()) return InvalidSd("Uyuni SD configuration requires a username");
  if (config.password.empty()) return InvalidSd("Uyuni SD configuration requires a password");
  return ValidateHttpClientConfig(config.http);
}

void Schema<UyuniSdConfig>::SetDirectory(UyuniSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const FieldSpec> Schema<VultrSdConfig>::Fields() {
  using T = VultrSdConfig;
  static constexpr FieldSpec kFields[] = {
      Inline<T, &T::http>(),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval"),
      Key<T, &T::port>("port"),
  };
  return kFields;
}

Result<void> Schema<VultrSdConfig>::Validate(VultrSdConfig& config) { return ValidateHttpClientConfig(config.http); }

void Schema<VultrSdConfig>::SetDirectory(VultrSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const SdKind> OtherSdKinds() {
  static constexpr SdKind kKinds[] = {
      MakeSdKind<AzureSdConfig>("azure", "azure_sd_configs", false),
      MakeSdKind<DigitalOceanSdConfig>("digitalocean", "digitalocean_sd_configs", false),
      MakeSdKind<EurekaSdConfig>("eureka", "eureka_sd_configs", false),
      MakeSdKind<GceSdConfig>("gce", "gce_sd_configs", false),
      MakeSdKind<HetznerSdConfig>("hetzner", "hetzner_sd_configs", false),
      MakeSdKind<IonosSdConfig>("ionos", "ionos_sd_configs", false),
      MakeSdKind<KumaSdConfig>("kuma", "kuma_sd_configs", false),
      MakeSdKind<LinodeSdConfig>("linode", "linode_sd_configs", false),
      MakeSdKind<MarathonSdConfig>("marathon", "marathon_sd_configs", false),
      MakeSdKind<NerveSdConfig>("nerve", "nerve_sd_configs", false),
      MakeSdKind<OciSdConfig>("oci", "oci_sd_configs", false),
      MakeSdKind<OpenstackSdConfig>("openstack", "openstack_sd_configs", false),
      MakeSdKind<OutscaleSdConfig>("outscale", "outscale_sd_configs", false),
      MakeSdKind<OvhcloudSdConfig>("ovhcloud", "ovhcloud_sd_configs", false),
      MakeSdKind<PuppetdbSdConfig>("puppetdb", "puppetdb_sd_configs", false),
      MakeSdKind<ScalewaySdConfig>("scaleway", "scaleway_sd_configs", false),
      MakeSdKind<ServersetSdConfig>("serverset", "serverset_sd_configs", false),
      MakeSdKind<StackitSdConfig>("stackit", "stackit_sd_configs", false),
      MakeSdKind<TritonSdConfig>("triton", "triton_sd_configs", false),
      MakeSdKind<UyuniSdConfig>("uyuni", "uyuni_sd_configs", false),
      MakeSdKind<VultrSdConfig>("vultr", "vultr_sd_configs", false),
  };
  return kKinds;
}

}  // namespace epi::config
