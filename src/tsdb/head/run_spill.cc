#include "tsdb/head/run_spill.h"

#include "tsdb/wal/log_files.h"

namespace epi::tsdb {
namespace {
constexpr uint64_t kMaxRunsFileBytes = uint64_t{256} << 20;
}  // namespace

std::string RunSpill::PathOf(uint64_t number) const { return JoinPath(directory_, NumberedName(number, kRunsSuffix)); }

Result<void> RunSpill::Start() {
  EPI_TRY(fs_.CreateDirectories(directory_));
  EPI_ASSIGN(left_, ListNumbered(fs_, directory_, kRunsSuffix));
  next_number_ = left_.empty() ? 1 : left_.back() + 1;
  return {};
}

Result<std::shared_ptr<const RunFile>> RunSpill::OpenExisting(uint64_t number, uint64_t size) {
  const std::lock_guard<std::mutex> lock(existing_mutex_);
  std::shared_ptr<const RunFile>& file = existing_[number];
  if (file == nullptr) {
    EPI_ASSIGN(auto opened, fs_.Open(PathOf(number), OpenMode::kRead));
    file = std::make_shared<const RunFile>(fs_, PathOf(number), number, std::move(opened), shared_);
  }
  if (file->file().size() < size) {
    file->NoteCorruption();
    return Fail(ErrorCode::kDataLoss, PathOf(number) + ": the file is shorter than the snapshot says");
  }
  return file;
}

Result<void> RunSpill::RemoveUnused() {
  const std::lock_guard<std::mutex> lock(existing_mutex_);
  for (const uint64_t number : left_) {
    if (const auto opened = existing_.find(number); opened != existing_.end() && opened->second != nullptr) continue;
    const auto removed = fs_.RemoveFile(PathOf(number));
    if (!removed && removed.error().code() != ErrorCode::kNotFound) return removed;
  }
  left_.clear();
  existing_.clear();  // what nobody else holds removes itself
  return {};
}

Result<void> RunSpill::OpenFile(int64_t block) {
  file_.reset();
  const uint64_t number = next_number_++;
  EPI_ASSIGN(auto file, fs_.Open(PathOf(number), OpenMode::kTruncate));
  file_ = std::make_shared<RunFile>(fs_, PathOf(number), number, std::move(file), shared_);
  file_block_ = block;
  unsynced_.push_back(file_);
  directory_changed_ = true;
  return {};
}

Result<std::shared_ptr<const Run>> RunSpill::Write(const Run& run) {
  const int64_t block = run.range().max / block_range_ms_;
  if (file_ == nullptr || block != file_block_ || file_->file().size() > kMaxRunsFileBytes) EPI_TRY(OpenFile(block));
  const uint64_t offset = file_->file().size();
  if (auto written = file_->file().Append(run.bytes()); !written) {
    // What was written of it is nobody's; the next run goes to a new file.
    file_.reset();
    return Fail(written.error());
  }
  chunks_spilled_.fetch_add(run.chunk_count(), std::memory_order_relaxed);
  return Run::Spilled(run, file_, offset);
}

Result<void> RunSpill::SpillAll(Head& head) {
  const std::vector<uint32_t> unspilled = head.unspilled_groups().Take();
  for (size_t i = 0; i < unspilled.size(); ++i) {
    Group& group = head.group(unspilled[i]);
    for (const auto& run : group.InMemoryRuns()) {
      auto spilled = Write(*run);
      if (!spilled) {
        for (; i < unspilled.size(); ++i) head.unspilled_groups().Add(unspilled[i]);
        return Fail(spilled.error().WithContext("spilling sealed samples"));
      }
      group.ReplaceRun(run.get(), std::move(*spilled));
    }
  }
  return {};
}

uint64_t RunSpill::storage_bytes() const {
  uint64_t bytes = 0;
  const auto numbers = ListNumbered(fs_, directory_, kRunsSuffix);
  if (!numbers) return 0;
  for (const uint64_t number : *numbers) {
    if (const auto info = fs_.Stat(PathOf(number))) bytes += info->size;
  }
  return bytes;
}

Result<void> RunSpill::Sync() {
  if (!distrusted_.expired()) return Fail(ErrorCode::kIo, "spilled samples could not be synced earlier");
  for (const auto& weak : unsynced_) {
    const auto file = weak.lock();
    if (file == nullptr) continue;
    if (auto synced = file->file().Sync(); !synced) {
      // Nobody knows what of it is on the device, and a second sync would say nothing. The head goes on reading what
      // the system has; until its samples are in a block no snapshot may refer to the file.
      distrusted_ = file;
      if (file == file_) file_.reset();
      return Fail(synced.error().WithContext("spilled samples"));
    }
  }
  unsynced_.clear();
  if (file_ != nullptr) unsynced_.push_back(file_);
  if (directory_changed_) EPI_TRY(fs_.SyncDirectory(directory_));
  directory_changed_ = false;
  return {};
}

}  // namespace epi::tsdb
