// What happened to alerts, on disk: the state that a restart goes on from, and the history of how it came about.
//
// Every change is written (to the system, not yet to the device) before anybody is told of the alert, so that a killed
// process forgets nothing; the device has it a second later, when whoever owns the journal heeds sync_due(). Each
// segment begins with the state of all alerts, so the newest one is enough to go on from and older ones are history
// only.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "model/matcher.h"
#include "rules/alert_event.h"
#include "rules/journal/journal_format.h"
#include "telemetry/log.h"

namespace epi::rules {

// Told what became of an alert that was sent. Thread-safe; does not wait.
class DeliveryObserver {
 public:
  virtual ~DeliveryObserver() = default;
  virtual void Delivered(DeliveryRecord delivery) = 0;
};

struct AlertJournalOptions {
  std::string directory;                                // made when it is not there
  int64_t history_ms = int64_t{30} * 24 * 3600 * 1000;  // older segments are removed; 0: only the state is kept
  uint64_t max_bytes = uint64_t{256} << 20;             // of all segments; the oldest make room
  uint64_t segment_bytes = uint64_t{8} << 20;           // beside the state at its beginning
};

struct HistoryQuery {
  TimestampMs start = 0;  // included, as the end is
  TimestampMs end = 0;
  std::string group;                             // "<file>;<group>"; empty: all
  std::string rule;                              // its name; empty: all
  std::vector<std::vector<Matcher>> label_sets;  // of the alert; one of them has to match; none: all
  size_t limit = 1000;                           // the newest so many
};

struct HistoryEntry {
  AlertEvent event;
  // Answers to the first notification after the event, and later ones where they differ.
  std::vector<DeliveryRecord> deliveries;
};

// Thread-safe.
class AlertJournal final : public DeliveryObserver {
 public:
  // Reads what is there and begins a new segment. Damage is logged, not an error. All references outlive the journal.
  static Result<std::unique_ptr<AlertJournal>> Open(FileSystem& files, Clock& clock, AlertJournalOptions options,
                                                    Logger logger);
  ~AlertJournal() override;

  // When rules were last evaluated before this start; nothing when there was no journal.
  std::optional<TimestampMs> alive_at() const { return alive_before_; }
  // The alerts of one rule as the last run left them.
  std::vector<Alert> StateOf(const RuleId& rule) const;

  // A failure to write is logged; the state is written whole when writing works again.
  void Record(const std::vector<AlertEvent>& events);
  // Notes, at most once a second, that rules are evaluated.
  void NoteAlive(TimestampMs time);
  // Forgets the alerts of all other rules.
  void KeepRules(const std::vector<std::shared_ptr<const RuleId>>& rules);
  // Answers that say the same as the one before about the same phase of an alert are not written again.
  void Delivered(DeliveryRecord delivery) override;
  void Sync();
  // When Sync() is to be called; INT64_MAX while there is nothing to sync. Does not wait for a sync under way.
  MonotonicNs sync_due() const { return sync_due_.load(std::memory_order_relaxed); }

  // The oldest first. Reads all segments of the range; memory is that of the answer.
  Result<std::vector<HistoryEntry>> History(const HistoryQuery& query) const;

 private:
  AlertJournal(FileSystem& files, Clock& clock, AlertJournalOptions options, Logger logger);
  struct StoredAlert {
    std::string payload;                         // of its last event
    std::map<std::string, std::string> answers;  // by Alertmanager; forgotten with the next event
  };
  using State = std::map<std::pair<std::string, std::string>, StoredAlert>;  // by encoded rule id, then label text

  std::string PathOf(uint64_t number) const;
  Result<std::vector<uint64_t>> Segments() const;
  Result<void> Load();
  // True when the file has its state whole; then the state of the journal is what the file leaves.
  bool LoadSegment(const std::string& path);
  static void Apply(const AlertEvent& event, std::string_view payload, State& state);
  void Begin();                             // a new segment; with mutex_ held
  void Append(const std::string& records);  // with mutex_ held
  void RemoveOld();                         // with mutex_ held

  FileSystem& files_;
  Clock& clock_;
  const AlertJournalOptions options_;
  Logger logger_;
  std::optional<TimestampMs> alive_before_;
  State before_;  // what was found

  mutable std::mutex mutex_;
  State state_;                                    // guarded by mutex_
  std::optional<TimestampMs> alive_;               // guarded by mutex_
  std::unique_ptr<File> file_;                     // guarded by mutex_; null when it could not be written
  uint64_t number_ = 0;                            // guarded by mutex_; of the newest segment
  uint64_t state_bytes_ = 0;                       // guarded by mutex_; at the beginning of the segment
  MonotonicNs begun_ = 0;                          // guarded by mutex_
  MonotonicNs synced_ = 0;                         // guarded by mutex_
  MonotonicNs noted_alive_ = INT64_MIN;            // guarded by mutex_
  std::atomic<MonotonicNs> sync_due_ = INT64_MAX;  // written with mutex_ held
  bool failing_ = false;                           // guarded by mutex_: the failure was logged
};

}  // namespace epi::rules
