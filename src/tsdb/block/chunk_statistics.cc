#include "tsdb/block/chunk_statistics.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "chunkenc/histogram_chunk.h"

namespace epi::tsdb {
namespace {

// Promtool's scale: about ten ranges, each a power of ten wide, from 10 to 100,000.
constexpr uint64_t kNarrowestRange = 10;
constexpr uint64_t kWideEnough = 10'000;
constexpr uint64_t kRanges = 10;

template <typename Cursor>
Result<uint64_t> CountBuckets(ChunkEncoding encoding, std::string_view data) {
  EPI_ASSIGN(Cursor cursor, Cursor::Open(encoding, data));
  FloatHistogram sample;
  uint64_t count = 0;
  for (;;) {
    EPI_ASSIGN(const bool more, cursor.Next());
    if (!more) return count;
    cursor.GetFloat(sample);
    count += sample.positive_buckets.size() + sample.negative_buckets.size();
  }
}

// A line for each range, its bar in percent of all chunks.
void AppendDistribution(std::string& out, const char* title, std::vector<uint64_t> values, uint64_t chunks) {
  out += title;
  if (values.empty()) {
    out += ": N/A\n\n";
    return;
  }
  const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  uint64_t step = kNarrowestRange;
  while (step < (*greatest - *least) / kRanges && step <= kWideEnough) step *= 10;
  const uint64_t start = *least - *least % step;
  const uint64_t end = *greatest - *greatest % step + step;
  const uint64_t sum = std::accumulate(values.begin(), values.end(), uint64_t{0});
  char line[96];
  std::snprintf(line, sizeof line, " (min/avg/max): %llu/%llu/%llu\n", static_cast<unsigned long long>(*least),
                static_cast<unsigned long long>(sum / values.size()), static_cast<unsigned long long>(*greatest));
  out += line;
  std::vector<uint64_t> ranges((end - start) / step + 1, 0);
  for (const uint64_t value : values) ++ranges[(value - start) / step];
  const auto digits = [](uint64_t number) { return static_cast<int>(std::to_string(number).size()); };
  const int left = digits(end);
  const int right = digits(end + step);
  const int widest = digits(*std::max_element(ranges.begin(), ranges.end()));
  for (size_t i = 0; i < ranges.size(); ++i) {
    std::snprintf(
        line, sizeof line, "[%*llu, %*llu]: %*llu ", left, static_cast<unsigned long long>(i * step + start + 1), right,
        static_cast<unsigned long long>((i + 1) * step + start), widest, static_cast<unsigned long long>(ranges[i]));
    out += line;
    out.append(100 * ranges[i] / chunks, '#');
    out += '\n';
  }
  out += '\n';
}

}  // namespace

Result<void> ChunkStatistics::Add(ChunkEncoding encoding, std::string_view data) {
  Kind& kind = IsFloatEncoding(encoding) ? floats_ : histograms_;
  kind.samples.push_back(ChunkSampleCount(encoding, data));
  kind.bytes.push_back(data.size());
  if (IsFloatEncoding(encoding)) return {};
  EPI_ASSIGN(buckets_.emplace_back(), IsIntHistogramEncoding(encoding)
                                          ? CountBuckets<IntHistogramChunkCursor>(encoding, data)
                                          : CountBuckets<FloatHistogramChunkCursor>(encoding, data));
  return {};
}

std::string ChunkStatistics::Text() const {
  const uint64_t chunks = floats_.samples.size() + histograms_.samples.size();
  std::string out;
  AppendDistribution(out, "samples per float chunk", floats_.samples, chunks);
  AppendDistribution(out, "bytes per float chunk", floats_.bytes, chunks);
  AppendDistribution(out, "samples per histogram chunk", histograms_.samples, chunks);
  AppendDistribution(out, "bytes per histogram chunk", histograms_.bytes, chunks);
  AppendDistribution(out, "buckets per histogram chunk", buckets_, chunks);
  return out;
}

}  // namespace epi::tsdb
