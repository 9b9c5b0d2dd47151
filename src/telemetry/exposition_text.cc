#include "telemetry/exposition_text.h"

#include <cmath>
#include <limits>

#include "model/labels.h"
#include "model/number_format.h"

namespace epi {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void AppendEscaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

void AppendQuotedText(std::string& out, std::string_view text) {
  out += '"';
  AppendEscaped(out, text, true);
  out += '"';
}

// The differences between the two formats.
struct Dialect {
  bool open_metrics;

  void Value(std::string& out, double value) const {
    const size_t from = out.size();
    AppendFloatGeneral(out, value == 0 ? 0.0 : value);  // zero has no sign in text
    if (!open_metrics || std::isnan(value) || std::isinf(value)) return;
    if (out.find_first_of(".e", from) == std::string::npos) out += ".0";
  }
};

class SampleWriter {
 public:
  SampleWriter(std::string& out, Dialect dialect) : out_(out), dialect_(dialect) {}

  // name, labels and the space before the value. `extra` is an additional label (le or quantile) with a number.
  void Begin(std::string_view name, const MetricLabels& labels, std::string_view extra = {}, double extra_value = 0) {
    const bool plain = IsLegacyMetricName(name);
    bool open = false;
    if (plain) {
      out_ += name;
    } else {
      Separator(open);
      AppendQuotedText(out_, name);
    }
    for (const auto& [label, value] : labels) {
      Separator(open);
      if (IsLegacyLabelName(label)) {
        out_ += label;
      } else {
        AppendQuotedText(out_, label);
      }
      out_ += '=';
      AppendQuotedText(out_, value);
    }
    if (!extra.empty()) {
      Separator(open);
      out_ += extra;
      out_ += "=\"";
      dialect_.Value(out_, extra_value);
      out_ += '"';
    }
    if (open) out_ += '}';
    out_ += ' ';
  }
  void Count(uint64_t count, double float_count) {
    if (float_count > 0) {
      dialect_.Value(out_, float_count);
    } else {
      out_ += std::to_string(count);
    }
  }
  void End(const MetricPoint& point, const MetricExemplar* exemplar = nullptr) {
    if (point.timestamp_ms) {
      out_ += ' ';
      if (dialect_.open_metrics) {
        dialect_.Value(out_, static_cast<double>(*point.timestamp_ms) / 1000);
      } else {
        out_ += std::to_string(*point.timestamp_ms);
      }
    }
    if (dialect_.open_metrics && exemplar != nullptr && !exemplar->labels.empty()) Exemplar(*exemplar);
    out_ += '\n';
  }
  void Simple(std::string_view name, const MetricPoint& point, double value, const MetricExemplar* exemplar = nullptr) {
    Begin(name, point.labels);
    dialect_.Value(out_, value);
    End(point, exemplar);
  }

 private:
  void Separator(bool& open) {
    out_ += open ? ',' : '{';
    open = true;
  }
  void Exemplar(const MetricExemplar& exemplar) {
    out_ += " # ";
    bool open = false;
    for (const auto& [label, value] : exemplar.labels) {
      Separator(open);
      out_ += label;
      out_ += '=';
      AppendQuotedText(out_, value);
    }
    out_ += "} ";
    dialect_.Value(out_, exemplar.value);
    if (exemplar.time) {
      out_ += ' ';
      dialect_.Value(out_, static_cast<double>(exemplar.time->seconds) + exemplar.time->nanos / 1e9);
    }
  }

