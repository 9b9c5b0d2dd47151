// fmt.Sprintf and its kin over template values.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "rules/template/value.h"

namespace epi::rules {

// kLimit when the text would pass `max_bytes`. Wrong verbs and arguments are no errors: they show in the text, as in
// Go.
Result<std::string> GoSprintf(std::string_view format, std::span<const TemplateValue> args, size_t max_bytes);
// Operands with a space between two that are no strings. Cut somewhere behind `max_bytes`.
std::string GoSprint(std::span<const TemplateValue> args, size_t max_bytes);
// Operands with spaces between, and a line break.
std::string GoSprintln(std::span<const TemplateValue> args, size_t max_bytes);

}  // namespace epi::rules
