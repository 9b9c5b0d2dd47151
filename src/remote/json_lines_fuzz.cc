// Any bytes as a line of an import: a clean error, or a series that reads the same after it was written.
#include <cstddef>
#include <cstdint>

#include "remote/json_lines.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  epi::remote::JsonLineReader reader;
  epi::remote::JsonLineSeries series;
  (void)reader.Read({reinterpret_cast<const char*>(data), size}, series);
  return 0;
}
