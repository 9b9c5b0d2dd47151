// Any bytes as a remote-write request of both versions, plain and compressed: a clean error or a series, never more
// memory than the input allows.
#include <cstddef>
#include <cstdint>

#include "remote/snappy_block.h"
#include "remote/write_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  epi::Budget budget("fuzz");
  epi::BudgetCharge charge(budget);
  (void)epi::remote::SnappyDecode(bytes, 1 << 20, charge);
  for (const auto message : {epi::remote::WriteMessage::kV1, epi::remote::WriteMessage::kV2}) {
    epi::remote::MessageMeter meter(budget, epi::remote::kMaxWriteRequestMemory);
    epi::remote::WriteRequestReader reader(message, bytes, meter);
    epi::remote::WireSeries series;
    for (auto more = reader.Next(series); more && *more; more = reader.Next(series)) {
    }
  }
  return 0;
}
