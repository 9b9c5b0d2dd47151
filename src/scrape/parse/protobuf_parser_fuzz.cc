#include "scrape/parse/parser_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  epi::scrape::ReadWholeBody(epi::scrape::ExpositionFormat::kProtobuf, data, size);
  return 0;
}
