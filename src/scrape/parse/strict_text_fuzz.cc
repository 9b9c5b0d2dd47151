// The strict reader of text: any input ends, with families or with an error.
#include <cstddef>
#include <cstdint>

#include "scrape/parse/strict_text_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const auto scheme : {epi::NameScheme::kUtf8, epi::NameScheme::kLegacy}) {
    static_cast<void>(epi::scrape::ReadStrictText(body, scheme));
  }
  return 0;
}
