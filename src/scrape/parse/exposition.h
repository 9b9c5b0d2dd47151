// What a scraped body is made of, whatever its format: entries in the order of the body.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"

namespace epi::scrape {

enum class EntryKind : unsigned char { kEnd, kHelp, kType, kUnit, kComment, kSeries, kHistogram };

// One entry. Views point into the body or into the parser and are valid until its next Next().
struct ExpositionEntry {
  EntryKind kind = EntryKind::kEnd;
  // kHelp, kType, kUnit.
  std::string_view family;
  std::string_view text;  // help (escapes undone), unit or comment
  MetricType type = MetricType::kUnknown;
  // kSeries, kHistogram.
  std::string_view series;  // what names the series in the body: equal bytes are the same series
  double value = 0;
  bool has_time = false;
  TimestampMs time = 0;                        // as exposed
  std::shared_ptr<const Histogram> histogram;  // exactly one of the two when kHistogram
  std::shared_ptr<const FloatHistogram> float_histogram;
};

struct ParserOptions {
  bool type_and_unit_labels = false;      // __type__ and __unit__ in the labels of samples
  bool skip_created_series = false;       // OpenMetrics: _created lines are start timestamps and not series
  bool ignore_native_histograms = false;  // protobuf: only the classic part of histograms
  bool keep_classic_histograms = false;   // protobuf and conversion: the classic series beside a native histogram
  bool convert_classic_to_nhcb = false;   // classic histograms become histograms with custom buckets
};

// Reads one body. Not thread-safe; the body outlives it. Malformed input ends in an error and never in anything worse;
// after an error or the end Next() is not called again.
class ExpositionParser {
 public:
  virtual ~ExpositionParser() = default;
  // The next entry's kind; kEnd after the last. Errors are kInvalid with the texts of Prometheus's textparse.
  virtual Result<EntryKind> Next() = 0;
  const ExpositionEntry& entry() const { return entry_; }
  // Labels of the current sample, `le` and `quantile` spelled as OpenMetrics floats where the type says so.
  virtual Labels SampleLabels() = 0;
  // Whether the current sample carries this label with an empty value, which a label set does not show.
  virtual bool HasEmptyLabel(std::string_view name) const = 0;
  // A label name that the current sample has twice, of those among `stored`, which it is stored under; or empty.
  virtual std::string RepeatedLabel(const Labels& stored) const = 0;
  // Hands out the current sample's exemplars one by one; false when there is no further one.
  virtual bool NextExemplar(Exemplar& exemplar) = 0;
  // Those that the histogram which the current classic series is part of has of its own, beside its buckets': they
  // count for the whole histogram then, and those of the buckets do not. Nothing when it has none; text formats have
  // none.
  virtual std::optional<std::vector<Exemplar>> HistogramExemplars() const { return std::nullopt; }
  // Start (created) timestamp of the current sample in ms, or 0. May read ahead.
  virtual TimestampMs StartTime() = 0;

 protected:
  ExpositionEntry entry_;
};

}  // namespace epi::scrape
