#include "net/resolver_config.h"

#include <algorithm>
#include <charconv>

namespace epi::net {
namespace {

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> out;
  for (size_t at = line.find_first_not_of(" \t\r"); at != std::string_view::npos;
       at = line.find_first_not_of(" \t\r", at)) {
    const size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
    out.push_back(line.substr(at, end - at));
    at = end;
  }
  return out;
}

void ReadOption(std::string_view option, ResolverConfig& config) {
  const auto number = [&](std::string_view prefix, int& out) {
    if (!option.starts_with(prefix)) return;
    option.remove_prefix(prefix.size());
    int value = 0;
    std::from_chars(option.data(), option.data() + option.size(), value);
    out = std::clamp(value, 0, 30);
  };
  number("ndots:", config.ndots);
  number("attempts:", config.attempts);
  number("timeout:", config.timeout_seconds);
}

}  // namespace

ResolverConfig ParseResolverConfig(std::string_view text) {
  ResolverConfig out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const auto words = Words(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.size() < 2 || words[0].starts_with('#') || words[0].starts_with(';')) continue;
    if (words[0] == "nameserver") {
      out.servers.emplace_back(words[1]);
    } else if (words[0] == "domain") {
      out.search = {std::string(words[1])};
    } else if (words[0] == "search") {
      out.search.assign(words.begin() + 1, words.end());
    } else if (words[0] == "options") {
      for (size_t i = 1; i < words.size(); ++i) ReadOption(words[i], out);
    }
  }
  out.timeout_seconds = std::max(out.timeout_seconds, 1);
  return out;
}

}  // namespace epi::net
