// How Go's fmt prints the values of templates.
//
// Addresses are the one thing not printed as Go prints them: a pointer shows what it points to, wherever it stands.
#pragma once

#include <string>
#include <string_view>

#include "rules/template/go_scalar_format.h"
#include "rules/template/value.h"

namespace epi::rules {

// One operand under a verb. What the verb does not fit prints as "%!d(string=x)". Stops once `out` is longer than
// `limit`: values can share parts, and so print as far more than they hold.
void WriteValue(std::string& out, const TemplateValue& value, FormatVerb verb, const FormatFlags& flags, size_t limit);

// As %v and Print write a value.
void AppendValue(std::string& out, const TemplateValue& value, size_t limit = SIZE_MAX);
std::string ValueText(const TemplateValue& value, size_t limit = SIZE_MAX);

// What an action prints: a pointer is followed, and nothing at all is "<no value>".
TemplateValue Printable(const TemplateValue& value);
// What a pointer points to; what is none, itself.
TemplateValue Pointee(const TemplateValue& value);

}  // namespace epi::rules
