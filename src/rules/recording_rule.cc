#include "rules/recording_rule.h"

namespace epi::rules {

Result<std::vector<RuleSample>> RecordingRule::Evaluate(const RuleContext& context) {
  EPI_ASSIGN(promql::VectorValue vector, context.querier->Evaluate(query(), context.SampleTime(), context.origin));
  std::vector<RuleSample> out;
  out.reserve(vector.size());
  LabelsBuilder builder;
  for (promql::VectorSample& sample : vector) {
    builder.Reset(sample.labels);
    builder.Set(kMetricName, name());
    for (const auto& [label, value] : labels()) builder.Set(label, value);
    out.push_back({builder.Build(), context.SampleTime(), sample.v, std::move(sample.h)});
  }
  if (HasDuplicates(out)) {
    return Fail(ErrorCode::kExecution, "vector contains metrics with the same labelset after applying rule labels");
  }
  if (context.limit > 0 && static_cast<int64_t>(out.size()) > context.limit) {
    return Fail(ErrorCode::kLimit, "exceeded limit of " + std::to_string(context.limit) + " with " +
                                       std::to_string(out.size()) + " series");
  }
  return out;
}

}  // namespace epi::rules