  std::string& out_;
  Dialect dialect_;
};

void AppendHistogram(std::string& out, SampleWriter& writer, Dialect dialect, std::string_view name,
                     const MetricPoint& point) {
  const MetricHistogram& h = point.histogram;
  const std::string bucket_name = std::string(name) + "_bucket";
  bool infinity_seen = false;
  for (const auto& bucket : h.buckets) {
    writer.Begin(bucket_name, point.labels, "le", bucket.upper_bound);
    writer.Count(bucket.cumulative_count, bucket.cumulative_count_float);
    writer.End(point, bucket.exemplar ? &*bucket.exemplar : nullptr);
    infinity_seen = infinity_seen || bucket.upper_bound == kInfinity;
  }
  if (!infinity_seen) {
    writer.Begin(bucket_name, point.labels, "le", kInfinity);
    writer.Count(h.sample_count, h.sample_count_float);
    writer.End(point);
  }
  writer.Begin(std::string(name) + "_sum", point.labels);
  dialect.Value(out, h.sample_sum);
  writer.End(point);
  writer.Begin(std::string(name) + "_count", point.labels);
  writer.Count(h.sample_count, h.sample_count_float);
  writer.End(point);
}

void AppendSummary(std::string& out, SampleWriter& writer, Dialect dialect, std::string_view name,
                   const MetricPoint& point) {
  for (const auto& [quantile, value] : point.quantiles) {
    writer.Begin(name, point.labels, "quantile", quantile);
    dialect.Value(out, value);
    writer.End(point);
  }
  writer.Simple(std::string(name) + "_sum", point, point.sample_sum);
  writer.Begin(std::string(name) + "_count", point.labels);
  writer.Count(point.sample_count, 0);
  writer.End(point);
}

void AppendMetaLine(std::string& out, std::string_view keyword, std::string_view name, std::string_view text,
                    bool escape_quotes) {
  out += "# ";
  out += keyword;
  out += ' ';
  if (IsLegacyMetricName(name)) {
    out += name;
  } else {
    AppendQuotedText(out, name);
  }
  out += ' ';
  AppendEscaped(out, text, escape_quotes);
  out += '\n';
}

std::string_view PrometheusTypeName(ExposedType type) {
  static constexpr std::string_view kNames[] = {"counter", "gauge", "summary", "untyped", "histogram", "histogram"};
  return kNames[static_cast<unsigned>(type)];
}

std::string_view OpenMetricsTypeName(ExposedType type) {
  static constexpr std::string_view kNames[] = {"counter", "gauge",     "summary",
                                                "unknown", "histogram", "gaugehistogram"};
  return kNames[static_cast<unsigned>(type)];
}

void AppendPoint(std::string& out, SampleWriter& writer, Dialect dialect, std::string_view name, ExposedType type,
                 const MetricPoint& point) {
  switch (type) {
    case ExposedType::kSummary:
      return AppendSummary(out, writer, dialect, name, point);
    case ExposedType::kHistogram:
    case ExposedType::kGaugeHistogram:
      return AppendHistogram(out, writer, dialect, name, point);
    default:
      return writer.Simple(name, point, point.value, point.exemplar ? &*point.exemplar : nullptr);
  }
}

}  // namespace

void AppendPrometheusText(std::string& out, const MetricFamily& family) {
  const Dialect dialect{false};
  SampleWriter writer(out, dialect);
  if (family.has_help) AppendMetaLine(out, "HELP", family.name, family.help, false);
  AppendMetaLine(out, "TYPE", family.name, PrometheusTypeName(family.type), false);
  for (const auto& point : family.points) AppendPoint(out, writer, dialect, family.name, family.type, point);
}

void AppendOpenMetricsText(std::string& out, const MetricFamily& family, const ExpositionOptions& options) {
  constexpr std::string_view kTotal = "_total";
  const Dialect dialect{true};
  SampleWriter writer(out, dialect);
  // A counter's family is named without the suffix that its samples carry; one whose samples do not carry it is of
  // unknown type.
  std::string name = family.name;
  std::string_view type = OpenMetricsTypeName(family.type);
  if (family.type == ExposedType::kCounter) {
    if (name.ends_with(kTotal)) {
      name.resize(name.size() - kTotal.size());
    } else {
      type = OpenMetricsTypeName(ExposedType::kUntyped);
    }
  }
  if (family.has_help) AppendMetaLine(out, "HELP", name, family.help, true);
  AppendMetaLine(out, "TYPE", name, type, false);
  if (!family.unit.empty()) AppendMetaLine(out, "UNIT", name, family.unit, true);
  for (const auto& point : family.points) {
    AppendPoint(out, writer, dialect, family.name, family.type, point);
    const bool counts = family.type != ExposedType::kGauge && family.type != ExposedType::kUntyped;
    if (options.created_lines && point.created && counts) {
      writer.Begin(name + "_created", point.labels);
      dialect.Value(out, static_cast<double>(point.created->seconds) + point.created->nanos / 1e9);
      out += '\n';
    }
  }
}

}  // namespace epi
