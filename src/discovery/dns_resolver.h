// DNS records by name and type, asked of the system's servers with its search list.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"
#include "net/resolver_config.h"

namespace epi::discovery {

enum class DnsType : unsigned char { kA, kAaaa, kSrv, kMx, kNs };

struct DnsRecord {
  DnsType type = DnsType::kA;
  std::string target;  // an address, or a name with its final dot
  uint16_t port = 0;   // of SRV
};

class DnsResolver {
 public:
  virtual ~DnsResolver() = default;
  // The records of the answer to a question for that type, none when the name is known not to have any or not to exist.
  // kUnavailable when that is not known.
  virtual Result<std::vector<DnsRecord>> Lookup(const std::string& name, DnsType type, std::stop_token stop) = 0;
};

// Reads `config` (resolv.conf) again for each lookup, asks the servers one after the other over UDP and, when an answer
// is truncated, over TCP; five seconds each.
std::unique_ptr<DnsResolver> MakeSystemResolver(FileSystem& files, std::string config);

// The names to try for one that may be relative, in order, each with its final dot.
std::vector<std::string> CandidateNames(const std::string& name, const net::ResolverConfig& config);

// The records in a DNS answer that are of one of these types. kDataLoss when the message is broken.
Result<std::vector<DnsRecord>> ParseDnsAnswer(std::string_view message);

}  // namespace epi::discovery
