// The rules by which Prometheus replays its log: which entries count, and for which series.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "tsdb/import/prometheus_head.h"

namespace epi::tsdb {

// Visits the records of the checkpoint and the log, then (after BeginLateLog) of the log of late samples; hands on what
// counts.
class HeadReplay final : public WalRecordVisitor {
 public:
  HeadReplay(const HeadChunkFiles& chunks, TimestampMs min_valid_time, ImportSink& sink, ImportReport& report);

  Result<void> OnSeries(uint64_t ref, const Labels& labels) override;
  Result<void> OnSamples(std::span<const WalSample> samples) override;
  Result<void> OnHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const Histogram& h) override;
  Result<void> OnFloatHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const FloatHistogram& h) override;
  Result<void> OnTombstone(uint64_t ref, TimeRange range) override;
  Result<void> OnExemplar(uint64_t ref, const Exemplar& exemplar) override;
  Result<void> OnMmapMarker(uint64_t ref, uint64_t chunk) override;
  Result<void> OnMetadata(uint64_t ref, const MetricMetadata& metadata) override;
  void OnUnknownHistogram(uint64_t ref) override;

  void BeginLateLog() { late_ = true; }
  // Hands on the late samples that stayed outside chunks.
  Result<void> FinishLateLog();

 private:
  enum class Kind : uint8_t { kNone, kFloat, kHistogram, kFloatHistogram };
  struct Series {
    Labels labels;
    TimestampMs max_time = std::numeric_limits<TimestampMs>::min();
    bool any = false;  // whether max_time counts
    Kind kind = Kind::kNone;
  };
  struct Late {
    WalSample sample;
    std::unique_ptr<Histogram> histogram;
    std::unique_ptr<FloatHistogram> float_histogram;
  };

  Series* Find(uint64_t& ref);  // resolves `ref`; null, and counted, when unknown
  bool Admit(Series& series, TimestampMs t, Kind kind);
  Result<void> AddChunks(uint64_t wal_ref, uint64_t ref, Series& series);
  Late* AddLate(uint64_t ref, TimestampMs t, TimestampMs start);

  const HeadChunkFiles& files_;
  std::unordered_map<uint64_t, std::vector<const HeadChunk*>> chunks_;  // by the ref they were written for
  TimestampMs min_valid_time_;
  ImportSink& sink_;
  ImportReport& report_;
  std::unordered_map<uint64_t, Series> series_;
  std::unordered_map<Labels, uint64_t> by_labels_;
  std::unordered_map<uint64_t, uint64_t> aliases_;
  std::unordered_map<uint64_t, std::vector<Late>> late_samples_;
  std::vector<WalSample> admitted_;
  bool late_ = false;
};

}  // namespace epi::tsdb
