#include "config/config_schema.h"

#include <algorithm>

#include "base/escaping.h"
#include "base/trim.h"
#include "config/byte_size.h"
#include "config/http_client_schema.h"
#include "config/name_scheme_codec.h"
#include "config/relabel_schema.h"
#include "config/remote_schema.h"
#include "config/scrape_schema.h"
#include "model/number_format.h"

namespace epi::config {
namespace {

constexpr char kNullScrape[] = "empty or null scrape config section";
constexpr char kNullRemoteWrite[] = "empty or null remote write config section";
constexpr char kNullRemoteRead[] = "empty or null remote read config section";
constexpr char kNullAlertRelabel[] = "empty or null alert relabeling rule";
constexpr char kNullAlertmanager[] = "empty or null Alertmanager config section";
constexpr char kNullTargetRelabel[] = "empty or null Alertmanager target relabeling rule";
constexpr char kNullManagerAlertRelabel[] = "empty or null Alertmanager alert relabeling rule";

tl::unexpected<Error> Invalid(std::string text) { return Fail(ErrorCode::kInvalid, std::move(text)); }

Result<void> CheckApiVersion(std::string& version) {
  if (version == "v2") return {};
  return Invalid("expected Alertmanager api version to be one of [v2] but got " + version);
}

Result<void> CheckTracingClient(std::string& type) {
  if (type == "http" || type == "grpc") return {};
  return Invalid("expected tracing client type to be to be http or grpc, but got " + type);
}

// Trims in place; all complaints at once, one a line.
Result<void> SanitizeAttributes(std::vector<std::string>& attributes, const std::string& adjective) {
  std::string errors;
  std::vector<std::string> seen;
  const auto complain = [&](const std::string& text) { errors += (errors.empty() ? "" : "\n") + text; };
  for (auto& attribute : attributes) {
    std::string trimmed(Trimmed(attribute, kSpaces));
    if (trimmed.empty()) {
      complain("empty " + adjective + " OTel resource attribute");
    } else if (std::find(seen.begin(), seen.end(), trimmed) != seen.end()) {
      complain("duplicated " + adjective + " OTel resource attribute " + Quoted(trimmed));
    } else {
      seen.push_back(trimmed);
      attribute = trimmed;
    }
  }
  if (!errors.empty()) return Invalid(std::move(errors));
  return {};
}

}  // namespace

#define EPI_SECTION_SCHEMA(type, go_type)                \
  template <>                                            \
  struct Schema<type> {                                  \
    static constexpr std::string_view kGoType = go_type; \
    static std::span<const FieldSpec> Fields();          \
    static Result<void> Validate(type& config);          \
  }
EPI_SECTION_SCHEMA(GlobalConfig, "config.plain");
EPI_SECTION_SCHEMA(RetentionConfig, "config.plain");
EPI_SECTION_SCHEMA(TsdbConfig, "config.plain");
EPI_SECTION_SCHEMA(TracingConfig, "config.plain");
#undef EPI_SECTION_SCHEMA

template <>
struct Schema<RuntimeConfig> {
  static constexpr std::string_view kGoType = "config.RuntimeConfig";
  static std::span<const FieldSpec> Fields();
};
template <>
struct Schema<AlertingConfig> {
  static constexpr std::string_view kGoType = "config.plain";
  static std::span<const FieldSpec> Fields();
};
template <>
struct Schema<AlertmanagerConfig> {
  static constexpr std::string_view kGoType = "config.AlertmanagerConfig";
  static constexpr std::string_view kGoListType = "config.AlertmanagerConfigs";
  static std::span<const FieldSpec> Fields();
  static Result<void> Validate(AlertmanagerConfig& config);
  static bool ReadExtra(YamlReader& reader, const YamlEntry& entry, AlertmanagerConfig& config) {
    return ReadSdSection(reader, entry, config.service_discovery);
  }
  static void WriteExtra(const AlertmanagerConfig& config, const WriteOptions& options, YamlValue& mapping) {
    WriteSdSections(config.service_discovery, options, mapping);
  }
};
template <>
struct Schema<StorageConfig> {
  static constexpr std::string_view kGoType = "config.StorageConfig";
  static std::span<const FieldSpec> Fields();
};
template <>
struct Schema<OtlpConfig> {
  static constexpr std::string_view kGoType = "config.plain";
  static std::span<const FieldSpec> Fields();
  static Result<void> Validate(OtlpConfig& config);
  // An otlp key without a value switches everything off, the defaults too.
  static OtlpConfig Zero() { return {false, {}, {}, "", false, false, false, false, false}; }
};

namespace {

constexpr FieldSpec kChunkEncodingFields[] = {
    Key<TsdbConfig, &TsdbConfig::float_chunk_encoding>("floats", Omit::kEmpty)};

constexpr std::string_view kPlainType = "config.plain";
constexpr std::string_view kTranslationStrategyType = "otlptranslator.TranslationStrategyOption";

// Prometheus keeps the window a second time, in milliseconds, under the name of the field, which prints as well. What
// the file says there is overwritten.
constexpr FieldSpec WindowFieldKey() {
  FieldSpec out;
  out.key = "outofordertimewindow";
  out.read = [](YamlReader& reader, const YamlNode& node, void*) {
    int64_t ignored = 0;
    if (!node.IsNull()) reader.ReadInt(node, ignored, "int64");
  };
  out.write = [](const void* object, const WriteOptions&) {
    return YamlValue::Int(static_cast<const TsdbConfig*>(object)->out_of_order_time_window);
  };
  out.is_empty = [](const void* object) {
    return static_cast<const TsdbConfig*>(object)->out_of_order_time_window == 0;
  };
  return out;
}

// The block chunk_encoding holds one key only, so it has no struct of its own.
constexpr FieldSpec ChunkEncodingKey() {
  FieldSpec out;
  out.key = "chunk_encoding";
  out.omit = Omit::kEmpty;
  out.read = [](YamlReader& reader, const YamlNode& node, void* object) {
    if (node.IsNull()) return;
    if (!node.IsMapping()) {
      reader.WrongType(node, "config.ChunkEncodingConfig");
      return;
    }
    ReadFields(reader, node, object, kChunkEncodingFields, "config.ChunkEncodingConfig");
  };
  out.write = [](const void* object, const WriteOptions& options) {
    YamlValue block = YamlValue::Mapping();
    WriteFields(object, kChunkEncodingFields, options, block);
    return block;
  };
  out.is_empty = [](const void* object) { return AreFieldsEmpty(object, kChunkEncodingFields); };
  return out;
}

struct ExemplarsBlock {
  int64_t max_exemplars = 0;
};
constexpr FieldSpec kExemplarsFields[] = {
    Key<ExemplarsBlock, &ExemplarsBlock::max_exemplars, Int64Codec>("max_exemplars", Omit::kEmpty)};

struct ExemplarsCodec {
  static void Read(YamlReader& reader, const YamlNode& node, std::optional<int64_t>& out) {
    out.reset();
    if (node.IsNull()) return;
    if (!node.IsMapping()) {
      reader.WrongType(node, "config.ExemplarsConfig");
      return;
    }
    ExemplarsBlock block;
    ReadFields(reader, node, &block, kExemplarsFields, "config.ExemplarsConfig");
    out = block.max_exemplars;
  }
  static YamlValue Write(const std::optional<int64_t>& value, const WriteOptions& options) {
    const ExemplarsBlock block{value.value_or(0)};
    YamlValue out = YamlValue::Mapping();
    WriteFields(&block, kExemplarsFields, options, out);
    return out;
  }
  static bool IsEmpty(const std::optional<int64_t>& value) { return !value.has_value(); }
};

}  // namespace

std::span<const FieldSpec> Schema<GlobalConfig>::Fields() {
  using T = GlobalConfig;
  static const FieldSpec kFields[] = {
      Key<T, &T::scrape_interval, DurationCodec>("scrape_interval", Omit::kEmpty),
      Key<T, &T::scrape_timeout, DurationCodec>("scrape_timeout", Omit::kEmpty),
      ScrapeProtocolsKey<T>(),
      Key<T, &T::evaluation_interval, DurationCodec>("evaluation_interval", Omit::kEmpty),
      Key<T, &T::rule_query_offset, DurationCodec>("rule_query_offset", Omit::kEmpty),
      Key<T, &T::query_log_file>("query_log_file", Omit::kEmpty),
      Key<T, &T::scrape_failure_log_file>("scrape_failure_log_file", Omit::kEmpty),
      Key<T, &T::external_labels>("external_labels", Omit::kEmpty),
      Key<T, &T::body_size_limit, ByteSizeCodec>("body_size_limit", Omit::kEmpty),
      Key<T, &T::sample_limit>("sample_limit", Omit::kEmpty),
      Key<T, &T::sample_limit_action>("sample_limit_action", Omit::kEmpty),
      Key<T, &T::target_limit>("target_limit", Omit::kEmpty),
      Key<T, &T::label_limit>("label_limit", Omit::kEmpty),
      Key<T, &T::label_name_length_limit>("label_name_length_limit", Omit::kEmpty),
      Key<T, &T::label_value_length_limit>("label_value_length_limit", Omit::kEmpty),
      Key<T, &T::keep_dropped_targets>("keep_dropped_targets", Omit::kEmpty),
      Key<T, &T::metric_name_validation_scheme, NameSchemeCodec>("metric_name_validation_scheme", Omit::kEmpty),
      Key<T, &T::metric_name_escaping_scheme>("metric_name_escaping_scheme", Omit::kEmpty),
      Key<T, &T::scrape_native_histograms>("scrape_native_histograms", Omit::kEmpty),
      Key<T, &T::convert_classic_histograms_to_nhcb>("convert_classic_histograms_to_nhcb", Omit::kEmpty),
      Key<T, &T::always_scrape_classic_histograms>("always_scrape_classic_histograms", Omit::kEmpty),
      Key<T, &T::extra_scrape_metrics>("extra_scrape_metrics", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<GlobalConfig>::Validate(GlobalConfig& config) {
  config.given = true;
  EPI_TRY(ValidateSampleLimitAction(config.sample_limit_action));
  const NameScheme scheme = config.name_scheme();
  for (const auto& [name, value] : config.external_labels) {
    if (!IsValidLabelName(name, scheme)) return Invalid(Quoted(name) + " is not a valid label name");
    if (!IsValidUtf8(value)) return Invalid(Quoted(value) + " is not a valid label value");
  }
  return {};
}

std::span<const FieldSpec> Schema<RuntimeConfig>::Fields() {
  static constexpr FieldSpec kFields[] = {Key<RuntimeConfig, &RuntimeConfig::gogc>("gogc", Omit::kEmpty)};
  return kFields;
}

std::span<const FieldSpec> Schema<AlertingConfig>::Fields() {
  using T = AlertingConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::alert_relabel_configs, NoNullItems<kNullAlertRelabel>>("alert_relabel_configs", Omit::kEmpty),
      Key<T, &T::alertmanagers, NoNullItems<kNullAlertmanager>>("alertmanagers", Omit::kEmpty),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<AlertmanagerConfig>::Fields() {
  using T = AlertmanagerConfig;
  static constexpr FieldSpec kFields[] = {
      Inline<T, &T::http>(),
      Key<T, &T::sigv4>("sigv4", Omit::kEmpty),
      Key<T, &T::scheme>("scheme", Omit::kEmpty),
      Key<T, &T::path_prefix>("path_prefix", Omit::kEmpty),
      Key<T, &T::timeout, DurationCodec>("timeout", Omit::kEmpty),
      Key<T, &T::api_version, CheckedString<CheckApiVersion, kPlainType>>("api_version"),
      Key<T, &T::relabel_configs, NoNullItems<kNullTargetRelabel>>("relabel_configs", Omit::kEmpty),
      Key<T, &T::alert_relabel_configs, NoNullItems<kNullManagerAlertRelabel>>("alert_relabel_configs", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<AlertmanagerConfig>::Validate(AlertmanagerConfig& config) {
  EPI_TRY(ValidateHttpClientConfig(config.http));
  if (config.sigv4 && (config.http.basic_auth || config.http.authorization || config.http.oauth2)) {
    return Invalid("at most one of basic_auth, authorization, oauth2, & sigv4 must be configured");
  }
  if (config.relabel_configs.empty()) EPI_TRY(CheckStaticTargets(config.service_discovery));
  return {};
}

std::span<const FieldSpec> Schema<RetentionConfig>::Fields() {
  using T = RetentionConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::time, DurationCodec>("time", Omit::kEmpty),
      Key<T, &T::size, ByteSizeCodec>("size", Omit::kEmpty),
      Key<T, &T::percentage>("percentage", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<RetentionConfig>::Validate(RetentionConfig& config) {
  if (config.size < 0) {
    return Invalid("'storage.tsdb.retention.size' must be greater than or equal to 0, got " +
                   FormatByteSize(config.size));
  }
  if (!(config.percentage >= 0 && config.percentage <= 100)) {
    return Invalid("'storage.tsdb.retention.percentage' must be in the range [0, 100], got " +
                   FormatFloatGeneral(config.percentage));
  }
  return {};
}

std::span<const FieldSpec> Schema<TsdbConfig>::Fields() {
  using T = TsdbConfig;
  static constexpr FieldSpec kFields[] = {
      WindowFieldKey(),
      Key<T, &T::out_of_order_time_window, DurationCodec>("out_of_order_time_window", Omit::kEmpty),
      Key<T, &T::stale_series_compaction_threshold>("stale_series_compaction_threshold", Omit::kEmpty),
      ChunkEncodingKey(),
      Key<T, &T::retention>("retention", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<TsdbConfig>::Validate(TsdbConfig& config) {
  const std::string& floats = config.float_chunk_encoding;
  if (floats.empty() || floats == "xor" || floats == "xor2") return {};
  return Invalid(
      "'storage.tsdb.chunk_encoding.floats' must be 'xor' or 'xor2', or the field must be omitted entirely, got " +
      Quoted(floats));
}

std::span<const FieldSpec> Schema<StorageConfig>::Fields() {
  using T = StorageConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::tsdb>("tsdb", Omit::kEmpty),
      Key<T, &T::max_exemplars, ExemplarsCodec>("exemplars", Omit::kEmpty),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<TracingConfig>::Fields() {
  using T = TracingConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::client_type, CheckedString<CheckTracingClient, kPlainType>>("client_type", Omit::kEmpty),
      Key<T, &T::endpoint>("endpoint", Omit::kEmpty),
      Key<T, &T::sampling_fraction>("sampling_fraction", Omit::kEmpty),
      Key<T, &T::insecure>("insecure", Omit::kEmpty),
      Key<T, &T::tls_config>("tls_config", Omit::kEmpty),
      Key<T, &T::headers>("headers", Omit::kEmpty),
      Key<T, &T::compression>("compression", Omit::kEmpty),
      Key<T, &T::timeout, DurationCodec>("timeout", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<TracingConfig>::Validate(TracingConfig& config) {
  if (config.client_type.empty()) config.client_type = "grpc";
  EPI_TRY(ValidateConfiguredHeaders(config.headers, "custom authorization header configuration is not yet supported"));
  if (config.endpoint.empty()) return Invalid("tracing endpoint must be set");
  if (!config.compression.empty() && config.compression != "gzip") {
    return Invalid("invalid compression type " + config.compression + " provided, valid options: gzip");
  }
  return {};
}

std::span<const FieldSpec> Schema<OtlpConfig>::Fields() {
  using T = OtlpConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::promote_all_resource_attributes>("promote_all_resource_attributes", Omit::kEmpty),
      Key<T, &T::promote_resource_attributes>("promote_resource_attributes", Omit::kEmpty),
      Key<T, &T::ignore_resource_attributes>("ignore_resource_attributes", Omit::kEmpty),
      Key<T, &T::translation_strategy, TypedString<kTranslationStrategyType>>("translation_strategy", Omit::kEmpty),
      Key<T, &T::keep_identifying_resource_attributes>("keep_identifying_resource_attributes", Omit::kEmpty),
      Key<T, &T::convert_histograms_to_nhcb>("convert_histograms_to_nhcb", Omit::kEmpty),
      Key<T, &T::promote_scope_metadata>("promote_scope_metadata", Omit::kEmpty),
      Key<T, &T::label_name_underscore_sanitization>("label_name_underscore_sanitization", Omit::kEmpty),
      Key<T, &T::label_name_preserve_multiple_underscores>("label_name_preserve_multiple_underscores", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<OtlpConfig>::Validate(OtlpConfig& config) {
  if (config.promote_all_resource_attributes) {
    if (!config.promote_resource_attributes.empty()) {
      return Invalid(
          "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously");
    }
    if (const auto valid = SanitizeAttributes(config.ignore_resource_attributes, "ignored"); !valid) {
      return Fail(valid.error().WithContext("invalid 'ignore_resource_attributes'"));
    }
    return {};
  }
  if (!config.ignore_resource_attributes.empty()) {
    return Invalid(
        "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true");
  }
  if (const auto valid = SanitizeAttributes(config.promote_resource_attributes, "promoted"); !valid) {
    return Fail(valid.error().WithContext("invalid 'promote_resource_attributes'"));
  }
  return {};
}

std::span<const FieldSpec> Schema<ScrapeConfigsFile>::Fields() {
  using T = ScrapeConfigsFile;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::scrape_configs, NoNullItems<kNullScrape>>("scrape_configs", Omit::kEmpty),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<Config>::Fields() {
  using T = Config;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::global>("global"),
      Key<T, &T::runtime>("runtime", Omit::kEmpty),
      Key<T, &T::alerting>("alerting", Omit::kEmpty),
      Key<T, &T::rule_files>("rule_files", Omit::kEmpty),
      Key<T, &T::scrape_config_files>("scrape_config_files", Omit::kEmpty),
      Key<T, &T::scrape_configs, NoNullItems<kNullScrape>>("scrape_configs", Omit::kEmpty),
      Key<T, &T::storage>("storage", Omit::kEmpty),
      Key<T, &T::tracing>("tracing", Omit::kEmpty),
      Key<T, &T::remote_write, NoNullItems<kNullRemoteWrite>>("remote_write", Omit::kEmpty),
      Key<T, &T::remote_read, NoNullItems<kNullRemoteRead>>("remote_read", Omit::kEmpty),
      Key<T, &T::otlp>("otlp", Omit::kEmpty),
  };
  return kFields;
}

}  // namespace epi::config
