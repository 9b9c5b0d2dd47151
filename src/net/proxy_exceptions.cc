#include "net/proxy_exceptions.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>

#include "base/ascii.h"
#include "base/trim.h"

namespace epi::net {
namespace {

// An IPv4 address is kept as the IPv6 address that maps it.
using Address = std::array<unsigned char, 16>;
constexpr size_t kMappedBytes = 12;
constexpr size_t kByteBits = 8;

std::optional<Address> ReadAddress(std::string_view text) {
  const std::string copy(text);
  Address out{};
  if (inet_pton(AF_INET6, copy.c_str(), out.data()) == 1) return out;
  out[10] = out[11] = 0xff;
  if (inet_pton(AF_INET, copy.c_str(), out.data() + kMappedBytes) == 1) return out;
  return std::nullopt;
}

bool IsMapped(const Address& address) {
  constexpr Address kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::memcmp(address.data(), kMapped.data(), kMappedBytes) == 0;
}

bool IsLoopback(const Address& address) {
  constexpr Address kSix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return address == kSix || (IsMapped(address) && address[kMappedBytes] == 127);
}

struct Network {
  Address address;
  size_t bits;
};

std::optional<Network> ReadNetwork(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = ReadAddress(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  size_t bits = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (!address || read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return std::nullopt;
  const bool ipv4 = text.substr(0, slash).find(':') == std::string_view::npos;
  if (ipv4) bits += kMappedBytes * kByteBits;
  return bits <= address->size() * kByteBits ? std::optional(Network{*address, bits}) : std::nullopt;
}

bool Contains(const Network& network, const Address& address) {
  const size_t whole = network.bits / kByteBits, rest = network.bits % kByteBits;
  if (std::memcmp(network.address.data(), address.data(), whole) != 0) return false;
  return rest == 0 || ((network.address[whole] ^ address[whole]) >> (kByteBits - rest)) == 0;
}

struct HostAndPort {
  std::string_view host, port;
};

// "[::1]:80", "10.0.0.1:80", "a.b:80"; more than one colon without brackets is an address alone.
HostAndPort Split(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos || colon != close + 1) return {text, {}};
    return {text.substr(1, close - 1), text.substr(colon + 1)};
  }
  if (colon == std::string_view::npos || text.find(':') != colon) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

bool IsBelow(std::string_view host, std::string_view domain) {
  if (domain.starts_with("*.")) domain.remove_prefix(1);
  if (domain.starts_with('.')) return host.ends_with(domain);
  return host.ends_with(domain) && (host.size() == domain.size() || host[host.size() - domain.size() - 1] == '.');
}

bool Matches(std::string_view host, const std::optional<Address>& address, std::string_view port,
             std::string_view exception) {
  if (const auto network = ReadNetwork(exception)) return address && Contains(*network, *address);
  const auto [name, its_port] = Split(exception);
  if (name.empty() || (!its_port.empty() && its_port != port)) return false;
  if (const auto its_address = ReadAddress(name)) return address == its_address;
  return IsBelow(host, name);
}

}  // namespace

bool IsProxyException(std::string_view host, std::string_view port, std::string_view exceptions) {
  const std::string name = LowerAscii(host), list = LowerAscii(exceptions);
  const auto address = ReadAddress(host);
  if (host == "localhost" || (address && IsLoopback(*address))) return true;
  for (std::string_view rest = list; !rest.empty();) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view exception = Trimmed(rest.substr(0, comma), kSpaces);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (exception == "*" || (!exception.empty() && Matches(name, address, port, exception))) return true;
  }
  return false;
}

}  // namespace epi::net
