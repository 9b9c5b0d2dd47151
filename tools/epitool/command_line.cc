#include "epitool/command_line.h"

#include <algorithm>

#include "epitool/query_features.h"

namespace epi::tool {
namespace {

constexpr FlagSpec kEveryCommandsFlags[] = {
    kEnableFeatureFlag,
    {"experimental", false, "", "Accepted for compatibility: no command needs it.", false, 0, ValueForm::kText, 0},
};

std::vector<std::string_view> WordsOf(const Command& command) {
  std::vector<std::string_view> out;
  std::string_view rest = command.words;
  while (!rest.empty()) {
    const size_t space = rest.find(' ');
    out.push_back(rest.substr(0, space));
    rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
  }
  return out;
}

// The name of the argument at `place` in "<input file> [<output directory>]".
std::string_view ArgumentName(std::string_view arguments, size_t place) {
  for (; place > 0; --place) arguments.remove_prefix(arguments.find('>') + 1);
  const size_t begin = arguments.find('<') + 1;
  return arguments.substr(begin, arguments.find('>', begin) - begin);
}

Result<void> CheckExistingFile(const std::string& path, FileSystem& files) {
  const auto info = files.Stat(path);
  if (!info) return Fail(ErrorCode::kInvalid, "path '" + path + "' does not exist");
  if (!info->is_directory) return {};
  return Fail(ErrorCode::kInvalid, "'" + std::string(BaseName(path)) + "' is a directory");
}

}  // namespace

bool CommandLine::MayBecome(const Command& command) const {
  const auto words = WordsOf(command);
  return words_.size() <= words.size() && std::equal(words_.begin(), words_.end(), words.begin());
}

const FlagSpec* CommandLine::FindFlag(std::string_view name, char letter) const {
  const auto wanted = [&](const FlagSpec& flag) { return letter != 0 ? flag.letter == letter : flag.name == name; };
  for (const FlagSpec& flag : kEveryCommandsFlags) {
    if (wanted(flag)) return &flag;
  }
  for (const Command* command : commands_) {
    if (!MayBecome(*command)) continue;
    for (const FlagSpec& flag : command->flags) {
      if (wanted(flag) && (command == command_ || flag.known_after <= words_.size())) return &flag;
    }
  }
  return nullptr;
}

Result<void> CommandLine::Read(const std::vector<std::string>& words, FileSystem& files) {
  config::ArgumentReader reader(words, files);
  for (;;) {
    EPI_ASSIGN(auto token, reader.Next());
    switch (token.kind) {
      case config::ArgumentToken::Kind::kEnd:
        return {};
      case config::ArgumentToken::Kind::kValue:
        EPI_TRY(TakeValue(std::move(token.text)));
        break;
      case config::ArgumentToken::Kind::kLetter:
        EPI_TRY(TakeLetter(token.text));
        break;
      case config::ArgumentToken::Kind::kFlag:
        EPI_TRY(TakeFlag(token.text, reader));
    }
  }
}

Result<void> CommandLine::TakeValue(std::string value) {
  if (command_ != nullptr) {
    const auto positional =
        std::count_if(given_.begin(), given_.end(), [](const auto& g) { return g.first == nullptr; });
    if (static_cast<size_t>(positional) >= command_->max_positional) {
      return Fail(ErrorCode::kInvalid, "unexpected " + value);
    }
    given_.emplace_back(nullptr, std::move(value));
    return {};
  }
  if (words_.empty() && !help_ && value == "help") {
    help_ = true;
    return {};
  }
  words_.push_back(value);
  const auto found = std::find_if(commands_.begin(), commands_.end(), [&](const Command* c) { return MayBecome(*c); });
  if (found == commands_.end()) {
    words_.pop_back();
    return Fail(ErrorCode::kInvalid, "expected command but got \"" + value + "\"");
  }
  const auto whole = std::find_if(
      found, commands_.end(), [&](const Command* c) { return MayBecome(*c) && WordsOf(*c).size() == words_.size(); });
  if (whole != commands_.end()) command_ = *whole;
  return {};
}

Result<void> CommandLine::TakeLetter(const std::string& letter) {
  if (letter == "h") {
    help_ = true;
    return {};
  }
  const FlagSpec* flag = letter.size() == 1 ? FindFlag({}, letter[0]) : nullptr;
  if (flag == nullptr) return Fail(ErrorCode::kInvalid, "unknown short flag '-" + letter + "'");
  given_.emplace_back(flag, "true");
  return {};
}

Result<void> CommandLine::TakeFlag(const std::string& name, config::ArgumentReader& reader) {
  const bool asks_help = name == "help" || name == "help-long" || name == "help-man";
  if (asks_help || name == "version") {
    (asks_help ? help_ : version_) = true;
    return {};
  }
  const FlagSpec* flag = FindFlag(name, 0);
  const bool negated = flag == nullptr && name.starts_with("no-");
  if (negated) flag = FindFlag(std::string_view(name).substr(3), 0);
  if (flag == nullptr || (negated && flag->takes_value)) {
    return Fail(ErrorCode::kInvalid, "unknown long flag '--" + name + "'");
  }
  if (!flag->takes_value) {
    given_.emplace_back(flag, negated ? "false" : "true");
    return {};
  }
  EPI_ASSIGN(auto value, reader.Next());
  if (value.kind != config::ArgumentToken::Kind::kValue) {
    return Fail(ErrorCode::kInvalid, "expected argument for flag '--" + name + "'");
  }
  given_.emplace_back(flag, std::move(value.text));
  return {};
}

Result<void> CommandLine::Fill(FileSystem& files) {
  if (command_ != nullptr) arguments_ = Arguments(command_->flags);
  for (auto& [flag, text] : given_) {
    if (flag != nullptr) {
      EPI_TRY(arguments_.Set(*flag, std::move(text)));
      continue;
    }
    if (arguments_.positional().size() < command_->existing_files) EPI_TRY(CheckExistingFile(text, files));
    arguments_.AddPositional(std::move(text));
  }
  if (command_ == nullptr) {
    std::string group;
    for (const auto& word : words_) group += (group.empty() ? "" : " ") + word;
    return Fail(ErrorCode::kInvalid, "must select a subcommand of '" + group + "'");
  }
  std::string missing;
  for (const FlagSpec& flag : command_->flags) {
    if (!flag.required || arguments_.Given(flag.name)) continue;
    missing += (missing.empty() ? "'--" : ", '--") + std::string(flag.name) + "'";
  }
  if (!missing.empty()) return Fail(ErrorCode::kInvalid, "required flag(s) " + missing + " not provided");
  if (const size_t given = arguments_.positional().size(); given < command_->min_positional) {
    return Fail(ErrorCode::kInvalid,
                "required argument '" + std::string(ArgumentName(command_->arguments, given)) + "' not provided");
  }
  return {};
}

}  // namespace epi::tool
