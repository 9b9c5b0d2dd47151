// In which order backtested rules are evaluated.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "rules/group.h"

namespace epi::rules {

// A rule by its group's and its own place.
struct BacktestPlace {
  size_t group = 0;
  size_t rule = 0;
};

// Groups that read each other's results, directly or through others; no other groups do.
struct BacktestPart {
  std::vector<size_t> groups;
  // Every rule behind all it reads. Empty when there is no such order: rules then take turns as time goes by.
  std::vector<BacktestPlace> order;
};

struct BacktestPlan {
  std::vector<BacktestPart> parts;
  std::vector<std::vector<bool>> is_read;  // by group and rule: whether some rule reads what this one gives
};

BacktestPlan PlanBacktest(const std::vector<std::unique_ptr<Group>>& groups);

}  // namespace epi::rules
