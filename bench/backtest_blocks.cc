// Blocks to try backtests on: 10 000 series, one sample a minute, for 30 days, in blocks of a day.
//
//   backtest_blocks DIRECTORY [DAYS [SERIES]]
//
// load_total{rule="0".."99",n="0".."99"} are counters whose speed changes; now and then one stands still.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/random.h"
#include "chunkenc/sample_chunker.h"
#include "model/labels.h"
#include "tsdb/block/block_writer.h"

namespace epi {
namespace {

constexpr TimestampMs kBlocksStart = 1'700'006'400'000;  // a midnight
constexpr int64_t kBlockMinutes = 24 * 60;
constexpr int64_t kMinuteMs = 60'000;

struct Counter {
  Labels labels;
  double value = 0;
};

Result<void> WriteDay(const std::string& directory, int64_t day, std::vector<Counter>& counters, Random& random) {
  const TimestampMs start = kBlocksStart + day * kBlockMinutes * kMinuteMs;
  const tsdb::Ulid ulid = tsdb::Ulid::Make(start, random);
  EPI_ASSIGN(const auto writer, tsdb::BlockWriter::Create(PosixFileSystem(), directory, ulid));
  for (Counter& counter : counters) {
    SampleChunker chunker(ChunkerOptions{});
    const bool stands = random.Below(200) == 0;
    const double speed = static_cast<double>(1 + random.Below(50));
    for (int64_t i = 0; i < kBlockMinutes; ++i) {
      if (!stands || i > 60) counter.value += speed + static_cast<double>(random.Below(4));
      chunker.Add(start + i * kMinuteMs + 7'321, counter.value, 0);
    }
    EPI_TRY(writer->AddSeries(counter.labels, chunker.Take()));
  }
  tsdb::BlockMeta meta;
  meta.ulid = ulid;
  meta.min_time = start;
  meta.max_time = start + kBlockMinutes * kMinuteMs;
  EPI_TRY(writer->Finish(meta));
  return {};
}

int Run(const std::string& directory, int64_t days, int64_t series) {
  SeededRandom random{1};
  std::vector<Counter> counters;
  for (int64_t i = 0; i < series; ++i) {
    counters.push_back(
        {{{"__name__", "load_total"}, {"n", std::to_string(i % 100)}, {"rule", std::to_string(i / 100)}}, 0});
  }
  std::sort(counters.begin(), counters.end(), [](const Counter& a, const Counter& b) { return a.labels < b.labels; });
  for (int64_t day = 0; day < days; ++day) {
    if (auto written = WriteDay(directory, day, counters, random); !written) {
      std::fprintf(stderr, "%s\n", written.error().message().c_str());
      return 1;
    }
  }
  std::printf("--start=%lld --end=%lld\n", static_cast<long long>(kBlocksStart / 1000),
              static_cast<long long>((kBlocksStart + days * kBlockMinutes * kMinuteMs) / 1000));
  return 0;
}

}  // namespace
}  // namespace epi

int main(int argc, char** argv) {
  if (argc < 2) return 1;
  return epi::Run(argv[1], argc > 2 ? std::atoll(argv[2]) : 30, argc > 3 ? std::atoll(argv[3]) : 10'000);
}
