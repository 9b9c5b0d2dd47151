// The head: what was written lately, in memory, complete and queryable.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/storage.h"
#include "telemetry/metrics.h"
#include "tsdb/head/exemplar_ring.h"
#include "tsdb/head/group.h"
#include "tsdb/head/label_store.h"
#include "tsdb/head/postings_index.h"
#include "tsdb/head/series_table.h"
#include "tsdb/head/symbol_table.h"
#include "tsdb/wal/batch.h"

namespace epi::tsdb {

struct HeadOptions {
  GroupOptions group;
  uint64_t max_series = 0;   // 0 = no limit
  size_t max_exemplars = 0;  // 0 = exemplars are not stored
  int64_t out_of_order_window_ms = 0;
  // Told by how many seconds each late sample is behind the newest, whether it is taken or not. May be null; outlives
  // the head.
  Observer* late_seconds = nullptr;
};

// Told of every definition that a log record may name later, before the record is written. Called under the head's
// creation lock, in order.
class SeriesJournal {
 public:
  virtual ~SeriesJournal() = default;
  virtual void NoteGroup(uint32_t id, const GroupIdentity& identity) = 0;
  virtual void NoteSymbol(SymbolId id, std::string_view text) = 0;
  virtual void NoteSeries(uint32_t group, uint32_t id, uint32_t generation, LabelTuple labels) = 0;
  virtual void NoteRemoved(uint32_t id) = 0;
};

// Counts since start; read by the metrics.
struct HeadCounters {
  struct ByType {
    std::atomic<uint64_t> floats{0};
    std::atomic<uint64_t> histograms{0};
    std::atomic<uint64_t>& Of(bool histogram) { return histogram ? histograms : floats; }
  };
  ByType appended;
  ByType late_appended;
  ByType out_of_bounds;
  ByType out_of_order;
  ByType too_old;
  std::atomic<uint64_t> series_created{0};
  std::atomic<uint64_t> series_removed{0};
  std::atomic<uint64_t> series_not_found{0};
  std::atomic<uint64_t> appenders_created{0};
  std::atomic<int64_t> active_appenders{0};
  std::atomic<uint64_t> exemplars_appended{0};
  std::atomic<uint64_t> exemplars_out_of_order{0};
  std::atomic<uint64_t> truncations{0};
};

struct HeadMemory {
  size_t series = 0;
  size_t labels = 0;
  size_t symbols = 0;
  size_t postings = 0;
  size_t hash_table = 0;
  size_t arenas = 0;
  size_t columns = 0;
  size_t runs = 0;
  size_t sides = 0;
  size_t total() const { return series + labels + symbols + postings + hash_table + arenas + columns + runs + sides; }
};

struct NamedCount {
  std::string name;
  uint64_t count = 0;
};

// What /api/v1/status/tsdb shows.
struct HeadStatus {
  uint64_t series = 0;
  uint64_t label_pairs = 0;
  uint64_t chunks = 0;
  TimestampMs min_time = 0;
  TimestampMs max_time = 0;
  std::vector<NamedCount> series_by_metric;
  std::vector<NamedCount> values_by_label;
  std::vector<NamedCount> bytes_by_label;
  std::vector<NamedCount> series_by_pair;
};

// Thread-safe.
class Head {
 public:
  // `log` and `journal` outlive the head; the journal may be null.
  Head(const HeadOptions& options, CommitLog& log, SeriesJournal* journal);
  ~Head();
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;

  // Views and appenders must be gone before the head.
  std::shared_ptr<const View> OpenView(TimeRange range) const;
  Result<std::unique_ptr<BatchAppender>> OpenGroup(const GroupIdentity& identity);

  // The oldest and newest stored times; max and min of the type when empty.
  TimestampMs min_time() const { return min_time_.load(std::memory_order_acquire); }
  TimestampMs max_time() const { return max_time_.load(std::memory_order_acquire); }
  // Samples before it are refused, or late.
  TimestampMs min_valid_time() const { return min_valid_time_.load(std::memory_order_acquire); }
  // Raises it, and waits for the batches that are being committed.
  void SetMinValidTime(TimestampMs time);
  // Samples in order before it are in blocks: views that open from now on do not read them here.
  TimestampMs clip() const { return clip_.load(std::memory_order_acquire); }
  void SetClip(TimestampMs time);
  void SetOutOfOrderWindow(int64_t ms);
  int64_t out_of_order_window() const { return out_of_order_window_.load(std::memory_order_relaxed); }
  ExemplarRing& exemplars() { return exemplars_; }
  const ExemplarRing& exemplars() const { return exemplars_; }
  std::optional<MetricMetadata> Metadata(const std::string& metric) const;

