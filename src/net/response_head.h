// What Go's net/http refuses in the head of an HTTP/1 response and libcurl lets pass, in Go's words.
#pragma once

#include <string_view>

#include "base/result.h"
#include "net/http_headers.h"

namespace epi::net {

// kInvalid for a header line (or one that continues it), without its line break, that has no colon, a name that is
// none, or control characters.
Result<void> CheckHeaderLine(std::string_view line);
// kInvalid when the headers do not say how long the body is, or say it in two ways. `status` is that of the response.
Result<void> CheckFraming(const HttpHeaders& headers, int status);

}  // namespace epi::net
