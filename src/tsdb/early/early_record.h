// The bytes of the early log (docs/formats/early.md): batches with labels where the log has ids, as they were given,
// because nothing is judged before the head is there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/labels.h"
#include "model/sample.h"
#include "storage/storage.h"
#include "tsdb/wal/batch.h"

namespace epi::tsdb {

inline constexpr std::string_view kEarlyName = "early";  // of the directory
inline constexpr std::string_view kEarlySuffix = ".early";
inline constexpr std::string_view kMergeMarkSuffix = ".merging";
inline constexpr uint8_t kEarlyBatchType = 1;  // the only type of record
// No definition takes fewer bytes, so a file of n bytes names at most n divided by this.
inline constexpr uint64_t kLeastDefinitionBytes = 5;

// Groups are numbered within the file, series within their group: both from 0, in the order they came up.
struct EarlyBatch {
  // How many plain samples, and samples with times of their own, were added before it.
  struct Order {
    uint32_t after_floats = 0;
    uint32_t after_timed = 0;
  };
  struct Timed {
    uint32_t series = 0;
    TimestampMs time = 0;
    double value = 0;
    TimestampMs start_time = 0;  // 0 = none
    uint32_t after_floats = 0;
  };
  struct Metadata {
    uint32_t series = 0;
    MetricMetadata metadata;
  };

  uint32_t group = 0;
  std::optional<GroupIdentity> identity;  // in the first record of the group
  uint32_t first_defined = 0;             // the number of the first of `defined`
  std::vector<Labels> defined;
  std::vector<Timed> timed;            // in the order they were added
  std::vector<Order> histogram_order;  // of rows.histograms
  std::vector<Metadata> metadata;      // last one wins
  Batch rows;                          // plain samples at its time, histograms, exemplars; `series` are numbers
  size_t samples() const { return rows.series.size() + timed.size() + rows.histograms.size(); }
};

// Calls back for every sample, in the order in which they were added. The rows of `timed` and `histograms` say how many
// of the others came before them.
template <typename Timed, typename Histograms, typename AddFloat, typename AddTimed, typename AddHistogram>
void ForEachInOrder(size_t floats, const Timed& timed, const Histograms& histograms, AddFloat add_float,
                    AddTimed add_timed, AddHistogram add_histogram) {
  size_t next_float = 0;
  size_t next_timed = 0;
  const auto floats_to = [&](size_t end) {
    for (; next_float < end; ++next_float) add_float(next_float);
  };
  const auto timed_to = [&](size_t end) {
    for (; next_timed < end; ++next_timed) {
      floats_to(timed[next_timed].after_floats);
      add_timed(next_timed);
    }
  };
  for (size_t i = 0; i < histograms.size(); ++i) {
    timed_to(histograms[i].after_timed);
    floats_to(histograms[i].after_floats);
    add_histogram(i);
  }
  timed_to(timed.size());
  floats_to(floats);
}

void EncodeEarlyBatch(const EarlyBatch& batch, std::string& out);
// kDataLoss when it is none. Numbers of groups and series are not looked at.
Result<EarlyBatch> DecodeEarlyBatch(std::string_view payload);

// How far a file had got into the log when its merge began or went on: batch `sequence` gets number `lsn`, and each one
// behind it the next number. So the highest number in the log says which batches are in it.
struct MergeMark {
  uint64_t sequence = 1;
  uint64_t lsn = 0;
};
std::string EncodeMergeMark(const MergeMark& mark);
Result<MergeMark> DecodeMergeMark(std::string_view bytes);

}  // namespace epi::tsdb
