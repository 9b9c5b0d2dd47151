#include "rules/engine_querier.h"

namespace epi::rules {

Result<promql::VectorValue> EngineQuerier::Evaluate(const promql::ParsedQuery& query, TimestampMs at,
                                                    const promql::QueryOrigin* origin) const {
  promql::QueryContext context;
  context.stop = stop_.get_token();
  context.share = promql::QueryShare::kRules;
  context.origin = origin;
  EPI_ASSIGN(promql::QueryResult result,
             engine_.Run(query, promql::QuerySpec::Instant(query.text(), at), storage_, context));
  if (auto* vector = std::get_if<promql::VectorValue>(&result.value)) return std::move(*vector);
  if (const auto* scalar = std::get_if<promql::ScalarValue>(&result.value)) {
    promql::VectorValue out(1);
    out[0].t = scalar->t;
    out[0].v = scalar->v;
    return out;
  }
  return Fail(ErrorCode::kExecution, "rule result is not a vector or scalar");
}

}  // namespace epi::rules