  uint64_t series_count() const { return live_series_.load(std::memory_order_relaxed); }
  const HeadCounters& counters() const { return counters_; }
  HeadMemory Memory() const;
  HeadStatus Status(size_t limit) const;
  // Sums over the groups.
  GroupCounts CountTotals() const;

  // --- for replay: single-threaded but where something else is said, before anything else is called ---
  // Definitions come back in two steps. The first says which series live: replay needs nothing else. The second makes
  // them findable, and may run beside replay.
  Result<void> RestoreGroup(uint32_t id, const GroupIdentity& identity);
  // `first_lsn`: records before it mean an earlier life of the id.
  Result<void> RestoreSeries(uint32_t group, uint32_t id, uint32_t generation, uint64_t first_lsn);
  Result<void> RestoreRemoved(uint32_t id);
  Result<void> RestoreSymbol(SymbolId id, std::string_view text);
  // Does nothing when that life of the series is over. An error: the series is of no use and goes with FinishReplay.
  Result<void> IndexSeries(uint32_t id, uint32_t generation, LabelTuple labels);
  // Everything up to `lsn` is there already; what is above a group's applied_lsn() is not.
  void SetRestored(uint64_t lsn) { restored_lsn_ = lsn; }
  void RestoreTimes(TimestampMs min, TimestampMs max);
  // These numbers have samples but no series: nobody may get them.
  void NoteUnknown(std::span<const uint32_t> ids);
  // A logged batch is replayed in three steps. PrepareReplay takes out the rows that are in blocks already or whose
  // series is not defined, and may run for several batches at once. ReplayInto applies the rows of one group: for one
  // group in the order of the log, for several groups at once. FinishReplayOf does the rest, in the order of the log.
  struct ReplayPlan {
    std::vector<uint32_t> owners;   // groups that the rows concern
    std::vector<uint32_t> unknown;  // numbers of series that are not defined
    size_t dropped = 0;             // rows of them
  };
  void PrepareReplay(Batch& batch, uint64_t lsn, ReplayPlan& plan) const;
  void ReplayInto(uint32_t group, const Batch& batch, uint64_t lsn);
  void FinishReplayOf(const Batch& batch, uint64_t lsn, const ReplayPlan& plan);

  // What records up to `lsn` say about times before `time` is in blocks: Replay leaves it out.
  void SetInBlocks(TimestampMs time, uint64_t lsn);
  // After the last Restore, Index and Replay.
  void FinishReplay();

  // --- maintenance: one caller at a time ---
  void SealAll();
  // Drops what is older than `time` and was committed at most at `visible`, and the series that have nothing else.
  // False, and nothing is done, while a view is open that reads from before `time`: try again later.
  bool TruncateBefore(TimestampMs time, uint64_t visible);
  // Seals the groups that are some minutes of data behind and that nobody has written to since the last call, so that
  // their samples can leave memory. Meant for once a minute.
  void SealIdle();
  // Makes ids, labels, symbols and groups that nothing can name any more available again, as far as no view is in the
  // way: call it every now and then.
  void Reclaim();
  // Hides the samples of all series that match, from now on and after a restart.
  Result<void> Delete(std::span<const Matcher> matchers, TimeRange range);
  // The same for the series of these numbers, in ascending order.
  Result<void> DeleteSeries(std::span<const uint32_t> ids, TimeRange range);
  // Everything that is in the log but no sample: metadata, exemplars, deletions. For writing it again before the log's
  // old segments go.
  Batch Untimed() const;
  // The oldest late or histogram sample committed at most at `visible`; max when there is none.
  TimestampMs OldestLate(uint64_t visible) const;
  // Tells `journal` every definition that is still needed, as if all were new. `begin` is called first; from there on
  // the head's own journal hears of everything that `journal` does not.
  void NoteAll(SeriesJournal& journal, const std::function<void()>& begin);
  // Counts removals of series; an appender looks whether something went while it waited.
  uint64_t removals() const { return removals_.load(std::memory_order_acquire); }

