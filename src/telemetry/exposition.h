// Writes metric families in the exposition formats, and chooses the format that a scraper asks for.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/label_names.h"
#include "telemetry/metric_family.h"

namespace epi {

enum class ExpositionFormat : unsigned char {
  kText004,
  kText100,
  kOpenMetrics001,
  kOpenMetrics100,
  kProtobuf,         // length-delimited MetricFamily messages
  kProtobufText,     // the text form of the messages, for people
  kProtobufCompact,  // the same on one line each
};

struct Exposition {
  ExpositionFormat format = ExpositionFormat::kText004;
  NameEscaping escaping = NameEscaping::kUnderscores;
};

// What Accept asks for, by quality; text 0.0.4 when nothing fits. `fallback` is the escaping when Accept names none.
Exposition NegotiateFormat(std::string_view accept, bool offer_open_metrics, NameEscaping fallback);
// "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
std::string ContentType(const Exposition& exposition);

struct ExpositionOptions {
  bool created_lines = false;  // OpenMetrics: _created samples
};

// Appends one family. kInvalid `MetricFamily has no metrics` (text formats) or `MetricFamily has no name`.
Result<void> AppendFamily(std::string& out, const MetricFamily& family, const Exposition& exposition,
                          const ExpositionOptions& options = {});
// What stands after the last family: "# EOF\n" in OpenMetrics, else nothing.
std::string_view ExpositionEnd(ExpositionFormat format);

}  // namespace epi
