#include "discovery/dns_resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <mutex>
#include <optional>

namespace epi::discovery {
namespace {

// How often a lookup in flight looks whether it should end, milliseconds.
constexpr int kStopCheckMs = 100;

void InitLibraryOnce() {
  static std::once_flag once;
  std::call_once(once, [] { ares_library_init(ARES_LIB_INIT_ALL); });
}

constexpr int kWireTypes[] = {ns_t_a, ns_t_aaaa, ns_t_srv, ns_t_mx, ns_t_ns};  // by DnsType

int WireType(DnsType type) { return kWireTypes[static_cast<size_t>(type)]; }

std::optional<DnsType> TypeOfWire(int wire) {
  const auto* const found = std::find(std::begin(kWireTypes), std::end(kWireTypes), wire);
  if (found == std::end(kWireTypes)) return std::nullopt;
  return static_cast<DnsType>(found - std::begin(kWireTypes));
}

struct Answer {
  bool done = false;
  int status = ARES_SUCCESS;
  std::string message;
};

void OnAnswer(void* context, int status, int, unsigned char* bytes, int length) {
  auto& answer = *static_cast<Answer*>(context);
  answer.done = true;
  answer.status = status;
  if (bytes != nullptr && length > 0)
    answer.message.assign(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
}

// One c-ares channel with one server.
class Channel {
 public:
  ~Channel() {
    if (channel_ != nullptr) ares_destroy(channel_);
  }

  Result<void> Open(const std::string& server, const net::ResolverConfig& config) {
    ares_options options{};
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS | ARES_FLAG_NOCHECKRESP;
    options.timeout = config.timeout_seconds * 1000;
    options.tries = std::max(config.attempts, 1);
    const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
    if (const int status = ares_init_options(&channel_, &options, mask); status != ARES_SUCCESS) return Error(status);
    // A bare IPv6 address has no port; its colons would be taken for one.
    const bool bare_v6 = std::count(server.begin(), server.end(), ':') > 1 && server.front() != '[';
    const auto set_servers = bare_v6 ? ares_set_servers_csv : ares_set_servers_ports_csv;
    if (const int status = set_servers(channel_, server.c_str()); status != ARES_SUCCESS) return Error(status);
    return {};
  }

  // The raw answer; NXDOMAIN and NODATA too, by their status.
  Result<Answer> Ask(const std::string& name, DnsType type, std::stop_token stop) {
    Answer answer;
    ares_query(channel_, name.c_str(), ns_c_in, WireType(type), OnAnswer, &answer);
    while (!answer.done) {
      if (stop.stop_requested()) {
        ares_cancel(channel_);
        return Fail(ErrorCode::kCanceled, "context canceled");
      }
      Step();
    }
    return answer;
  }

 private:
  static tl::unexpected<epi::Error> Error(int status) { return Fail(ErrorCode::kUnavailable, ares_strerror(status)); }

  void Step() {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
    const int mask = ares_getsock(channel_, sockets.data(), static_cast<int>(sockets.size()));
    std::array<pollfd, ARES_GETSOCK_MAXNUM> waits{};
    size_t count = 0;
    for (size_t i = 0; i < sockets.size(); ++i) {
      const auto bit = static_cast<int>(i);
      const bool reads = ARES_GETSOCK_READABLE(mask, bit);
      const bool writes = ARES_GETSOCK_WRITABLE(mask, bit);
      if (!reads && !writes) continue;
      waits[count++] = {sockets[i], static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)), 0};
    }
    timeval most{0, kStopCheckMs * 1000};
    timeval next{};
    const timeval* wait = ares_timeout(channel_, &most, &next);
    const int timeout_ms = static_cast<int>(wait->tv_sec * 1000 + (wait->tv_usec + 999) / 1000);
    if (::poll(waits.data(), count, timeout_ms) <= 0) {
      ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
      return;
    }
    for (size_t i = 0; i < count; ++i) {
      const bool readable = (waits[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
      const bool writable = (waits[i].revents & POLLOUT) != 0;
      ares_process_fd(channel_, readable ? waits[i].fd : ARES_SOCKET_BAD, writable ? waits[i].fd : ARES_SOCKET_BAD);
    }
  }

  ares_channel channel_ = nullptr;
};

class SystemResolver final : public DnsResolver {
 public:
  SystemResolver(FileSystem& files, std::string config) : files_(files), config_(std::move(config)) {
    InitLibraryOnce();
  }

  Result<std::vector<DnsRecord>> Lookup(const std::string& name, DnsType type, std::stop_token stop) override {
    const auto text = files_.ReadFile(config_, 1 << 20);
    if (!text) return Fail(text.error().WithContext("could not load resolv.conf"));
    const net::ResolverConfig config = net::ParseResolverConfig(*text);
    bool all_known = true;
    for (const auto& candidate : CandidateNames(name, config)) {
      auto answer = AskAnyServer(candidate, type, config, stop);
      if (!answer) {
        if (stop.stop_requested()) return Fail(answer.error());
        all_known = false;  // a later name may still give an answer
      } else if (answer->status != ARES_ENOTFOUND) {
        return ParseDnsAnswer(answer->message);
      }
    }
    if (all_known) return std::vector<DnsRecord>();
    std::string quoted = "could not resolve \"" + name + "\"";
    return Fail(ErrorCode::kUnavailable, quoted + ": all servers responded with errors to at least one search domain");
  }

 private:
  // The first answer that says whether the name exists.
  Result<Answer> AskAnyServer(const std::string& name, DnsType type, const net::ResolverConfig& config,
                              std::stop_token stop) {
    for (const auto& server : config.servers) {
      Channel channel;
      if (!channel.Open(server, config)) continue;
      auto answer = channel.Ask(name, type, stop);
      if (!answer && stop.stop_requested()) return answer;
      if (!answer) continue;
      if (answer->status == ARES_SUCCESS || answer->status == ARES_ENOTFOUND || answer->status == ARES_ENODATA)
        return answer;
    }
    return Fail(ErrorCode::kUnavailable, "could not resolve " + name + ": no servers returned a viable answer");
  }

  FileSystem& files_;
  std::string config_;
};

uint16_t Big16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[at]) << 8 | static_cast<uint8_t>(bytes[at + 1]));
}

