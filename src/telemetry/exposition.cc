#include "telemetry/exposition.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/trim.h"
#include "model/label_names.h"
#include "model/number_format.h"
#include "telemetry/exposition_protobuf.h"
#include "telemetry/exposition_text.h"

namespace epi {
namespace {

// One element of an Accept header.
struct AcceptItem {
  std::string_view type, subtype;
  std::vector<std::pair<std::string_view, std::string_view>> params;
  double quality = 1;

  // Of several with one name the last counts.
  std::string_view Param(std::string_view name) const {
    for (auto at = params.rbegin(); at != params.rend(); ++at)
      if (at->first == name) return at->second;
    return {};
  }
};

// "name=value" with the blanks around both; nothing when it has another form.
std::optional<std::pair<std::string_view, std::string_view>> ParseParam(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || text.find('=', equals + 1) != std::string_view::npos) return std::nullopt;
  return std::pair(Trimmed(text.substr(0, equals), kBlanks), Trimmed(text.substr(equals + 1), kBlanks));
}

// Nothing when there is no type with a subtype, for which "*" alone stands, too.
std::optional<AcceptItem> ParseAcceptItem(std::string_view text) {
  AcceptItem item;
  const auto semicolon = std::min(text.find(';'), text.size());
  const auto type = text.substr(0, semicolon);
  text.remove_prefix(std::min(semicolon + 1, text.size()));
  const auto slash = type.find('/');
  item.type = Trimmed(type.substr(0, slash), kBlanks);
  item.subtype = slash == std::string_view::npos ? std::string_view() : Trimmed(type.substr(slash + 1), kBlanks);
  if (item.subtype.empty() && item.type == "*") item.subtype = "*";
  if (item.subtype.empty() || item.subtype.find('/') != std::string_view::npos) return std::nullopt;
  while (!text.empty()) {
    const auto end = std::min(text.find(';'), text.size());
    const auto param = ParseParam(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!param) continue;
    if (param->first == "q") {
      item.quality = ParseGoFloat(param->second).value_or(0);
    } else {
      item.params.push_back(*param);
    }
  }
  return item;
}

// As the library that Prometheus uses compares them, which is no order: a type before any "*", whatever their quality.
bool Precedes(const AcceptItem& a, const AcceptItem& b) {
  return a.quality > b.quality || (a.type != "*" && b.type == "*") || (a.subtype != "*" && b.subtype == "*");
}

// Best first. Sorted by insertion, as Go sorts what is short: with Precedes the way matters.
std::vector<AcceptItem> ParseAccept(std::string_view accept) {
  constexpr size_t kMaxItems = 100;  // far more than any client sends
  std::vector<AcceptItem> items;
  while (!accept.empty() && items.size() < kMaxItems) {
    const auto end = std::min(accept.find(','), accept.size());
    auto item = ParseAcceptItem(accept.substr(0, end));
    accept.remove_prefix(std::min(end + 1, accept.size()));
    if (!item) continue;
    items.push_back(std::move(*item));
    for (size_t i = items.size() - 1; i > 0 && Precedes(items[i], items[i - 1]); --i) std::swap(items[i], items[i - 1]);
  }
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

// Names that are legacy ones stay, whatever the scheme would make of them; labels of exemplars stay, too.
std::string EscapeUnlessLegacy(const std::string& name, NameEscaping escaping) {
  return IsLegacyMetricName(name) ? name : EscapeName(name, escaping);
}

MetricFamily EscapeFamily(const MetricFamily& family, NameEscaping escaping) {
  MetricFamily escaped = family;
  escaped.name = EscapeUnlessLegacy(family.name, escaping);
  for (auto& point : escaped.points)
    for (auto& label : point.labels) label.first = EscapeUnlessLegacy(label.first, escaping);
  return escaped;
}

bool NeedsEscaping(const MetricFamily& family, NameEscaping escaping) {
  if (escaping == NameEscaping::kNone) return false;
  if (!IsLegacyMetricName(family.name)) return true;
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
