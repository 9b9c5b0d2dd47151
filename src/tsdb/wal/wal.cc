#include "tsdb/wal/wal.h"

#include <algorithm>

#include "telemetry/stopwatch.h"
#include "tsdb/wal/batch_record.h"
#include "tsdb/wal/record_file.h"
#include "tsdb/wal/wal_format.h"

namespace epi::tsdb {

Wal::Wal(FileSystem& fs, const Clock& clock, WalOptions options, SeriesLog& series_log, std::atomic<uint64_t>& next_lsn,
         Observer& sync_seconds)
    : fs_(fs),
      clock_(clock),
      options_(std::move(options)),
      series_log_(series_log),
      next_lsn_(next_lsn),
      sync_seconds_(sync_seconds) {}

void Wal::Start(uint64_t next_segment, std::map<uint64_t, Content> existing) {
  const std::lock_guard<std::mutex> lock(mutex_);
  contents_ = std::move(existing);
  segment_.store(next_segment, std::memory_order_release);
  written_.store(next_lsn_.load(std::memory_order_relaxed) - 1, std::memory_order_release);
}

Wal::~Wal() = default;

Result<CommitLog::Appended> Wal::Append(const Batch& batch, LayoutChain& chain) {
  thread_local std::string payload;
  Appended appended;
  for (;;) {
    const uint64_t segment = current_segment();
    payload.clear();
    EncodeBatch(batch, segment, chain, payload, appended.layout_changed, appended.previous_layout);
    if (payload.size() > kMaxRecordBytes) return Fail(ErrorCode::kLimit, "a batch is too large for one log record");
    const std::lock_guard<std::mutex> lock(mutex_);
    if (segment != segment_.load(std::memory_order_relaxed)) {
      // The segment was full in the meantime: its successor must not refer to it.
      chain.valid = false;
      if (appended.layout_changed) chain.series.swap(appended.previous_layout);
      continue;
    }
    appended.lsn = next_lsn_.load(std::memory_order_relaxed);
    next_lsn_.store(appended.lsn + 1, std::memory_order_release);
    if (pending_.empty() || pending_.back().segment != segment) pending_.push_back({segment, appended.lsn, 0, {}});
    Pending& to = pending_.back();
    const size_t before = to.bytes.size();
    AppendRecord(to.bytes, static_cast<uint8_t>(LogRecordType::kBatch), appended.lsn, payload);
    to.last_lsn = appended.lsn;
    Content& content = contents_[segment];
    content.last_lsn = appended.lsn;
    content.newest = std::max(content.newest, batch.NewestTime());
    segment_size_ += to.bytes.size() - before;
    if (segment_size_ >= options_.segment_bytes) {
      segment_.store(segment + 1, std::memory_order_release);
      segment_size_ = 0;
    }
    break;
  }
  if (payload.capacity() > (1u << 22)) payload = {};
  return appended;
}

Result<void> Wal::AwaitWritten(uint64_t lsn) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (written_.load(std::memory_order_relaxed) < lsn) {
    if (writing_) {
      wrote_.wait(lock);
    } else {
      WriteAll(lock);
    }
  }
  for (auto failure = failures_.begin(); failure != failures_.end(); ++failure) {
    if (lsn < failure->first_lsn || lsn > failure->last_lsn) continue;
    Error error = failure->error;
    if (--failure->waiters == 0) failures_.erase(failure);
    return Fail(std::move(error));
  }
  return {};
}

void Wal::WriteAll(std::unique_lock<std::mutex>& lock) {
  writing_ = true;
  std::deque<Pending> todo;
  todo.swap(pending_);
  const uint64_t up_to = next_lsn_.load(std::memory_order_relaxed) - 1;
  lock.unlock();
  std::deque<Failure> failed;
  Result<void> defined = series_log_.Flush();
  if (defined && options_.sync_each_commit) defined = series_log_.Sync();
  for (const Pending& pending : todo) {
    const Result<void> done = defined ? WriteOne(pending) : defined;
    if (done) continue;
    counters_.writes_failed.fetch_add(1, std::memory_order_relaxed);
    failed.push_back({pending.first_lsn, pending.last_lsn, pending.last_lsn - pending.first_lsn + 1, done.error()});
  }
  lock.lock();
  failures_.insert(failures_.end(), failed.begin(), failed.end());
  if (!failed.empty() && file_ == nullptr && segment_.load(std::memory_order_relaxed) == todo.back().segment) {
    // The file could not be mended: nothing more goes into it. What was appended meanwhile may go nowhere else.
    segment_.store(todo.back().segment + 1, std::memory_order_release);
    segment_size_ = 0;
  }
  written_.store(up_to, std::memory_order_release);
  writing_ = false;
  wrote_.notify_all();
}

