// What each operator of one query did: for explain. Costs two readings of the clock a batch, and nothing where no
// profile is wanted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "promql/plan/plan.h"

namespace epi::promql {

class Operator;

// Filled by the operator that it is attached to.
struct OperatorStats {
  int64_t series = 0;     // rows with a point
  int64_t samples = 0;    // points put out; histograms count by size
  int64_t bytes = 0;      // of the rows put out
  int64_t decoded = 0;    // samples that storage handed over
  MonotonicNs spent = 0;  // in this operator and everything below
};

struct OperatorProfile {
  std::string description;
  size_t depth = 0;  // of the root 0; operators follow in the order of a walk from the root down
  int64_t steps = 0;
  int64_t estimated_series = -1;   // labels announced before anything was evaluated; -1: not known
  int64_t estimated_samples = -1;  // a point at every step for each of them
  int64_t estimated_bytes = -1;
  bool shared = false;   // computed elsewhere in the query
  OperatorStats actual;  // zero where nothing was run
};

// The caller's: says whether to run at all, receives what happened. One per run.
class QueryProfile {
 public:
  bool run = true;  // false: series are selected; nothing is evaluated but the sides of joins, which need it for labels
  std::string plan;
  std::vector<PassReport> passes;  // what planning did, in order
  std::vector<OperatorProfile> operators;

  // For whoever builds the operators: brackets the building of one and of what is below it.
  size_t Enter(std::string description, size_t steps, bool shared);
  void Leave(size_t number, Operator* op);
  // All operators are prepared: notes their estimates.
  void NotePrepared();
  // Whatever was recorded so far; operators may be gone afterwards.
  void NoteDone();

 private:
  struct Watched {
    size_t number = 0;
    const Operator* op = nullptr;
    std::shared_ptr<OperatorStats> stats;
  };
  size_t depth_ = 0;
  std::vector<Watched> watched_;
};

}  // namespace epi::promql