  // --- for the appender and the view ---
  const HeadOptions& options() const { return options_; }
  CommitLog& log() const { return log_; }
  SeriesTable& series() { return series_; }
  const SeriesTable& series() const { return series_; }
  const SymbolTable& symbols() const { return symbols_; }
  const LabelStore& labels() const { return labels_; }
  const PostingsIndex& postings() const { return postings_; }
  Group& group(uint32_t id) const { return *groups_[id]; }
  size_t group_count() const { return groups_.size(); }
  UnspilledGroups& unspilled_groups() { return unspilled_; }
  HeadCounters& mutable_counters() { return counters_; }
  // The series with these labels, made in `group` when it is new.
  Result<SeriesRef> Intern(Group& group, const Labels& labels);
  SeriesRef Find(const Labels& labels) const;
  Labels LabelsOf(uint32_t id) const;
  // Every view, open or to come, sees all commits up to this number.
  uint64_t Settled() const;
  // An empty batch for the time of a commit; its memory is used by the next one.
  Batch TakeBatch();
  void GiveBatch(Batch batch);
  void NoteTimes(TimestampMs min, TimestampMs max);
  void SetMetadata(const std::string& metric, const MetricMetadata& metadata);
  // Pins a moment for a view: the number it sees stays unsettled, and what is behind its clip stays here, until it is
  // unpinned.
  struct Moment {
    uint64_t visible = 0;
    TimestampMs clip = 0;
    SymbolTable::Moment symbols = 0;
  };
  Moment Pin() const;
  void Unpin(const Moment& moment) const;

 private:
  // Series that are gone; their numbers and labels are reused once no view can name them.
  struct Grave {
    uint32_t id;
    LabelStore::Offset labels;
  };
  void NoteSymbol(SymbolId id, std::string_view text);
  void CollectGone(Group& group, TimestampMs time, PostingsIndex::Gone& gone);
  void ForgetMetadata();
  bool ViewsBefore(SymbolTable::Moment moment) const;
  void AwaitReaders() const;
  void ReclaimSeries();
  void ReclaimSymbols();
  void ReclaimGroups();
  Group& PlaceForGroup(uint32_t id, const GroupIdentity& identity);
  bool Unindex(SymbolId symbol);
  void DropRefused();
  std::optional<uint32_t> NewId(Group& group);
  Result<Group*> FindOrMakeGroup(const GroupIdentity& identity);
  void Place(uint32_t group, uint32_t id, uint32_t generation, uint64_t hash, LabelStore::Offset offset,
             LabelTuple labels);

  const HeadOptions options_;
  CommitLog& log_;
  SeriesJournal* const journal_;
  SymbolTable symbols_;
  LabelStore labels_;
  SeriesTable series_;
  UnspilledGroups unspilled_;
  LabelHashTable by_labels_;
  PostingsIndex postings_;
  ExemplarRing exemplars_;
  HeadCounters counters_;
  PagedArray<std::unique_ptr<Group>, 8, 65536> groups_;

  std::atomic<TimestampMs> min_time_;
  std::atomic<TimestampMs> max_time_;
  std::atomic<TimestampMs> min_valid_time_;
  std::atomic<TimestampMs> clip_;
  std::atomic<int64_t> out_of_order_window_;
  std::atomic<uint64_t> removals_{0};
  std::atomic<uint64_t> live_series_{0};

  std::mutex creation_;  // series and groups are made one at a time
  std::map<std::pair<GroupIdentity::Kind, std::string>, uint32_t> group_ids_;  // guarded by creation_
  std::vector<uint64_t> first_lsn_;                                            // only while replaying: by id
  uint64_t last_first_lsn_ = 0;           // only while replaying: the highest of first_lsn_
  std::vector<bool> indexed_;             // only while replaying, for IndexSeries: by id
  std::vector<uint32_t> unknown_ids_;     // only while replaying: the log names them, so nobody may get them
  TimestampMs in_blocks_time_ = kNoTime;  // only while replaying
  uint64_t in_blocks_lsn_ = 0;            // only while replaying
  uint64_t restored_lsn_ = 0;             // only while replaying
  std::vector<uint32_t> free_slabs_;      // guarded by creation_; first ids
  std::vector<uint32_t> free_groups_;     // guarded by creation_
  std::vector<bool> noted_symbols_;       // guarded by creation_; the journal has them
  std::vector<Grave> graves_;             // owned by maintenance
  uint64_t reclaimed_removals_ = 0;       // owned by maintenance; removals() when symbols were looked through
  SymbolTable::Moment graves_at_ = 0;     // owned by maintenance; views that may name a grave are older

  mutable std::mutex views_mutex_;
  mutable std::map<uint64_t, size_t> views_;               // guarded by views_mutex_; numbers pinned, how often
  mutable std::map<TimestampMs, size_t> clips_;            // guarded by views_mutex_; clips of open views, how often
  mutable std::map<SymbolTable::Moment, size_t> moments_;  // guarded by views_mutex_; likewise

  std::mutex batches_mutex_;
  std::vector<Batch> batches_;  // guarded by batches_mutex_; empty, with room

  mutable std::shared_mutex metadata_mutex_;
  std::unordered_map<std::string, MetricMetadata> metadata_;  // guarded by metadata_mutex_
};

}  // namespace epi::tsdb
