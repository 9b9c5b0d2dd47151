// Compression of whole log records: snappy blocks and zstd frames.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "tsdb/import/wal_format.h"

namespace epi::tsdb {

// Replaces `out`. kDataLoss when the data is damaged, kLimit when it says it is larger than any record can be.
Result<void> WalDecompress(WalCompression compression, std::string_view data, std::string& out);
// Replaces `out`.
void WalCompress(WalCompression compression, std::string_view data, std::string& out);

}  // namespace epi::tsdb
