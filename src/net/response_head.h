// The head of an HTTP/1 response as Go's net/http reads it, and its words for what it refuses. libcurl takes more and
// says less.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http_headers.h"

namespace epi::net {

// The message of the error that more bytes could mend.
inline constexpr std::string_view kEndsEarly = "unexpected EOF";

struct ResponseHead {
  int status = 0;
  std::string status_text;  // of the server: "404 Not Found"
  HttpHeaders headers;      // continued lines joined by a space
};

// Reads one head off the front of `bytes`, which begin with its status line. Where they stop before its blank line the
// connection has ended. kInvalid for what is no head; what is left of `bytes` is then of no meaning.
Result<ResponseHead> ReadResponseHead(std::string_view& bytes);
// The first head of `bytes` that is not informational, as the answer to a request may follow several of those.
Result<ResponseHead> ReadFinalHead(std::string_view bytes);
// Of a protocol that has its own framing, such as HTTP/2: libcurl writes such a head in the form of HTTP/1.
ResponseHead ReadTranslatedHead(std::string_view bytes);
// 100 to 199, but not 101: the answer is still to come.
bool IsInformational(int status);

}  // namespace epi::net
