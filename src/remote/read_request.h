// Remote-read requests (prometheus.ReadRequest).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/matcher.h"
#include "storage/view.h"

namespace epi::remote {

enum class ReadResponseType : unsigned char { kSamples = 0, kStreamedXorChunks = 1 };

struct ReadQuery {
  std::vector<Matcher> matchers;
  SelectHints hints;  // hints.range is what the query asks for, both ends included
};

struct ReadRequest {
  std::vector<ReadQuery> queries;
  std::vector<int> accepted_types;  // as sent, in order of preference; empty means samples
};

// kInvalid for bytes that are no such message and for matchers that do not compile.
Result<ReadRequest> DecodeReadRequest(std::string_view bytes);
// The first of `accepted` that we can answer. kInvalid with Prometheus's text when there is none.
Result<ReadResponseType> ChooseResponseType(const std::vector<int>& accepted);

}  // namespace epi::remote
