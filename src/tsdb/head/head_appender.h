// One writer of a group: admission, the log, then the head.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "storage/appender.h"
#include "tsdb/head/head.h"

namespace epi::tsdb {

class HeadAppender final : public BatchAppender {
 public:
  HeadAppender(Head& head, Group& group);
  ~HeadAppender() override;
  Result<SeriesRef> Intern(const Labels& labels) override;
  SeriesRef Find(const Labels& labels) const override;
  void SetMetadata(SeriesRef ref, const MetricMetadata& metadata) override;
  Result<AppendReport> Commit(TimestampMs time) override;
  bool RefuseOutOfBounds(TimestampMs time, bool histogram) override;
  TimestampMs too_old_before() const override;
  bool RefuseTooOld(SeriesRef ref, TimestampMs time, bool histogram) override;
  bool WouldRefuse(const TimedSample& sample) const override;
  bool WouldRefuse(const HistogramSample& sample) const override;
  // From now on a sample may be any time older than the newest of the head, as long as it is newer than its own series
  // and not before the head's minimum: for taking over a head series by series.
  void AdmitFarBehindNewest() { far_behind_ = true; }

 private:
  enum class Kind : unsigned char { kFloat, kHistogram, kFloatHistogram };
  // What a batch has admitted for a series so far, for a second sample of it.
  struct Admitted {
    TimestampMs time;
    double value;
    Kind kind;
  };
  // The series whose samples are being judged. Samples with times of their own come series by series, so what is known
  // of one is looked up once.
  struct Judged {
    uint32_t id = kNoSeriesId;
    LastSample last;               // before the batch
    Admitted* admitted = nullptr;  // by the batch; null when nothing is
  };
  struct Limits {
    TimestampMs newest;     // of the head
    TimestampMs min_valid;  // older: out of bounds
    TimestampMs too_old;    // older: outside the out-of-order window
    bool window;            // there is one
  };
  // The outcome for a sample against the series' last one.
  enum class Fate : unsigned char { kInOrder, kLate, kSame, kDuplicate, kOutOfOrder, kTooOld, kOutOfBounds };
  static bool IsRefusal(Fate fate) { return fate >= Fate::kDuplicate; }

  Result<AppendReport> CommitBatch(TimestampMs time);
  Limits CurrentLimits() const;
  void FindOwners();
  void TakeTurns();
  bool Usable(SeriesRef ref);
  void Admit(TimestampMs time);
  void AdmitAll(TimestampMs time);
  bool Aborted() const;
  bool Decided() const;
  void IndexFloats();
  void AdmitFloats(size_t first, size_t end, TimestampMs time, const Limits& limits);
  void AdmitFloat(const TimedSample& sample, TimestampMs time, const Limits& limits, uint32_t index, bool timed);
  void AdmitHistogram(const HistogramSample& sample, TimestampMs time, const Limits& limits, uint32_t index);
  void AdmitStaleHistogram(TimestampMs time, Kind kind, double value);
  void LookAt(uint32_t id);
  void NoteAdmitted(Admitted sample);
  bool StandsInBatch(TimestampMs time, bool histogram, const Limits& limits, Fate& fate);
  void AdmitExemplars();
  void AdmitMetadata();
  static Fate Judge(TimestampMs time, TimestampMs last, bool same, const Limits& limits);
  Fate LateOne(bool stale) const;
  // Of a sample against the series as it is now, outside of a commit.
  template <typename IsSame>
  Fate FateNow(SeriesRef ref, TimestampMs time, IsSame is_same) const;
  void NoteLateness(Fate fate, TimestampMs time, const Limits& limits) const;
  void Reject(RejectReason reason, uint32_t id, TimestampMs time, uint32_t index, bool histogram,
              std::string detail = {});
  void RejectFate(Fate fate, uint32_t id, TimestampMs time, const LastSample& last, double value, uint32_t index,
                  bool histogram);
  void CountRefused(Fate fate, bool histogram) const;
  Result<void> LogAndApply();
  void ClearMarks();
  void CountAccepted();

  Group& GroupOf(uint32_t id) const { return head_.group(head_.series().slab(id).group); }
  bool Marked(uint32_t id) const { return ((head_.series().slab(id).in_batch >> (id % Slab::kSeries)) & 1) != 0; }
  void Mark(uint32_t id) { head_.series().slab(id).in_batch |= uint64_t{1} << (id % Slab::kSeries); }

  Head& head_;
  Group& group_;
  Batch batch_;
  AppendReport report_;
  std::vector<uint32_t> owners_;  // groups whose series the batch names, ascending
  boost::unordered_flat_map<uint32_t, Admitted> admitted_;
  Judged judged_;
  boost::unordered_flat_set<std::pair<uint32_t, TimestampMs>> late_in_batch_;
  std::vector<std::pair<Fate, bool>> left_out_;  // and whether it is a histogram, to be counted
  uint64_t exemplars_left_out_ = 0;
  uint64_t late_floats_ = 0;  // of the batch, for the counters
  uint64_t late_histograms_ = 0;
  bool far_behind_ = false;
  bool floats_indexed_ = false;  // admitted_ has batch_.series too
  struct PendingMetadata {
    SeriesRef ref;
    MetricMetadata metadata;
  };
  std::vector<PendingMetadata> metadata_;
};

}  // namespace epi::tsdb
