// Syntax tree back to text.
#pragma once

#include <string>

#include "base/result.h"
#include "model/histogram.h"
#include "promql/parser/ast.h"

namespace epi::promql {

// The canonical one-line form: `sum by (a, b) (x)`, `foo @ 1.000 offset 5m`. Parsing it again gives the same tree.
std::string ToString(const Expr& expr);
std::string ToString(const DurationExpr& expr);

// The form of /api/v1/format_query: as ToString(), broken into indented lines where a node is longer than
// `max_characters_per_line`.
std::string ToPrettyString(const Expr& expr, size_t max_characters_per_line = 100);

// The tree as /api/v1/parse_query answers it: compact JSON, key order as Prometheus.
std::string ToAstJson(const Expr& expr);

// A histogram as test scripts write it: {{schema:1 count:3.1 buckets:[1 2]}}.
std::string ToTestExpression(const FloatHistogram& histogram);

}  // namespace epi::promql
