// Rule queries answered by the query engine over the server's storage.
#pragma once

#include "promql/engine/engine.h"
#include "rules/rule.h"
#include "storage/storage.h"

namespace epi::rules {

class EngineQuerier final : public RuleQuerier {
 public:
  // Both outlive it.
  EngineQuerier(const promql::Engine& engine, const Storage& storage) : engine_(engine), storage_(storage) {}
  Result<promql::VectorValue> Evaluate(const promql::ParsedQuery& query, TimestampMs at,
                                       const promql::QueryOrigin* origin) const override;
  Result<std::shared_ptr<const promql::ParsedQuery>> Parse(std::string_view text) const override {
    return engine_.Parse(text);
  }
  // Running queries end with kCanceled, later ones at once.
  void Cancel() { stop_.request_stop(); }

 private:
  const promql::Engine& engine_;
  const Storage& storage_;
  std::stop_source stop_;
};

}  // namespace epi::rules
