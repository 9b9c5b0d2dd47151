// The one way into storage. A batch is atomic: one WAL record, one commit number, or nothing.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"

namespace epi {

// Names a series of the head: dense id and generation. 0 is never handed out. Valid until the series is removed; a
// Commit that meets a dead one reports it in AppendReport::dead instead of writing to another series.
enum class SeriesRef : uint64_t {};
inline constexpr SeriesRef kNoSeries{0};

// Why a sample was not stored. The texts are Prometheus's (storage/errors of the reference).
enum class RejectReason : unsigned char {
  kDuplicate,       // same time, other value: "duplicate sample for timestamp"
  kOutOfOrder,      // older than the newest and no out-of-order window: "out of order sample"
  kTooOld,          // outside the out-of-order window: "too old sample"
  kOutOfBounds,     // before the head's minimum valid time: "out of bounds"
  kSeriesLimit,     // a limit on series was reached
  kInvalidValue,    // a histogram that does not add up
  kExemplar,        // an exemplar older than its series' newest: "out of order exemplar"
  kExemplarLabels,  // an exemplar's labels are too long
};
inline constexpr size_t kRejectReasons = 8;
constexpr bool ConcernsExemplar(RejectReason reason) { return reason >= RejectReason::kExemplar; }
std::string_view RejectReasonText(RejectReason reason);

struct AppendReport {
  uint64_t commit = 0;  // the batch's commit number (its log sequence number)
  uint32_t accepted = 0;
  struct Rejected {
    uint32_t count = 0;
    Labels first;  // labels of the first refused sample
    TimestampMs first_time = 0;
    std::string detail;  // more about the first, where the reason alone does not say it
  };
  std::array<Rejected, kRejectReasons> rejected;
  // Each refused sample in the order added, only when the appender was asked to list them.
  struct Refusal {
    SeriesRef ref = kNoSeries;
    TimestampMs time = 0;
    RejectReason reason = RejectReason::kDuplicate;
    bool is_histogram = false;
    // Its place among the samples with times of their own, the histograms or the exemplars of the batch.
    uint32_t index = 0;
    std::string detail;  // as in Rejected
    std::string_view text() const { return detail.empty() ? RejectReasonText(reason) : std::string_view(detail); }
  };
  std::vector<Refusal> refusals;
  std::vector<SeriesRef> dead;  // refs that no longer name a series; their samples were not stored
  bool all_accepted() const;
  bool any_sample_refused() const;  // exemplars aside
};

// Collects one batch of one group and commits it. Not thread-safe; different appenders are independent. What is added
// is lost unless Commit succeeds. Reused: after Commit or Rollback it is empty and ready.
class BatchAppender {
 public:
  static constexpr TimestampMs kBatchTime = std::numeric_limits<TimestampMs>::min();  // "the time given to Commit"
  struct FloatSample {
    SeriesRef ref;
    double value;
  };
  struct TimedSample {
    SeriesRef ref;
    TimestampMs time;
    double value;
    TimestampMs start_time;     // 0 = none
    uint32_t after_floats = 0;  // how many Add() came before
    bool is_start_zero = false;
  };
  struct HistogramSample {
    SeriesRef ref;
    TimestampMs time;  // or kBatchTime
    TimestampMs start_time;
    std::shared_ptr<const Histogram> integer;  // exactly one of the two
    std::shared_ptr<const FloatHistogram> floats;
    // Set by AddHistogram: how many Add() and AddAt() came before.
    uint32_t after_floats = 0;
    uint32_t after_timed = 0;
    bool is_start_zero = false;  // as AddStartZero
  };
  struct PendingExemplar {
    SeriesRef ref;
    Exemplar exemplar;
  };

  // What a Commit does when samples are refused.
  enum class OnRefusal : unsigned char {
    kSkip,       // the others are stored
    kAbort,      // nothing is stored: `accepted` and `commit` of the report are 0
    kOnlyJudge,  // nothing is stored in any case
  };

  // What becomes of samples that would be stored out of order.
  enum class OnLate : unsigned char {
    kStore,
    kStoreSamples,  // stale markers are refused as out of order
    kRefuse,        // all are
  };

  virtual ~BatchAppender() = default;

