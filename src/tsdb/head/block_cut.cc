#include "tsdb/head/block_cut.h"

#include "chunkenc/sample_chunker.h"
#include "tsdb/head/head_selection.h"
#include "tsdb/head/series_reader.h"

namespace epi::tsdb {
namespace {

// Floats and histograms of one series in order of time.
std::vector<EncodedChunk> Encode(const SeriesSamples& floats, std::span<const SeriesSide::HistogramEntry> histograms,
                                 SampleChunker& chunker) {
  size_t next = 0;
  const auto add_float = [&] {
    chunker.Add(floats.t[next], floats.v[next], floats.start_times.empty() ? 0 : floats.start_times[next]);
    ++next;
  };
  for (const auto& entry : histograms) {
    while (next < floats.t.size() && floats.t[next] < entry.time) add_float();
    // Of two samples with one time the float stays, as in queries over one source.
    if (next < floats.t.size() && floats.t[next] == entry.time) continue;
    if (entry.integer != nullptr) {
      chunker.Add(entry.time, *entry.integer, entry.start_time);
    } else {
      chunker.Add(entry.time, *entry.floats, entry.start_time);
    }
  }
  while (next < floats.t.size()) add_float();
  return chunker.Take();
}

}  // namespace

Result<std::optional<BlockMeta>> CutBlock(FileSystem& fs, const std::string& directory, const Ulid& ulid,
                                          const HeadView& view, TimestampMs min_time, TimestampMs max_time,
                                          std::optional<std::string> hint, const BlockCutOptions& options) {
  Budget budget("block cut");
  SelectHints hints;
  hints.range = {min_time, max_time - 1};
  hints.sorted = true;
  EPI_ASSIGN(const auto series, view.SelectAll(hints, budget));
  EPI_ASSIGN(const auto writer, BlockWriter::Create(fs, directory, ulid, {.observers = options.observers}));
  ChunkerOptions chunks;
  chunks.samples_per_chunk = options.samples_per_chunk;
  chunks.float_encoding = options.float_encoding;
  chunks.keep_start_times = options.keep_start_times;
  chunks.histogram_start_times = options.histogram_start_times;
  SampleChunker chunker(chunks);
  SeriesReader reader;
  std::vector<SeriesSamples> samples;
  for (size_t first = 0; first < series->size(); first += SeriesBatch::kMaxSeries) {
    const size_t count = std::min(SeriesBatch::kMaxSeries, series->size() - first);
    EPI_TRY(reader.Read(view, hints.range, series->ids(first, count), samples));
    for (size_t i = 0; i < count; ++i) {
      const auto encoded = Encode(samples[i], reader.appended(i), chunker);
      if (!encoded.empty()) EPI_TRY(writer->AddSeries(ToLabels(series->labels(first + i), view.symbols()), encoded));
    }
  }
  BlockMeta meta;
  meta.min_time = min_time;
  meta.max_time = max_time;
  meta.foreign = options.foreign;
  if (hint) meta.AddHint(*hint);
  return writer->Finish(std::move(meta));
}

}  // namespace epi::tsdb
