// Clouds that are asked with a token over HTTP.
#include "config/scaleway_profile.h"
#include "config/sd_other_configs.h"
#include "config/sd_schema.h"

namespace epi::config {

EPI_SD_SCHEMA(DigitalOceanSdConfig, "digitalocean.plain");
EPI_SD_SCHEMA(HetznerSdConfig, "hetzner.plain");
EPI_SD_SCHEMA(IonosSdConfig, "ionos.plain");
EPI_SD_SCHEMA(LinodeSdConfig, "linode.plain");
EPI_SD_SCHEMA(ScalewaySdConfig, "scaleway.plain");
EPI_SD_SCHEMA(StackitSdConfig, "stackit.plain");
EPI_SD_SCHEMA(VultrSdConfig, "vultr.plain");

namespace {

constexpr std::string_view kDigitalOceanRoles[] = {"droplets", "databases"};
constexpr std::string_view kHetznerRoles[] = {"robot", "hcloud"};
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
  return CheckSdWord(role, kDigitalOceanRoles, "unknown DigitalOcean SD role ");
}
Result<void> CheckHetznerRole(std::string& role) { return CheckSdWord(role, kHetznerRoles, "unknown role "); }
Result<void> CheckScalewayRole(std::string& role) { return CheckSdWord(role, kScalewayRoles, "unknown role "); }

}  // namespace

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
  EPI_TRY(RequireOneSdSecret(config.secret_key, config.secret_key_file));
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

std::span<const SdKind> HosterSdKinds() {
  static constexpr SdKind kKinds[] = {
      MakeSdKind<DigitalOceanSdConfig>("digitalocean", "digitalocean_sd_configs", false),
      MakeSdKind<HetznerSdConfig>("hetzner", "hetzner_sd_configs", false),
      MakeSdKind<IonosSdConfig>("ionos", "ionos_sd_configs", false),
      MakeSdKind<LinodeSdConfig>("linode", "linode_sd_configs", false),
      MakeSdKind<ScalewaySdConfig>("scaleway", "scaleway_sd_configs", false),
      MakeSdKind<StackitSdConfig>("stackit", "stackit_sd_configs", false),
      MakeSdKind<VultrSdConfig>("vultr", "vultr_sd_configs", false),
  };
  return kKinds;
}

}  // namespace epi::config
