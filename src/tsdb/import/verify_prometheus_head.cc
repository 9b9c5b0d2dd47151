#include "chunkenc/float_chunk.h"
#include "chunkenc/histogram_chunk.h"
#include "tsdb/import/prometheus_head.h"
#include "tsdb/verify_head.h"

namespace epi::tsdb {
namespace {

// Counts, and decodes every chunk.
class CountingSink final : public ImportSink {
 public:
  explicit CountingSink(VerifiedFile& out) : out_(out) {}
  Result<void> AddSeries(uint64_t, const Labels&) override { return Count(0); }
  Result<void> AddChunk(uint64_t, const HeadChunk& chunk) override {
    const size_t samples = ChunkSampleCount(chunk.encoding, chunk.data);
    Result<void> decoded;
    if (IsFloatEncoding(chunk.encoding)) {
      std::vector<TimestampMs> times(samples);
      std::vector<double> values(samples);
      decoded = DecodeFloatChunk(chunk.encoding, chunk.data, times.data(), values.data(), nullptr);
    } else {
      decoded =
          IsIntHistogramEncoding(chunk.encoding) ? Walk<IntHistogramKind>(chunk) : Walk<FloatHistogramKind>(chunk);
    }
    if (!decoded) {
      out_.problems.push_back("head chunk " + std::to_string(chunk.chunk_ref >> 32) + "/" +
                              std::to_string(chunk.chunk_ref & 0xffffffff) + ": " + decoded.error().message());
    }
    return Count(samples);
  }
  Result<void> AddSamples(std::span<const WalSample> samples) override { return Count(samples.size()); }
  Result<void> AddHistogram(uint64_t, TimestampMs, TimestampMs, const Histogram&) override { return Count(1); }
  Result<void> AddFloatHistogram(uint64_t, TimestampMs, TimestampMs, const FloatHistogram&) override {
    return Count(1);
  }
  Result<void> AddLateSample(const WalSample&) override { return Count(1); }
  Result<void> AddLateHistogram(uint64_t, TimestampMs, TimestampMs, const Histogram&) override { return Count(1); }
  Result<void> AddLateFloatHistogram(uint64_t, TimestampMs, TimestampMs, const FloatHistogram&) override {
    return Count(1);
  }
  Result<void> AddTombstone(uint64_t, TimeRange) override { return Count(0); }
  Result<void> AddExemplar(uint64_t, const Exemplar&) override { return Count(0); }
  Result<void> SetMetadata(uint64_t, const MetricMetadata&) override { return Count(0); }
  Result<void> RemoveSeries(uint64_t) override { return Count(0); }

 private:
  Result<void> Count(uint64_t samples) {
    ++out_.records;
    out_.samples += samples;
    return {};
  }
  template <typename Kind>
  Result<void> Walk(const HeadChunk& chunk) {
    EPI_ASSIGN(auto cursor, HistogramChunkCursor<Kind>::Open(chunk.encoding, chunk.data));
    while (true) {
      EPI_ASSIGN(const bool more, cursor.Next());
      if (!more) return {};
    }
  }
  VerifiedFile& out_;
};

}  // namespace

Result<std::vector<VerifiedFile>> VerifyPrometheusHead(FileSystem& fs, const std::string& data_directory) {
  std::vector<VerifiedFile> out;
  if (!HasPrometheusHead(fs, data_directory)) return out;
  VerifiedFile file{JoinPath(data_directory, "wal"), "head of Prometheus", 0, 0, 0, {}};
  CountingSink sink(file);
  const auto report = ImportPrometheusHead(fs, data_directory, {}, sink, Logger());
  if (!report) {
    if (report.error().code() != ErrorCode::kDataLoss) return Fail(report.error());
    file.problems.push_back(report.error().message());
  } else {
    for (const auto* damage : {&report->wal_damage, &report->late_log_damage, &report->chunks_damage}) {
      if (!damage->empty()) file.problems.push_back(*damage);
    }
  }
  out.push_back(std::move(file));
  return out;
}

}  // namespace epi::tsdb
