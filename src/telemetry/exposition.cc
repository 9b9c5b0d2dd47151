#include "telemetry/exposition.h"

#include <algorithm>
#include <charconv>

#include "base/trim.h"
#include "model/label_names.h"
#include "telemetry/exposition_protobuf.h"
#include "telemetry/exposition_text.h"

namespace epi {
namespace {

// One element of an Accept header.
struct AcceptItem {
  std::string_view type, subtype;
  std::vector<std::pair<std::string_view, std::string_view>> params;
  double quality = 1;

  std::string_view Param(std::string_view name) const {
    for (const auto& [key, value] : params)
      if (key == name) return value;
    return {};
  }
};

AcceptItem ParseAcceptItem(std::string_view text) {
  AcceptItem item;
  bool first = true;
  while (!text.empty()) {
    const auto end = std::min(text.find(';'), text.size());
    const auto part = Trimmed(text.substr(0, end), kBlanks);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (first) {
      first = false;
      const auto slash = part.find('/');
      item.type = Trimmed(part.substr(0, slash), kBlanks);
      if (slash != std::string_view::npos) item.subtype = Trimmed(part.substr(slash + 1), kBlanks);
      if (item.subtype.empty() && item.type == "*") item.subtype = "*";
      continue;
    }
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    const auto key = Trimmed(part.substr(0, equals), kBlanks), value = Trimmed(part.substr(equals + 1), kBlanks);
    if (key == "q") {
      if (std::from_chars(value.data(), value.data() + value.size(), item.quality).ec != std::errc()) item.quality = 1;
    } else {
      item.params.emplace_back(key, value);
    }
  }
  return item;
}

// Best first: by quality, then the more specific.
std::vector<AcceptItem> ParseAccept(std::string_view accept) {
  constexpr size_t kMaxItems = 100;  // far more than any client sends
  std::vector<AcceptItem> items;
  while (!accept.empty() && items.size() < kMaxItems) {
    const auto end = std::min(accept.find(','), accept.size());
    items.push_back(ParseAcceptItem(accept.substr(0, end)));
    accept.remove_prefix(std::min(end + 1, accept.size()));
  }
  std::stable_sort(items.begin(), items.end(), [](const AcceptItem& a, const AcceptItem& b) {
    if (a.quality != b.quality) return a.quality > b.quality;
    if ((a.type == "*") != (b.type == "*")) return a.type != "*";
    return a.subtype != "*" && b.subtype == "*";
  });
  return items;
}

bool FormatOf(const AcceptItem& item, bool offer_open_metrics, ExpositionFormat& format) {
  const auto version = item.Param("version");
  if (item.type == "application" && item.subtype == "vnd.google.protobuf" &&
      item.Param("proto") == "io.prometheus.client.MetricFamily") {
    struct Row {
      std::string_view encoding;
      ExpositionFormat format;
    };
    static constexpr Row kEncodings[] = {{"delimited", ExpositionFormat::kProtobuf},
                                         {"text", ExpositionFormat::kProtobufText},
                                         {"compact-text", ExpositionFormat::kProtobufCompact}};
    for (const auto& row : kEncodings) {
      if (row.encoding != item.Param("encoding")) continue;
      format = row.format;
      return true;
    }
  }
  if (item.type == "text" && item.subtype == "plain" && (version == "0.0.4" || version.empty())) {
    format = ExpositionFormat::kText004;
    return true;
  }
  if (offer_open_metrics && item.type == "application" && item.subtype == "openmetrics-text" &&
      (version.empty() || version == "0.0.1" || version == "1.0.0")) {
    format = version == "1.0.0" ? ExpositionFormat::kOpenMetrics100 : ExpositionFormat::kOpenMetrics001;
    return true;
  }
  return false;
}

void EscapeLabels(MetricLabels& labels, NameEscaping escaping) {
  for (auto& label : labels) label.first = EscapeName(label.first, escaping);
}

MetricFamily EscapeFamily(const MetricFamily& family, NameEscaping escaping) {
  MetricFamily escaped = family;
  escaped.name = EscapeName(family.name, escaping);
  for (auto& point : escaped.points) {
    EscapeLabels(point.labels, escaping);
    if (point.exemplar) EscapeLabels(point.exemplar->labels, escaping);
  }
  return escaped;
}

// Dots escaping doubles underscores, so it changes plain names too.
bool NeedsEscaping(const MetricFamily& family, NameEscaping escaping) {
  if (escaping == NameEscaping::kNone) return false;
  if (escaping == NameEscaping::kDots || !IsLegacyMetricName(family.name)) return true;
  for (const auto& point : family.points)
    for (const auto& label : point.labels)
      if (!IsLegacyMetricName(label.first)) return true;
  return false;
}

}  // namespace

Exposition NegotiateFormat(std::string_view accept, bool offer_open_metrics, NameEscaping fallback) {
  Exposition result{ExpositionFormat::kText004, fallback};
  for (const auto& item : ParseAccept(accept)) {
    const auto escaping = item.Param("escaping");
    for (const NameEscaping known :
         {NameEscaping::kNone, NameEscaping::kUnderscores, NameEscaping::kDots, NameEscaping::kValues})
      if (NameEscapingText(known) == escaping) result.escaping = known;
    if (FormatOf(item, offer_open_metrics, result.format)) return result;
  }
  return result;
}

std::string ContentType(const Exposition& exposition) {
  static constexpr std::string_view kTypes[] = {
      "text/plain; version=0.0.4; charset=utf-8",
      "text/plain; version=1.0.0; charset=utf-8",
      "application/openmetrics-text; version=0.0.1; charset=utf-8",
      "application/openmetrics-text; version=1.0.0; charset=utf-8",
      "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
      "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=text",
      "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=compact-text",
  };
  std::string out(kTypes[static_cast<unsigned>(exposition.format)]);
  out += "; escaping=";
  out += NameEscapingText(exposition.escaping);
  return out;
}

Result<void> AppendFamily(std::string& out, const MetricFamily& family, const Exposition& exposition,
                          const ExpositionOptions& options) {
  if (NeedsEscaping(family, exposition.escaping)) {
    const MetricFamily escaped = EscapeFamily(family, exposition.escaping);
    return AppendFamily(out, escaped, {exposition.format, NameEscaping::kNone}, options);
  }
  if (family.name.empty()) return Fail(ErrorCode::kInvalid, "MetricFamily has no name");
  switch (exposition.format) {
    case ExpositionFormat::kText004:
    case ExpositionFormat::kText100:
      if (family.points.empty()) return Fail(ErrorCode::kInvalid, "MetricFamily has no metrics: " + family.name);
      AppendPrometheusText(out, family);
      break;
    case ExpositionFormat::kOpenMetrics001:
    case ExpositionFormat::kOpenMetrics100:
      AppendOpenMetricsText(out, family, options);
      break;
    case ExpositionFormat::kProtobuf:
      AppendProtobuf(out, family);
      break;
    case ExpositionFormat::kProtobufText:
      AppendProtobufText(out, family, false);
      break;
    case ExpositionFormat::kProtobufCompact:
      AppendProtobufText(out, family, true);
      break;
  }
  return {};
}

std::string_view ExpositionEnd(ExpositionFormat format) {
  const bool open_metrics = format == ExpositionFormat::kOpenMetrics001 || format == ExpositionFormat::kOpenMetrics100;
  return open_metrics ? "# EOF\n" : "";
}

}  // namespace epi
