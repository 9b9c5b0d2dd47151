#include "config/remote_config.h"

#include <algorithm>

#include "config/http_client_schema.h"
#include "config/relabel_schema.h"
#include "config/remote_schema.h"
#include "model/case_mapping.h"

namespace epi::config {

template <>
struct Schema<RemoteWriteHttpConfig> : Schema<HttpClientConfig> {};
template <>
struct Schema<GoogleIamConfig> {
  static constexpr std::string_view kGoType = "googleiam.Config";
  static std::span<const FieldSpec> Fields() {
    static constexpr FieldSpec kFields[] = {
        Key<GoogleIamConfig, &GoogleIamConfig::credentials_file>("credentials_file", Omit::kEmpty)};
    return kFields;
  }
};
// A queue_config without a value is Go's zero struct, which validation refuses.
template <>
struct Schema<QueueConfig> {
  static constexpr std::string_view kGoType = "config.QueueConfig";
  static std::span<const FieldSpec> Fields();
  static QueueConfig Zero() { return {0, 0, 0, 0, 0, 0, 0, false, 0}; }
};
template <>
struct Schema<MetadataConfig> {
  static constexpr std::string_view kGoType = "config.MetadataConfig";
  static std::span<const FieldSpec> Fields();
  static MetadataConfig Zero() { return {false, 0, 0}; }
};

#define EPI_AZURE_SCHEMA(type, go_type)                  \
  template <>                                            \
  struct Schema<type> {                                  \
    static constexpr std::string_view kGoType = go_type; \
    static std::span<const FieldSpec> Fields();          \
  }
EPI_AZURE_SCHEMA(AzureManagedIdentity, "azuread.ManagedIdentityConfig");
EPI_AZURE_SCHEMA(AzureWorkloadIdentity, "azuread.WorkloadIdentityConfig");
EPI_AZURE_SCHEMA(AzureOAuth, "azuread.OAuthConfig");
EPI_AZURE_SCHEMA(AzureSdk, "azuread.SDKConfig");
EPI_AZURE_SCHEMA(AzureCertificate, "azuread.CertificateConfig");
#undef EPI_AZURE_SCHEMA

namespace {

constexpr std::string_view kMessageType = "remote.WriteMessageType";
constexpr char kNullWriteRelabel[] = "empty or null relabeling rule in remote write config";
constexpr std::string_view kAuthorizationText =
    "authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam "
    "parameter";

constexpr std::string_view kRemoteReservedHeaders[] = {
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
};

tl::unexpected<Error> InvalidRemote(std::string text) { return Fail(ErrorCode::kInvalid, std::move(text)); }

bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, with urn:uuid: in front, in braces, or without dashes: what Go's uuid package
// takes.
bool IsUuid(std::string_view text) {
  constexpr std::string_view kUrn = "urn:uuid:";
  if (text.size() == 45 && ToLowerUtf8(text.substr(0, kUrn.size())) == kUrn) text.remove_prefix(kUrn.size());
  if (text.size() == 38) text = text.substr(1, 36);
  if (text.size() == 32) return std::all_of(text.begin(), text.end(), IsHex);
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !IsHex(text[i])) return false;
  }
  return true;
}

Result<void> RequireAzure(const std::string& value, std::string_view method, std::string_view key) {
  if (!value.empty()) return {};
  return InvalidRemote("must provide an Azure " + std::string(method) + " " + std::string(key) +
                       " in the Azure AD config");
}

Result<void> RequireAzureUuid(const std::string& value, std::string_view method, std::string_view key) {
  if (IsUuid(value)) return {};
  return InvalidRemote("the provided Azure " + std::string(method) + " " + std::string(key) + " is invalid");
}

bool IsAzureScope(std::string_view scope) {
  return std::all_of(scope.begin(), scope.end(), [](char c) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    return word || std::string_view(" \t\n\f\r:/.-").find(c) != std::string_view::npos;
  });
}

