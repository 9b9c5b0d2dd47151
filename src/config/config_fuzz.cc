// Any bytes as a configuration file: loading neither crashes nor runs away, and what it prints loads again.
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 8192) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = epi::config::ParseConfig(text, {});
  if (config) EPI_CHECK(!config->ToYaml().empty());
  return 0;
}
