// Series as lines of JSON, for export and import; see docs/formats/json-lines.md.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"

namespace epi::remote {

// One line: samples of one series, in any order.
struct JsonLineSeries {
  Labels labels;
  std::vector<std::pair<TimestampMs, double>> samples;
  std::vector<std::pair<TimestampMs, FloatHistogram>> histograms;
};

// Reads lines. Not thread-safe; keeps its buffers from line to line.
class JsonLineReader {
 public:
  static constexpr size_t kMaxLineBytes = 64u << 20;
  JsonLineReader();
  ~JsonLineReader();
  // kInvalid, with what is wrong, for a line that is no series; kLimit for one that is too long.
  Result<void> Read(std::string_view line, JsonLineSeries& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Appends the parts of a line: everything up to the samples, samples one by one, and what ends it. A line may hold some
// of a series's samples only.
void AppendJsonLine(std::string& out, const Labels& labels, std::span<const TimestampMs> times,
                    std::span<const double> values,
                    std::span<const std::pair<TimestampMs, const FloatHistogram*>> histograms);

}  // namespace epi::remote