Result<void> ValidateQueue(const QueueConfig& queue) {
  const auto invalid = [](std::string_view text) { return InvalidRemote("remote write queue " + std::string(text)); };
  if (queue.max_shards <= 0) return invalid("max_shards must be positive");
  if (queue.min_shards <= 0) return invalid("min_shards must be positive");
  if (queue.min_shards > queue.max_shards) return invalid("min_shards must not be greater than max_shards");
  if (queue.max_samples_per_send <= 0) return invalid("max_samples_per_send must be positive");
  if (queue.capacity <= 0) return invalid("capacity must be positive");
  if (queue.max_backoff < queue.min_backoff) return invalid("max_backoff must not be less than min_backoff");
  return {};
}

Result<void> ValidateAuthentication(const RemoteWriteConfig& config) {
  std::string configured;
  int count = 0;
  const auto add = [&](bool given, std::string_view name) {
    if (!given) return;
    configured += (count++ == 0 ? "" : " ") + std::string(name);
  };
  add(config.http.basic_auth.has_value(), "basic_auth");
  add(config.http.authorization.has_value(), "authorization");
  add(config.http.oauth2.has_value(), "oauth2");
  add(config.sigv4.has_value(), "sigv4");
  add(config.azuread.has_value(), "azuread");
  add(config.google_iam.has_value(), "google_iam");
  if (count <= 1) return {};
  return InvalidRemote(
      "at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be configured. Currently "
      "configured: [" +
      configured + "]");
}

}  // namespace

Result<void> ValidateConfiguredHeaders(const StringMap& headers, std::string_view authorization_text) {
  for (const auto& [name, value] : headers) {
    const std::string lower = ToLowerUtf8(name);
    if (lower == "authorization") return InvalidRemote(std::string(authorization_text));
    if (std::find(std::begin(kRemoteReservedHeaders), std::end(kRemoteReservedHeaders), lower) !=
        std::end(kRemoteReservedHeaders)) {
      return InvalidRemote(name + " is a reserved header. It must not be changed");
    }
  }
  return {};
}

