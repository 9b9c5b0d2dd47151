// Puts what ImportPrometheusHead reads into a head of ours.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "storage/appender.h"
#include "storage/backfill.h"
#include "tsdb/block/intervals.h"
#include "tsdb/head/head.h"
#include "tsdb/import/prometheus_head.h"

namespace epi::tsdb {

// Series of one target go into one group, so that they share timestamps: chunks, which lie there series by series, are
// decoded some thousand series at a time and appended time by time. Late samples go to `late`, for they may be older
// than the head takes. Everything is logged as it comes. Not thread-safe; all references outlive it.
class HeadImport final : public ImportSink {
 public:
  // Samples before `min_valid_time` are in blocks already. `relief` is called after some millions of samples: sealed
  // runs can be spilled.
  HeadImport(Head& head, BackfillAppender& late, TimestampMs min_valid_time, std::function<void()> relief);
  ~HeadImport() override;

  Result<void> AddSeries(uint64_t ref, const Labels& labels) override;
  Result<void> AddChunk(uint64_t ref, const HeadChunk& chunk) override;
  Result<void> AddSamples(std::span<const WalSample> samples) override;
  Result<void> AddHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const Histogram& h) override;
  Result<void> AddFloatHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const FloatHistogram& h) override;
  Result<void> AddLateSample(const WalSample& sample) override;
  Result<void> AddLateHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const Histogram& h) override;
  Result<void> AddLateFloatHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const FloatHistogram& h) override;
  Result<void> AddTombstone(uint64_t ref, TimeRange range) override;
  Result<void> AddExemplar(uint64_t ref, const Exemplar& exemplar) override;
  Result<void> SetMetadata(uint64_t ref, const MetricMetadata& metadata) override;
  Result<void> RemoveSeries(uint64_t ref) override;
  Result<void> Finish() override;

  uint64_t stored() const { return stored_; }    // samples in the head
  uint64_t refused() const { return refused_; }  // by the head, or in chunks that could not be read

 private:
  struct PendingChunk {
    SeriesRef series;
    const HeadChunk* chunk;
  };
  // Where the series of one target go.
  struct Target {
    std::unique_ptr<BatchAppender> appender;
    std::vector<PendingChunk> chunks;  // in order, of each series ascending
    TimestampMs time = 0;              // of what is in the appender
    bool open = false;                 // there is something in the appender
  };
  struct Series {
    SeriesRef ref = kNoSeries;
    Target* target = nullptr;
  };
  class ChunkRows;

  Result<Target*> TargetOf(const Labels& labels);
  Series* Find(uint64_t ref);
  // The target's appender, ready for a sample of time `t`.
  Result<BatchAppender*> Open(Target& target, TimestampMs t);
  Result<void> Commit(Target& target);
  Result<void> FlushChunks(Target& target);
  Result<void> FlushSome(Target& target, std::span<const PendingChunk> chunks);
  Result<void> AddLateChunk(uint64_t ref, const Labels& labels, const HeadChunk& chunk);
  bool Deleted(uint64_t ref, TimestampMs t) const;
  void Unreadable(const HeadChunk& chunk);

  Head& head_;
  BackfillAppender& late_;
  const TimestampMs min_valid_time_;
  const std::function<void()> relief_;
  std::unordered_map<std::string, std::unique_ptr<Target>> targets_;  // by key of the group
  std::unordered_map<uint64_t, Series> series_;                       // by Prometheus's number
  std::unordered_map<uint64_t, Intervals> deleted_;                   // by Prometheus's number; also of late samples
  std::vector<Target*> mixed_;                                        // targets whose batch has several times
  uint64_t stored_ = 0;
  uint64_t refused_ = 0;
  uint64_t since_relief_ = 0;
};

}  // namespace epi::tsdb
