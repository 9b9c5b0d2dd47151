// An OTLP request as samples of series.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"
#include "remote/otlp/export_request.h"
#include "remote/otlp/series_labels.h"

namespace epi::remote::otlp {

struct TranslationSettings {
  config::OtlpConfig config;
  bool allow_delta = false;           // delta temporality is stored as it is
  bool type_and_unit_labels = false;  // --enable-feature=type-and-unit-labels
  int64_t lookback_delta_ms = 300'000;
};

// One sample. Everything is valid during the call that hands it over.
struct TranslatedSample {
  std::span<const LabelView> labels;  // sorted by name, no empty values
  std::string_view family;
  const MetricMetadata* metadata = nullptr;
  TimestampMs time = 0;
  TimestampMs start_time = 0;  // 0 = none
  double value = 0;
  std::shared_ptr<Histogram> histogram;  // instead of the value
  std::vector<Exemplar> exemplars;
  size_t place = 0;  // in the request, of the metric it is from; a resource's target_info has a place of its own
};

class TranslationSink {
 public:
  virtual ~TranslationSink() = default;
  // An error ends the translation.
  virtual Result<void> Add(TranslatedSample sample) = 0;
};

struct TranslationError {
  size_t place = 0;  // as that of a sample; there may be several of one place
  std::string text;
};

struct TranslationOutcome {
  std::vector<TranslationError> errors;  // of metrics; any of them fails the request as a whole
  Warnings warnings;
};

// Hands every sample of the request to `sink`, in the order of the request, each resource's target_info last. An error
// is the sink's own.
Result<TranslationOutcome> Translate(const ExportRequest& request, const TranslationSettings& settings,
                                     TranslationSink& sink);

}  // namespace epi::remote::otlp