  void set_on_refusal(OnRefusal policy) { on_refusal_ = policy; }
  // The same for refs that no longer name a series. With kAbort the caller interns them again and commits the whole
  // batch once more.
  void set_on_dead(OnRefusal policy) { on_dead_ = policy; }
  void set_on_late(OnLate policy) { on_late_ = policy; }
  // Fill AppendReport::refusals; costs time and memory per refused sample. Without it, what would store nothing anyway
  // is judged up to the first refusal only.
  void set_list_refusals(bool list) { list_refusals_ = list; }

  // The series with these labels, made new if needed. Slow path: once a series, the caller keeps the ref. kLimit when a
  // limit on series forbids a new one. Labels must be valid: non-empty, names and values valid UTF-8.
  virtual Result<SeriesRef> Intern(const Labels& labels) = 0;
  // kNoSeries when there is no such series (yet).
  virtual SeriesRef Find(const Labels& labels) const = 0;
  // Whether a sample at this time is out of bounds whatever its series; counted as refused when so. To be asked before
  // a series is made for it.
  virtual bool RefuseOutOfBounds(TimestampMs time, bool histogram) {
    static_cast<void>(time);
    static_cast<void>(histogram);
    return false;
  }

  // Samples at or after this time are not too old, whatever their series.
  virtual TimestampMs too_old_before() const { return std::numeric_limits<TimestampMs>::min(); }
  // Whether the series as it is now refuses a sample at this time as too old; counted as refused when so.
  virtual bool RefuseTooOld(SeriesRef ref, TimestampMs time, bool histogram) {
    static_cast<void>(ref);
    static_cast<void>(time);
    static_cast<void>(histogram);
    return false;
  }
  // Whether storage as it is now would refuse the sample, of which the time is given: for who has to know before the
  // commit. Counts nothing. Storage that cannot say, as that which is not loaded yet, says no.
  virtual bool WouldRefuse(const TimedSample& sample) const {
    static_cast<void>(sample);
    return false;
  }
  virtual bool WouldRefuse(const HistogramSample& sample) const {
    static_cast<void>(sample);
    return false;
  }

  // Samples of all kinds are judged and stored in the order of the calls, so a series may change kind within a batch.
  // Refused is what the series as it was before the batch refuses. What it would have taken but for an earlier sample
  // of the batch (of the same time, or newer without an out-of-order window) is left out and counted as accepted. The
  // hot path: one value at the batch's time.
  void Add(SeriesRef ref, double value) { floats_.push_back({ref, value}); }
  void AddMany(std::span<const FloatSample> samples) { floats_.insert(floats_.end(), samples.begin(), samples.end()); }
  void AddAt(SeriesRef ref, TimestampMs time, double value, TimestampMs start_time = 0) {
    timed_.push_back({ref, time, value, start_time, static_cast<uint32_t>(floats_.size())});
  }
  // The zero that a counter had at its start. When it cannot be stored in order it is left out, and that is neither
  // counted nor reported: as a rule it was stored long ago.
  void AddStartZero(SeriesRef ref, TimestampMs start) {
    AddAt(ref, start, 0);
    timed_.back().is_start_zero = true;
  }
  void AddHistogram(HistogramSample sample) {
    sample.after_floats = static_cast<uint32_t>(floats_.size());
    sample.after_timed = static_cast<uint32_t>(timed_.size());
    histograms_.push_back(std::move(sample));
  }
  void AddExemplar(SeriesRef ref, Exemplar exemplar) { exemplars_.push_back({ref, std::move(exemplar)}); }
  // Metadata of the metric a series belongs to; last one wins.
  virtual void SetMetadata(SeriesRef ref, const MetricMetadata& metadata) = 0;

  // Writes the batch: to the log before it returns, visible to views opened after it returned. `time` is what Add()
  // used. An error means nothing was stored. Refused samples are no error; they are in the report.
  virtual Result<AppendReport> Commit(TimestampMs time) = 0;
  void Rollback() {
    floats_.clear();
    timed_.clear();
    histograms_.clear();
    exemplars_.clear();
  }

 protected:
  std::vector<FloatSample> floats_;
  std::vector<TimedSample> timed_;
  std::vector<HistogramSample> histograms_;
  std::vector<PendingExemplar> exemplars_;
  OnRefusal on_refusal_ = OnRefusal::kSkip;
  OnRefusal on_dead_ = OnRefusal::kSkip;
  OnLate on_late_ = OnLate::kStore;
  bool list_refusals_ = false;
};

}  // namespace epi
