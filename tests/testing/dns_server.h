// A DNS server on loopback that answers over UDP as it is told. For tests only.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>

#include "base/file_system.h"
#include "testing/temp_dir.h"

namespace epi::testing {

// Makes the answer from the header and the question alone (no EDNS record), marked as an answer already. Called on the
// server's thread; an empty answer is not sent.
using DnsAnswering = std::function<std::string(std::string question)>;

// No records, with a response code: 3 says that the name does not exist.
inline DnsAnswering AnswerWithCode(int rcode) {
  return [rcode](std::string question) {
    question[3] = static_cast<char>(question[3] | rcode);
    return question;
  };
}

// An A record, 10.0.0.2.
inline std::string AnswerWithAddress(std::string question) {
  question[7] = 1;
  return question + std::string("\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x02", 16);
}

class DnsServer {
 public:
  explicit DnsServer(DnsAnswering answer) : fd_(::socket(AF_INET, SOCK_DGRAM, 0)), answer_(std::move(answer)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t length = sizeof address;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Loop(); });
  }
  ~DnsServer() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // An empty datagram ends the loop.
    const int sender = ::socket(AF_INET, SOCK_DGRAM, 0);
    ::sendto(sender, "", 0, 0, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::close(sender);
    thread_.join();
    ::close(fd_);
  }
  int port() const { return port_; }

 private:
  void Loop() {
    constexpr size_t kHeaderSize = 12;
    char bytes[1500];
    sockaddr_in from{};
    socklen_t length = sizeof from;
    while (true) {
      const ssize_t got = ::recvfrom(fd_, bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (got <= static_cast<ssize_t>(kHeaderSize)) return;
      std::string question(bytes, static_cast<size_t>(got));
      question[2] = static_cast<char>(0x81);
      question[3] = static_cast<char>(0x80);
      question.resize(question.find('\0', kHeaderSize) + 5);
      question[11] = 0;  // no EDNS record
      const std::string answer = answer_(std::move(question));
      if (!answer.empty()) ::sendto(fd_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
    }
  }

  int fd_;
  DnsAnswering answer_;
  int port_ = 0;
  std::thread thread_;
};

// A resolv.conf in `directory` that names the server; its path.
inline std::string WriteResolverConfig(const TempDir& directory, int port) {
  std::string path = JoinPath(directory.path(), "resolv.conf");
  EXPECT_TRUE(PosixFileSystem().WriteFileAtomically(
      path, "nameserver 127.0.0.1:" + std::to_string(port) + "\noptions timeout:1 attempts:1\n"));
  return path;
}

}  // namespace epi::testing
