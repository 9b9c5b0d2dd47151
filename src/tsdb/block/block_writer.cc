#include "tsdb/block/block_writer.h"

#include "tsdb/block/block_files.h"
#include "tsdb/block/tombstones.h"

namespace epi::tsdb {

BlockWriter::BlockWriter(FileSystem& fs, std::string directory, const Ulid& ulid, BlockWriterOptions options)
    : fs_(fs),
      directory_(std::move(directory)),
      ulid_(ulid),
      temporary_(BlockDirectory(directory_, ulid) + std::string(kCreationSuffix)),
      observers_(options.observers),
      chunks_(fs, JoinPath(temporary_, kChunksDirectory), options.max_segment_bytes),
      index_(fs, JoinPath(temporary_, kIndexFile)) {}

Result<std::unique_ptr<BlockWriter>> BlockWriter::Create(FileSystem& fs, const std::string& directory, const Ulid& ulid,
                                                         BlockWriterOptions options) {
  std::unique_ptr<BlockWriter> writer(new BlockWriter(fs, directory, ulid, options));
  EPI_TRY(fs.RemoveAll(writer->temporary_));
  EPI_TRY(fs.CreateDirectories(JoinPath(writer->temporary_, kChunksDirectory)));
  return writer;
}

BlockWriter::~BlockWriter() {
  if (!published_) (void)fs_.RemoveAll(temporary_).has_value();  // a leftover goes at the next start
}

Result<void> BlockWriter::AddSeries(std::span<const IndexLabel> labels, std::span<const ChunkToWrite> chunks) {
  if (chunks.empty()) return Fail(ErrorCode::kInvalid, "a series of a block has at least one chunk");
  metas_.clear();
  for (const auto& chunk : chunks) {
    EPI_ASSIGN(const BlockChunkRef ref, chunks_.Add(chunk.encoding, chunk.data));
    metas_.push_back({chunk.min_time, chunk.max_time, ref});
    const uint32_t samples = ChunkSampleCount(chunk.encoding, chunk.data);
    stats_.samples += samples;
    (IsFloatEncoding(chunk.encoding) ? stats_.float_samples : stats_.histogram_samples) += samples;
    if (observers_ == nullptr) continue;
    observers_->bytes.Observe(static_cast<double>(chunk.data.size()));
    observers_->samples.Observe(samples);
    observers_->range_ms.Observe(static_cast<double>(chunk.max_time - chunk.min_time));
  }
  EPI_TRY(index_.AddSeries(labels, metas_));
  stats_.chunks += chunks.size();
  ++stats_.series;
  return {};
}

Result<void> BlockWriter::AddSeries(const Labels& labels, std::span<const EncodedChunk> chunks) {
  labels_.clear();
  for (const auto label : labels) labels_.push_back({Symbol(label.name), Symbol(label.value)});
  views_.clear();
  for (const auto& c : chunks) views_.push_back({c.encoding, c.min_time, c.max_time, c.data});
  return AddSeries(labels_, views_);
}

Result<std::optional<BlockMeta>> BlockWriter::Finish(BlockMeta meta) {
  if (stats_.samples == 0) return std::nullopt;
  meta.ulid = ulid_;
  meta.stats = stats_;
  if (meta.compaction.sources.empty()) meta.compaction.sources = {ulid_};
  EPI_TRY(chunks_.Finish());
  EPI_TRY(index_.Finish());
  EPI_TRY(fs_.WriteFileAtomically(JoinPath(temporary_, kTombstonesFile), EncodeTombstones({})));
  EPI_TRY(WriteBlockMeta(fs_, temporary_, meta));
  EPI_TRY(fs_.SyncDirectory(JoinPath(temporary_, kChunksDirectory)));
  EPI_TRY(fs_.SyncDirectory(temporary_));
  const std::string path = BlockDirectory(directory_, ulid_);
  EPI_TRY(fs_.RemoveAll(path));
  EPI_TRY(fs_.Rename(temporary_, path));
  published_ = true;
  EPI_TRY(fs_.SyncDirectory(directory_));
  return meta;
}

}  // namespace epi::tsdb
