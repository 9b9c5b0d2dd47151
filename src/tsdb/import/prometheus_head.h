// Takes over what Prometheus keeps outside its blocks: write-ahead log with its checkpoint, chunks_head, and the log of
// late samples.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>

#include "base/file_system.h"
#include "base/result.h"
#include "telemetry/log.h"
#include "tsdb/import/head_chunk_files.h"
#include "tsdb/import/wal_records.h"

namespace epi::tsdb {

// Receives the content, in an order that can be stored as it comes. `ref` is Prometheus's number of a series: AddSeries
// names it before anything else does, and two live refs never have equal labels (later ones are turned into the first).
// An error ends the import and is passed on.
class ImportSink {
 public:
  virtual ~ImportSink() = default;
  virtual Result<void> AddSeries(uint64_t ref, const Labels& labels) = 0;
  // A finished chunk, checksum verified, content not. Chunks in order come before the samples that follow them,
  // ascending and without overlap; late ones (chunk.out_of_order) may overlap anything. `chunk` and its data live until
  // Finish returned.
  virtual Result<void> AddChunk(uint64_t ref, const HeadChunk& chunk) = 0;
  // In order: of each series every sample, of whatever kind, is newer than all before.
  virtual Result<void> AddSamples(std::span<const WalSample> samples) = 0;
  virtual Result<void> AddHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const Histogram& h) = 0;
  virtual Result<void> AddFloatHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const FloatHistogram& h) = 0;
  // Late samples that no chunk has; after everything else. In order of time for each series, but they may equal or
  // overlap others.
  virtual Result<void> AddLateSample(const WalSample& sample) = 0;
  virtual Result<void> AddLateHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const Histogram& h) = 0;
  virtual Result<void> AddLateFloatHistogram(uint64_t ref, TimestampMs t, TimestampMs start,
                                             const FloatHistogram& h) = 0;
  virtual Result<void> AddTombstone(uint64_t ref, TimeRange range) = 0;
  virtual Result<void> AddExemplar(uint64_t ref, const Exemplar& exemplar) = 0;
  virtual Result<void> SetMetadata(uint64_t ref, const MetricMetadata& metadata) = 0;
  // The series was taken out of the head: its samples are in blocks. The ref may be named again by a later AddSeries.
  virtual Result<void> RemoveSeries(uint64_t ref) = 0;
  // Everything was handed over.
  virtual Result<void> Finish() { return {}; }
};

struct ImportOptions {
  // Samples before this time are in blocks already: the largest max_time of the blocks that came from the head in
  // order.
  TimestampMs min_valid_time = std::numeric_limits<TimestampMs>::min();
  // Called now and then with the segments read and their number.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

struct ImportReport {
  uint64_t series = 0;
  uint64_t samples = 0;  // of all kinds, without those in chunks
  uint64_t chunks = 0;
  uint64_t skipped_samples = 0;     // too old, or in a chunk already
  uint64_t unknown_refs = 0;        // entries of series nobody named
  uint64_t dropped_histograms = 0;  // of unknown schemas or contradictory
  uint64_t last_series_ref = 0;
  // Where reading ended early, in words; empty when everything was whole. Prometheus cuts the log there; we leave the
  // files alone.
  std::string wal_damage;
  std::string late_log_damage;
  std::string chunks_damage;
};

// Whether `data_directory` holds a log of Prometheus's with something in it.
bool HasPrometheusHead(FileSystem& fs, const std::string& data_directory);

// Reads everything and changes nothing. What lies before damage at the end of a log is taken; a damaged checkpoint or a
// missing segment is an error, for then old samples would be missing without a word. chunk_snapshot directories are not
// needed: log, checkpoint and chunks_head hold all they hold.
Result<ImportReport> ImportPrometheusHead(FileSystem& fs, const std::string& data_directory,
                                          const ImportOptions& options, ImportSink& sink, const Logger& logger);

}  // namespace epi::tsdb
