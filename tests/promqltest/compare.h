// Whether a query's answer is what a script expects.
#pragma once

#include <string>
#include <vector>

#include "promql/engine/result.h"
#include "promqltest/script.h"

namespace epi::promqltest {

// Empty when the value is the expected one; otherwise what differs.
std::string CompareValue(const EvalCommand& expected, const promql::Value& value);
// The same for warnings and infos.
std::string CompareAnnotations(const EvalCommand& expected, const std::vector<std::string>& warnings,
                               const std::vector<std::string>& infos);
// The same for the text of an error that ended a query.
std::string CompareError(const EvalCommand& expected, const std::string& error);

// Equal within the tolerance of the language, after both are compacted. The hint counts when asked for.
bool SameHistogram(const FloatHistogram& expected, const FloatHistogram& actual, bool compare_hint);

}  // namespace epi::promqltest
