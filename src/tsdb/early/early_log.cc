#include "tsdb/early/early_log.h"

#include "tsdb/early/early_appender.h"
#include "tsdb/early/early_record.h"
#include "tsdb/wal/log_files.h"
#include "tsdb/wal/record_file.h"

namespace epi::tsdb {
namespace {
// The last piece is handed over while writers wait, so it should be small.
constexpr uint64_t kLastPieceBytes = 1 << 20;

tl::unexpected<Error> NotLoaded() { return Fail(ErrorCode::kUnavailable, "TSDB not ready"); }
}  // namespace

EarlyLog::EarlyLog(FileSystem& fs, Clock& clock, Head& head, EarlyLogOptions options)
    : fs_(fs), clock_(clock), head_(head), options_(std::move(options)) {}

std::string EarlyLog::Path() const { return JoinPath(options_.directory, NumberedName(number_, kEarlySuffix)); }

void EarlyLog::Open(uint64_t number) {
  const std::lock_guard<std::mutex> lock(mutex_);
  number_ = number;
  synced_ = clock_.Monotonic();
  reserved_.store(kRecordFileHeaderBytes, std::memory_order_relaxed);
  state_.store(State::kOpen, std::memory_order_release);
}

Result<std::unique_ptr<BatchAppender>> EarlyLog::OpenGroup(const GroupIdentity& identity) {
  const std::lock_guard<std::mutex> lock(mutex_);
  switch (state_.load(std::memory_order_relaxed)) {
    case State::kHandedOver:
      return head_.OpenGroup(identity);
    case State::kOpen: {
      auto group = std::make_shared<EarlyGroup>();
      group->identity = identity;
      const auto number = static_cast<uint32_t>(groups_.size());
      groups_.push_back(group);
      return std::unique_ptr<BatchAppender>(std::make_unique<EarlyAppender>(*this, std::move(group), number));
    }
    case State::kClosed:
    case State::kFailed:
      break;
  }
  return NotLoaded();
}

Result<void> EarlyLog::Reserve(uint64_t bytes) {
  const uint64_t reserved = reserved_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (reserved <= options_.max_bytes) return {};
  Release(bytes);
  counters_.refused.fetch_add(1, std::memory_order_relaxed);
  return Fail(ErrorCode::kUnavailable, "TSDB not ready, and no room for more of what arrives before it is");
}

Result<bool> EarlyLog::Append(std::string_view payload) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (state_.load(std::memory_order_relaxed) == State::kHandedOver) return false;
  if (state_.load(std::memory_order_relaxed) != State::kOpen) return NotLoaded();
  std::string record;
  AppendRecord(record, kEarlyBatchType, sequence_ + 1, payload);
  Result<void> done = Reserve(record.size());
  if (!done) return Fail(done.error());
  done = Write(record);
  if (!done) {
    Release(record.size());
    counters_.refused.fetch_add(1, std::memory_order_relaxed);
    return Fail(done.error().WithContext("write to early log"));
  }
  ++sequence_;
  counters_.batches.fetch_add(1, std::memory_order_relaxed);
  return true;
}

Result<void> EarlyLog::OpenFile() {
  EPI_TRY(fs_.CreateDirectories(options_.directory));
  EPI_ASSIGN(auto file, fs_.Open(Path(), OpenMode::kTruncate));
  EPI_TRY(file->Append(EncodeFileHeader({RecordFileKind::kEarly, number_, 0})));
  EPI_TRY(fs_.SyncDirectory(options_.directory));
  file_ = std::move(file);
  return {};
}

Result<void> EarlyLog::Write(std::string_view record) {
  if (broken_) return Fail(ErrorCode::kIo, "the file could not be mended after a failed write");
  if (file_ == nullptr) EPI_TRY(OpenFile());
  const uint64_t before = file_->size();
  Result<void> done = file_->Append(record);
  const MonotonicNs now = clock_.Monotonic();
  const bool sync = options_.sync_each_commit || now - synced_ >= options_.sync_interval_ms * 1'000'000;
  const bool written = done.has_value();
  if (done && sync) {
    done = file_->Sync();
    synced_ = now;
  }
  if (done) return done;
  // What is left of it must not stay in the way of the next one; after a failed sync nobody knows what is on the
  // device.
  broken_ = !file_->Truncate(before).has_value() || written;
  return done;
}

Result<void> EarlyLog::HandOver(EarlyMerge& merge) {
  Result<void> done;
  bool begun = false;
  uint64_t previous = UINT64_MAX;
  for (;;) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (state_.load(std::memory_order_relaxed) != State::kOpen) return {};
    const uint64_t end = file_ == nullptr ? 0 : file_->size();
    if (end > 0 && !begun) {
      done = merge.Begin(number_);
      begun = true;
    }
    // Writers that are as fast as the merge are not let go on for ever.
    const uint64_t piece = end == 0 ? 0 : end - merge.offset();
    const bool last = piece <= kLastPieceBytes || piece > previous / 2;
    previous = piece;
    if (done && end > 0) {
      const std::vector<std::shared_ptr<EarlyGroup>> groups = groups_;
      if (!last) lock.unlock();
      done = merge.Advance(end, &groups);
      if (!last) lock.lock();
    }
    if (done && !last) continue;
    groups_.clear();
    file_.reset();
    state_.store(done ? State::kHandedOver : State::kFailed, std::memory_order_release);
    return done;
  }
}

}  // namespace epi::tsdb
