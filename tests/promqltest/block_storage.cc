#include "promqltest/block_storage.h"

#include <algorithm>

#include "chunkenc/sample_chunker.h"
#include "tsdb/block/block_writer.h"
#include "tsdb/block/text_table.h"

namespace epi::promqltest {
namespace {

class BlockView final : public View {
 public:
  explicit BlockView(std::shared_ptr<const tsdb::Block> block) : block_(std::move(block)) {}

  Result<std::unique_ptr<SeriesSelection>> Select(std::span<const Matcher> matchers, const SelectHints& hints,
                                                  Budget& budget) const override {
    if (block_ != nullptr) return block_->Select(matchers, hints, symbols_, budget);
    std::unique_ptr<SeriesSelection> none = std::make_unique<EmptySelection>();
    return none;
  }
  Result<std::vector<std::string>> LabelValues(std::string_view name, std::span<const Matcher> matchers, size_t limit,
                                               Budget&) const override {
    return block_ != nullptr ? block_->LabelValues(name, matchers, limit) : std::vector<std::string>();
  }
  Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers, size_t limit, Budget&) const override {
    return block_ != nullptr ? block_->LabelNames(matchers, limit) : std::vector<std::string>();
  }
  Result<std::vector<SeriesExemplars>> Exemplars(std::span<const std::vector<Matcher>>, TimeRange) const override {
    return std::vector<SeriesExemplars>();  // blocks have none
  }
  const SymbolSpace& symbols() const override { return symbols_; }

 private:
  std::shared_ptr<const tsdb::Block> block_;
  tsdb::LocalSymbols symbols_;
};

std::vector<EncodedChunk> Chunks(const std::vector<testing::StoredSample>& samples) {
  ChunkerOptions options;
  options.keep_start_times = true;
  SampleChunker chunker(options);
  for (const testing::StoredSample& s : samples) {
    if (!s.is_histogram()) {
      chunker.Add(s.t, s.value, s.start_time);
      continue;
    }
    FloatHistogram h = *s.floats;
    h.counter_reset_hint = s.appended_hint;
    chunker.Add(s.t, h, s.start_time);
  }
  return chunker.Take();
}

}  // namespace

Result<std::shared_ptr<const View>> BlockStorage::OpenView(TimeRange) const {
  const std::lock_guard lock(mutex_);
  if (samples_.last_commit() != written_commit_) {
    EPI_ASSIGN(block_, WriteBlock());
    written_commit_ = samples_.last_commit();
  }
  std::shared_ptr<const View> view = std::make_shared<BlockView>(block_);
  return view;
}

Result<std::shared_ptr<const tsdb::Block>> BlockStorage::WriteBlock() const {
  SeededRandom random(samples_.last_commit());
  const tsdb::Ulid ulid = tsdb::Ulid::Make(static_cast<TimestampMs>(samples_.last_commit()), random);
  EPI_ASSIGN(const auto writer, tsdb::BlockWriter::Create(PosixFileSystem(), directory_.path(), ulid));
  std::vector<Labels> all = samples_.SeriesLabels();
  std::sort(all.begin(), all.end());
  tsdb::BlockMeta meta;
  meta.min_time = std::numeric_limits<TimestampMs>::max();
  meta.max_time = std::numeric_limits<TimestampMs>::min();
  for (const Labels& labels : all) {
    const auto samples = samples_.Samples(labels);
    if (samples.empty()) continue;
    meta.min_time = std::min(meta.min_time, samples.front().t);
    meta.max_time = std::max(meta.max_time, samples.back().t + 1);
    EPI_TRY(writer->AddSeries(labels, Chunks(samples)));
  }
  EPI_ASSIGN(const auto finished, writer->Finish(meta));
  if (!finished) return std::shared_ptr<const tsdb::Block>();
  EPI_ASSIGN(const auto block, tsdb::Block::Open(PosixFileSystem(), JoinPath(directory_.path(), ulid.ToString())));
  return std::shared_ptr<const tsdb::Block>(block);
}

}  // namespace epi::promqltest
