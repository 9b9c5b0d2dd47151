// The records of Prometheus's log, all types up to 3.14, decoded.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"
#include "tsdb/import/wal_format.h"

namespace epi::tsdb {

struct WalSample {
  uint64_t ref = 0;
  TimestampMs t = 0;
  TimestampMs start = 0;  // 0 = none
  double v = 0;
};

// Takes what a record holds, entry by entry. An error ends the decoding and is passed on.
class WalRecordVisitor {
 public:
  virtual ~WalRecordVisitor() = default;
  virtual Result<void> OnSeries(uint64_t ref, const Labels& labels) = 0;
  // All samples of one record.
  virtual Result<void> OnSamples(std::span<const WalSample> samples) = 0;
  virtual Result<void> OnHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const Histogram& h) = 0;
  virtual Result<void> OnFloatHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const FloatHistogram& h) = 0;
  virtual Result<void> OnTombstone(uint64_t ref, TimeRange range) = 0;  // never an empty range
  virtual Result<void> OnExemplar(uint64_t ref, const Exemplar& exemplar) = 0;
  virtual Result<void> OnMmapMarker(uint64_t ref, uint64_t chunk) = 0;
  virtual Result<void> OnMetadata(uint64_t ref, const MetricMetadata& metadata) = 0;
  // A histogram with a schema nobody knows, or whose spans and buckets do not fit: left out.
  virtual void OnUnknownHistogram(uint64_t ref) = 0;
};

// kDataLoss when the record is damaged; entries before the damage may have been visited. Unknown types are skipped.
Result<void> DecodeWalRecord(std::string_view record, WalRecordVisitor& visitor);

}  // namespace epi::tsdb
