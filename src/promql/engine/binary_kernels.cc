#include "promql/engine/binary_kernels.h"

#include <cmath>

#include "model/histogram_math.h"
#include "model/histogram_trim.h"

namespace epi::promql {
namespace {

template <typename F>
void Loop(const double* a, const double* b, double* out, size_t count, F f) {
  for (size_t i = 0; i < count; ++i) out[i] = f(a[i], b[i]);
}

template <typename F>
void CompareLoop(const double* a, const double* b, uint64_t* bits, size_t count, F f) {
  for (size_t base = 0; base < count; base += 64) {
    const size_t n = count - base < 64 ? count - base : 64;
    uint64_t word = 0;
    for (size_t i = 0; i < n; ++i) word |= static_cast<uint64_t>(f(a[base + i], b[base + i])) << i;
    bits[base / 64] = word;
  }
}

HistogramPtr Share(FloatHistogram h) { return std::make_shared<const FloatHistogram>(std::move(h)); }

BinaryOutcome Element(FloatHistogram h) {
  BinaryOutcome out;
  out.defined = out.keep = true;
  out.h = Share(std::move(h));
  return out;
}

BinaryOutcome Nothing(BinaryNote note) {
  BinaryOutcome out;
  out.note = note;
  return out;
}

BinaryOutcome AddOrSubtract(BinaryOp op, const Operand& a, const Operand& b) {
  FloatHistogram result = **a.h;
  const bool add = op == BinaryOp::kAdd;
  const auto done = add ? Add(result, **b.h) : Subtract(result, **b.h);
  if (!done) return Nothing(BinaryNote::kIncompatibleLayout);
  if (!add) result.counter_reset_hint = CounterResetHint::kGauge;
  Compact(result);
  BinaryOutcome out = Element(std::move(result));
  if (done->bounds_reconciled) out.note = BinaryNote::kBoundsReconciled;
  if (done->counter_reset_collision) out.note = BinaryNote::kCounterResetCollision;
  return out;
}

}  // namespace

void ArithmeticKernel(BinaryOp op, const double* a, const double* b, double* out, size_t count) {
  switch (op) {
    case BinaryOp::kAdd:
      return Loop(a, b, out, count, [](double x, double y) { return x + y; });
    case BinaryOp::kSub:
      return Loop(a, b, out, count, [](double x, double y) { return x - y; });
    case BinaryOp::kMul:
      return Loop(a, b, out, count, [](double x, double y) { return x * y; });
    case BinaryOp::kDiv:
      return Loop(a, b, out, count, [](double x, double y) { return x / y; });
    case BinaryOp::kMod:
      return Loop(a, b, out, count, [](double x, double y) { return std::fmod(x, y); });
    case BinaryOp::kPow:
      return Loop(a, b, out, count, [](double x, double y) { return std::pow(x, y); });
    case BinaryOp::kAtan2:
      return Loop(a, b, out, count, [](double x, double y) { return std::atan2(x, y); });
    default:
      return;
  }
}

void ComparisonKernel(BinaryOp op, const double* a, const double* b, uint64_t* bits, size_t count) {
  switch (op) {
    case BinaryOp::kEqual:
      return CompareLoop(a, b, bits, count, [](double x, double y) { return x == y; });
    case BinaryOp::kNotEqual:
      return CompareLoop(a, b, bits, count, [](double x, double y) { return x != y; });
    case BinaryOp::kLess:
      return CompareLoop(a, b, bits, count, [](double x, double y) { return x < y; });
    case BinaryOp::kLessEqual:
      return CompareLoop(a, b, bits, count, [](double x, double y) { return x <= y; });
    case BinaryOp::kGreater:
      return CompareLoop(a, b, bits, count, [](double x, double y) { return x > y; });
    case BinaryOp::kGreaterEqual:
      return CompareLoop(a, b, bits, count, [](double x, double y) { return x >= y; });
    default:
      return;
  }
}

double ScalarBinary(BinaryOp op, double a, double b) {
  double out = 0;
  if (IsArithmetic(op)) {
    ArithmeticKernel(op, &a, &b, &out, 1);
    return out;
  }
  uint64_t bit = 0;
  ComparisonKernel(op, &a, &b, &bit, 1);
  return bit != 0 ? 1 : 0;
}

BinaryOutcome HistogramBinary(BinaryOp op, const Operand& a, const Operand& b) {
  const bool left = a.h != nullptr;
  const bool right = b.h != nullptr;
  if (left && right) {
    if (op == BinaryOp::kAdd || op == BinaryOp::kSub) return AddOrSubtract(op, a, b);
    if (op == BinaryOp::kEqual || op == BinaryOp::kNotEqual) {
      BinaryOutcome out;
      out.defined = true;
      out.h = *a.h;
      out.keep = SameData(**a.h, **b.h) == (op == BinaryOp::kEqual);
      return out;
    }
  } else if (left || right) {
    if (op == BinaryOp::kMul) {
      FloatHistogram result = left ? **a.h : **b.h;
      Multiply(result, left ? b.v : a.v);
      Compact(result);
      return Element(std::move(result));
    }
    if (left && op == BinaryOp::kDiv) {
      FloatHistogram result = **a.h;
      Divide(result, b.v);
      Compact(result);
      return Element(std::move(result));
    }
    if (left && (op == BinaryOp::kTrimUpper || op == BinaryOp::kTrimLower)) {
      FloatHistogram result = **a.h;
      Trim(result, b.v, op == BinaryOp::kTrimUpper ? TrimSide::kAbove : TrimSide::kBelow);
      return Element(std::move(result));
    }
  }
  return Nothing(BinaryNote::kIncompatibleTypes);
}

void LastNotes::Offer(const StepGrid& grid, size_t step, uint32_t order, const Operand& a, const Operand& b,
                      BinaryNote note) {
  if (note == BinaryNote::kNone) return;
  steps_.resize(grid.count);
  Entry& entry = steps_[step];
  if (entry.note != BinaryNote::kNone && entry.order > order) return;
  entry = {order, note, a.h != nullptr, b.h != nullptr};
}

void LastNotes::AddTo(Annotations& notes, BinaryOp op, PositionRange pos) const {
  const auto operation = op == BinaryOp::kAdd ? HistogramOperation::kAddition : HistogramOperation::kSubtraction;
  for (const Entry& entry : steps_) {
    switch (entry.note) {
      case BinaryNote::kNone:
        break;
      case BinaryNote::kIncompatibleTypes:
        notes.IncompatibleTypesInBinary(entry.left_histogram ? "histogram" : "float", BinaryOpName(op),
                                        entry.right_histogram ? "histogram" : "float", pos);
        break;
      case BinaryNote::kIncompatibleLayout:
        notes.IncompatibleBucketLayout(BinaryOpName(op), pos);
        break;
      case BinaryNote::kCounterResetCollision:
        notes.CounterResetCollision(operation, pos);
        break;
      case BinaryNote::kBoundsReconciled:
        notes.BoundsReconciled(operation, pos);
        break;
    }
  }
}

}  // namespace epi::promql
