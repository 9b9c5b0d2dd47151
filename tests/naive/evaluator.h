// The slow, obvious evaluator of PromQL: every node, every step, every window from its definition. It shares the
// parser, numbers and histogram arithmetic with the engine and nothing else; the two must agree bit for bit.
//
// Not covered, and refused with kUnsupported: anchored and smoothed selectors, start timestamps, delayed name removal,
// info(), the sort functions by label, limit_ratio, and the rarer mathematical functions.
#pragma once

#include <string>
#include <vector>

#include "naive/table.h"
#include "promql/engine/result.h"
#include "promql/parser/ast.h"

namespace epi::naive {

struct Query {
  std::string text;
  TimestampMs start = 0;
  TimestampMs end = 0;
  int64_t step = 0;  // 0: instant
};

// In the order in which storage hands series out.
using Data = std::vector<Series>;

// Warnings and infos go to `notes` if it is given.
Result<promql::Value> Evaluate(const Query& query, const Data& data, Notes* notes = nullptr);

}  // namespace epi::naive
