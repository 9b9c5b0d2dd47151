#include "rules/template/template.h"

#include "rules/template/template_executor.h"
#include "rules/template/template_functions.h"

namespace epi::rules {
namespace {

bool HasTextFunction(std::string_view name) {
  const TemplateFunction* function = FindTemplateFunction(name);
  return function != nullptr && !function->html_only;
}
bool HasHtmlFunction(std::string_view name) { return FindTemplateFunction(name) != nullptr; }

}  // namespace

const std::string_view kAlertTemplatePrefix =
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

Result<std::shared_ptr<const Template>> Template::Parse(std::string name, std::string source, TemplateMode mode) {
  const std::string shown = name;
  std::shared_ptr<Template> out(new Template());
  out->mode_ = mode;
  auto set = ParseTemplate(std::move(name), std::move(source),
                           mode == TemplateMode::kHtml ? HasHtmlFunction : HasTextFunction);
  if (!set) return Fail(set.error().code(), "error parsing template " + shown + ": " + set.error().message());
  out->set_ = std::move(*set);
  out->plain_ = out->set_.source.find("{{") == std::string::npos;
  return std::shared_ptr<const Template>(std::move(out));
}

Result<std::string> Template::Expand(const TemplateValue& data, const TemplateEnvironment& environment) const {
  if (plain_) return set_.source;
  auto text = TemplateExecutor(set_, mode_, environment).Run(set_.name, data);
  if (!text) return Fail(text.error().code(), "error executing template " + set_.name + ": " + text.error().message());
  return text;
}

TemplateValue SampleValue(double value, const std::shared_ptr<const FloatHistogram>& histogram) {
  if (histogram != nullptr) return TemplateValue(TemplateValue::Data(histogram));
  return TemplateValue::Float(value);
}

TemplateValue LabelsValue(const Labels& labels) {
  auto entries = std::make_shared<std::map<std::string, TemplateValue>>();
  for (const LabelView& label : labels)
    entries->emplace(std::string(label.name), TemplateValue::Text(std::string(label.value)));
  return TemplateValue(TemplateValue::Data(MapValue{std::move(entries), true, 1}));
}

TemplateValue AlertTemplateData(const Labels& labels, const TemplateValue& external_labels,
                                const std::string& external_url, TemplateValue value) {
  auto fields = std::make_shared<std::vector<std::pair<std::string, TemplateValue>>>();
  fields->emplace_back("Labels", LabelsValue(labels));
  fields->emplace_back("ExternalLabels", external_labels);
  fields->emplace_back("ExternalURL", TemplateValue::Text(external_url));
  fields->emplace_back("Value", std::move(value));
  constexpr const char* kGoType =
      "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }";
  return TemplateValue(TemplateValue::Data(StructValue{std::move(fields), kGoType, false}));
}

}  // namespace epi::rules