// Reads a DNS message from front to back.
class MessageReader {
 public:
  explicit MessageReader(std::string_view message) : message_(message) {}

  bool Skip(size_t count) {
    if (message_.size() - at_ < count) return false;
    at_ += count;
    return true;
  }
  bool Read16(uint16_t& out) {
    if (message_.size() - at_ < 2) return false;
    out = Big16(message_, at_);
    at_ += 2;
    return true;
  }
  size_t at() const { return at_; }
  void Seek(size_t at) { at_ = at; }
  std::string_view Bytes(size_t count) const { return message_.substr(at_, count); }

  // A name, following compression; with its final dot.
  bool ReadName(std::string& out) {
    out.clear();
    size_t at = at_;
    bool jumped = false;
    // A name has at most 255 bytes; more jumps than that go in circles.
    for (int steps = 0; steps < 256; ++steps) {
      if (at >= message_.size()) return false;
      const auto length = static_cast<uint8_t>(message_[at]);
      if ((length & 0xc0) == 0xc0) {
        if (at + 2 > message_.size()) return false;
        if (!jumped) at_ = at + 2;
        jumped = true;
        at = Big16(message_, at) & 0x3fff;
        continue;
      }
      if (length > 63 || at + 1 + length > message_.size() || out.size() > 255) return false;
      ++at;
      if (length == 0) {
        if (!jumped) at_ = at;
        if (out.empty()) out = ".";
        return true;
      }
      AppendLabel(message_.substr(at, length), out);
      at += length;
    }
    return false;
  }

