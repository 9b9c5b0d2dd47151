// epitool: checks and tools around the server, on the server's own code.
#include <iostream>
#include <string>
#include <vector>

#include "epitool/command_line.h"
#include "epitool/query_features.h"

namespace epi::tool {
namespace {

const Command* const kCommands[] = {&kCheckConfig,
                                    &kCheckMetrics,
                                    &kCheckRules,
                                    &kCheckServiceDiscovery,
                                    &kCreateBlocksFromRules,
                                    &kRulesBacktest,
                                    &kTestRules,
                                    &kTsdbAnalyze,
                                    &kTsdbCreateBlocksOpenMetrics,
                                    &kTsdbDump,
                                    &kTsdbDumpOpenMetrics,
                                    &kTsdbFlushHead,
                                    &kTsdbList,
                                    &kTsdbVerify};

// Of the commands that begin with `words`.
void PrintUsage(const std::vector<std::string>& words, std::ostream& out) {
  std::string group;
  for (const auto& word : words) group += word + " ";
  out << "usage: epitool " << (group.empty() ? "<command> " : group)
      << "[<flags>] [<args>...]\n\nTools for the Epimetheus monitoring server.\n\nCommands:\n";
  for (const Command* command : kCommands) {
    if (!(std::string(command->words) + " ").starts_with(group)) continue;
    out << "  " << command->words << " [<flags>] " << command->arguments << "\n    " << command->help << "\n";
    for (const auto& flag : command->flags) {
      out << "      --" << flag.name << (flag.takes_value ? "=" : "") << flag.fallback << "  " << flag.help << "\n";
    }
  }
  out << "Flags of every command:\n  -h, --help  Show this text.\n      --version  Show the version.\n      --"
      << kEnableFeatureFlag.name << "=  " << kEnableFeatureFlag.help << "\n";
}

int Run(const std::vector<std::string>& words, Console& console) {
  CommandLine line(kCommands);
  auto understood = line.Read(words, console.files);
  if (line.version()) {
    console.out << "promtool, version 3.14.0 (branch: main, revision: epimetheus-" EPI_VERSION ")\n";
    return kSuccess;
  }
  if (understood && (line.help() || words.empty())) {
    PrintUsage(line.words(), console.out);
    return kSuccess;
  }
  if (understood) understood = line.Fill(console.files);
  if (!understood) {
    console.err << "epitool: error: " << understood.error().message() << ", try --help\n";
    return kFailure;
  }
  return line.command()->run(line.arguments(), console);
}

}  // namespace
}  // namespace epi::tool

int main(int argc, char** argv) {
  epi::tool::Console console{std::cin, std::cout, std::cerr, epi::PosixFileSystem()};
  return epi::tool::Run({argv + 1, argv + argc}, console);
}
