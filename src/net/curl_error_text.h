// Turns libcurl's failures into the sentences that Go's net/http gives, because users and tests read them in lastError.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace epi::net {

// What is known about a failed transfer.
struct TransferFailure {
  int code = 0;            // CURLcode
  int os_error = 0;        // errno of the last failed system call, or 0
  long verify_result = 0;  // OpenSSL's X509_V_ERR_*, or 0
  bool connected = false;
  bool head_received = false;
  bool through_proxy = false;
  std::string host;            // of the URL
  std::string dialed_address;  // "127.0.0.1:9100", the first that was tried
  std::string local_address;
  std::string detail;        // libcurl's own words
  std::string first_record;  // of TLS or what came in its place: its first bytes
  std::string no_such_host;  // of name_lookup.h, where libcurl knows of none
  std::string peer_refusal;  // what PeerCheck said of the server's certificate
};

// What Go says in front of what is wrong with a response's head.
inline constexpr std::string_view kBrokenTransport = "net/http: HTTP/1.x transport connection broken";

// Without the leading `Get "url": `.
Error DescribeFailure(const TransferFailure& failure);
// `Get "http://host/path"`, the password hidden.
std::string OperationText(std::string_view method, std::string_view url);
// "404 Not Found"
std::string StatusText(int status, std::string_view reason);
// The reason phrase of a status code, empty when there is none.
std::string_view ReasonPhrase(int status);

}  // namespace epi::net
