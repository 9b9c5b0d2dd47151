// Finds the command of a command line and fills its arguments, with the rules and words of promtool.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/argument_reader.h"
#include "epitool/command.h"

namespace epi::tool {

class CommandLine {
 public:
  explicit CommandLine(std::span<const Command* const> commands) : commands_(commands) {}

  // Takes the words apart; kInvalid at the first that has no place. What stands before it counts.
  Result<void> Read(const std::vector<std::string>& words, FileSystem& files);
  // Gives flags and arguments their values, and looks for what is missing.
  Result<void> Fill(FileSystem& files);

  bool help() const { return help_; }
  bool version() const { return version_; }
  // The words of the command, as far as there are; a command only when they are all there.
  const std::vector<std::string>& words() const { return words_; }
  const Command* command() const { return command_; }
  const Arguments& arguments() const { return arguments_; }

 private:
  Result<void> TakeValue(std::string value);
  Result<void> TakeFlag(const std::string& name, config::ArgumentReader& reader);
  Result<void> TakeLetter(const std::string& letter);
  // Of the commands that the words so far may become.
  const FlagSpec* FindFlag(std::string_view name, char letter) const;
  bool MayBecome(const Command& command) const;

  const std::span<const Command* const> commands_;
  std::vector<std::string> words_;
  const Command* command_ = nullptr;
  bool help_ = false;
  bool version_ = false;
  std::vector<std::pair<const FlagSpec*, std::string>> given_;  // no flag: a positional argument
  Arguments arguments_;
};

}  // namespace epi::tool
