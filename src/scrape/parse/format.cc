#include "scrape/parse/format.h"

#include "base/escaping.h"
#include "model/labels.h"
#include "net/media_type.h"
#include "scrape/parse/nhcb_parser.h"
#include "scrape/parse/openmetrics_parser.h"
#include "scrape/parse/protobuf_parser.h"
#include "scrape/parse/text_parser.h"

namespace epi::scrape {
namespace {

struct ProtocolRow {
  ScrapeProtocol protocol;
  std::string_view name;
  std::string_view header;  // in Accept
  std::string_view media_type;
  ExpositionFormat format;
  bool escapes;  // the header takes ;escaping=
};
constexpr ProtocolRow kProtocols[] = {
    {ScrapeProtocol::kPrometheusProto, "PrometheusProto",
     "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
     "application/vnd.google.protobuf", ExpositionFormat::kProtobuf, false},
    {ScrapeProtocol::kOpenMetricsText001, "OpenMetricsText0.0.1", "application/openmetrics-text;version=0.0.1",
     "application/openmetrics-text", ExpositionFormat::kOpenMetrics, false},
    {ScrapeProtocol::kOpenMetricsText100, "OpenMetricsText1.0.0", "application/openmetrics-text;version=1.0.0",
     "application/openmetrics-text", ExpositionFormat::kOpenMetrics, true},
    {ScrapeProtocol::kPrometheusText004, "PrometheusText0.0.4", "text/plain;version=0.0.4", "text/plain",
     ExpositionFormat::kText, false},
    {ScrapeProtocol::kPrometheusText100, "PrometheusText1.0.0", "text/plain;version=1.0.0", "text/plain",
     ExpositionFormat::kText, true},
};

const ProtocolRow& RowOf(ScrapeProtocol protocol) { return kProtocols[static_cast<size_t>(protocol)]; }

}  // namespace

std::optional<ScrapeProtocol> ScrapeProtocolFromName(std::string_view name) {
  for (const auto& row : kProtocols) {
    if (row.name == name) return row.protocol;
  }
  return std::nullopt;
}

std::string_view ScrapeProtocolName(ScrapeProtocol protocol) { return RowOf(protocol).name; }
std::string_view ScrapeProtocolMediaType(ScrapeProtocol protocol) { return RowOf(protocol).media_type; }

Result<ChosenFormat> ChooseFormat(std::string_view content_type, std::optional<ScrapeProtocol> fallback) {
  if (content_type.empty()) {
    const std::string blank = "non-compliant scrape target sending blank Content-Type";
    if (!fallback) {
      return Fail(ErrorCode::kInvalid, blank + " and no fallback_scrape_protocol specified for target");
    }
    const auto& row = RowOf(*fallback);
    return ChosenFormat{row.format, blank + ", using fallback_scrape_protocol " + Quoted(row.media_type)};
  }
  const auto media_type = net::ParseMediaType(content_type);
  if (!media_type) {
    const std::string& reason = media_type.error().message();
    const std::string quoted = Quoted(content_type);
    if (!fallback) {
      return Fail(ErrorCode::kInvalid,
                  "cannot parse Content-Type " + quoted + " and no fallback_scrape_protocol for target\n" + reason);
    }
    const auto& row = RowOf(*fallback);
    return ChosenFormat{row.format, "could not parse received Content-Type " + quoted +
                                        ", using fallback_scrape_protocol " + Quoted(row.media_type) + "\n" + reason};
  }
  for (const auto& row : kProtocols) {
    if (row.media_type == media_type->type) return ChosenFormat{row.format, {}};
  }
  const std::string quoted = Quoted(content_type);
  if (!fallback) {
    return Fail(ErrorCode::kInvalid, "received unsupported Content-Type " + quoted +
                                         " and no fallback_scrape_protocol specified for target");
  }
  const auto& row = RowOf(*fallback);
  return ChosenFormat{row.format, "received unsupported Content-Type " + quoted + ", using fallback_scrape_protocol " +
                                      Quoted(row.media_type)};
}

std::string AcceptHeader(std::span<const ScrapeProtocol> protocols, NameEscaping escaping) {
  // The first weight for five protocols is 0.6, so that */* is left with at least 0.1.
  size_t weight = std::size(kProtocols) + 1;
  std::string header;
  for (const ScrapeProtocol protocol : protocols) {
    const auto& row = RowOf(protocol);
    header += row.header;
    if (row.escapes) header.append(";escaping=").append(NameEscapingText(escaping));
    header += ";q=0." + std::to_string(weight--) + ",";
  }
  return header + "*/*;q=0." + std::to_string(weight);
}

std::unique_ptr<ExpositionParser> MakeParser(ExpositionFormat format, std::string_view body,
                                             const ParserOptions& options) {
  std::unique_ptr<ExpositionParser> parser;
  switch (format) {
    case ExpositionFormat::kText:
      parser = std::make_unique<TextParser>(body, options);
      break;
    case ExpositionFormat::kOpenMetrics:
      parser = std::make_unique<OpenMetricsParser>(body, options);
      break;
    case ExpositionFormat::kProtobuf:
      parser = std::make_unique<ProtobufParser>(body, options);
      break;
  }
  if (options.convert_classic_to_nhcb) {
    parser = std::make_unique<NhcbParser>(std::move(parser), options.keep_classic_histograms,
                                          format == ExpositionFormat::kProtobuf);
  }
  return parser;
}

}  // namespace epi::scrape
