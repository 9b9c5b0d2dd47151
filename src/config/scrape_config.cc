#include "config/scrape_config.h"

#include <algorithm>

#include "base/escaping.h"
#include "config/config.h"
#include "config/http_client_schema.h"
#include "config/name_scheme_codec.h"
#include "config/relabel_schema.h"
#include "config/scrape_schema.h"
#include "model/case_mapping.h"
#include "model/labels.h"

namespace epi::config {
namespace {

struct ProtocolRow {
  std::string_view name;
  std::string_view header;
};

// Sorted by name, as error texts list them.
constexpr ProtocolRow kProtocols[] = {
    {kOpenMetricsText001, "application/openmetrics-text;version=0.0.1"},
    {kOpenMetricsText100, "application/openmetrics-text;version=1.0.0"},
    {kPrometheusProto, "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"},
    {kPrometheusText004, "text/plain;version=0.0.4"},
    {kPrometheusText100, "text/plain;version=1.0.0"},
};

constexpr std::string_view kEscapingSchemes[] = {"allow-utf-8", "underscores", "dots", "values"};

constexpr char kNullRelabel[] = "empty or null target relabeling rule in scrape config";
constexpr char kNullMetricRelabel[] = "empty or null metric relabeling rule in scrape config";

tl::unexpected<Error> InvalidScrape(std::string text) { return Fail(ErrorCode::kInvalid, std::move(text)); }

std::string QuotedJob(std::string_view text) {
  std::string out;
  AppendQuoted(out, text);
  return out;
}

bool IsEscapingScheme(std::string_view text) {
  return std::find(std::begin(kEscapingSchemes), std::end(kEscapingSchemes), text) != std::end(kEscapingSchemes);
}

std::string_view DefaultEscaping(NameScheme scheme) {
  return scheme == NameScheme::kLegacy ? "underscores" : "allow-utf-8";
}

Result<void> CheckProtocol(const std::string& protocol) {
  if (!ScrapeProtocolHeader(protocol).empty()) return {};
  std::string list;
  for (const auto& row : kProtocols) list += (list.empty() ? "" : " ") + std::string(row.name);
  return InvalidScrape("unknown scrape protocol " + protocol + ", supported: [" + list + "]");
}

using Params = std::vector<std::pair<std::string, std::vector<std::string>>>;

struct ParamsCodec {
  static void Read(YamlReader& reader, const YamlNode& node, Params& out) {
    out.clear();
    if (node.IsNull()) return;
    if (!node.IsMapping()) {
      reader.WrongType(node, "url.Values");
      return;
    }
    for (const auto& entry : node.entries()) {
      std::pair<std::string, std::vector<std::string>> param;
      if (!reader.ReadString(entry.key, param.first)) continue;
      const auto same = [&](const auto& other) { return other.first == param.first; };
      if (std::any_of(out.begin(), out.end(), same)) {
        reader.DuplicateKey(entry.key);
        continue;
      }
      reader.ReadStrings(entry.value, param.second);
      out.push_back(std::move(param));
    }
    std::sort(out.begin(), out.end());
  }
  static YamlValue Write(const Params& value, const WriteOptions&) {
    YamlValue out = YamlValue::Mapping();
    for (const auto& [name, values] : value) out.Set(name, YamlValue::Strings(values));
    return std::move(out.Sorted());
  }
  static bool IsEmpty(const Params& value) { return value.empty(); }
};

template <typename T>
void Inherit(T& value, const T& from) {
  if (value == T{}) value = from;
}

void InheritLimits(ScrapeConfig& config, const GlobalConfig& global) {
  Inherit(config.body_size_limit, global.body_size_limit);
  Inherit(config.sample_limit, global.sample_limit);
  Inherit(config.sample_limit_action, global.sample_limit_action);
  Inherit(config.target_limit, global.target_limit);
  Inherit(config.label_limit, global.label_limit);
  Inherit(config.label_name_length_limit, global.label_name_length_limit);
  Inherit(config.label_value_length_limit, global.label_value_length_limit);
  Inherit(config.keep_dropped_targets, global.keep_dropped_targets);
  Inherit(config.scrape_failure_log_file, global.scrape_failure_log_file);
}

Result<void> CompleteProtocols(ScrapeConfig& config, const GlobalConfig& global) {
  if (!config.scrape_protocols_given) {
    config.scrape_protocols = global.scrape_protocols_given
                                  ? global.scrape_protocols
                                  : DefaultScrapeProtocols(config.scrape_native_histograms.value_or(false));
  }
  const std::string job = " for scrape config with job name " + QuotedJob(config.job_name);
  if (const auto valid = ValidateScrapeProtocols(config.scrape_protocols); !valid)
    return InvalidScrape(valid.error().message() + job);
  if (config.fallback_scrape_protocol.empty()) return {};
  if (const auto valid = CheckProtocol(config.fallback_scrape_protocol); !valid) {
    return InvalidScrape("invalid fallback_scrape_protocol" + job + ": " + valid.error().message());
  }
  return {};
}

Result<void> CompleteNaming(ScrapeConfig& config, const GlobalConfig& global) {
  const bool own_scheme = config.metric_name_validation_scheme.has_value();
  if (!own_scheme) config.metric_name_validation_scheme = global.name_scheme();
  const auto unknown = [](std::string_view section, const std::string& value) {
    return InvalidScrape(
        "unknown " + std::string(section) +
        " name escaping method specified, must be one of 'allow-utf-8', 'underscores', 'dots', or 'values', got " +
        QuotedJob(value));
  };
  std::string global_escaping = global.metric_name_escaping_scheme;
  if (global_escaping.empty()) global_escaping = DefaultEscaping(global.name_scheme());
  if (!IsEscapingScheme(global_escaping)) return unknown("global", global_escaping);
  std::string& escaping = config.metric_name_escaping_scheme;
  if (escaping.empty()) escaping = own_scheme ? std::string(DefaultEscaping(config.name_scheme())) : global_escaping;
  if (!IsEscapingScheme(escaping)) return unknown("scrape config", escaping);
  if (escaping == "allow-utf-8" && config.name_scheme() != NameScheme::kUtf8) {
    return InvalidScrape("utf8 metric names requested but validation scheme is not set to UTF8");
  }
  return {};
}

}  // namespace

void NameSchemeCodec::Read(YamlReader& reader, const YamlNode& node, std::optional<NameScheme>& out) {
  out.reset();
  std::string text;
  if (node.IsNull() || !reader.ReadString(node, text)) return;
  if (text == "utf8") {
    out = NameScheme::kUtf8;
  } else if (text == "legacy") {
    out = NameScheme::kLegacy;
  } else if (!text.empty()) {
    reader.Refuse(Error(ErrorCode::kInvalid, "unrecognized ValidationScheme: " + QuotedJob(text)));
  }
}

std::string_view ScrapeProtocolHeader(std::string_view protocol) {
  for (const auto& row : kProtocols) {
    if (row.name == protocol) return row.header;
  }
  return {};
}

std::string_view ScrapeProtocolMediaType(std::string_view protocol) {
  const std::string_view header = ScrapeProtocolHeader(protocol);
  return header.substr(0, header.find(';'));
}

std::vector<std::string> DefaultScrapeProtocols(bool protobuf_first) {
  std::vector<std::string> out;
  if (protobuf_first) out.emplace_back(kPrometheusProto);
  for (const auto protocol : {kOpenMetricsText100, kOpenMetricsText001, kPrometheusText100, kPrometheusText004}) {
    out.emplace_back(protocol);
  }
  return out;
}

Result<void> ValidateScrapeProtocols(const std::vector<std::string>& protocols) {
  if (protocols.empty()) return InvalidScrape("scrape_protocols cannot be empty");
  std::vector<std::string> seen;
  for (const auto& protocol : protocols) {
    std::string lower = ToLowerUtf8(protocol);
    if (std::find(seen.begin(), seen.end(), lower) != seen.end()) {
      std::string list;
      for (const auto& each : protocols) list += (list.empty() ? "" : " ") + each;
      return InvalidScrape("duplicated protocol in scrape_protocols, got [" + list + "]");
    }
    if (const auto valid = CheckProtocol(protocol); !valid) return Fail(valid.error().WithContext("scrape_protocols"));
    seen.push_back(std::move(lower));
  }
  return {};
}

Result<void> ValidateSampleLimitAction(const std::string& action) {
  if (action.empty() || action == kFailOverLimit || action == kDropNewOverLimit) return {};
  return InvalidScrape("unknown sample_limit_action " + QuotedJob(action) + ", must be one of 'fail' or 'drop_new'");
}

NameEscaping ScrapeConfig::name_escaping() const {
  for (size_t i = 0; i < std::size(kEscapingSchemes); ++i) {
    if (kEscapingSchemes[i] == metric_name_escaping_scheme) return static_cast<NameEscaping>(i);
  }
  return NameEscaping::kNone;
}

std::span<const FieldSpec> Schema<ScrapeConfig>::Fields() {
  using T = ScrapeConfig;
  static const FieldSpec kFields[] = {
      Key<T, &T::job_name>("job_name"),
      Key<T, &T::honor_labels>("honor_labels", Omit::kEmpty),
      Key<T, &T::honor_timestamps>("honor_timestamps"),
      Key<T, &T::track_timestamps_staleness>("track_timestamps_staleness"),
      Key<T, &T::params, ParamsCodec>("params", Omit::kEmpty),
      Key<T, &T::scrape_interval, DurationCodec>("scrape_interval", Omit::kEmpty),
      Key<T, &T::scrape_timeout, DurationCodec>("scrape_timeout", Omit::kEmpty),
      ScrapeProtocolsKey<T>(),
      Key<T, &T::fallback_scrape_protocol, TypedString<kScrapeProtocolType>>("fallback_scrape_protocol", Omit::kEmpty),
      Key<T, &T::scrape_native_histograms>("scrape_native_histograms", Omit::kEmpty),
      Key<T, &T::always_scrape_classic_histograms>("always_scrape_classic_histograms", Omit::kEmpty),
      Key<T, &T::convert_classic_histograms_to_nhcb>("convert_classic_histograms_to_nhcb", Omit::kEmpty),
      Key<T, &T::scrape_failure_log_file>("scrape_failure_log_file", Omit::kEmpty),
      Key<T, &T::metrics_path>("metrics_path", Omit::kEmpty),
      Key<T, &T::scheme>("scheme", Omit::kEmpty),
      Key<T, &T::enable_compression>("enable_compression"),
      Key<T, &T::body_size_limit, ByteSizeCodec>("body_size_limit", Omit::kEmpty),
      Key<T, &T::sample_limit>("sample_limit", Omit::kEmpty),
      Key<T, &T::sample_limit_action>("sample_limit_action", Omit::kEmpty),
      Key<T, &T::target_limit>("target_limit", Omit::kEmpty),
      Key<T, &T::label_limit>("label_limit", Omit::kEmpty),
      Key<T, &T::label_name_length_limit>("label_name_length_limit", Omit::kEmpty),
      Key<T, &T::label_value_length_limit>("label_value_length_limit", Omit::kEmpty),
      Key<T, &T::native_histogram_bucket_limit>("native_histogram_bucket_limit", Omit::kEmpty),
      Key<T, &T::native_histogram_min_bucket_factor>("native_histogram_min_bucket_factor", Omit::kEmpty),
      Key<T, &T::keep_dropped_targets>("keep_dropped_targets", Omit::kEmpty),
      Key<T, &T::metric_name_validation_scheme, NameSchemeCodec>("metric_name_validation_scheme", Omit::kEmpty),
      Key<T, &T::metric_name_escaping_scheme>("metric_name_escaping_scheme", Omit::kEmpty),
      Key<T, &T::extra_scrape_metrics>("extra_scrape_metrics", Omit::kEmpty),
      Inline<T, &T::http>(),
      Key<T, &T::relabel_configs, NoNullItems<kNullRelabel>>("relabel_configs", Omit::kEmpty),
      Key<T, &T::metric_relabel_configs, NoNullItems<kNullMetricRelabel>>("metric_relabel_configs", Omit::kEmpty),
  };
  return kFields;
}

bool Schema<ScrapeConfig>::ReadExtra(YamlReader& reader, const YamlEntry& entry, ScrapeConfig& config) {
  return ReadSdSection(reader, entry, config.service_discovery);
}

void Schema<ScrapeConfig>::WriteExtra(const ScrapeConfig& config, const WriteOptions& options, YamlValue& mapping) {
  WriteSdSections(config.service_discovery, options, mapping);
}

Result<void> Schema<ScrapeConfig>::Validate(ScrapeConfig& config) {
  if (config.job_name.empty()) return InvalidScrape("job_name is empty");
  EPI_TRY(ValidateSampleLimitAction(config.sample_limit_action));
  EPI_TRY(ValidateHttpClientConfig(config.http));
  if (config.relabel_configs.empty()) EPI_TRY(CheckStaticTargets(config.service_discovery));
  return {};
}

Result<void> CompleteScrapeConfig(ScrapeConfig& config, const GlobalConfig& global) {
  Inherit(config.scrape_interval, global.scrape_interval);
  if (config.scrape_timeout > config.scrape_interval) {
    return InvalidScrape("scrape timeout greater than scrape interval for scrape config with job name " +
                         QuotedJob(config.job_name));
  }
  if (config.scrape_timeout == 0) config.scrape_timeout = std::min(global.scrape_timeout, config.scrape_interval);
  InheritLimits(config, global);
  Inherit(config.scrape_native_histograms, global.scrape_native_histograms);
  Inherit(config.extra_scrape_metrics, global.extra_scrape_metrics);
  EPI_TRY(CompleteProtocols(config, global));
  EPI_TRY(CompleteNaming(config, global));
  if (!config.convert_classic_histograms_to_nhcb) {
    config.convert_classic_histograms_to_nhcb = global.convert_classic_histograms_to_nhcb;
  }
  if (!config.always_scrape_classic_histograms)
    config.always_scrape_classic_histograms = global.always_scrape_classic_histograms;
  EPI_TRY(CompleteRelabelConfigs(config.relabel_configs, config.name_scheme()));
  return CompleteRelabelConfigs(config.metric_relabel_configs, config.name_scheme());
}

void SetDirectory(ScrapeConfig& config, std::string_view directory) {
  SetDirectory(config.service_discovery, directory);
  SetDirectory(config.http, directory);
  config.scrape_failure_log_file = JoinDirectory(directory, config.scrape_failure_log_file);
}

std::string ScrapeConfigFingerprint(const ScrapeConfig& config) {
  return Codec<ScrapeConfig>::Write(config, {.redact = false}).Text();
}

}  // namespace epi::config
