// epitool: checks and tools around the server, on the server's own code.
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "epitool/command.h"

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

std::vector<std::string> Split(std::string_view words) {
  std::vector<std::string> out;
  while (!words.empty()) {
    const size_t space = words.find(' ');
    out.emplace_back(words.substr(0, space));
    words = space == std::string_view::npos ? std::string_view() : words.substr(space + 1);
  }
  return out;
}

// The name of the argument at `place` in "<input file> [<output directory>]".
std::string_view ArgumentName(std::string_view arguments, size_t place) {
  for (; place > 0; --place) arguments.remove_prefix(arguments.find('>') + 1);
  const size_t begin = arguments.find('<') + 1;
  return arguments.substr(begin, arguments.find('>', begin) - begin);
}

// Why `words` are no command: the group that they end in, or the first word that no command goes on with.
std::string NoSuchCommand(const std::vector<std::string>& words) {
  size_t known = 0;
  for (const Command* command : kCommands) {
    const auto name = Split(command->words);
    const auto differs = std::mismatch(words.begin(), words.end(), name.begin(), name.end()).first;
    known = std::max(known, static_cast<size_t>(differs - words.begin()));
  }
  if (known < words.size()) return "expected command but got \"" + words[known] + "\"";
  std::string group;
  for (const auto& word : words) group += (group.empty() ? "" : " ") + word;
  return "must select a subcommand of '" + group + "'";
}

void PrintUsage(std::ostream& out) {
  out << "usage: epitool <command> [<flags>] [<args>...]\n\nTools for the Epimetheus monitoring server.\n\nCommands:\n";
  for (const Command* command : kCommands) {
    out << "  " << command->words << " [<flags>] " << command->arguments << "\n    " << command->help << "\n";
    for (const auto& flag : command->flags) {
      out << "      --" << flag.name << (flag.takes_value ? "=" : "") << flag.fallback << "  " << flag.help << "\n";
    }
  }
}

int Run(const std::vector<std::string>& words, Console& console) {
  if (words.empty() || words[0] == "help" || words[0] == "--help" || words[0] == "-h") {
    PrintUsage(console.out);
    return words.empty() ? kFailure : kSuccess;
  }
  for (const Command* command : kCommands) {
    const auto name = Split(command->words);
    if (words.size() < name.size() || !std::equal(name.begin(), name.end(), words.begin())) continue;
    const auto arguments = Arguments::Parse(std::span(words).subspan(name.size()), command->flags);
    if (!arguments) {
      console.err << "epitool: error: " << arguments.error().message() << ", try --help\n";
      return kFailure;
    }
    const size_t given = arguments->positional().size();
    if (given < command->min_positional) {
      console.err << "epitool: error: required argument '" << ArgumentName(command->arguments, given)
                  << "' not provided, try --help\n";
      return kFailure;
    }
    if (given > command->max_positional) {
      console.err << "epitool: error: unexpected " << arguments->positional()[command->max_positional]
                  << ", try --help\n";
      return kFailure;
    }
    return command->run(*arguments, console);
  }
  console.err << "epitool: error: " << NoSuchCommand(words) << ", try --help\n";
  return kFailure;
}

}  // namespace
}  // namespace epi::tool

int main(int argc, char** argv) {
  epi::tool::Console console{std::cin, std::cout, std::cerr, epi::PosixFileSystem()};
  return epi::tool::Run({argv + 1, argv + argc}, console);
}
