#include "model/sample.h"

#include <algorithm>
#include <array>

namespace epi {
namespace {
constexpr std::array<std::string_view, 8> kTypeNames = {"unknown",        "counter", "gauge", "histogram",
                                                        "gaugehistogram", "summary", "info",  "stateset"};
}

std::string_view MetricTypeName(MetricType type) { return kTypeNames[static_cast<size_t>(type)]; }

MetricType MetricTypeFromName(std::string_view name) {
  const auto at = std::find(kTypeNames.begin(), kTypeNames.end(), name);
  return at == kTypeNames.end() ? MetricType::kUnknown : static_cast<MetricType>(at - kTypeNames.begin());
}

}  // namespace epi
