// Remote-read requests (prometheus.ReadRequest).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/matcher.h"
#include "remote/message_meter.h"
#include "storage/view.h"

namespace epi::remote {

enum class ReadResponseType : unsigned char { kSamples = 0, kStreamedXorChunks = 1 };

// As sent: neither its type nor its expression is checked.
struct ReadMatcher {
  int type = 0;
  std::string name, value;
};

struct ReadQuery {
  TimeRange range;  // both ends included
  std::vector<ReadMatcher> matchers;
  SelectHints hints;  // hints.range: of the samples wanted; `range` when the sender gave no hints
};

struct ReadRequest {
  std::vector<ReadQuery> queries;
  std::vector<int> accepted_types;  // as sent, in order of preference; empty means samples
};

// A few bytes can name a query or an expression to compile: what a request becomes stays below this.
inline constexpr int64_t kMaxReadRequestMemory = int64_t{64} << 20;

// kInvalid for bytes that are no such message and for requests that take too much; kLimit when the meter's budget has
// no room.
Result<ReadRequest> DecodeReadRequest(std::string_view bytes, MessageMeter& meter);
// kExecution, the texts being Prometheus's, for one that does not compile: it calls that a failure of the query.
Result<std::vector<Matcher>> CompileMatchers(const ReadQuery& query);
// The first of `accepted` that we can answer. kInvalid with Prometheus's text when there is none.
Result<ReadResponseType> ChooseResponseType(const std::vector<int>& accepted);

}  // namespace epi::remote
