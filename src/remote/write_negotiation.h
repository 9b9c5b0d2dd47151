// What a remote-write request says of its body: message and compression, and whether this server takes them.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "remote/write_request.h"

namespace epi::remote {

// The message named by Content-Type: absent or without `proto` means 1.0. kUnsupported, with the text for a 415 answer,
// for another media type, an unknown message, one that is not in `accepted`, or a Content-Encoding other than snappy.
Result<WriteMessage> NegotiateWrite(std::string_view content_type, std::string_view content_encoding,
                                    std::span<const WriteMessage> accepted);

}  // namespace epi::remote
