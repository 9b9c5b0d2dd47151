// Which format a body is in, and the parser for it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/label_names.h"
#include "scrape/parse/exposition.h"

namespace epi::scrape {

enum class ExpositionFormat : unsigned char { kText, kOpenMetrics, kProtobuf };

// What a target may be asked for, named as in the configuration.
enum class ScrapeProtocol : unsigned char {
  kPrometheusProto,
  kOpenMetricsText001,
  kOpenMetricsText100,
  kPrometheusText004,
  kPrometheusText100,
};
std::optional<ScrapeProtocol> ScrapeProtocolFromName(std::string_view name);  // "PrometheusText0.0.4", …
std::string_view ScrapeProtocolName(ScrapeProtocol protocol);
// Of its Content-Type, without parameters: "text/plain", …
std::string_view ScrapeProtocolMediaType(ScrapeProtocol protocol);

struct ChosenFormat {
  ExpositionFormat format;
  std::string warning;  // why the fallback was taken, or empty
};
// From the response's Content-Type. kInvalid, in Prometheus's words, when it tells no format and there is no fallback.
Result<ChosenFormat> ChooseFormat(std::string_view content_type, std::optional<ScrapeProtocol> fallback);

// The Accept header for these protocols in order of preference.
std::string AcceptHeader(std::span<const ScrapeProtocol> protocols, NameEscaping escaping);

// `body` outlives the parser.
std::unique_ptr<ExpositionParser> MakeParser(ExpositionFormat format, std::string_view body,
                                             const ParserOptions& options);

}  // namespace epi::scrape
