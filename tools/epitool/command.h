// The commands of epitool: one file each, one row each in main.cc. Names, flags, texts and exit codes are promtool's.
#pragma once

#include <iosfwd>
#include <span>
#include <string_view>

#include "base/file_system.h"
#include "epitool/arguments.h"

namespace epi::tool {

inline constexpr int kSuccess = 0;
inline constexpr int kFailure = 1;
inline constexpr int kLintFailure = 3;

// What a command reads and writes, so that tests can look.
struct Console {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  FileSystem& files;
};

struct Command {
  std::string_view words;      // "check config"
  std::string_view arguments;  // "<config-files>..."
  std::string_view help;
  std::span<const FlagSpec> flags;
  size_t min_positional;
  size_t max_positional;
  size_t existing_files;  // how many of the first positional arguments are files that have to be there
  int (*run)(const Arguments& arguments, Console& console);
};

extern const Command kCheckConfig;
extern const Command kCheckMetrics;
extern const Command kCheckRules;
extern const Command kCheckServiceDiscovery;
extern const Command kCreateBlocksFromRules;
extern const Command kRulesBacktest;
extern const Command kTestRules;
extern const Command kTsdbAnalyze;
extern const Command kTsdbCreateBlocksOpenMetrics;
extern const Command kTsdbDump;
extern const Command kTsdbDumpOpenMetrics;
extern const Command kTsdbFlushHead;
extern const Command kTsdbList;
extern const Command kTsdbVerify;

}  // namespace epi::tool
