// differential_blocks DIRECTORY: writes one block with what no OpenMetrics file can say, for both servers to read:
// series that end in stale markers and come back, and native histograms, integer and float.
#include <iostream>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/random.h"
#include "chunkenc/sample_chunker.h"
#include "model/histogram.h"
#include "model/histogram_convert.h"
#include "model/sample.h"
#include "tsdb/block/block_writer.h"

namespace epi {
namespace {

constexpr TimestampMs kBlockStart = 1'700'000'000'000;  // as dataset.py
constexpr int64_t kBlockStep = 15'000;
constexpr int kBlockScrapes = 480;
constexpr int kHistogramBuckets = 6;

struct BlockSeries {
  Labels labels;
  std::vector<EncodedChunk> chunks;
};

// A gauge that goes away twice; the second time for longer than the lookback.
BlockSeries Vanishing(const std::string& instance, SeededRandom& random) {
  SampleChunker chunker;
  double level = 10;
  for (int i = 0; i < kBlockScrapes; ++i) {
    const bool gone = (i > 210 && i < 216) || (i > 250 && i < 300) || (instance == "b" && i > 360);
    const bool stale = i == 210 || i == 250 || (instance == "b" && i == 360);
    if (gone) continue;
    level += static_cast<double>(random.Below(7)) - 3;
    chunker.Add(kBlockStart + i * kBlockStep + 4321, stale ? StaleNaN() : level);
  }
  return {Labels{{"__name__", "vanishing"}, {"instance", instance}}, chunker.Take()};
}

// A counter of observations that starts anew in the middle.
BlockSeries Observations(const std::string& instance, int schema, bool integers, SeededRandom& random) {
  SampleChunker chunker;
  FloatHistogram h;
  const auto clear = [&] {
    h = FloatHistogram();
    h.schema = schema;
    h.zero_threshold = 0.001;
    h.positive_spans = {{-2, 3}, {1, kHistogramBuckets - 3}};
    h.positive_buckets.assign(kHistogramBuckets, 0);
    h.negative_spans = {{0, 1}};
    h.negative_buckets.assign(1, 0);
  };
  clear();
  for (int i = 0; i < kBlockScrapes; ++i) {
    if (i == 280) clear();
    for (double& bucket : h.positive_buckets) {
      const auto seen = static_cast<double>(random.Below(5));
      bucket += seen;
      h.count += seen;
      h.sum += seen * 0.75;
    }
    h.negative_buckets[0] += 1;
    h.zero_count += 2;
    h.count += 3;
    h.sum -= 1.25;
    const TimestampMs at = kBlockStart + i * kBlockStep + 6543;
    if (integers) {
      chunker.Add(at, ToInteger(h));
    } else {
      chunker.Add(at, h);
    }
  }
  return {Labels{{"__name__", "observations"}, {"instance", instance}}, chunker.Take()};
}

Result<void> WriteBlocks(const std::string& directory) {
  SeededRandom random{11};
  EPI_TRY(PosixFileSystem().CreateDirectories(directory));
  const tsdb::Ulid ulid = tsdb::Ulid::Make(kBlockStart, random);
  EPI_ASSIGN(const auto writer, tsdb::BlockWriter::Create(PosixFileSystem(), directory, ulid));
  std::vector<BlockSeries> all;
  all.push_back(Observations("a", 0, true, random));
  all.push_back(Observations("b", 1, false, random));
  all.push_back(Vanishing("a", random));
  all.push_back(Vanishing("b", random));
  for (BlockSeries& series : all) EPI_TRY(writer->AddSeries(series.labels, std::move(series.chunks)));
  tsdb::BlockMeta meta;
  meta.min_time = kBlockStart;
  meta.max_time = kBlockStart + kBlockScrapes * kBlockStep;
  EPI_TRY(writer->Finish(meta));
  return {};
}

}  // namespace
}  // namespace epi

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: differential_blocks DIRECTORY\n";
    return 2;
  }
  const auto written = epi::WriteBlocks(argv[1]);
  if (!written) std::cerr << written.error().message() << "\n";
  return written ? 0 : 1;
}
