#include "tsdb/db.h"

#include <future>

#include "tsdb/block/block_files.h"
#include "tsdb/db_view.h"

namespace epi::tsdb {
namespace {
constexpr std::string_view kLockName = "lock";
constexpr std::string_view kNativeName = "epimetheus";

tl::unexpected<Error> NotReady() { return Fail(ErrorCode::kUnavailable, "TSDB not ready"); }
}  // namespace

// Lets the registry's callbacks outlive the database.
struct Db::MetricsLink : DbMetricsSource {
  explicit MetricsLink(const Db* opened) : db(opened) {}
  void WithDb(const std::function<void(const Db&)>& use) override {
    const std::lock_guard<std::mutex> lock(mutex);
    if (db != nullptr) use(*db);
  }
  std::mutex mutex;
  const Db* db;  // guarded by mutex; null once closed
};

Db::Db(DbOptions options, DbDependencies dependencies)
    : options_(std::move(options)),
      deps_(std::move(dependencies)),
      unread_metrics_(deps_.metrics == nullptr ? std::make_unique<MetricRegistry>() : nullptr),
      observers_(deps_.metrics == nullptr ? *unread_metrics_ : *deps_.metrics,
                 options_.head.out_of_order_window_ms > 0),
      native_(JoinPath(options_.directory, kNativeName)),
      take_over_(deps_.fs, options_.directory, native_),
      series_log_(deps_.fs, JoinPath(native_, "series"), next_lsn_),
      wal_(deps_.fs, deps_.clock, {JoinPath(native_, "wal"), options_.wal_segment_bytes, options_.sync_each_commit},
           series_log_, next_lsn_, observers_.wal_sync),
      noted_log_(wal_, changes_),
      head_(HeadOptionsOf(), noted_log_, &series_log_),
      early_(deps_.fs, deps_.clock, head_,
             {JoinPath(native_, kEarlyName), options_.early_bytes_max, options_.sync_each_commit,
              options_.sync_interval_ms}),
      blocks_(deps_.fs, deps_.clock, deps_.random, deps_.log,
              {options_.directory,
               {ExponentialRanges(options_.head.group.block_range_ms, options_.max_block_duration_ms),
                options_.merge_overlapping},
               {kDefaultChunkSegmentBytes, options_.samples_per_chunk, options_.float_encoding, &observers_.chunks},
               options_.retention,
               &changes_,
               options_.delay_compact_file,
               &observers_.compaction}),
      spill_(deps_.fs, JoinPath(native_, "runs"), options_.head.group.block_range_ms) {}

HeadOptions Db::HeadOptionsOf() const {
  HeadOptions out = options_.head;
  out.late_seconds = &observers_.late;
  return out;
}

Db::~Db() { static_cast<void>(Close()); }

Result<std::unique_ptr<Db>> Db::Open(DbOptions options, DbDependencies dependencies) {
  std::unique_ptr<Db> db(new Db(std::move(options), std::move(dependencies)));
  EPI_TRY(db->TakeDirectory());
  if (db->deps_.metrics != nullptr) {
    db->metrics_link_ = std::make_shared<MetricsLink>(db.get());
    RegisterDbMetrics(*db->deps_.metrics, db->metrics_link_);
  }
  return db;
}

Result<void> Db::TakeDirectory() {
  EPI_TRY(deps_.fs.CreateDirectories(options_.directory));
  if (!options_.no_lock_file) {
    const std::string path = JoinPath(options_.directory, kLockName);
    const bool left_over = deps_.fs.Exists(path);
    auto lock = deps_.fs.LockFile(path);
    if (!lock) return Fail(lock.error().WithContext("lock DB directory"));
    lock_ = std::move(*lock);
    clean_start_ = left_over ? 0 : 1;
    if (left_over)
      deps_.log.Warn("A lockfile from a previous execution already existed. It was replaced", {{"file", path}});
  }
  EPI_TRY(deps_.fs.CreateDirectories(native_));
  EPI_TRY(deps_.fs.SyncDirectory(options_.directory));
  return {};
}

Result<void> Db::Replay() {
  const MonotonicNs start = deps_.clock.Monotonic();
  deps_.log.Info("Replaying WAL, this may take a while");
  const std::string aside = JoinPath(native_, "damaged");
  const uint32_t threads = options_.load_threads != 0 ? options_.load_threads
                                                      : std::min(8u, std::max(1u, std::thread::hardware_concurrency()));
  ThreadPool pool(threads - 1);  // beside this thread
  bool import = false;
  if (options_.take_over) {
    EPI_ASSIGN(import, take_over_.Prepare());
  }
  const bool native_head = HasNativeHead(deps_.fs, native_);
  EPI_TRY(CheckLogVersions());
  EPI_TRY(RemoveLeftovers(deps_.fs, options_.directory));
  EPI_TRY(RepairIndexVersions(deps_.fs, options_.directory));
  EPI_TRY(blocks_.Reload(0));
  EPI_ASSIGN(in_blocks_, LoadInBlocks(native_head));
  head_.SetInBlocks(in_blocks_.time, in_blocks_.lsn);
  head_.SetMinValidTime(in_blocks_.time);
  head_.SetClip(in_blocks_.time);
  EPI_TRY(OpenEarly());
  EPI_ASSIGN(auto definitions, SeriesLog::Load(deps_.fs, JoinPath(native_, "series"), aside, head_));
  ReportDamage(definitions.damage);
  // Labels and symbols are nothing that replay needs.
  std::promise<size_t> indexed;
  const auto index = [&] { indexed.set_value(SeriesLog::Index(definitions, head_)); };
  std::future<size_t> index_done = indexed.get_future();
  if (pool.size() > 0) {
    pool.Submit(index);
  } else {
    index();
  }
  // Whatever ends this early, the task needs what it refers to.
  struct AwaitIndex {
    std::future<size_t>& done;
    ~AwaitIndex() {
      if (done.valid()) done.wait();
    }
  } const await_index{index_done};
  const MonotonicNs defined = deps_.clock.Monotonic();
  EPI_TRY(spill_.Start());
  EPI_TRY(LoadSnapshot(&pool));
  EPI_TRY(spill_.RemoveUnused());
  const WalReplayStart replay_start{loaded_snapshot_ ? loaded_snapshot_->first_segment : 0, std::move(loaded_contents_),
                                    &pool};
  EPI_ASSIGN(report_,
             ReplayWal(deps_.fs, JoinPath(native_, "wal"), aside, head_, replay_start, progress_, [this] { Spill(); }));
  ReportDamage(report_.damage);
  if (report_.torn_bytes > 0)
    deps_.log.Info("The end of the WAL was torn and cut off", {{"bytes", report_.torn_bytes}});
  if (report_.orphans + report_.unknown_rows > 0) {
    deps_.log.Warn("Parts of the WAL could not be used",
                   {{"batches_without_base", report_.orphans}, {"unknown_series_rows", report_.unknown_rows}});
  }
  if (const size_t refused = definitions.refused + index_done.get(); refused > 0)
    deps_.log.Warn("Some series definitions were unusable", {{"count", refused}});
  head_.FinishReplay();
  next_lsn_.store(std::max({report_.highest_lsn, definitions.highest_lsn, in_blocks_.lsn,
                            loaded_snapshot_ ? loaded_snapshot_->highest_lsn : 0}) +
                  1);
  series_log_.Start(definitions.next_file);
  wal_.Start(report_.next_segment, report_.contents);
  if (import) EPI_TRY(ImportForeignHead());
  if (options_.take_over && head_.max_time() != kNoTime)
    EPI_TRY(CheckForeignBlocks(std::max(head_.max_time(), in_blocks_.time)));
  if (!native_head && in_blocks_.time != kNoTime) EPI_TRY(StoreInBlocks());
  EPI_TRY(MergeEarly());
  const auto seconds = [](MonotonicNs ns) { return static_cast<double>(ns) * 1e-9; };
  const MonotonicNs end = deps_.clock.Monotonic();
  replay_seconds_.store(seconds(end - start));
  deps_.log.Info("WAL replay completed", {{"series", head_.series_count()},
                                          {"segments", report_.segments},
                                          {"samples", report_.samples},
                                          {"series_replay_duration", seconds(defined - start)},
                                          {"wal_replay_duration", seconds(end - defined)},
                                          {"total_replay_duration", seconds(end - start)}});
  return {};
}

void Db::ReportDamage(const std::vector<LogDamage>& damage) {
  for (const auto& part : damage) {
    corruptions_.fetch_add(1, std::memory_order_relaxed);
    deps_.log.Error("Encountered WAL read error, kept what is readable", {{"segment", part.file},
                                                                          {"offset", part.offset},
                                                                          {"bytes", part.length},
                                                                          {"err", part.what},
                                                                          {"set_aside", part.kept_as}});
  }
}

Result<void> Db::Load() {
  Result<void> done = Replay();
  const std::lock_guard<std::mutex> lock(mutex_);
  load_result_ = done;
  loaded_ = true;
  ready_.store(done.has_value(), std::memory_order_release);
  wake_.notify_all();
  return done;
}

void Db::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Db::Run() {
  if (!Load()) return;
  maintenance_ = std::thread([this] { RunMaintenance(); });
  MonotonicNs next = deps_.clock.Monotonic();
  for (;;) {
    next = std::max(next + options_.sync_interval_ms * 1'000'000, deps_.clock.Monotonic());
    {
      std::unique_lock<std::mutex> lock(mutex_);
      if (deps_.clock.WaitUntil(lock, wake_, next, [this] { return stopping_; })) return;
    }
    if (auto synced = wal_.Sync(); !synced) {
      deps_.log.Error("Syncing the WAL failed; it goes on in a new segment", {{"err", synced.error().message()}});
    }
    Spill();
    if (SnapshotDue()) {
      const std::lock_guard<std::mutex> lock(mutex_);
      snapshot_wanted_ = true;
      wake_.notify_all();
    }
  }
}

Result<void> Db::AwaitReady() {
  std::unique_lock<std::mutex> lock(mutex_);
  wake_.wait(lock, [this] { return loaded_ || stopping_; });
  if (!loaded_) return Fail(ErrorCode::kCanceled, "the database was closed while it was loading");
  return load_result_;
}

Result<void> Db::AwaitAppendable() {
  std::unique_lock<std::mutex> lock(mutex_);
  wake_.wait(lock, [this] { return loaded_ || stopping_ || early_.open(); });
  if (stopping_ && !loaded_) return Fail(ErrorCode::kCanceled, "the database was closed while it was loading");
  return load_result_;
}

Result<void> Db::Close() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return {};
    closed_ = true;
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  if (maintenance_.joinable()) maintenance_.join();
  if (metrics_link_ != nullptr) {
    const std::lock_guard<std::mutex> lock(metrics_link_->mutex);
    metrics_link_->db = nullptr;
  }
  Result<void> done;
  spill_.KeepFiles();
  if (ready_.exchange(false)) {
    done = wal_.Sync();
    if (done) {
      if (auto written = SnapshotHead(); !written)
        deps_.log.Warn("The next start replays the WAL", {{"err", written.error().message()}});
    }
  }
  if (lock_ != nullptr) {
    static_cast<void>(deps_.fs.RemoveFile(JoinPath(options_.directory, kLockName)));
    lock_.reset();
  }
  return done;
}

Result<std::shared_ptr<const View>> Db::OpenView(TimeRange range) const {
  if (!ready()) return NotReady();
  return std::static_pointer_cast<const View>(std::make_shared<const DbView>(head_, blocks_, range));
}

Result<std::unique_ptr<BatchAppender>> Db::OpenGroup(const GroupIdentity& identity) {
  if (!ready()) return early_.OpenGroup(identity);
  return head_.OpenGroup(identity);
}

TimestampMs Db::OldestTime() const {
  TimestampMs oldest = head_.min_time();
  const auto list = blocks_.blocks();
  for (const auto& block : *list) oldest = std::min(oldest, block->meta().min_time);
  return oldest;
}

}  // namespace epi::tsdb
