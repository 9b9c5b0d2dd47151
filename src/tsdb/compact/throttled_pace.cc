#include "tsdb/compact/throttled_pace.h"

#include <algorithm>
#include <utility>

namespace epi::tsdb {
namespace {

constexpr MonotonicNs kWorkPerRest = 3;
constexpr MonotonicNs kShortestRest = 1'000'000;
constexpr MonotonicNs kLongestRest = 500'000'000;

}  // namespace

ThrottledPace::ThrottledPace(Clock& clock, std::function<bool()> stop, std::function<void(MonotonicNs until)> rest)
    : clock_(clock), stop_(std::move(stop)), rest_(std::move(rest)), resumed_(clock.Monotonic()) {}

Result<void> ThrottledPace::Step(uint64_t) {
  const MonotonicNs now = clock_.Monotonic();
  const MonotonicNs wanted = std::min((now - resumed_) / kWorkPerRest, kLongestRest);
  // What is too short to wait for adds up.
  if (wanted >= kShortestRest) {
    rest_(now + wanted);
    resumed_ = clock_.Monotonic();
  }
  if (stop_()) return Fail(ErrorCode::kCanceled, "the work was interrupted");
  return {};
}

}  // namespace epi::tsdb
