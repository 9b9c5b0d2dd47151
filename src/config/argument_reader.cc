#include "config/argument_reader.h"

#include <utility>

namespace epi::config {
namespace {

// A file of arguments may name itself.
constexpr int kMaxFiles = 100;
constexpr uint64_t kMaxFileBytes = 1 << 20;

bool Blank(const std::string& line) { return line.find_first_not_of(" \t\v\f\r") == std::string::npos; }

}  // namespace

ArgumentReader::ArgumentReader(const std::vector<std::string>& arguments, FileSystem& files)
    : waiting_(arguments.begin(), arguments.end()), files_(files) {}

Result<ArgumentToken> ArgumentReader::Next() {
  using Kind = ArgumentToken::Kind;
  while (ready_.empty()) {
    if (waiting_.empty()) return ArgumentToken{};
    std::string word = std::move(waiting_.front());
    waiting_.pop_front();
    if (only_values_ || word.empty()) return ArgumentToken{Kind::kValue, std::move(word)};
    if (word == "--") {
      only_values_ = true;
    } else if (word.front() == '@') {
      EPI_TRY(Expand(word.substr(1)));
    } else if (word.starts_with("--")) {
      const auto equals = word.find('=');
      ready_.push_back({Kind::kFlag, word.substr(2, equals == std::string::npos ? equals : equals - 2)});
      if (equals != std::string::npos) ready_.push_back({Kind::kValue, word.substr(equals + 1)});
    } else if (word.front() != '-') {
      return ArgumentToken{Kind::kValue, std::move(word)};
    } else if (word.size() == 1) {
      return ArgumentToken{Kind::kValue, {}};
    } else {
      // A letter of more than one byte is kept whole.
      for (size_t i = 1; i < word.size(); ++i) {
        const bool continues = i > 1 && (static_cast<unsigned char>(word[i]) & 0xc0) == 0x80;
        if (!continues) ready_.push_back({Kind::kLetter, {}});
        ready_.back().text += word[i];
      }
    }
  }
  ArgumentToken token = std::move(ready_.front());
  ready_.pop_front();
  return token;
}

Result<void> ArgumentReader::Expand(const std::string& path) {
  if (path.empty()) return Fail(ErrorCode::kInvalid, "expected @ file to expand arguments from");
  if (++files_read_ > kMaxFiles) {
    return Fail(ErrorCode::kInvalid,
                "more than " + std::to_string(kMaxFiles) + " argument files, the last \"" + path + "\"");
  }
  const auto text = files_.ReadFile(path, kMaxFileBytes);
  if (!text) {
    return Fail(ErrorCode::kInvalid, "failed to open arguments file \"" + path + "\": " + text.error().message());
  }
  std::vector<std::string> lines;
  for (std::string_view rest = *text; !rest.empty();) {
    const auto end = rest.find('\n');
    std::string line(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (line.ends_with('\r')) line.pop_back();
    if (!Blank(line) && line.front() != '#') lines.push_back(std::move(line));
  }
  waiting_.insert(waiting_.begin(), std::make_move_iterator(lines.begin()), std::make_move_iterator(lines.end()));
  return {};
}

}  // namespace epi::config
