#include "rules/template/template_arguments.h"

namespace epi::rules {
namespace {

using Kind = TemplateNodeKind;

tl::unexpected<Error> Misfit(std::string message) { return Fail(ErrorCode::kInvalid, std::move(message)); }

}  // namespace

Result<TemplateValue> NumberConstant(const TemplateNode& node) {
  if (node.is_complex) return TemplateValue(TemplateValue::Data(ComplexValue{node.floating, node.imaginary}));
  if (node.written_as_float) return TemplateValue::Float(node.floating);
  if (node.is_int) return TemplateValue::Int(node.integer);
  return Misfit(node.text + " overflows int");
}

Result<TemplateValue> LiteralArgument(const TemplateNode& node, ParameterType type) {
  switch (type) {
    case ParameterType::kAny:
      if (node.kind == Kind::kBool) return TemplateValue::Bool(node.boolean);
      if (node.kind == Kind::kString) return TemplateValue::Text(node.text);
      return NumberConstant(node);
    case ParameterType::kString:
      if (node.kind == Kind::kString) return TemplateValue::Text(node.text);
      return Misfit("expected string; found " + node.ToString());
    case ParameterType::kBool:
      if (node.kind == Kind::kBool) return TemplateValue::Bool(node.boolean);
      return Misfit("expected bool; found " + node.ToString());
    case ParameterType::kInt:
      if (node.kind == Kind::kNumber && node.is_int) return TemplateValue::Int(node.integer);
      return Misfit("expected integer; found " + node.ToString());
    case ParameterType::kDuration:
      if (node.kind == Kind::kNumber && node.is_int)
        return TemplateValue(TemplateValue::Data(DurationValue{node.integer}));
      return Misfit("expected integer; found " + node.ToString());
    default:
      return Misfit("can't handle " + node.ToString() + " for arg of type " + std::string(ParameterTypeName(type)));
  }
}

Result<TemplateValue> CheckedArgument(const TemplateValue& value, ParameterType type) {
  bool fits = true;
  switch (type) {
    case ParameterType::kAny:
      return value;
    case ParameterType::kString:
      fits = value.As<std::string>() != nullptr;
      break;
    case ParameterType::kInt:
      fits = value.As<int64_t>() != nullptr;
      break;
    case ParameterType::kBool:
      fits = value.As<bool>() != nullptr;
      break;
    case ParameterType::kTime:
      fits = value.As<TimeValue>() != nullptr;
      break;
    case ParameterType::kDuration:
      fits = value.As<DurationValue>() != nullptr;
      break;
    case ParameterType::kSample:
      if (value.IsNone() || value.IsNil()) return value;
      fits = value.As<StructValue>() != nullptr && value.As<StructValue>()->pointer;
      break;
    case ParameterType::kQueryResult:
      if (value.IsNone() || value.IsNil()) return value;
      fits = value.As<ListValue>() != nullptr &&
             std::string_view(value.As<ListValue>()->go_type) == "template.queryResult";
      break;
  }
  if (fits) return value;
  const std::string expected = "expected " + std::string(ParameterTypeName(type));
  if (value.IsNone() || value.IsNil()) return Misfit("invalid value; " + expected);
  return Misfit("wrong type for value; " + expected + "; got " + value.TypeName());
}

}  // namespace epi::rules
