// Numbers and characters written in templates.
#pragma once

#include "base/result.h"
#include "rules/template/template_lexer.h"
#include "rules/template/template_node.h"

namespace epi::rules {

// Fills in what a kNumber node holds of its literal: as which types the constant can be taken, and its values.
// "illegal number syntax: \"1e400\"".
Result<void> ReadTemplateNumber(const TemplateToken& token, TemplateNode& node);

}  // namespace epi::rules
