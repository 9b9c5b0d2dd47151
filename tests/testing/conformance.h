// Reading of the conformance data: JSON files of cases. For tests only.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace epi::testing {

// The parsed file, or null when the conformance data is absent. `path` is relative to ConformanceDir().
nlohmann::json LoadConformance(const std::string& path);

// The bytes a case gives as text or as {"_base64": "…"}.
std::string ConformanceText(const nlohmann::json& value);

}  // namespace epi::testing

// Skips the test when the data is absent; otherwise `variable` holds the parsed file.
#define EPI_CONFORMANCE_OR_SKIP(variable, path)                          \
  const nlohmann::json variable = ::epi::testing::LoadConformance(path); \
  if (variable.is_null()) GTEST_SKIP() << "no conformance data; set EPI_CONFORMANCE"
