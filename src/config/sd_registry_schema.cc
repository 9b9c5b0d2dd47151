// Registries of services or machines.
#include "config/sd_other_configs.h"
#include "config/sd_schema.h"

namespace epi::config {

EPI_SD_SCHEMA(EurekaSdConfig, "eureka.plain");
EPI_SD_SCHEMA(KumaSdConfig, "xds.plainKumaConf");
EPI_SD_SCHEMA(MarathonSdConfig, "marathon.plain");
EPI_SD_SCHEMA(NerveSdConfig, "zookeeper.plain");
EPI_SD_SCHEMA(ServersetSdConfig, "zookeeper.plain");
EPI_SD_SCHEMA(PuppetdbSdConfig, "puppetdb.plain");
EPI_SD_SCHEMA(TritonSdConfig, "triton.plain");
EPI_SD_SCHEMA(UyuniSdConfig, "uyuni.plain");

namespace {

Result<void> ValidateZookeeper(const ZookeeperSdConfig& config, const std::string& kind) {
  if (config.servers.empty()) return InvalidSd(kind + " SD config must contain at least one Zookeeper server");
  if (config.paths.empty()) return InvalidSd(kind + " SD config must contain at least one path");
  for (const auto& path : config.paths) {
    if (!path.starts_with('/')) return InvalidSd(kind + " SD config paths must begin with '/': " + path);
  }
  return {};
}

}  // namespace

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

std::span<const SdKind> RegistrySdKinds() {
  static constexpr SdKind kKinds[] = {
      MakeSdKind<EurekaSdConfig>("eureka", "eureka_sd_configs", false),
      MakeSdKind<KumaSdConfig>("kuma", "kuma_sd_configs", false),
      MakeSdKind<MarathonSdConfig>("marathon", "marathon_sd_configs", false),
      MakeSdKind<NerveSdConfig>("nerve", "nerve_sd_configs", false),
      MakeSdKind<ServersetSdConfig>("serverset", "serverset_sd_configs", false),
      MakeSdKind<PuppetdbSdConfig>("puppetdb", "puppetdb_sd_configs", false),
      MakeSdKind<TritonSdConfig>("triton", "triton_sd_configs", false),
      MakeSdKind<UyuniSdConfig>("uyuni", "uyuni_sd_configs", false),
  };
  return kKinds;
}

}  // namespace epi::config
