// Random data and random queries for comparing evaluators. One seed, one sequence.
#pragma once

#include <string>

#include "base/random.h"
#include "naive/evaluator.h"

namespace epi::naive {

// A few metrics with labels over about an hour: counters with resets, gauges with NaN and infinities, gaps, stale
// markers, classic buckets, native histograms of both kinds, series that change from floats to histograms; some on a
// shared grid of times, some on their own.
Data MakeData(Random& random);

// A query that parses and type-checks, of the kinds the naive evaluator knows.
Query MakeQuery(Random& random);

}  // namespace epi::naive
