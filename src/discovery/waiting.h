// Waiting that a stop request ends.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>

#include "base/clock.h"
#include "base/result.h"
#include "net/http_client.h"

namespace epi::discovery {

// Returns false when `stop` came first, after `milliseconds` otherwise.
bool WaitFor(Clock& clock, int64_t milliseconds, std::stop_token stop);

// Sends a request and waits for the answer; kCanceled when `stop` comes first. Not from a client callback.
Result<net::HttpResponse> CallUnlessStopped(net::HttpClient& client, net::HttpRequest request, std::stop_token stop);

// The body, inflated when it came gzipped; at most `max_bytes`.
Result<std::string> BodyText(const net::HttpResponse& response, uint64_t max_bytes);

// The largest answer of an API that is read.
inline constexpr uint64_t kMaxAnswerBytes = uint64_t{256} << 20;

}  // namespace epi::discovery