Result<void> Wal::OpenSegment(const Pending& pending) {
  file_.reset();
  EPI_TRY(fs_.CreateDirectories(options_.directory));
  const std::string path = JoinPath(options_.directory, NumberedName(pending.segment, kWalSuffix));
  if (fs_.Exists(path)) return Fail(ErrorCode::kExists, path + " exists already");
  EPI_ASSIGN(auto file, fs_.Open(path, OpenMode::kTruncate));
  EPI_TRY(file->Append(EncodeFileHeader({RecordFileKind::kWal, pending.segment, pending.first_lsn})));
  EPI_ASSIGN(std::shared_ptr<File> sync_file, fs_.Open(path, OpenMode::kAppend));
  EPI_TRY(fs_.SyncDirectory(options_.directory));
  file_ = std::move(file);
  file_segment_ = pending.segment;
  const std::lock_guard<std::mutex> lock(mutex_);
  unsynced_.push_back(std::move(sync_file));
  return {};
}

Result<void> Wal::WriteOne(const Pending& pending) {
  if (file_ == nullptr || file_segment_ != pending.segment) {
    if (file_segment_ == pending.segment)
      return Fail(ErrorCode::kIo, "the log segment could not be mended after a failed write");
    if (auto opened = OpenSegment(pending); !opened) {
      // Without its file a segment never gets a second try: a half-made file may lie there.
      file_segment_ = pending.segment;
      return opened;
    }
  }
  const uint64_t before = file_->size();
  Result<void> done = file_->Append(pending.bytes);
  if (done && options_.sync_each_commit) {
    done = SyncFile(*file_);
    if (!done) {
      // After a failed sync nobody knows what is on the device: the segment ends here.
      static_cast<void>(file_->Truncate(before));
      file_.reset();
      return done;
    }
  }
  if (!done) {
    if (!file_->Truncate(before)) file_.reset();
    return done;
  }
  counters_.writes.fetch_add(1, std::memory_order_relaxed);
  counters_.records.fetch_add(pending.last_lsn - pending.first_lsn + 1, std::memory_order_relaxed);
  counters_.bytes_written.fetch_add(pending.bytes.size(), std::memory_order_relaxed);
  return {};
}

Result<void> Wal::SyncFile(File& file) {
  const Stopwatch watch(clock_, sync_seconds_);
  auto done = file.Sync();
  (done ? counters_.syncs : counters_.syncs_failed).fetch_add(1, std::memory_order_relaxed);
  return done;
}

Result<void> Wal::Sync() {
  const std::lock_guard<std::mutex> one(sync_mutex_);
  std::vector<std::shared_ptr<File>> files;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    files = unsynced_;
  }
  // Definitions first: a durable record must name only what is durable.
  Result<void> done = series_log_.Sync();
  for (const auto& file : files) {
    if (!done) break;
    done = SyncFile(*file);
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!done) {
    // The system may have dropped the pages: never a silent retry. What follows goes to a new segment.
    segment_.fetch_add(1, std::memory_order_acq_rel);
    segment_size_ = 0;
    unsynced_.clear();
    return done;
  }
  // The open file stays; those before it are whole.
  const std::shared_ptr<File> open = unsynced_.empty() ? nullptr : unsynced_.back();
  std::erase_if(unsynced_, [&](const auto& file) {
    return file != open && std::find(files.begin(), files.end(), file) != files.end();
  });
  return {};
}

uint64_t Wal::CutSegment() {
  const std::lock_guard<std::mutex> lock(mutex_);
  segment_size_ = 0;
  return segment_.fetch_add(1, std::memory_order_acq_rel) + 1;
}

std::map<uint64_t, Wal::Content> Wal::contents() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return contents_;
}

Result<void> Wal::RemoveOldSegments(TimestampMs time, uint64_t lsn) {
  counters_.truncations.fetch_add(1, std::memory_order_relaxed);
  auto done = RemoveSegments(time, lsn);
  if (!done) counters_.truncations_failed.fetch_add(1, std::memory_order_relaxed);
  return done;
}

Result<void> Wal::RemoveSegments(TimestampMs time, uint64_t lsn) {
  for (;;) {
    uint64_t oldest = 0;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (contents_.empty()) break;
      const auto& [number, content] = *contents_.begin();
      if (number >= current_segment() || content.newest >= time || content.last_lsn > lsn) break;
      oldest = number;
    }
    const auto removed = fs_.RemoveFile(JoinPath(options_.directory, NumberedName(oldest, kWalSuffix)));
    // A segment whose file could not be made is not there.
    if (!removed && removed.error().code() != ErrorCode::kNotFound) return removed;
    const std::lock_guard<std::mutex> lock(mutex_);
    contents_.erase(oldest);
  }
  if (!fs_.Exists(options_.directory)) return {};
  return fs_.SyncDirectory(options_.directory);
}

uint64_t Wal::storage_bytes() const {
  uint64_t bytes = 0;
  const auto numbers = ListNumbered(fs_, options_.directory, kWalSuffix);
  if (!numbers) return 0;
  for (const uint64_t number : *numbers) {
    if (const auto info = fs_.Stat(JoinPath(options_.directory, NumberedName(number, kWalSuffix)))) bytes += info->size;
  }
  return bytes;
}

}  // namespace epi::tsdb
