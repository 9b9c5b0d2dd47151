#include "storage/appender.h"

#include <algorithm>

namespace epi {
namespace {
// prometheus/prometheus storage/interface.go names these.
constexpr std::array<std::string_view, kRejectReasons> kTexts = {
    "duplicate sample for timestamp", "out of order sample", "too old sample",        "out of bounds",
    "series limit reached",           "invalid histogram",   "out of order exemplar", "exemplar labels too long"};
}  // namespace

std::string_view RejectReasonText(RejectReason reason) { return kTexts[static_cast<size_t>(reason)]; }

bool AppendReport::any_sample_refused() const {
  for (size_t i = 0; i < kRejectReasons; ++i) {
    if (rejected[i].count > 0 && !ConcernsExemplar(static_cast<RejectReason>(i))) return true;
  }
  return false;
}

bool AppendReport::all_accepted() const {
  return dead.empty() && std::all_of(rejected.begin(), rejected.end(), [](const Rejected& r) { return r.count == 0; });
}

}  // namespace epi
