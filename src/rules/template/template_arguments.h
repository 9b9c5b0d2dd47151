// Arguments of templates' functions: literals where a type is expected, and values of the wrong type.
#pragma once

#include "base/result.h"
#include "rules/template/template_functions.h"
#include "rules/template/template_node.h"
#include "rules/template/value.h"

namespace epi::rules {

// A number as it is where nothing says what type it must be.
Result<TemplateValue> NumberConstant(const TemplateNode& node);
// "expected string; found 1".
Result<TemplateValue> LiteralArgument(const TemplateNode& node, ParameterType type);
// `value`, if it is of the type: "wrong type for value; expected string; got float64".
Result<TemplateValue> CheckedArgument(const TemplateValue& value, ParameterType type);

}  // namespace epi::rules
