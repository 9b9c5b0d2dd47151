// What binary operators do with two elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "promql/engine/annotations.h"
#include "promql/engine/block.h"
#include "promql/parser/ast.h"

namespace epi::promql {

// Arithmetic on dense arrays: out[i] = a[i] op b[i]. `out` may be one of the inputs.
void ArithmeticKernel(BinaryOp op, const double* a, const double* b, double* out, size_t count);
// Comparison on dense arrays: bit i of `bits` is set where a[i] op b[i] holds; all other bits are clear.
void ComparisonKernel(BinaryOp op, const double* a, const double* b, uint64_t* bits, size_t count);
double ScalarBinary(BinaryOp op, double a, double b);
inline bool IsArithmetic(BinaryOp op) { return op <= BinaryOp::kAtan2; }

// One element or the other or both a histogram.
struct Operand {
  double v = 0;
  const HistogramPtr* h = nullptr;
};
struct BinaryOutcome {
  // What the operator does with such operands: nothing (there is no element), or an element that a comparison may keep.
  bool defined = false;
  bool keep = false;
  double v = 0;
  HistogramPtr h;
  bool collision = false;   // of counter reset hints; the element of two vectors is dropped
  bool reconciled = false;  // custom bounds
};
// At least one operand is a histogram, or `op` trims. Undefined combinations are annotated.
BinaryOutcome HistogramBinary(BinaryOp op, const Operand& a, const Operand& b, Annotations& notes, PositionRange pos);

}  // namespace epi::promql
