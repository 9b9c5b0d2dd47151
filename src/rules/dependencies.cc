#include "rules/dependencies.h"

#include <algorithm>

#include "promql/engine/engine.h"
#include "promql/parser/parser.h"
#include "rules/alerting_rule.h"

namespace epi::rules {
namespace {

// What the selectors of one rule say about its inputs.
struct Inputs {
  std::vector<std::vector<Matcher>> selectors;
  bool any_nameless = false;
};

const Matcher* FindMatcher(const std::vector<Matcher>& matchers, std::string_view name) {
  for (const Matcher& matcher : matchers) {
    if (matcher.name() == name) return &matcher;
  }
  return nullptr;
}

Inputs InputsOf(const Rule& rule) {
  Inputs out;
  out.selectors = promql::ExtractSelectors(rule.query().expr());
  for (const auto& matchers : out.selectors) {
    if (FindMatcher(matchers, kMetricName) == nullptr) out.any_nameless = true;
  }
  return out;
}

// Whether one of the selectors may find what `earlier` writes.
bool MayFind(const Inputs& inputs, const Rule& earlier) {
  for (const auto& matchers : inputs.selectors) {
    const Matcher* name = FindMatcher(matchers, kMetricName);
    if (name == nullptr) continue;
    if (!earlier.alerting()) {
      if (name->Matches(earlier.name())) return true;
      continue;
    }
    if (!name->Matches(kAlertMetric) && !name->Matches(kAlertForStateMetric)) continue;
    const Matcher* alert = FindMatcher(matchers, kAlertNameLabel);
    if (alert == nullptr || alert->Matches(earlier.name())) return true;
  }
  return false;
}

}  // namespace

bool MayRead(const Rule& reader, const Rule& writer) {
  const Inputs inputs = InputsOf(reader);
  return inputs.any_nameless || MayFind(inputs, writer);
}

RuleDependencies AnalyseDependencies(const std::vector<std::shared_ptr<Rule>>& rules) {
  RuleDependencies out;
  out.rules.resize(rules.size());
  // A single rule reads nobody's output but its own of before.
  if (rules.size() <= 1) return out;
  for (size_t i = 0; i < rules.size(); ++i) {
    const Inputs inputs = InputsOf(*rules[i]);
    if (inputs.any_nameless) out.indeterminate = true;
    for (size_t earlier = 0; earlier < i; ++earlier) {
      if (!MayFind(inputs, *rules[earlier])) continue;
      out.rules[i].reads.push_back(earlier);
      out.rules[earlier].read_by.push_back(i);
    }
  }
  return out;
}

std::vector<std::vector<size_t>> RuleDependencies::Batches() const {
  std::vector<std::vector<size_t>> out;
  if (indeterminate) {
    for (size_t i = 0; i < rules.size(); ++i) out.push_back({i});
    return out;
  }
  std::vector<size_t> independent;
  std::vector<size_t> last;
  for (size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].reads.empty()) {
      independent.push_back(i);
    } else if (rules[i].read_by.empty()) {
      last.push_back(i);
    }
  }
  if (!independent.empty()) out.push_back(std::move(independent));
  for (size_t i = 0; i < rules.size(); ++i) {
    if (!rules[i].reads.empty() && !rules[i].read_by.empty()) out.push_back({i});
  }
  if (!last.empty()) out.push_back(std::move(last));
  return out;
}

}  // namespace epi::rules
