#include "remote/snappy_block.h"

#include <snappy.h>

namespace epi::remote {

Result<std::string> SnappyDecode(std::string_view compressed, uint64_t max_bytes, BudgetCharge& charge,
                                 SnappyWords words) {
  const bool s2 = words == SnappyWords::kS2;
  const auto corrupt = [&] { return Fail(ErrorCode::kInvalid, s2 ? "s2: corrupt input" : "snappy: corrupt input"); };
  size_t size = 0;
  if (!snappy::GetUncompressedLength(compressed.data(), compressed.size(), &size)) {
    return corrupt();
  }
  if (size > max_bytes) {
    const std::string limit = std::to_string(max_bytes);
    return Fail(ErrorCode::kInvalid, s2 ? "decoded size exceeds the " + limit + " bytes limit"
                                        : "snappy: decoded length " + std::to_string(size) + " exceeds limit " + limit);
  }
  // No snappy element produces more than 64 bytes from 3; a larger promise is a lie that would only cost memory.
  if (size > compressed.size() * 64 + 64) return corrupt();
  EPI_TRY(charge.Add(static_cast<int64_t>(size)));
  std::string out(size, '\0');
  if (!snappy::RawUncompress(compressed.data(), compressed.size(), out.data())) {
    return corrupt();
  }
  return out;
}

std::string SnappyEncode(std::string_view plain) {
  std::string out;
  snappy::Compress(plain.data(), plain.size(), &out);
  return out;
}

}  // namespace epi::remote
