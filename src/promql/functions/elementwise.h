// Functions of one number: mathematics, rounding, parts of a date. They work on dense arrays, absent points included.
#pragma once

#include <cstddef>
#include <cstdint>

#include "promql/parser/function_signatures.h"

namespace epi::promql {

// Replaces each of `count` values. `a` and `b` are the scalar arguments at the same steps, or null when not given.
using ElementKernel = void (*)(double* values, size_t count, const double* a, const double* b);

struct ElementFunction {
  FunctionId id;
  ElementKernel kernel;
};
// Null when `id` is no such function. Date functions and round() without their optional argument are included.
const ElementFunction* FindElementFunction(FunctionId id);

// clamp, clamp_min and clamp_max leave nothing where the maximum is below the minimum.
bool IsClamp(FunctionId id);

}  // namespace epi::promql
