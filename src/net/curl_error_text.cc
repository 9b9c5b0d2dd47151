#include "net/curl_error_text.h"

#include <curl/curl.h>
#include <openssl/x509_vfy.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/ascii.h"
#include "base/escaping.h"
#include "net/url.h"

namespace epi::net {
namespace {

constexpr uint32_t kMaxPort = 65535;

struct ErrnoRow {
  int number;
  std::string_view text;  // as Go's syscall package words it
};
constexpr ErrnoRow kErrnos[] = {
    {ECONNREFUSED, "connection refused"},
    {ECONNRESET, "connection reset by peer"},
    {EHOSTUNREACH, "no route to host"},
    {ENETUNREACH, "network is unreachable"},
    {ETIMEDOUT, "connection timed out"},
    {EPIPE, "broken pipe"},
    {ENOENT, "no such file or directory"},
    {EACCES, "permission denied"},
    {EADDRNOTAVAIL, "cannot assign requested address"},
    {EMFILE, "too many open files"},
};

std::string ErrnoText(int number) {
  for (const auto& row : kErrnos)
    if (row.number == number) return std::string(row.text);
  char buffer[128];
  return strerror_r(number, buffer, sizeof buffer);
}

struct AlertRow {
  std::string_view openssl;  // behind "alert " in OpenSSL's reason
  std::string_view go;
};
// As Go's crypto/tls names the alerts of RFC 8446, 6.
constexpr AlertRow kAlerts[] = {
    {"alert handshake failure", "handshake failure"},
    {"alert bad certificate", "bad certificate"},
    {"alert unsupported certificate", "unsupported certificate"},
    {"alert certificate revoked", "revoked certificate"},
    {"alert certificate expired", "expired certificate"},
    {"alert certificate unknown", "unknown certificate"},
    {"alert illegal parameter", "illegal parameter"},
    {"alert unknown ca", "unknown certificate authority"},
    {"alert access denied", "access denied"},
    {"alert decode error", "error decoding message"},
    {"alert decrypt error", "error decrypting message"},
    {"alert protocol version", "protocol version not supported"},
    {"alert insufficient security", "insufficient security level"},
    {"alert internal error", "internal error"},
    {"alert certificate required", "certificate required"},
    {"alert no application protocol", "no application protocol"},
    {"unrecognized name", "unrecognized name"},
};

// The alert that the other side sent, or nothing.
std::string AlertText(const TransferFailure& failure) {
  for (const auto& row : kAlerts) {
    if (failure.detail.find(row.openssl) != std::string::npos) return "remote error: tls: " + std::string(row.go);
  }
  return {};
}

// Of an HTTPS proxy's certificate only libcurl's words are known.
std::string CertificateText(const TransferFailure& failure) {
  const std::string prefix = "tls: failed to verify certificate: ";
  if (!failure.peer_refusal.empty()) return prefix + failure.peer_refusal;
  if (std::string alert = AlertText(failure); !alert.empty()) return alert;
  // libcurl takes the alert for a refusal of its own.
  if (failure.detail == "SSL certificate verification failed") return "remote error: tls: expired certificate";
  if (failure.detail.find("subject name") != std::string::npos)
    return prefix + "x509: certificate is not valid for any names, but wanted to match " + failure.host;
  const bool expired =
      failure.verify_result == X509_V_ERR_CERT_HAS_EXPIRED || failure.verify_result == X509_V_ERR_CERT_NOT_YET_VALID;
  return prefix + (expired ? "x509: certificate has expired or is not yet valid"
                           : "x509: certificate signed by unknown authority");
}

std::string ReadErrorText(const TransferFailure& failure, int number) {
  return "read tcp " + failure.local_address + "->" + failure.dialed_address + ": read: " + ErrnoText(number);
}

std::string DialText(const TransferFailure& failure) {
  // Only what was connected can be reset.
  if (failure.os_error == ECONNRESET) return ReadErrorText(failure, ECONNRESET);
  const std::string dial = "dial tcp " + failure.dialed_address + ": ";
  if (failure.os_error != 0) return dial + "connect: " + ErrnoText(failure.os_error);
  return dial + "connect: " + (failure.detail.empty() ? "connection refused" : failure.detail);
}

// Hosts that libcurl does not even look up.
std::string UnusableHostText(const TransferFailure& failure) {
  const std::string port = failure.dialed_address.substr(failure.dialed_address.rfind(':') + 1);
  uint32_t number = 0;
  const auto read = std::from_chars(port.data(), port.data() + port.size(), number);
  if (read.ec != std::errc() || number > kMaxPort) return "dial tcp: address " + port + ": invalid port";
  return "dial tcp: " + failure.no_such_host;
}

struct ReadRow {
  std::string_view curl;
  std::string_view go;
};
constexpr ReadRow kReadErrors[] = {
    {"Illegal or missing hexadecimal sequence", "invalid byte in chunk length"},
    {"Too long hexadecimal number", "http chunk length too large"},
    {"Malformed encoding found", "malformed chunked encoding"},
    {"Failed reading the chunked-encoded stream", "malformed chunked encoding"},
    {"Proxy CONNECT aborted", "unexpected EOF"},
};

std::string ReadText(const TransferFailure& failure) {
  const auto says = [&failure](std::string_view what) { return failure.detail.find(what) != std::string::npos; };
  if (std::string alert = AlertText(failure); !alert.empty()) return alert;
  for (const auto& row : kReadErrors) {
    if (says(row.curl)) return std::string(row.go);
  }
  constexpr std::string_view kTunnel = "CONNECT tunnel failed, response ";
  if (const size_t at = failure.detail.find(kTunnel); at != std::string::npos) {
    const std::string status = failure.detail.substr(at + kTunnel.size(), 3);
    const std::string_view reason = ReasonPhrase(std::atoi(status.c_str()));
    return reason.empty() ? status : std::string(reason);
  }
  // Of other failures the number is that of some call before.
  const bool called = says("Recv failure") || says("SSL_read") || says("SSL_connect");
  if (failure.os_error == 0 || !called) return failure.head_received ? "unexpected EOF" : "EOF";
  // A pipe breaks in writing; who reads learns of the reset.
  const int number = failure.os_error == EPIPE ? ECONNRESET : failure.os_error;
  return ReadErrorText(failure, number);
}

std::string HandshakeText(const TransferFailure& failure) {
  const auto says = [&failure](std::string_view what) { return failure.detail.find(what) != std::string::npos; };
  if (says("wrong version number") || says("packet length too long"))
    return failure.first_record.empty() || failure.first_record.starts_with("HTTP/")
               ? "http: server gave HTTP response to HTTPS client"
               : "tls: first record does not look like a TLS handshake";
  if (std::string alert = AlertText(failure); !alert.empty()) return alert;
  if (says("no protocols available") || says("incompatible with CURL_SSLVERSION"))
    return "tls: no supported versions satisfy MinVersion and MaxVersion";
  if (says("unexpected eof") || (says("SSL_ERROR_SYSCALL") && failure.os_error == 0)) return "EOF";
  if (failure.os_error != 0) return ReadText(failure);
  return "tls: handshake failure: " + failure.detail;
}

std::string Describe(const TransferFailure& failure) {
  switch (failure.code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return "dial tcp: " + failure.no_such_host;
    case CURLE_URL_MALFORMAT:
      return UnusableHostText(failure);
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "proxyconnect tcp: dial tcp: lookup: no such host";
    case CURLE_COULDNT_CONNECT:
      return (failure.through_proxy ? "proxyconnect tcp: " : "") + DialText(failure);
    case CURLE_GOT_NOTHING:
      return "EOF";
    case CURLE_PARTIAL_FILE:
      return "unexpected EOF";
    case CURLE_RECV_ERROR:
      return ReadText(failure);
    case CURLE_SEND_ERROR: {
      if (std::string alert = AlertText(failure); !alert.empty()) return alert;
      const std::string why = ErrnoText(failure.os_error != 0 ? failure.os_error : EPIPE);
      return "write tcp " + failure.local_address + "->" + failure.dialed_address + ": write: " + why;
    }
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return std::string(kBrokenTransport) + ": malformed HTTP response";
    case CURLE_PEER_FAILED_VERIFICATION:
      return CertificateText(failure);
    case CURLE_SSL_CONNECT_ERROR:
      return HandshakeText(failure);
    case CURLE_SSL_CERTPROBLEM:
      return "unable to use specified client cert: " + failure.detail;
    case CURLE_SSL_CACERT_BADFILE:
      return "unable to use specified CA cert: " + failure.detail;
    default:
      for (const auto& row : kReadErrors) {
        if (failure.detail.find(row.curl) != std::string::npos) return std::string(row.go);
      }
      return failure.detail.empty() ? curl_easy_strerror(static_cast<CURLcode>(failure.code)) : failure.detail;
  }
}

struct StatusRow {
  int status;
  std::string_view reason;
};
constexpr StatusRow kReasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Request Entity Too Large"},
    {414, "Request URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Requested Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {418, "I'm a teapot"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Entity"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {510, "Not Extended"},
    {511, "Network Authentication Required"},
};

}  // namespace

Error DescribeFailure(const TransferFailure& failure) {
  if (failure.code == CURLE_OPERATION_TIMEDOUT) return Error(ErrorCode::kTimeout, "context deadline exceeded");
  return Error(ErrorCode::kUnavailable, Describe(failure));
}

std::string OperationText(std::string_view method, std::string_view url) {
  std::string out(method.substr(0, 1));
  out += LowerAscii(method.substr(out.size()));
  out += ' ';
  auto parsed = ParseUrl(url);
  std::string shown(url);
  if (parsed && parsed->userinfo.find(':') != std::string::npos) {
    parsed->userinfo = parsed->userinfo.substr(0, parsed->userinfo.find(':')) + ":***";
    shown = parsed->ToString();
  }
  AppendQuoted(out, shown);
  return out;
}

std::string StatusText(int status, std::string_view reason) {
  if (reason.empty()) reason = ReasonPhrase(status);
  return std::to_string(status) + (reason.empty() ? "" : " ") + std::string(reason);
}

std::string_view ReasonPhrase(int status) {
  for (const auto& row : kReasons)
    if (row.status == status) return row.reason;
  return {};
}

}  // namespace epi::net
