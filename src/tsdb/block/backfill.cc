#include "tsdb/block/backfill.h"

#include <algorithm>
#include <bit>

#include "tsdb/block/block_writer.h"

namespace epi::tsdb {
namespace {

constexpr int64_t kSmallestRangeMs = 2 * 3'600'000;
constexpr int64_t kRangeFactor = 3;
constexpr int64_t kSeriesOverhead = 200;  // of one entry of the map, roughly

}  // namespace

int64_t BackfillBlockRange(int64_t max_block_ms) {
  int64_t range = kSmallestRangeMs;
  while (range <= max_block_ms / kRangeFactor) range *= kRangeFactor;
  return range;
}

std::pair<TimestampMs, TimestampMs> BackfillWindow(TimestampMs t, int64_t range_ms) {
  const TimestampMs begin = t - ((t % range_ms) + range_ms) % range_ms;
  return {begin, begin + range_ms};
}

Result<void> Backfill::Add(const Labels& labels, TimestampMs time, double value, TimestampMs start_time) {
  EPI_TRY(charge_.Add(sizeof(Sample)));
  auto& window = windows_[BackfillWindow(time, range_ms_).first];
  auto at = window.find(labels);
  if (at == window.end()) {
    EPI_TRY(charge_.Add(kSeriesOverhead + static_cast<int64_t>(labels.bytes())));
    at = window.emplace(labels, std::vector<Sample>()).first;
  }
  at->second.push_back({time, value, start_time});
  return {};
}

Result<std::optional<BlockMeta>> Backfill::Write(TimestampMs begin, Window& window) {
  EPI_ASSIGN(auto writer, BlockWriter::Create(fs_, directory_, Ulid::Make(clock_.NowMs(), random_)));
  SampleChunker chunker({.keep_start_times = true});
  for (auto& [labels, samples] : window) {
    std::stable_sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) { return a.time < b.time; });
    for (size_t i = 0; i < samples.size(); ++i) {
      const bool repeated = i > 0 && samples[i].time == samples[i - 1].time;
      if (repeated && std::bit_cast<uint64_t>(samples[i].value) != std::bit_cast<uint64_t>(samples[i - 1].value)) {
        return Fail(ErrorCode::kInvalid,
                    "duplicate sample for timestamp " + std::to_string(samples[i].time) + " of " + labels.ToString());
      }
      if (!repeated) chunker.Add(samples[i].time, samples[i].value, samples[i].start_time);
    }
    const auto chunks = chunker.Take();
    if (!chunks.empty()) EPI_TRY(writer->AddSeries(labels, chunks));
  }
  BlockMeta meta;
  meta.min_time = begin;
  meta.max_time = begin + range_ms_;
  return writer->Finish(std::move(meta));
}

Result<std::vector<BlockMeta>> Backfill::Flush() {
  std::vector<BlockMeta> out;
  for (auto& [begin, window] : windows_) {
    EPI_ASSIGN(auto meta, Write(begin, window));
    if (meta) out.push_back(std::move(*meta));
  }
  windows_.clear();
  charge_.Reset();
  return out;
}

}  // namespace epi::tsdb
