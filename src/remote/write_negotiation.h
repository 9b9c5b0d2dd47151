// What a remote-write request says of its body: message and compression, and whether this server takes them.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "remote/write_request.h"

namespace epi::remote {

// kUnsupported, with the text for a 415 answer, for another compression than snappy.
Result<void> CheckWriteEncoding(std::string_view content_encoding);

// The message named by Content-Type: absent or without `proto` means 1.0. kUnsupported, with the text for a 415 answer,
// for another media type, an unknown message or one that is not in `accepted`. As Prometheus does, parameters are taken
// as they stand: a blank behind the semicolon makes it another parameter.
Result<WriteMessage> NegotiateWrite(std::string_view content_type, std::span<const WriteMessage> accepted);

}  // namespace epi::remote