std::span<const FieldSpec> Schema<SigV4Config>::Fields() {
  using T = SigV4Config;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::region>("region", Omit::kEmpty),
      Key<T, &T::access_key>("access_key", Omit::kEmpty),
      Key<T, &T::secret_key, SecretCodec>("secret_key", Omit::kEmpty),
      Key<T, &T::profile>("profile", Omit::kEmpty),
      Key<T, &T::role_arn>("role_arn", Omit::kEmpty),
      Key<T, &T::external_id>("external_id", Omit::kEmpty),
      Key<T, &T::use_fips_sts_endpoint>("use_fips_sts_endpoint", Omit::kEmpty),
      Key<T, &T::service_name>("service_name", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<SigV4Config>::Validate(SigV4Config& config) {
  if (config.access_key.empty() != config.secret_key.empty()) {
    return InvalidRemote(
        "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config");
  }
  if (!config.external_id.empty() && config.role_arn.empty())
    return InvalidRemote("external_id can only be used with role_arn");
  return {};
}

std::span<const FieldSpec> Schema<AzureManagedIdentity>::Fields() {
  using T = AzureManagedIdentity;
  static constexpr FieldSpec kFields[] = {Key<T, &T::client_id>("client_id", Omit::kEmpty)};
  return kFields;
}

std::span<const FieldSpec> Schema<AzureWorkloadIdentity>::Fields() {
  using T = AzureWorkloadIdentity;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::client_id>("client_id", Omit::kEmpty),
      Key<T, &T::tenant_id>("tenant_id", Omit::kEmpty),
      Key<T, &T::token_file_path>("token_file_path", Omit::kEmpty),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<AzureOAuth>::Fields() {
  using T = AzureOAuth;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::client_id>("client_id", Omit::kEmpty),
      Key<T, &T::client_secret, SecretCodec>("client_secret", Omit::kEmpty),
      Key<T, &T::tenant_id>("tenant_id", Omit::kEmpty),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<AzureSdk>::Fields() {
  using T = AzureSdk;
  static constexpr FieldSpec kFields[] = {Key<T, &T::tenant_id>("tenant_id", Omit::kEmpty)};
  return kFields;
}

std::span<const FieldSpec> Schema<AzureCertificate>::Fields() {
  using T = AzureCertificate;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::client_id>("client_id", Omit::kEmpty),
      Key<T, &T::tenant_id>("tenant_id", Omit::kEmpty),
      Key<T, &T::certificate_path>("certificate_path", Omit::kEmpty),
      Key<T, &T::certificate_key_path>("certificate_key_path", Omit::kEmpty),
      Key<T, &T::certificate_password, SecretCodec>("certificate_password", Omit::kEmpty),
      Key<T, &T::send_certificate_chain>("send_certificate_chain", Omit::kEmpty),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<AzureAdConfig>::Fields() {
  using T = AzureAdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::managed_identity>("managed_identity", Omit::kEmpty),
      Key<T, &T::workload_identity>("workload_identity", Omit::kEmpty),
      Key<T, &T::oauth>("oauth", Omit::kEmpty),
      Key<T, &T::sdk>("sdk", Omit::kEmpty),
      Key<T, &T::certificate>("certificate", Omit::kEmpty),
      Key<T, &T::cloud>("cloud", Omit::kEmpty),
      Key<T, &T::scope>("scope", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<AzureAdConfig>::Validate(AzureAdConfig& config) {
  if (config.cloud.empty()) config.cloud = "AzurePublic";
  if (config.cloud != "AzureChina" && config.cloud != "AzureGovernment" && config.cloud != "AzurePublic") {
    return InvalidRemote("must provide a cloud in the Azure AD config");
  }
  const int methods = (config.managed_identity ? 1 : 0) + (config.workload_identity ? 1 : 0) + (config.oauth ? 1 : 0) +
                      (config.sdk ? 1 : 0) + (config.certificate ? 1 : 0);
  if (methods == 0) {
    return InvalidRemote(
        "must provide an Azure Managed Identity, Azure Workload Identity, Azure OAuth, Azure Certificate or Azure SDK "
        "in the "
        "Azure AD config");
  }
  if (methods > 1) return InvalidRemote("cannot provide multiple authentication methods in the Azure AD config");
  if (config.managed_identity && !config.managed_identity->client_id.empty()) {
    EPI_TRY(RequireAzureUuid(config.managed_identity->client_id, "Managed Identity", "client_id"));
  }
  if (config.workload_identity) {
    AzureIdentity& identity = *config.workload_identity;
    EPI_TRY(RequireAzure(identity.client_id, "Workload Identity", "client_id"));
    EPI_TRY(RequireAzure(identity.tenant_id, "Workload Identity", "tenant_id"));
    EPI_TRY(RequireAzureUuid(identity.client_id, "Workload Identity", "client_id"));
    EPI_TRY(RequireAzureUuid(identity.tenant_id, "Workload Identity", "tenant_id"));
    if (identity.token_file_path.empty())
      identity.token_file_path = "/var/run/secrets/azure/tokens/azure-identity-token";
  }
  if (config.oauth) {
    const AzureIdentity& identity = *config.oauth;
    EPI_TRY(RequireAzure(identity.client_id, "OAuth", "client_id"));
    EPI_TRY(RequireAzure(identity.client_secret, "OAuth", "client_secret"));
    EPI_TRY(RequireAzure(identity.tenant_id, "OAuth", "tenant_id"));
    EPI_TRY(RequireAzureUuid(identity.client_id, "OAuth", "client_id"));
  }
  if (config.certificate) {
    const AzureIdentity& identity = *config.certificate;
    EPI_TRY(RequireAzure(identity.client_id, "Certificate", "client_id"));
    EPI_TRY(RequireAzure(identity.tenant_id, "Certificate", "tenant_id"));
    EPI_TRY(RequireAzure(identity.certificate_path, "Certificate", "certificate_path"));
    EPI_TRY(RequireAzureUuid(identity.client_id, "Certificate", "client_id"));
  }
  if (!IsAzureScope(config.scope)) return InvalidRemote("the provided scope contains invalid characters");
  return {};
}

std::span<const FieldSpec> Schema<QueueConfig>::Fields() {
  using T = QueueConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::capacity>("capacity", Omit::kEmpty),
      Key<T, &T::max_shards>("max_shards", Omit::kEmpty),
      Key<T, &T::min_shards>("min_shards", Omit::kEmpty),
      Key<T, &T::max_samples_per_send>("max_samples_per_send", Omit::kEmpty),
      Key<T, &T::batch_send_deadline, DurationCodec>("batch_send_deadline", Omit::kEmpty),
      Key<T, &T::min_backoff, DurationCodec>("min_backoff", Omit::kEmpty),
      Key<T, &T::max_backoff, DurationCodec>("max_backoff", Omit::kEmpty),
      Key<T, &T::retry_on_http_429>("retry_on_http_429", Omit::kEmpty),
      Key<T, &T::sample_age_limit, DurationCodec>("sample_age_limit", Omit::kEmpty),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<MetadataConfig>::Fields() {
  using T = MetadataConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::send>("send"),
      Key<T, &T::send_interval, DurationCodec>("send_interval"),
      Key<T, &T::max_samples_per_send>("max_samples_per_send", Omit::kEmpty),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<RemoteWriteConfig>::Fields() {
  using T = RemoteWriteConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::url, Given<UrlCodec>>("url"),
      Key<T, &T::remote_timeout, DurationCodec>("remote_timeout", Omit::kEmpty),
      Key<T, &T::headers>("headers", Omit::kEmpty),
      Key<T, &T::write_relabel_configs, NoNullItems<kNullWriteRelabel>>("write_relabel_configs", Omit::kEmpty),
      Key<T, &T::name>("name", Omit::kEmpty),
      Key<T, &T::send_exemplars>("send_exemplars", Omit::kEmpty),
      Key<T, &T::send_native_histograms>("send_native_histograms", Omit::kEmpty),
      Key<T, &T::round_robin_dns>("round_robin_dns", Omit::kEmpty),
      Key<T, &T::protobuf_message, TypedString<kMessageType>>("protobuf_message", Omit::kEmpty),
      Key<T, &T::failed_request_logging>("failed_request_logging", Omit::kEmpty),
      Inline<T, &T::http>(),
      Key<T, &T::queue_config>("queue_config", Omit::kEmpty),
      Key<T, &T::metadata_config>("metadata_config", Omit::kEmpty),
      Key<T, &T::sigv4>("sigv4", Omit::kEmpty),
      Key<T, &T::azuread>("azuread", Omit::kEmpty),
      Key<T, &T::google_iam>("google_iam", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<RemoteWriteConfig>::Validate(RemoteWriteConfig& config) {
  if (!config.url) return InvalidRemote("url for remote_write is empty");
  EPI_TRY(ValidateConfiguredHeaders(config.headers, kAuthorizationText));
  if (config.protobuf_message != kRemoteWriteV1 && config.protobuf_message != kRemoteWriteV2) {
    return InvalidRemote("invalid protobuf_message value: unknown type for remote write protobuf message " +
                         config.protobuf_message + ", supported: " + std::string(kRemoteWriteV1) + ", " +
                         std::string(kRemoteWriteV2));
  }
  EPI_TRY(ValidateHttpClientConfig(config.http));
  EPI_TRY(ValidateQueue(config.queue_config));
  return ValidateAuthentication(config);
}

std::span<const FieldSpec> Schema<RemoteReadConfig>::Fields() {
  using T = RemoteReadConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::url, Given<UrlCodec>>("url"),
      Key<T, &T::remote_timeout, DurationCodec>("remote_timeout", Omit::kEmpty),
      Key<T, &T::chunked_read_limit, Uint64Codec>("chunked_read_limit", Omit::kEmpty),
      Key<T, &T::headers>("headers", Omit::kEmpty),
      Key<T, &T::read_recent>("read_recent", Omit::kEmpty),
      Key<T, &T::name>("name", Omit::kEmpty),
      Inline<T, &T::http>(),
      Key<T, &T::required_matchers, LabelSetCodec>("required_matchers", Omit::kEmpty),
      Key<T, &T::filter_external_labels>("filter_external_labels", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<RemoteReadConfig>::Validate(RemoteReadConfig& config) {
  if (!config.url) return InvalidRemote("url for remote_read is empty");
  EPI_TRY(ValidateConfiguredHeaders(config.headers, kAuthorizationText));
  return ValidateHttpClientConfig(config.http);
}

std::string RemoteWriteFingerprint(const RemoteWriteConfig& config) {
  return Codec<RemoteWriteConfig>::Write(config, {.redact = false}).Text();
}

std::string RemoteReadFingerprint(const RemoteReadConfig& config) {
  return Codec<RemoteReadConfig>::Write(config, {.redact = false}).Text();
}

}  // namespace epi::config
