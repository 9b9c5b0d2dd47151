#include "rules/log_text.h"

#include "config/yaml_writer.h"
#include "model/duration.h"
#include "model/histogram_format.h"
#include "model/number_format.h"
#include "rules/alerting_rule.h"

namespace epi::rules {

std::string RuleYaml(const Rule& rule) {
  using config::YamlValue;
  YamlValue out = YamlValue::Mapping();
  out.Set(rule.alerting() ? "alert" : "record", YamlValue::String(rule.name()));
  out.Set("expr", YamlValue::String(rule.query_text()));
  const auto set_duration = [&](const char* key, int64_t ms) {
    if (ms > 0) out.Set(key, YamlValue::String(FormatDuration(ms)));
  };
  const auto set_labels = [&](const char* key, const RuleLabels& labels) {
    if (!labels.empty()) out.Set(key, YamlValue::StringMap(labels));
  };
  const auto* const alerting = rule.alerting() ? static_cast<const AlertingRule*>(&rule) : nullptr;
  if (alerting != nullptr) {
    set_duration("for", alerting->hold_ms());
    set_duration("keep_firing_for", alerting->keep_firing_ms());
  }
  set_labels("labels", rule.labels());
  if (alerting != nullptr) set_labels("annotations", alerting->annotations());
  return out.Text();
}

std::string SampleText(const RuleSample& sample) {
  std::string out = sample.labels.ToString() + " => ";
  out += sample.h == nullptr ? FormatFloatPlain(sample.v) : HistogramToString(*sample.h);
  return out + " @[" + std::to_string(sample.t) + "]";
}

}  // namespace epi::rules
