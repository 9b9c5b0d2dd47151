// Runs scripts of Prometheus's test language against the query engine.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "promql/engine/features.h"
#include "storage/storage.h"

namespace epi::promqltest {

// Makes an empty storage. Whatever it needs besides lives as long as the storage.
using StorageFactory = std::function<Result<std::unique_ptr<Storage>>()>;

// "memory", "head" or "block"; null for another word. `block` storage is made anew from what was loaded before each
// query.
StorageFactory FindStorage(std::string_view kind);

struct RunnerOptions {
  StorageFactory storage;
  size_t threads = 1;
  promql::FeatureSwitches features = UpstreamFeatures();

  // As the upstream suite is run.
  static promql::FeatureSwitches UpstreamFeatures();
};

// One eval command, or a load that went wrong.
struct CaseResult {
  int line = 0;
  std::string expr;
  std::string failure;  // empty: passed
};

struct ScriptResult {
  std::vector<CaseResult> cases;
  // Set when the script could not be read or loaded to its end: with the line, nothing after it was run.
  int broken_line = 0;
  std::string broken;
};

ScriptResult RunScript(std::string_view script, const RunnerOptions& options);

}  // namespace epi::promqltest
