// Runs one query through the engine and the naive evaluator and says where they differ.
#pragma once

#include <memory>
#include <string>

#include "naive/evaluator.h"
#include "promql/engine/engine.h"

namespace epi::naive {

// Empty when the two values are the same, bit for bit; NaNs are all the same. Instant vectors compare as sets.
std::string Difference(const promql::Value& naive, const promql::Value& engine);

struct FuzzOptions {
  uint64_t seed = 1;
  int queries = 2000;
  int queries_per_data = 50;
  size_t threads = 2;
  std::string storage = "memory";  // see promqltest::FindStorage
  bool verbose = false;
};
struct FuzzReport {
  int compared = 0;
  int failed_alike = 0;          // both evaluators refused the query
  int skipped = 0;               // not covered by the naive evaluator
  int empty = 0;                 // of the compared: nothing came out
  std::string first_difference;  // with the query and how to repeat it
  int differences = 0;
};

// Prints every difference to standard output.
FuzzReport Fuzz(const FuzzOptions& options);

}  // namespace epi::naive
