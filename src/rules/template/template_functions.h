// The functions that templates call: Go's built-in ones and Prometheus's. One table, template_functions.cc.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rules/template/template.h"
#include "rules/template/value.h"

namespace epi::rules {

// Types of parameters, in Go's words for error texts.
enum class ParameterType : unsigned char { kAny, kString, kInt, kBool, kSample, kQueryResult, kTime, kDuration };
std::string_view ParameterTypeName(ParameterType type);

using TemplateArgs = std::span<const TemplateValue>;

struct TemplateFunction {
  std::string_view name;
  std::span<const ParameterType> parameters;
  bool variadic = false;  // the last type repeats, also no times
  Result<TemplateValue> (*call)(const TemplateEnvironment& environment, TemplateArgs args) = nullptr;
  bool html_only = false;
};

// Null when there is none. `and`, `or`, `call` and `tmpl` are here for their names and parameters: the executor
// evaluates them.
const TemplateFunction* FindTemplateFunction(std::string_view name);

// Methods of times and durations. Null when the value has none of that name.
struct TemplateMethod {
  std::string_view name;
  std::span<const ParameterType> parameters;
  Result<TemplateValue> (*call)(const TemplateValue& receiver, TemplateArgs args) = nullptr;
};
const TemplateMethod* FindTemplateMethod(const TemplateValue& receiver, std::string_view name);
// How many results a method has that cannot be called for having several; 0 when there is no such method.
int ManyResultsOf(const TemplateValue& receiver, std::string_view name);

// Built-in functions (template_builtins.cc).
namespace builtin {
Result<TemplateValue> Not(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> Len(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> Index(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> Slice(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> Printf(const TemplateEnvironment& environment, TemplateArgs args);
Result<TemplateValue> Print(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> Println(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> Html(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> Js(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> UrlQuery(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> Eq(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> Ne(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> Lt(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> Le(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> Gt(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> Ge(const TemplateEnvironment&, TemplateArgs args);
}  // namespace builtin

// Functions of numbers, or of texts that are numbers (template_number_functions.cc).
namespace number {
Result<TemplateValue> Humanize(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> Humanize1024(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> HumanizeDuration(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> HumanizePercentage(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> HumanizeTimestamp(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> ToTime(const TemplateEnvironment&, TemplateArgs args);
Result<TemplateValue> ToDuration(const TemplateEnvironment&, TemplateArgs args);
}  // namespace number

}  // namespace epi::rules
