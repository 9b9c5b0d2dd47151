// Any bytes as a scraped body: read to the end or to an error, labels and exemplars included, with and without
// conversion. The first byte chooses the options.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "scrape/parse/format.h"

namespace epi::scrape {

inline void ReadWholeBody(ExpositionFormat format, const uint8_t* data, size_t size) {
  if (size == 0) return;
  ParserOptions options;
  options.type_and_unit_labels = data[0] & 1;
  options.skip_created_series = data[0] & 2;
  options.ignore_native_histograms = data[0] & 4;
  options.keep_classic_histograms = data[0] & 8;
  options.convert_classic_to_nhcb = data[0] & 16;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto parser = MakeParser(format, body, options);
  while (true) {
    const auto kind = parser->Next();
    if (!kind || *kind == EntryKind::kEnd) return;
    if (*kind != EntryKind::kSeries && *kind != EntryKind::kHistogram) continue;
    static_cast<void>(parser->RepeatedLabel(parser->SampleLabels()));
    static_cast<void>(parser->StartTime());
    for (Exemplar exemplar; parser->NextExemplar(exemplar);) {
    }
  }
}

}  // namespace epi::scrape
