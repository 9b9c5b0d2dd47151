// The labels of series made from OpenTelemetry's attributes.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/labels.h"
#include "remote/otlp/export_request.h"
#include "remote/otlp/names.h"

namespace epi::remote::otlp {

// Attributes of a scope, where scopes become labels.
struct ScopeLabels {
  std::string_view name, version, schema_url;
  const Attributes* attributes = nullptr;
};

// Warnings about a request: the text and the member of
// prometheus_api_otlp_translation_warnings_total it counts for.
struct Warning {
  std::string_view category;
  std::string text;
};
using Warnings = std::vector<Warning>;

// One request's labels. First SetResource, then SetScope, then ForPoint for each data point. Errors are names that
// nothing can be made of. Not thread-safe; configuration and namer outlive it.
class SeriesLabels {
 public:
  SeriesLabels(const config::OtlpConfig& config, const Namer& namer);

  // What is passed stays alive until the next SetResource or SetScope.
  Result<void> SetResource(const Attributes& attributes);
  Result<void> SetScope(const ScopeLabels& scope);
  // Labels of a data point, without a metric name. Attributes named in `ignored` are left out, __name__ always is.
  Result<void> ForPoint(const Attributes& attributes, std::span<const std::string_view> ignored, LabelsBuilder& out,
                        Warnings& warnings);
  // Labels of the resource's target_info series; false when it has none: no job and no instance, or nothing to tell.
  Result<bool> ForTarget(LabelsBuilder& out, Warnings& warnings);

 private:
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  // The name for an attribute, remembered.
  Result<std::string_view> NameOf(std::string_view attribute);
  Result<void> SetAttributes(std::vector<const Attribute*> attributes, LabelsBuilder& out, Warnings& warnings);
  bool Promoted(std::string_view attribute) const;

  const config::OtlpConfig& config_;
  const Namer& namer_;
  std::unordered_map<std::string_view, std::string> names_;
  const Attributes* resource_ = nullptr;
  Pairs promoted_;
  Pairs identity_;  // job and instance
  Pairs scope_;
};

}  // namespace epi::remote::otlp