 private:
  static void AppendLabel(std::string_view label, std::string& out) {
    constexpr std::string_view kSpecial = ". '@;()\"\\";  // in zone files (RFC 1035, 5.1)
    for (const char c : label) {
      const auto byte = static_cast<uint8_t>(c);
      if (kSpecial.find(c) != std::string_view::npos) {
        out += '\\';
        out += c;
      } else if (byte < 0x21 || byte > 0x7e) {
        out += '\\';
        out += static_cast<char>('0' + byte / 100);
        out += static_cast<char>('0' + byte / 10 % 10);
        out += static_cast<char>('0' + byte % 10);
      } else {
        out += c;
      }
    }
    out += '.';
  }

  std::string_view message_;
  size_t at_ = 0;
};

constexpr std::string_view kMappedV4("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);

bool ReadRecord(MessageReader& reader, DnsType type, size_t length, DnsRecord& out) {
  out.type = type;
  switch (type) {
    case DnsType::kA:
    case DnsType::kAaaa: {
      if (length != (type == DnsType::kA ? 4u : 16u)) return false;
      std::string_view bytes = reader.Bytes(length);
      // An IPv4 address in IPv6 clothes is shown as what it is.
      if (bytes.starts_with(kMappedV4)) bytes.remove_prefix(kMappedV4.size());
      std::array<char, INET6_ADDRSTRLEN> text{};
      ::inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
      out.target = text.data();
      return true;
    }
    case DnsType::kSrv:
      return reader.Skip(4) && reader.Read16(out.port) && reader.ReadName(out.target);
    case DnsType::kMx:
      return reader.Skip(2) && reader.ReadName(out.target);
    case DnsType::kNs:
      return reader.ReadName(out.target);
  }
  return false;
}

}  // namespace

std::unique_ptr<DnsResolver> MakeSystemResolver(FileSystem& files, std::string config) {
  return std::make_unique<SystemResolver>(files, std::move(config));
}

std::vector<std::string> CandidateNames(const std::string& name, const net::ResolverConfig& config) {
  if (name.ends_with('.')) return {name};
  std::vector<std::string> searched;
  for (const auto& domain : config.search) searched.push_back(name + "." + domain + (domain.ends_with('.') ? "" : "."));
  std::vector<std::string> out;
  const bool first = std::count(name.begin(), name.end(), '.') >= config.ndots;
  if (first) out.push_back(name + ".");
  out.insert(out.end(), searched.begin(), searched.end());
  if (!first) out.push_back(name + ".");
  return out;
}

Result<std::vector<DnsRecord>> ParseDnsAnswer(std::string_view message) {
  const auto broken = [] { return Fail(ErrorCode::kDataLoss, "the DNS answer is damaged"); };
  std::vector<DnsRecord> out;
  if (message.empty()) return out;  // no data
  MessageReader reader(message);
  uint16_t questions = 0;
  uint16_t answers = 0;
  if (!reader.Skip(4) || !reader.Read16(questions) || !reader.Read16(answers) || !reader.Skip(4)) return broken();
  std::string name;
  for (int i = 0; i < questions; ++i) {
    if (!reader.ReadName(name) || !reader.Skip(4)) return broken();
  }
  for (int i = 0; i < answers; ++i) {
    uint16_t record_type = 0;
    uint16_t length = 0;
    if (!reader.ReadName(name) || !reader.Read16(record_type) || !reader.Skip(6) || !reader.Read16(length))
      return broken();
    const size_t begin = reader.at();
    if (message.size() - begin < length) return broken();
    // CNAMEs come along with addresses.
    if (const auto type = TypeOfWire(record_type)) {
      DnsRecord record;
      if (!ReadRecord(reader, *type, length, record)) return broken();
      out.push_back(std::move(record));
    }
    reader.Seek(begin + length);
  }
  return out;
}

}  // namespace epi::discovery
