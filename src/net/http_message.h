// What a handler of our HTTP server sees of one exchange: the request, whole and decoded, and a writer that streams the
// answer.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/budget.h"
#include "base/result.h"
#include "net/http_headers.h"
#include "net/url.h"

namespace epi::net {

enum class Method : unsigned char { kGet, kHead, kPost, kPut, kDelete, kOptions, kPatch, kOther };
std::string_view MethodName(Method method);  // "GET"; kOther has no name of its own

// A set of methods: kGetMethod | kPostMethod.
using MethodSet = unsigned;
constexpr MethodSet MethodBit(Method method) { return 1u << static_cast<unsigned>(method); }
constexpr MethodSet kGetMethod = MethodBit(Method::kGet);
constexpr MethodSet kHeadMethod = MethodBit(Method::kHead);
constexpr MethodSet kPostMethod = MethodBit(Method::kPost);
constexpr MethodSet kPutMethod = MethodBit(Method::kPut);
constexpr MethodSet kDeleteMethod = MethodBit(Method::kDelete);
constexpr MethodSet kOptionsMethod = MethodBit(Method::kOptions);
constexpr MethodSet kAnyMethod = ~0u;

// What a route demands of its caller. Ordered by nothing: kAdmin does not imply the others.
enum class Role : unsigned char {
  kNone,     // liveness and the UI's own files
  kMetrics,  // the server's own metrics
  kRead,     // queries and status
  kWrite,    // ingestion
  kAdmin,    // reload, quit, deletion
};

// A set of roles.
using RoleSet = unsigned;
constexpr RoleSet RoleBit(Role role) { return 1u << static_cast<unsigned>(role); }
inline constexpr RoleSet kAllRoles = ~0u;

// Who asks. Without access control everybody is `anonymous` and may do everything.
struct Identity {
  std::string name;                      // of the token or basic-auth user; empty when anonymous
  RoleSet roles = kAllRoles;             // what routes may ask for; kNone is open to everybody who is let in
  std::vector<std::string> label_scope;  // selectors that every read is intersected with; empty: all series
};

// The head of a request: known before its body has been read.
struct RequestHead {
  Method method = Method::kGet;
  std::string method_text;  // as it came, for kOther
  std::string target;       // as it came: "/api/v1/query?query=up"
  std::string path;         // decoded, as it came otherwise
  std::string raw_query;    // without '?'
  HttpHeaders headers;
  std::string host;            // Host header
  std::string remote_address;  // "127.0.0.1:54321"
  std::string local_address;
  int http_minor = 1;  // HTTP/1.x
  bool tls = false;
};

// A whole request. Owned by the server while the handler runs.
struct Request : RequestHead {
  QueryParams path_params;  // of the route: {"name", "job"}; a catch-all has no leading '/'
  QueryParams query;        // decoded from the URL
  // What Go's Request.Form holds: for POST, PUT and PATCH with an urlencoded body its fields first, then the URL's;
  // where a route takes them, then those of a multipart body.
  QueryParams form;
  std::string form_error;  // what url.ParseQuery would have complained about first; empty when nothing
  std::string body;
  std::string_view route;  // the pattern that matched, for metrics and logs
  Identity identity;
  std::stop_token stop;      // fires when the client goes away or the server stops
  Budget* budget = nullptr;  // charges of this request; already holds the body

  // The first value of a key in `form`, as Go's FormValue; empty when absent.
  std::string_view FormValue(std::string_view key) const;
  std::string_view QueryValue(std::string_view key) const;  // from the URL alone
  std::vector<std::string_view> FormValues(std::string_view key) const;
  std::vector<std::string_view> QueryValues(std::string_view key) const;
  bool HasForm(std::string_view key) const;
  std::string_view PathParam(std::string_view name) const;
};

// Streams one response. Not thread-safe; used by the handler alone. Nothing is sent before the first buffer is full,
// Flush() or the handler's end: a response that fits one buffer gets a Content-Length, a longer one is chunked
// (HTTP/1.0: until close). A HEAD request gets the head a GET would have got.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;
  // Both have no effect once the head is sent. The default status is 200.
  virtual void SetStatus(int status) = 0;
  virtual HttpHeaders& headers() = 0;
  // Appends to the body. Blocks while more than the server's buffer waits for a slow client. kCanceled when the client
  // is gone or stalled for too long: the handler then stops.
  virtual Result<void> Write(std::string_view bytes) = 0;
  // Sends what is buffered (and flushes the compressor). For streams of events.
  virtual Result<void> Flush() = 0;
  // Drops the body so far, if the head is not sent, so that an error can be answered instead; false when it is too
  // late.
  virtual bool Reset() = 0;
  // Gives up the connection: the client sees a broken response. For errors in the middle of a stream.
  virtual void Abort() = 0;

  virtual int status() const = 0;
  virtual bool head_sent() const = 0;
  virtual uint64_t body_bytes() const = 0;  // before compression
};

}  // namespace epi::net
