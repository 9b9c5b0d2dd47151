// Any bytes as a remote-read request.
#include <cstddef>
#include <cstdint>

#include "remote/read_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  epi::Budget budget("fuzz");
  epi::remote::MessageMeter meter(budget, epi::remote::kMaxReadRequestMemory);
  if (auto request = epi::remote::DecodeReadRequest({reinterpret_cast<const char*>(data), size}, meter)) {
    (void)epi::remote::ChooseResponseType(request->accepted_types);
  }
  return 0;
}
