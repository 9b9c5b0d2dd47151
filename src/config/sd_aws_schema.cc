#include "config/sd_other_configs.h"
#include "config/sd_schema.h"

namespace epi::config {

EPI_SD_SCHEMA(AwsSdConfig, "aws.plain");
EPI_SD_SCHEMA(EcsSdConfig, "aws.plain");
EPI_SD_SCHEMA(ElasticacheSdConfig, "aws.plain");
EPI_SD_SCHEMA(LightsailSdConfig, "aws.plain");
EPI_SD_SCHEMA(MskSdConfig, "aws.plain");
EPI_SD_SCHEMA(RdsSdConfig, "aws.plain");

namespace {

constexpr std::string_view kAwsRoles[] = {"ec2", "ecs", "elasticache", "lightsail", "msk", "rds"};

Result<void> CheckAwsRole(std::string& role) { return CheckSdWord(role, kAwsRoles, "unknown AWS SD role "); }

// Kinds that look for clusters.
template <typename T>
std::span<const FieldSpec> ClusterFields() {
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::region>("region"),
      Key<T, &T::endpoint>("endpoint"),
      Key<T, &T::access_key>("access_key", Omit::kEmpty),
      Key<T, &T::secret_key, SecretCodec>("secret_key", Omit::kEmpty),
      Key<T, &T::profile>("profile", Omit::kEmpty),
      Key<T, &T::role_arn>("role_arn", Omit::kEmpty),
      Key<T, &T::external_id>("external_id", Omit::kEmpty),
      Key<T, &T::clusters>("clusters", Omit::kEmpty),
      Key<T, &T::port>("port"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::request_concurrency>("request_concurrency", Omit::kEmpty),
      Inline<T, &T::http>(),
  };
  return kFields;
}

}  // namespace

void AwsFiltersCodec::Read(YamlReader& reader, const YamlNode& node, std::vector<NamedFilter>& out) {
  out.clear();
  if (node.IsNull()) return;
  if (!node.IsSequence()) return reader.WrongType(node, "[]*aws.Filter");
  for (const YamlNode& item : node.items()) {
    NamedFilter& filter = out.emplace_back();
    if (item.IsNull()) continue;
    if (item.IsMapping()) {
      ReadFields(reader, item, &filter, Schema<NamedFilter>::Fields(), "aws.Filter");
    } else {
      reader.WrongType(item, "aws.Filter");
    }
  }
}

std::span<const FieldSpec> Schema<AwsSdConfig>::Fields() {
  using T = AwsSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::role, CheckedString<CheckAwsRole>>("role"),
      Key<T, &T::region>("region", Omit::kEmpty),
      Key<T, &T::endpoint>("endpoint", Omit::kEmpty),
      Key<T, &T::access_key>("access_key", Omit::kEmpty),
      Key<T, &T::secret_key, SecretCodec>("secret_key", Omit::kEmpty),
      Key<T, &T::profile>("profile", Omit::kEmpty),
      Key<T, &T::role_arn>("role_arn", Omit::kEmpty),
      Key<T, &T::external_id>("external_id", Omit::kEmpty),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::port>("port", Omit::kEmpty),
      Inline<T, &T::http>(),
      Key<T, &T::filters, AwsFiltersCodec>("filters", Omit::kEmpty),
      Key<T, &T::clusters>("clusters", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<AwsSdConfig>::Validate(AwsSdConfig& config) {
  // Prometheus does not validate this HTTP client block.
  EPI_TRY(CheckAwsRole(config.role));
  return {};
}

void Schema<AwsSdConfig>::SetDirectory(AwsSdConfig& config, std::string_view directory) {
  // Prometheus joins the paths of a copy made for the role, which shares all but these two with what is printed.
  HttpClientConfig joined = config.http;
  config::SetDirectory(joined, directory);
  joined.tls_config = config.http.tls_config;
  joined.bearer_token_file = config.http.bearer_token_file;
  config.http = std::move(joined);
}

std::span<const FieldSpec> Schema<EcsSdConfig>::Fields() { return ClusterFields<EcsSdConfig>(); }

Result<void> Schema<EcsSdConfig>::Validate(EcsSdConfig& config) { return ValidateHttpClientConfig(config.http); }

void Schema<EcsSdConfig>::SetDirectory(EcsSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const FieldSpec> Schema<ElasticacheSdConfig>::Fields() { return ClusterFields<ElasticacheSdConfig>(); }

Result<void> Schema<ElasticacheSdConfig>::Validate(ElasticacheSdConfig& config) {
  return ValidateHttpClientConfig(config.http);
}

void Schema<ElasticacheSdConfig>::SetDirectory(ElasticacheSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const FieldSpec> Schema<LightsailSdConfig>::Fields() {
  using T = LightsailSdConfig;
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
      Inline<T, &T::http>(),
  };
  return kFields;
}

Result<void> Schema<LightsailSdConfig>::Validate(LightsailSdConfig& config) {
  return ValidateHttpClientConfig(config.http);
}

void Schema<LightsailSdConfig>::SetDirectory(LightsailSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const FieldSpec> Schema<MskSdConfig>::Fields() { return ClusterFields<MskSdConfig>(); }

Result<void> Schema<MskSdConfig>::Validate(MskSdConfig& config) { return ValidateHttpClientConfig(config.http); }

void Schema<MskSdConfig>::SetDirectory(MskSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const FieldSpec> Schema<RdsSdConfig>::Fields() {
  using T = RdsSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::region>("region"),
      Key<T, &T::endpoint>("endpoint"),
      Key<T, &T::access_key>("access_key", Omit::kEmpty),
      Key<T, &T::secret_key, SecretCodec>("secret_key", Omit::kEmpty),
      Key<T, &T::profile>("profile", Omit::kEmpty),
      Key<T, &T::role_arn>("role_arn", Omit::kEmpty),
      Key<T, &T::external_id>("external_id", Omit::kEmpty),
      Key<T, &T::clusters>("clusters", Omit::kEmpty),
      Key<T, &T::port>("port"),
      Key<T, &T::refresh_interval, DurationCodec>("refresh_interval", Omit::kEmpty),
      Key<T, &T::filters, AwsFiltersCodec>("filters"),
      Key<T, &T::request_concurrency>("request_concurrency", Omit::kEmpty),
      Inline<T, &T::http>(),
  };
  return kFields;
}

Result<void> Schema<RdsSdConfig>::Validate(RdsSdConfig& config) { return ValidateHttpClientConfig(config.http); }

void Schema<RdsSdConfig>::SetDirectory(RdsSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
}

std::span<const SdKind> AwsSdKinds() {
  static constexpr SdKind kKinds[] = {
      MakeSdKind<AwsSdConfig>("aws", "aws_sd_configs", false),
      MakeSdKind<EcsSdConfig>("ecs", "ecs_sd_configs", false),
      MakeSdKind<ElasticacheSdConfig>("elasticache", "elasticache_sd_configs", false),
      MakeSdKind<LightsailSdConfig>("lightsail", "lightsail_sd_configs", false),
      MakeSdKind<MskSdConfig>("msk", "msk_sd_configs", false),
      MakeSdKind<RdsSdConfig>("rds", "rds_sd_configs", false),
  };
  return kKinds;
}

}  // namespace epi::config
