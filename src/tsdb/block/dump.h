// Stored series as lines of text: what `tsdb dump` and `tsdb dump-openmetrics` print, in promtool's forms.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.h"
#include "storage/symbols.h"
#include "storage/view.h"

namespace epi::tsdb {

enum class DumpForm : unsigned char {
  kSamples,      // `{labels} value time_ms`; a value is a number or Prometheus's text of a histogram
  kSeries,       // one JSON object of labels for each series with a sample
  kOpenMetrics,  // `name{labels} value time_s`; of a series, the floats before its first histogram
};

// Calls `write` with lines, those of a series in order of time. Nothing is written around them.
Result<void> DumpSeries(const SeriesSelection& selection, const SymbolSpace& symbols, DumpForm form,
                        const std::function<Result<void>(std::string_view)>& write);

}  // namespace epi::tsdb
