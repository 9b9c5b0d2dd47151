#include "web/label_scope.h"

#include <algorithm>
#include <array>

#include "promql/parser/parser.h"

namespace epi::web {
namespace {

struct ScopeRow {
  std::string_view route;
  ScopeRule rule;
};
constexpr std::array<ScopeRow, 34> kScopeRules = {{
    {"/api/v1/query", ScopeRule::kEnforced},
    {"/api/v1/query_range", ScopeRule::kEnforced},
    {"/api/v1/query_exemplars", ScopeRule::kEnforced},
    {"/api/v1/labels", ScopeRule::kEnforced},
    {"/api/v1/label/:name/values", ScopeRule::kEnforced},
    {"/api/v1/series", ScopeRule::kEnforced},
    {"/api/v1/search/metric_names", ScopeRule::kEnforced},
    {"/api/v1/search/label_names", ScopeRule::kEnforced},
    {"/api/v1/search/label_values", ScopeRule::kEnforced},
    {"/api/v1/read", ScopeRule::kEnforced},
    {"/api/v1/export", ScopeRule::kEnforced},
    {"/federate", ScopeRule::kEnforced},
    {"/api/v1/format_query", ScopeRule::kHarmless},
    {"/api/v1/parse_query", ScopeRule::kHarmless},
    {"/api/v1/features", ScopeRule::kHarmless},
    {"/api/v1/openapi.yaml", ScopeRule::kHarmless},
    {"/api/v1/status/buildinfo", ScopeRule::kHarmless},
    {"/api/v1/status/walreplay", ScopeRule::kHarmless},
    {"/api/v1/write", ScopeRule::kHarmless},
    {"/api/v1/otlp/v1/metrics", ScopeRule::kHarmless},
    {"/api/v1/import", ScopeRule::kHarmless},
    {"/api/v1/import/prometheus", ScopeRule::kHarmless},
    {"/api/v1/*path", ScopeRule::kHarmless},  // OPTIONS
    {"/version", ScopeRule::kHarmless},
    {"/-/healthy", ScopeRule::kHarmless},
    {"/-/ready", ScopeRule::kHarmless},
    {"/", ScopeRule::kHarmless},
    {"/graph", ScopeRule::kHarmless},
    {"/query", ScopeRule::kHarmless},
    {"/alerts", ScopeRule::kHarmless},  // the pages themselves hold no data
    {"/rules", ScopeRule::kHarmless},
    {"/targets", ScopeRule::kHarmless},
    {"/status", ScopeRule::kHarmless},
    {"/flags", ScopeRule::kHarmless},
}};

std::vector<Matcher> Together(std::span<const Matcher> asked, const std::vector<Matcher>& scope) {
  std::vector<Matcher> out(asked.begin(), asked.end());
  out.insert(out.end(), scope.begin(), scope.end());
  return out;
}

class ScopedView final : public View {
 public:
  ScopedView(std::shared_ptr<const View> inner, std::shared_ptr<const std::vector<Matcher>> scope)
      : inner_(std::move(inner)), scope_(std::move(scope)) {}

  Result<std::unique_ptr<SeriesSelection>> Select(std::span<const Matcher> matchers, const SelectHints& hints,
                                                  Budget& budget) const override {
    return inner_->Select(Together(matchers, *scope_), hints, budget);
  }
  Result<std::vector<std::string>> LabelValues(std::string_view name, std::span<const Matcher> matchers, size_t limit,
                                               Budget& budget) const override {
    return inner_->LabelValues(name, Together(matchers, *scope_), limit, budget);
  }
  Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers, size_t limit,
                                              Budget& budget) const override {
    return inner_->LabelNames(Together(matchers, *scope_), limit, budget);
  }
  Result<std::vector<SeriesExemplars>> Exemplars(std::span<const std::vector<Matcher>> matcher_sets,
                                                 TimeRange range) const override {
    std::vector<std::vector<Matcher>> sets;
    for (const auto& set : matcher_sets) sets.push_back(Together(set, *scope_));
    return inner_->Exemplars(sets, range);
  }
  const SymbolSpace& symbols() const override { return inner_->symbols(); }
  bool MayHoldHistograms() const override { return inner_->MayHoldHistograms(); }

 private:
  const std::shared_ptr<const View> inner_;
  const std::shared_ptr<const std::vector<Matcher>> scope_;
};

}  // namespace

ScopeRule ScopeRuleOf(std::string_view route) {
  const auto at =
      std::find_if(kScopeRules.begin(), kScopeRules.end(), [&](const ScopeRow& row) { return row.route == route; });
  return at == kScopeRules.end() ? ScopeRule::kClosed : at->rule;
}

Result<std::vector<Matcher>> ParseScope(const std::vector<std::string>& selectors) {
  std::vector<Matcher> out;
  for (const auto& selector : selectors) {
    auto matchers = promql::ParseMetricSelector(selector);
    if (!matchers) return Fail(matchers.error().WithContext("label scope " + selector));
    out.insert(out.end(), matchers->begin(), matchers->end());
  }
  return out;
}

ScopedStorage::ScopedStorage(const Storage& inner, std::vector<Matcher> scope)
    : inner_(inner), scope_(std::make_shared<const std::vector<Matcher>>(std::move(scope))) {}

Result<std::shared_ptr<const View>> ScopedStorage::OpenView(TimeRange range) const {
  EPI_ASSIGN(auto view, inner_.OpenView(range));
  return std::shared_ptr<const View>(std::make_shared<ScopedView>(std::move(view), scope_));
}

Result<std::unique_ptr<BatchAppender>> ScopedStorage::OpenGroup(const GroupIdentity&) {
  return Fail(ErrorCode::kDenied, "nothing is written through a label scope");
}

Result<RequestStorage> RequestStorage::For(const Storage* storage, const net::Request& request) {
  if (storage == nullptr) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  RequestStorage out;
  out.whole_ = storage;
  if (request.identity.label_scope.empty()) return out;
  auto scope = ParseScope(request.identity.label_scope);
  if (!scope) return Fail(ErrorCode::kInternal, scope.error().message());
  out.scoped_ = std::make_unique<ScopedStorage>(*storage, std::move(*scope));
  return out;
}

Result<std::shared_ptr<const View>> OpenView(const Storage* storage, const net::Request& request, TimeRange range) {
  EPI_ASSIGN(const auto visible, RequestStorage::For(storage, request));
  return visible.get().OpenView(range);
}

}  // namespace epi::web
