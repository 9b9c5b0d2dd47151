// Running the unit tests of rules: groups evaluated over series that a test file makes up, and what came of it compared
// with what the file expects.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "promql/engine/features.h"
#include "promql/parser/parser.h"
#include "rules/unit_test/test_file.h"
#include "storage/storage.h"
#include "telemetry/log.h"

namespace epi::rules {

// All pointers outlive the run.
struct RuleTestOptions {
  FileSystem* files = nullptr;
  Clock* clock = nullptr;
  // Empty storage for one test group.
  std::function<std::unique_ptr<Storage>()> make_storage;
  promql::ParseOptions parser = promql::ParseOptions::AllEnabled();
  promql::FeatureSwitches features;
  bool ignore_unknown_fields = false;  // in rule files
  // Unanchored patterns; a group runs when its name matches one. None: all run.
  std::vector<std::string> run;
  bool diff = false;  // alerts that differ are shown line by line
  Logger logger;
  std::function<void(const std::string&)> debug;  // told of every group and its samples; null: nobody is
};

struct RuleTestOutcome {
  std::string name;                   // of the group; "unnamed#3" for the fourth when it has none
  std::vector<std::string> failures;  // whole texts, indented as promtool prints them
};

struct RuleTestReport {
  std::vector<std::string> errors;    // the file could not be run at all
  std::vector<std::string> warnings;  // "file no match pattern x"
  std::vector<RuleTestOutcome> groups;
  bool ok() const;
};

// Runs one test file. Rule files are looked for beside it.
RuleTestReport RunRuleTests(const std::string& path, const RuleTestOptions& options);

}  // namespace epi::rules
