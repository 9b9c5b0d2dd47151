// Remote-write requests, versions 1.0 (prometheus.WriteRequest) and 2.0 (io.prometheus.write.v2.Request), read series
// by series without building the whole message. Field numbers: docs of the remote-write specification.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"
#include "remote/message_meter.h"

namespace epi::remote {

enum class WriteMessage : unsigned char { kV1, kV2 };
// "prometheus.WriteRequest", "io.prometheus.write.v2.Request"
std::string_view WriteMessageName(WriteMessage message);
std::optional<WriteMessage> WriteMessageFromName(std::string_view name);

struct WireSample {
  double value = 0;
  TimestampMs time = 0;
  TimestampMs start_time = 0;  // 0 = none; only 2.0
};
// Exactly one of the two is set. Buckets and spans are as they came: not validated.
struct WireHistogram {
  std::shared_ptr<Histogram> integer;
  std::shared_ptr<FloatHistogram> floats;
  TimestampMs time = 0;
  TimestampMs start_time = 0;
};
struct WireExemplar {
  std::vector<LabelView> labels;
  double value = 0;
  TimestampMs time = 0;
  std::string problem;  // 2.0 only: what is wrong with its references, empty when they resolve
};

// One series of a request. Views point into the request's bytes. Reused from series to series.
struct WireSeries {
  std::vector<LabelView> labels;  // in the order sent
  std::vector<WireSample> samples;
  std::vector<WireHistogram> histograms;
  std::vector<WireExemplar> exemplars;
  // 2.0 only: what the metadata says, and what is wrong with the series as sent; then `labels` may be incomplete.
  MetricType type = MetricType::kUnknown;
  std::string_view unit;
  std::string_view help;
  std::string problem;  // "parsing labels for series [1 2 3]: invalid labelRefs length 3", empty when fine
  bool problem_is_metadata = false;
  void Clear();
};

// A few bytes can name a large object. What the series of a request take here and in the batch they become stays below
// this; a request of the largest size needs half of it.
inline constexpr int64_t kMaxWriteRequestMemory = int64_t{512} << 20;

// `bytes` and `meter` outlive the reader. Never throws, never reads outside.
class WriteRequestReader {
 public:
  // Everything read is counted by `meter`, also when `series` is used again: its samples go on into a batch.
  WriteRequestReader(WriteMessage message, std::string_view bytes, MessageMeter& meter);
  ~WriteRequestReader();
  // Fills `series` with the next one; false at the end. kInvalid for bytes that are no such message, or the meter's
  // error; what was read before stands, so a caller that must be atomic commits only after a clean end.
  Result<bool> Next(WireSeries& series);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace epi::remote
