#include "promql/engine/result.h"

#include <array>

namespace epi::promql {

std::string_view ValueKindName(const Value& value) {
  static constexpr std::array<std::string_view, 4> kNames = {"scalar", "string", "vector", "matrix"};
  return kNames[value.index()];
}

}  // namespace epi::promql
