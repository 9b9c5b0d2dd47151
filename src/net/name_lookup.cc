#include "net/name_lookup.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/ascii.h"

namespace epi::net {
namespace {

bool IsNameLetter(char c) { return IsAsciiLetter(c) || c == '_'; }

// RFC 1035, 2.3.4.
constexpr size_t kLongestLabel = 63;
constexpr size_t kLongestName = 253;

bool IsDomainLabel(std::string_view label) {
  return !label.empty() && label.size() <= kLongestLabel && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [](char c) { return IsNameLetter(c) || IsAsciiDigit(c) || c == '-'; });
}

bool IsDomainName(std::string_view name) {
  if (name == ".") return true;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > kLongestName) return false;
  if (std::none_of(name.begin(), name.end(), [](char c) { return IsNameLetter(c) || c == '-'; })) return false;
  while (true) {
    const size_t dot = name.find('.');
    if (!IsDomainLabel(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

std::string_view TakeWord(std::string_view& line) {
  constexpr std::string_view kBlanks = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

std::string FirstNameServer(std::string_view config) {
  while (!config.empty()) {
    std::string_view line = config.substr(0, config.find('\n'));
    config.remove_prefix(std::min(line.size() + 1, config.size()));
    if (TakeWord(line) != "nameserver") continue;
    const std::string address(TakeWord(line));
    if (!address.empty()) return address;
  }
  return "127.0.0.1";
}

}  // namespace

bool IsLooseAddress(std::string_view host) {
  const std::string text(host);
  in_addr loose{}, strict{};
  return inet_aton(text.c_str(), &loose) == 1 && inet_pton(AF_INET, text.c_str(), &strict) != 1;
}

std::string NoSuchHost(std::string_view host, const std::string& config, FileSystem& files) {
  const std::string lookup = "lookup " + std::string(host);
  if (!IsDomainName(host)) return lookup + ": no such host";
  constexpr uint64_t kMaxConfig = 64u << 10;
  const std::string server = FirstNameServer(files.ReadFile(config, kMaxConfig).value_or(""));
  const bool ipv6 = server.find(':') != std::string::npos;
  return lookup + " on " + (ipv6 ? "[" + server + "]" : server) + ":53: no such host";
}

}  // namespace epi::net
