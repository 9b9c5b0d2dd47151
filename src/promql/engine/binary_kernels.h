// What binary operators do with two elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "promql/engine/annotations.h"
#include "promql/engine/block.h"
#include "promql/engine/steps.h"
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
// What there is to say about one element; at most one thing.
enum class BinaryNote : unsigned char {
  kNone,
  kIncompatibleTypes,
  kIncompatibleLayout,
  kCounterResetCollision,  // the element of two vectors is dropped
  kBoundsReconciled,
};
struct BinaryOutcome {
  // What the operator does with such operands: nothing (there is no element), or an element that a comparison may keep.
  bool defined = false;
  bool keep = false;
  double v = 0;
  HistogramPtr h;
  BinaryNote note = BinaryNote::kNone;
  // Whether two vectors have an element here.
  bool joins() const { return defined && note != BinaryNote::kCounterResetCollision; }
};
// At least one operand is a histogram, or `op` trims.
BinaryOutcome HistogramBinary(BinaryOp op, const Operand& a, const Operand& b);

// Of all that is to be said about the elements of one step, Prometheus says only what comes last.
class LastNotes {
 public:
  // About the element number `order` of the step. Operands as they are written.
  void Offer(const StepGrid& grid, size_t step, uint32_t order, const Operand& a, const Operand& b, BinaryNote note);
  void AddTo(Annotations& notes, BinaryOp op, PositionRange pos) const;

 private:
  struct Entry {
    uint32_t order = 0;
    BinaryNote note = BinaryNote::kNone;
    bool left_histogram = false;
    bool right_histogram = false;
  };
  std::vector<Entry> steps_;  // empty until there is one
};

}  // namespace epi::promql
