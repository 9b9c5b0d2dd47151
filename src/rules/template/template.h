// Templates of alert labels and annotations, and of consoles: Go's text/template language with Prometheus's functions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/labels.h"
#include "rules/template/template_node.h"
#include "rules/template/value.h"

namespace epi::rules {

// One element of what a template's query() gives.
struct TemplateSample {
  Labels labels;
  double value = 0;
  std::shared_ptr<const FloatHistogram> histogram;  // instead of value
};

// What a template sees of the world. Copied into nothing: it outlives the expansion.
struct TemplateEnvironment {
  // An instant query at `now_ms`; null: query() fails.
  std::function<Result<std::vector<TemplateSample>>(const std::string& query)> query;
  TimestampMs now_ms = 0;
  std::string external_url;  // as configured, e.g. "http://host:9090/prefix"
  std::string path_prefix;   // its path
  // A runaway template ends with an error: so many bytes written, so many nodes and loop rounds.
  size_t max_output_bytes = size_t{1} << 20;
  uint64_t max_steps = 1'000'000;
};

enum class TemplateMode : unsigned char {
  kText,  // alert labels and annotations
  // Consoles: what actions write is HTML-escaped unless marked by safeHtml, tmpl is defined, missing values are empty.
  // Escaping is that of element content and quoted attributes everywhere.
  kHtml,
};

// Immutable; thread-safe.
class Template {
 public:
  // "error parsing template name: template: name:1: …".
  static Result<std::shared_ptr<const Template>> Parse(std::string name, std::string source,
                                                       TemplateMode mode = TemplateMode::kText);
  // "error executing template name: template: name:1:3: executing \"name\" at <x>: …".
  Result<std::string> Expand(const TemplateValue& data, const TemplateEnvironment& environment) const;
  // The source has no action: Expand gives the source.
  bool is_plain() const { return plain_; }

 private:
  Template() = default;
  TemplateSet set_;
  TemplateMode mode_ = TemplateMode::kText;
  bool plain_ = false;
};

// The value of a sample as templates see it.
TemplateValue SampleValue(double value, const std::shared_ptr<const FloatHistogram>& histogram);
// {.Labels, .ExternalLabels, .ExternalURL, .Value}.
TemplateValue AlertTemplateData(const Labels& labels, const TemplateValue& external_labels,
                                const std::string& external_url, TemplateValue value);
TemplateValue LabelsValue(const Labels& labels);
// Defines $labels, $externalLabels, $externalURL, $value in front of an alert's templates.
extern const std::string_view kAlertTemplatePrefix;

}  // namespace epi::rules
