#include "config/glob.h"

#include <algorithm>

#include "base/file_system.h"
#include "base/utf8.h"

namespace epi::config {
namespace {

bool HasMeta(std::string_view path) { return path.find_first_of("*?[\\") != std::string_view::npos; }

tl::unexpected<Error> BadPattern() { return Fail(ErrorCode::kInvalid, "syntax error in pattern"); }

// Takes one character, a UTF-8 sequence or a broken byte.
std::string_view TakeCharacter(std::string_view& text) {
  uint32_t rune = 0;
  const std::string_view out = text.substr(0, std::max<size_t>(DecodeUtf8(text, rune), 1));
  text.remove_prefix(out.size());
  return out;
}

// A class without its '['; consumes it with its ']'.
Result<bool> MatchClass(std::string_view& pattern, std::string_view character) {
  const bool negated = pattern.starts_with('^');
  if (negated) pattern.remove_prefix(1);
  bool found = false;
  bool any = false;
  const auto take = [&]() -> Result<std::string_view> {
    if (pattern.empty() || pattern.front() == '-' || pattern.front() == ']') return BadPattern();
    if (pattern.front() == '\\') pattern.remove_prefix(1);
    if (pattern.empty()) return BadPattern();
    return TakeCharacter(pattern);
  };
  while (true) {
    if (pattern.starts_with(']') && any) break;
    EPI_ASSIGN(const std::string_view low, take());
    std::string_view high = low;
    if (pattern.starts_with('-')) {
      pattern.remove_prefix(1);
      EPI_ASSIGN(high, take());
    }
    any = true;
    // UTF-8 sorts as its code points do.
    if (low <= character && character <= high) found = true;
    if (pattern.empty()) return BadPattern();
  }
  pattern.remove_prefix(1);
  return found != negated;
}

// Matches the part of a pattern between two stars at the front of `name`, consuming both.
Result<bool> MatchChunk(std::string_view chunk, std::string_view& name) {
  bool failed = false;
  while (!chunk.empty()) {
    failed |= name.empty();
    if (chunk.front() == '[') {
      chunk.remove_prefix(1);
      const std::string_view character = failed ? std::string_view() : TakeCharacter(name);
      EPI_ASSIGN(const bool in_class, MatchClass(chunk, character));
      failed |= !in_class;
    } else if (chunk.front() == '?') {
      chunk.remove_prefix(1);
      if (!failed) failed = TakeCharacter(name) == "/";
    } else {
      if (chunk.front() == '\\') {
        chunk.remove_prefix(1);
        if (chunk.empty()) return BadPattern();
      }
      if (!failed) {
        failed = name.front() != chunk.front();
        name.remove_prefix(1);
      }
      chunk.remove_prefix(1);
    }
  }
  return !failed;
}

// The length of the chunk at the front: up to the next star that is neither escaped nor in a class.
size_t ChunkLength(std::string_view pattern) {
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern[i] == '[') {
      in_class = true;
    } else if (pattern[i] == ']') {
      in_class = false;
    } else if (pattern[i] == '*' && !in_class) {
      return i;
    }
  }
  return pattern.size();
}

// Matching names of one directory.
Result<void> GlobIn(FileSystem& files, const std::string& directory, std::string_view pattern,
                    std::vector<std::string>& out) {
  const auto names = files.List(directory);
  if (!names) {
    EPI_TRY(MatchGlob(pattern, {}));
    return {};
  }
  for (const auto& name : *names) {
    EPI_ASSIGN(const bool matches, MatchGlob(pattern, name));
    if (!matches) continue;
    out.push_back(directory == "." ? name : directory == "/" ? "/" + name : directory + "/" + name);
  }
  return {};
}

}  // namespace

Result<bool> MatchGlob(std::string_view pattern, std::string_view name) {
  while (!pattern.empty()) {
    bool star = false;
    while (pattern.starts_with('*')) {
      pattern.remove_prefix(1);
      star = true;
    }
    const size_t length = ChunkLength(pattern);
    const std::string_view chunk = pattern.substr(0, length);
    pattern.remove_prefix(length);
    if (star && chunk.empty()) return name.find('/') == std::string_view::npos;
    std::string_view rest = name;
    EPI_ASSIGN(bool matches, MatchChunk(chunk, rest));
    if (matches && (rest.empty() || !pattern.empty())) {
      name = rest;
      continue;
    }
    matches = false;
    for (size_t i = 0; star && i < name.size() && name[i] != '/'; ++i) {
      rest = name.substr(i + 1);
      EPI_ASSIGN(const bool here, MatchChunk(chunk, rest));
      if (!here || (pattern.empty() && !rest.empty())) continue;
      matches = true;
      break;
    }
    if (!matches) return false;
    name = rest;
  }
  return name.empty();
}

Result<std::vector<std::string>> Glob(FileSystem& files, const std::string& pattern) {
  EPI_TRY(MatchGlob(pattern, {}));
  std::vector<std::string> out;
  if (!HasMeta(pattern)) {
    if (files.Exists(pattern)) out.push_back(pattern);
    return out;
  }
  const std::string directory(DirectoryName(pattern));
  const std::string_view base = BaseName(pattern);
  if (!HasMeta(directory)) {
    EPI_TRY(GlobIn(files, directory, base, out));
    return out;
  }
  EPI_ASSIGN(const auto directories, Glob(files, directory));
  for (const auto& each : directories) EPI_TRY(GlobIn(files, each, base, out));
  return out;
}

bool IsAllowedPathPattern(std::string_view pattern) {
  const size_t star = pattern.find('*');
  return star == std::string_view::npos || pattern.find('/', star) == std::string_view::npos;
}

}  // namespace epi::config
