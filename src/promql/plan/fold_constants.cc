// Computes what is made of numbers alone while planning, with the very operations that evaluation would use.
#include <optional>

#include "promql/engine/binary_kernels.h"
#include "promql/functions/quantile.h"
#include "promql/plan/plan.h"

namespace epi::promql {
namespace {

std::optional<double> ValueOf(const PlanNode& node);

std::optional<double> BinaryValue(const PlanNode& node) {
  const bool trims = !IsArithmetic(node.op) && !IsComparison(node.op);  // refused when it is evaluated
  if (node.type != ValueType::kScalar || trims) return std::nullopt;
  const auto a = ValueOf(*node.children[0]);
  if (!a) return std::nullopt;
  const auto b = ValueOf(*node.children[1]);
  if (!b) return std::nullopt;
  if (!IsArithmetic(node.op)) return ScalarBinary(node.op, *a, *b);
  double out = 0;
  ArithmeticKernel(node.op, &*a, &*b, &out, 1);
  return out;
}

std::optional<double> CallValue(const PlanNode& node) {
  const FunctionId id = node.function->id;
  if (id != FunctionId::kMaxOf && id != FunctionId::kMinOf) return std::nullopt;
  const auto a = ValueOf(*node.children[0]);
  if (!a) return std::nullopt;
  const auto b = ValueOf(*node.children[1]);
  if (!b) return std::nullopt;
  return id == FunctionId::kMaxOf ? GoMax(*a, *b) : GoMin(*a, *b);
}

// Of a scalar that depends on nothing.
std::optional<double> ValueOf(const PlanNode& node) {
  switch (node.kind) {
    case PlanKind::kNumber:
      return node.number;
    case PlanKind::kStepInvariant:
      return ValueOf(*node.children[0]);
    case PlanKind::kNegate: {
      if (node.type != ValueType::kScalar) return std::nullopt;
      const auto value = ValueOf(*node.children[0]);
      return value ? std::optional(-*value) : std::nullopt;
    }
    case PlanKind::kBinary:
      return BinaryValue(node);
    case PlanKind::kCall:
      return CallValue(node);
    default:
      return std::nullopt;
  }
}

}  // namespace

size_t FoldConstants(PlanPtr& plan) {
  if (plan->kind == PlanKind::kNumber) return 0;
  if (plan->type == ValueType::kScalar) {
    if (const auto value = ValueOf(*plan)) {
      auto number = std::make_unique<PlanNode>();
      number->kind = PlanKind::kNumber;
      number->type = ValueType::kScalar;
      number->pos = plan->pos;
      number->number = *value;
      number->folded = std::move(plan);
      plan = std::move(number);
      return 1;
    }
  }
  size_t folded = 0;
  for (auto& child : plan->children) folded += FoldConstants(child);
  return folded;
}

}  // namespace epi::promql
