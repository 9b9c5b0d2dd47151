// promqltest [--storage memory|head|block] [--threads N] [--not-yet FILE] FILE...
//
// Runs scripts of Prometheus's test language. Prints every failing case and ends with "N passed, N failed, N skipped".
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "promqltest/runner.h"

namespace {

using epi::promqltest::CaseResult;
using epi::promqltest::RunnerOptions;

struct Totals {
  int passed = 0;
  int failed = 0;
  int skipped = 0;
};

// "file:line  what" of cases that are known not to pass.
using NotYet = std::map<std::string, bool>;

NotYet ReadNotYet(const char* path) {
  NotYet out;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const std::string place = line.substr(0, line.find_first_of(" \t"));
    if (!place.empty() && place[0] != '#') out[place] = true;
  }
  return out;
}

void Report(const std::string& place, const CaseResult& result, const NotYet& not_yet, Totals& totals) {
  const bool listed = not_yet.count(place) > 0;
  if (result.failure.empty() && !listed) {
    ++totals.passed;
  } else if (result.failure.empty()) {
    ++totals.failed;
    std::cout << place << ": " << result.expr << "\n    passes, but is listed as not yet passing\n";
  } else if (listed) {
    ++totals.skipped;
  } else {
    ++totals.failed;
    std::cout << place << ": " << result.expr << "\n    " << result.failure << "\n";
  }
}

// The upstream engine test that this script comes from switches three things off.
void ApplyScriptOptions(const std::string& name, RunnerOptions& options) {
  if (name != "delayed_name_removal_off.test") return;
  options.features.delayed_name_removal = false;
  options.features.negative_offset = false;
  options.features.use_start_timestamps = false;
}

int Usage() {
  std::cerr << "usage: promqltest [--storage memory|head|block] [--threads N] [--not-yet FILE] FILE...\n";
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  RunnerOptions options;
  options.storage = epi::promqltest::FindStorage("memory");
  NotYet not_yet;
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg.substr(0, 2) != "--") {
      files.push_back(arg);
      continue;
    }
    if (i + 1 >= argc) return Usage();
    const char* value = argv[++i];
    if (arg == "--storage") {
      options.storage = epi::promqltest::FindStorage(value);
      if (options.storage == nullptr) return Usage();
    } else if (arg == "--threads") {
      options.threads = static_cast<size_t>(std::max(1, std::atoi(value)));
    } else if (arg == "--not-yet") {
      not_yet = ReadNotYet(value);
    } else {
      return Usage();
    }
  }
  if (files.empty()) return Usage();

  Totals totals;
  for (const std::string& file : files) {
    std::ifstream in(file, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    const std::string name(epi::BaseName(file));
    if (!in) {
      std::cout << file << ": cannot be read\n";
      ++totals.failed;
      continue;
    }
    RunnerOptions own = options;
    ApplyScriptOptions(name, own);
    const auto result = epi::promqltest::RunScript(text.str(), own);
    for (const CaseResult& c : result.cases) Report(name + ":" + std::to_string(c.line), c, not_yet, totals);
    if (result.broken.empty()) continue;
    ++totals.failed;
    std::cout << name << ":" << result.broken_line << ": the script is broken: " << result.broken << "\n";
  }
  std::cout << totals.passed << " passed, " << totals.failed << " failed, " << totals.skipped << " skipped\n";
  return totals.failed == 0 ? 0 : 1;
}
