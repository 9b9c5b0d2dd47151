#include "promql/engine/query_state.h"

namespace epi::promql {

Error CanceledError(std::string_view where) {
  return Error(ErrorCode::kCanceled, "query was canceled in " + std::string(where));
}

Error TimeoutError(std::string_view where) {
  return Error(ErrorCode::kTimeout, "query timed out in " + std::string(where));
}

Error TooManySamplesError() {
  return Error(ErrorCode::kLimit, "query processing would load too many samples into memory in query execution");
}

QueryState::SelectorCost& QueryState::NoteSelector(std::span<const Matcher> matchers, size_t series) {
  SelectorCost& cost = selectors.emplace_back();
  for (const auto& matcher : matchers) cost.text += (cost.text.empty() ? "{" : ", ") + matcher.ToString();
  cost.text += "}";
  cost.series = series;
  return cost;
}

const QueryState::SelectorCost* QueryState::CostliestSelector() const {
  const auto less = [](const SelectorCost& a, const SelectorCost& b) {
    const int64_t samples_a = a.samples.load(std::memory_order_relaxed);
    const int64_t samples_b = b.samples.load(std::memory_order_relaxed);
    return samples_a == samples_b ? a.series < b.series : samples_a < samples_b;
  };
  const auto most = std::max_element(selectors.begin(), selectors.end(), less);
  return most == selectors.end() ? nullptr : &*most;
}

Result<void> QueryState::ReserveSteps(const StepGrid& grid) {
  // No series could fill so many steps within the default limit of samples.
  constexpr size_t kMaxSteps = size_t{1} << 26;
  // One row, its bits and the counts that operators keep by step.
  constexpr int64_t kBytesPerStep = 48;
  if (grid.count > kMaxSteps) return Fail(TooManySamplesError());
  meter.Charge(static_cast<int64_t>(grid.count) * kBytesPerStep);
  return meter.status();
}

Result<void> QueryState::Check() const {
  if (stop.stop_requested()) return Fail(CanceledError("expression evaluation"));
  if (clock.Monotonic() >= deadline) return Fail(TimeoutError("expression evaluation"));
  return meter.status();
}

}  // namespace epi::promql
