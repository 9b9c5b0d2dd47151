// Clouds with credentials of their own making.
#include "config/sd_other_configs.h"
#include "config/sd_schema.h"

namespace epi::config {

EPI_SD_SCHEMA(AzureSdConfig, "azure.plain");
EPI_SD_SCHEMA(GceSdConfig, "gce.plain");
EPI_SD_SCHEMA(OciSdConfig, "oci.plain");
EPI_SD_SCHEMA(OpenstackSdConfig, "openstack.plain");
EPI_SD_SCHEMA(OutscaleSdConfig, "outscale.plain");
EPI_SD_SCHEMA(OvhcloudSdConfig, "ovhcloud.plain");

namespace {

constexpr std::string_view kOpenstackRoles[] = {"hypervisor", "instance", "loadbalancer"};

Result<void> CheckOpenstackRole(std::string& role) {
  return CheckSdWord(role, kOpenstackRoles, "unknown OpenStack SD role ");
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
  EPI_TRY(RequireOneSdSecret(config.secret_key, config.secret_key_file));
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

std::span<const SdKind> CloudSdKinds() {
  static constexpr SdKind kKinds[] = {
      MakeSdKind<AzureSdConfig>("azure", "azure_sd_configs", false),
      MakeSdKind<GceSdConfig>("gce", "gce_sd_configs", false),
      MakeSdKind<OciSdConfig>("oci", "oci_sd_configs", false),
      MakeSdKind<OpenstackSdConfig>("openstack", "openstack_sd_configs", false),
      MakeSdKind<OutscaleSdConfig>("outscale", "outscale_sd_configs", false),
      MakeSdKind<OvhcloudSdConfig>("ovhcloud", "ovhcloud_sd_configs", false),
  };
  return kKinds;
}

}  // namespace epi::config
