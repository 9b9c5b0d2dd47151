// What the grammar cannot say: types of operands and arguments, and rules about selectors and matching.
#pragma once

#include <string_view>
#include <vector>

#include "promql/parser/parser.h"

namespace epi::promql {

// Checks `expr`, parsed from `text` without errors, and appends what is wrong in Prometheus's order. Settles what
// depends on types: matching of binary expressions (many-to-many for set operators, none unless both sides are
// vectors), the position of operators, and which selectors are labels of info().
void CheckTypes(Expr& expr, std::string_view text, std::vector<ParseError>& errors);

}  // namespace epi::promql
