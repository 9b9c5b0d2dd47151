#include "tsdb/head/head_appender.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>
#include <utility>

#include "model/histogram_math.h"
#include "model/histogram_validate.h"
#include "model/number_format.h"

namespace epi::tsdb {
namespace {

constexpr size_t kKeptFloats = 64;

TimestampMs MinusClamped(TimestampMs a, int64_t b) {
  TimestampMs out = 0;
  return __builtin_sub_overflow(a, b, &out) ? std::numeric_limits<TimestampMs>::min() : out;
}

bool SameBits(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }

bool SameHistogram(const SeriesSide::HistogramEntry& last, const Histogram* integer, const FloatHistogram* floats) {
  if (integer != nullptr)
    return last.integer != nullptr &&
           (SameData(*last.integer, *integer) || (IsStaleNaN(last.integer->sum) && IsStaleNaN(integer->sum)));
  return last.floats != nullptr &&
         (SameData(*last.floats, *floats) || (IsStaleNaN(last.floats->sum) && IsStaleNaN(floats->sum)));
}

double SumOf(const SeriesSide::HistogramEntry& entry) {
  return entry.integer != nullptr ? entry.integer->sum : entry.floats->sum;
}

double SumOf(const BatchAppender::HistogramSample& sample) {
  return sample.integer != nullptr ? sample.integer->sum : sample.floats != nullptr ? sample.floats->sum : 0;
}

// Whether a sample of the same time would be no news.
bool SameAsLast(const LastSample& last, double value) {
  if (last.histogram == nullptr) return SameBits(last.value, value);
  return IsStaleNaN(value) && IsStaleNaN(SumOf(*last.histogram));
}

bool SameAsLast(const LastSample& last, const BatchAppender::HistogramSample& sample) {
  return last.histogram != nullptr && SameHistogram(*last.histogram, sample.integer.get(), sample.floats.get());
}

// Erases what is gone. How many are left of the first so many, or empty when none is gone.
template <typename Sample, typename IsGone>
std::vector<uint32_t> EraseGone(std::vector<Sample>& samples, IsGone is_gone) {
  std::vector<uint32_t> left;
  uint32_t kept = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (!left.empty()) left[i] = kept;
    if (is_gone(samples[i])) {
      if (!left.empty()) continue;
      left.resize(samples.size() + 1);
      std::iota(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(i) + 1, 0u);
      continue;
    }
    if (kept != i) samples[kept] = std::move(samples[i]);
    ++kept;
  }
  if (left.empty()) return left;
  left.back() = kept;
  samples.erase(samples.begin() + kept, samples.end());
  return left;
}

}  // namespace

HeadAppender::HeadAppender(Head& head, Group& group) : head_(head), group_(group) {
  head_.mutable_counters().active_appenders.fetch_add(1, std::memory_order_relaxed);
}

HeadAppender::~HeadAppender() {
  head_.mutable_counters().active_appenders.fetch_sub(1, std::memory_order_relaxed);
  group_.appenders.fetch_sub(1, std::memory_order_release);
}

Result<SeriesRef> HeadAppender::Intern(const Labels& labels) { return head_.Intern(group_, labels); }
SeriesRef HeadAppender::Find(const Labels& labels) const { return head_.Find(labels); }
void HeadAppender::SetMetadata(SeriesRef ref, const MetricMetadata& metadata) { metadata_.push_back({ref, metadata}); }

HeadAppender::Limits HeadAppender::CurrentLimits() const {
  TimestampMs newest = head_.max_time();
  if (newest == kNoTime) {
    // An empty head starts at the first sample of its first batch.
    if (!floats_.empty()) {
      newest = batch_.time;
    } else if (!timed_.empty()) {
      newest = timed_.front().time;
    } else if (!histograms_.empty()) {
      newest = histograms_.front().time == kBatchTime ? batch_.time : histograms_.front().time;
    }
  }
  const int64_t window = head_.out_of_order_window();
  if (far_behind_) return {newest, head_.min_valid_time(), std::numeric_limits<TimestampMs>::min(), window > 0};
  return {newest, std::max(head_.min_valid_time(), MinusClamped(newest, head_.options().group.block_range_ms / 2)),
          MinusClamped(newest, window), window > 0};
}

HeadAppender::Fate HeadAppender::Judge(TimestampMs time, TimestampMs last, bool same, const Limits& limits) {
  if (!limits.window && time < limits.min_valid) return Fate::kOutOfBounds;
  if (time >= limits.min_valid) {
    if (time > last) return Fate::kInOrder;
    if (time == last) return same ? Fate::kSame : Fate::kDuplicate;
  }
  if (limits.window) return time >= limits.too_old ? Fate::kLate : Fate::kTooOld;
  return Fate::kOutOfOrder;
}

bool HeadAppender::Usable(SeriesRef ref) {
  if (head_.series().Alive(ref)) [[likely]]
    return true;
  head_.mutable_counters().series_not_found.fetch_add(1, std::memory_order_relaxed);
  if (report_.dead.empty() || report_.dead.back() != ref) report_.dead.push_back(ref);
  return false;
}

// Takes the dead refs out, so that nothing later has to look, and names the groups that are concerned.
void HeadAppender::FindOwners() {
  owners_.clear();
  owners_.push_back(group_.id());
  const auto filter = [&](auto& samples) {
    return EraseGone(samples, [&](const auto& sample) {
      if (!Usable(sample.ref)) return true;
      const uint32_t owner = head_.series().slab(RefId(sample.ref)).group;
      if (owner != group_.id() && std::find(owners_.begin(), owners_.end(), owner) == owners_.end())
        owners_.push_back(owner);
      return false;
    });
  };
  // Of what is left, too, the place among the others is known.
  if (const auto left = filter(floats_); !left.empty()) {
    for (auto& sample : timed_) sample.after_floats = left[sample.after_floats];
    for (auto& sample : histograms_) sample.after_floats = left[sample.after_floats];
  }
  if (const auto left = filter(timed_); !left.empty()) {
    for (auto& sample : histograms_) sample.after_timed = left[sample.after_timed];
  }
  filter(histograms_);
  filter(exemplars_);
  filter(metadata_);
  std::sort(owners_.begin(), owners_.end());
}

// While the turns are held no series of these groups can go.
void HeadAppender::TakeTurns() {
  for (;;) {
    const uint64_t removals = head_.removals();
    FindOwners();
    for (const uint32_t owner : owners_) head_.group(owner).BeginTurn();
    if (head_.removals() == removals) return;
    for (const uint32_t owner : owners_) head_.group(owner).Abandon();
  }
}

Result<AppendReport> HeadAppender::Commit(TimestampMs time) {
  batch_ = head_.TakeBatch();
  auto report = CommitBatch(time);
  head_.GiveBatch(std::move(batch_));
  // There are thousands of appenders, most of which wait for their next scrape.
  if (floats_.capacity() > kKeptFloats) std::vector<FloatSample>().swap(floats_);
  return report;
}

Result<AppendReport> HeadAppender::CommitBatch(TimestampMs time) {
  report_ = {};
  batch_.group = group_.id();
  batch_.time = time;
  admitted_.clear();
  judged_ = {};
  floats_indexed_ = false;
  late_floats_ = late_histograms_ = 0;
  late_in_batch_.clear();
  left_out_.clear();
  exemplars_left_out_ = 0;
  TakeTurns();
  Admit(time);
  ClearMarks();
  if (Aborted()) {
    batch_.Clear();
    report_.accepted = 0;
    for (const uint32_t owner : owners_) head_.group(owner).Abandon();
    Rollback();
    metadata_.clear();
    return std::move(report_);
  }
  Result<void> done;
  if (batch_.empty()) {
    for (const uint32_t owner : owners_) head_.group(owner).Abandon();
    report_.commit = head_.log().written();
  } else {
    done = LogAndApply();
  }
  Rollback();
  metadata_.clear();
  if (!done) return Fail(done.error().WithContext("write to WAL"));
  CountAccepted();
  return std::move(report_);
}

bool HeadAppender::Aborted() const {
  return on_refusal_ == OnRefusal::kOnlyJudge || (on_dead_ == OnRefusal::kAbort && !report_.dead.empty()) ||
         (on_refusal_ == OnRefusal::kAbort && report_.any_sample_refused());
}

// Whether nothing will be stored whatever comes next, and nobody wants to know more than the first reason.
bool HeadAppender::Decided() const {
  return !list_refusals_ && on_refusal_ != OnRefusal::kSkip && report_.any_sample_refused();
}

void HeadAppender::Admit(TimestampMs time) {
  AdmitAll(time);
  const auto by_time = [](const Batch::Timed& a, const Batch::Timed& b) { return a.time < b.time; };
  if (!std::is_sorted(batch_.timed.begin(), batch_.timed.end(), by_time)) {
    std::stable_sort(batch_.timed.begin(), batch_.timed.end(), by_time);
  }
  AdmitExemplars();
  AdmitMetadata();
}

// In the order of the calls: what has times of its own remembers how many plain samples came before it.
void HeadAppender::AdmitAll(TimestampMs time) {
  const Limits limits = CurrentLimits();
  const auto at = [time](const auto& sample) { return sample.time == kBatchTime ? time : sample.time; };
  size_t floats = 0;
  size_t timed = 0;
  const auto admit_before = [&](size_t floats_end, size_t timed_end) {
    for (; timed < timed_end; ++timed) {
      const TimedSample& sample = timed_[timed];
      AdmitFloats(floats, sample.after_floats, time, limits);
      floats = sample.after_floats;
      AdmitFloat(sample, at(sample), limits, static_cast<uint32_t>(timed), true);
      if (Decided()) return;
    }
    AdmitFloats(floats, floats_end, time, limits);
    floats = floats_end;
  };
  for (uint32_t index = 0; index < histograms_.size(); ++index) {
    const HistogramSample& sample = histograms_[index];
    admit_before(sample.after_floats, sample.after_timed);
    if (Decided()) return;
    AdmitHistogram(sample, at(sample), limits, index);
    if (Decided()) return;
  }
  admit_before(floats_.size(), timed_.size());
}

void HeadAppender::AdmitFloats(size_t first, size_t end, TimestampMs time, const Limits& limits) {
  if (first == end) return;
  // The usual scrape: newer than everything in its group, so that the last time of no series matters.
  const bool newest = time > group_.newest_time() && time >= limits.min_valid;
  SeriesTable& series = head_.series();
  for (size_t i = first; i < end; ++i) {
    const FloatSample& sample = floats_[i];
    const uint32_t id = RefId(sample.ref);
    Slab& slab = series.slab(id);
    const uint64_t bit = uint64_t{1} << (id % Slab::kSeries);
    const HotRecord& hot = slab.hot[id % Slab::kSeries];
    if (!newest || slab.group != group_.id() || (slab.in_batch & bit) != 0 ||
        (hot.Has(HotRecord::kSide) && IsStaleNaN(sample.value))) {
      AdmitFloat({sample.ref, time, sample.value, 0}, time, limits, static_cast<uint32_t>(i), false);
      continue;
    }
    slab.in_batch |= bit;
    if (floats_indexed_) {
      admitted_[id] = {time, sample.value, Kind::kFloat};
      judged_ = {};
    }
    batch_.series.push_back(id);
    batch_.values.push_back(sample.value);
    batch_.bases.push_back((slab.in_layout & bit) != 0 ? hot.last_value : 0.0);
    ++report_.accepted;
  }
}

// A second sample of a series may come: from now on admitted_ knows every first one.
void HeadAppender::IndexFloats() {
  if (floats_indexed_) return;
  for (size_t i = 0; i < batch_.series.size(); ++i)
    admitted_[batch_.series[i]] = {batch_.time, batch_.values[i], Kind::kFloat};
  floats_indexed_ = true;
}

void HeadAppender::LookAt(uint32_t id) {
  if (judged_.id == id) return;
  judged_ = {id, GroupOf(id).Last(id), Marked(id) ? &admitted_.at(id) : nullptr};
}

// Of the judged series.
void HeadAppender::NoteAdmitted(Admitted sample) {
  if (judged_.admitted == nullptr) {
    judged_.admitted = &admitted_[judged_.id];
    Mark(judged_.id);
  }
  *judged_.admitted = sample;
}

// A sample that its series as it was before the batch would take, against what the batch puts before it. What fails
// here is left out and counted, and nobody is told: so does Prometheus, which judges again when it commits.
bool HeadAppender::StandsInBatch(TimestampMs time, bool histogram, const Limits& limits, Fate& fate) {
  if (judged_.admitted != nullptr) {
    fate = Judge(time, judged_.admitted->time, false, limits);
    if (IsRefusal(fate)) left_out_.emplace_back(fate, histogram);
  }
  const uint32_t id = judged_.id;
  if (fate == Fate::kLate) return late_in_batch_.emplace(id, time).second && !GroupOf(id).HasRecentLate(id, time);
  return fate == Fate::kInOrder;
}

// The fate of a sample that Judge would store late.
HeadAppender::Fate HeadAppender::LateOne(bool stale) const {
  const bool stored = on_late_ == OnLate::kStore || (on_late_ == OnLate::kStoreSamples && !stale);
  return stored ? Fate::kLate : Fate::kOutOfOrder;
}

void HeadAppender::AdmitFloat(const TimedSample& sample, TimestampMs time, const Limits& limits, uint32_t index,
                              bool timed) {
  const uint32_t id = RefId(sample.ref);
  const double value = sample.value;
  IndexFloats();
  LookAt(id);
  const LastSample& last = judged_.last;
  const bool stale = IsStaleNaN(value);
  Fate fate = Judge(time, last.time, SameAsLast(last, value), limits);
  if (sample.is_start_zero && fate != Fate::kInOrder) return;
  if (fate == Fate::kLate) fate = LateOne(stale);
  NoteLateness(fate, time, limits);
  if (IsRefusal(fate)) {
    RejectFate(fate, id, time, last, value, index, false);
    return;
  }
  ++report_.accepted;
  const bool in_batch = judged_.admitted != nullptr;
  if (!StandsInBatch(time, false, limits, fate)) return;
  if (fate == Fate::kInOrder) {
    const Kind before = in_batch                             ? judged_.admitted->kind
                        : last.histogram == nullptr          ? Kind::kFloat
                        : last.histogram->integer != nullptr ? Kind::kHistogram
                                                             : Kind::kFloatHistogram;
    if (stale && before != Kind::kFloat) {
      AdmitStaleHistogram(time, before, value);
      return;
    }
    NoteAdmitted({time, value, Kind::kFloat});
  } else {
    ++late_floats_;
  }
  const Slab& slab = head_.series().slab(id);
  if (!timed && fate == Fate::kInOrder && !in_batch && slab.group == group_.id()) {
    batch_.series.push_back(id);
    batch_.values.push_back(value);
    batch_.bases.push_back(((slab.in_layout >> (id % Slab::kSeries)) & 1) != 0 ? slab.hot[id % Slab::kSeries].last_value
                                                                               : 0.0);
  } else {
    batch_.timed.push_back({id, time, value, sample.start_time});
  }
}

// How far behind the newest sample of the head it is: for every sample that cannot go in order, unless it lies before
// what the head takes at all.
void HeadAppender::NoteLateness(Fate fate, TimestampMs time, const Limits& limits) const {
  if (fate != Fate::kLate && fate != Fate::kTooOld && fate != Fate::kOutOfOrder) return;
  Observer* const seconds = head_.options().late_seconds;
  if (seconds == nullptr || time >= limits.newest) return;
  seconds->Observe((static_cast<double>(limits.newest) - static_cast<double>(time)) / 1000);
}

// A stale marker ends a histogram series as a histogram.
void HeadAppender::AdmitStaleHistogram(TimestampMs time, Kind kind, double value) {
  Batch::HistogramRow row{judged_.id, time, 0, nullptr, nullptr};
  if (kind == Kind::kHistogram) {
    auto marker = std::make_shared<Histogram>();
    marker->sum = value;
    row.integer = std::move(marker);
  } else {
    auto marker = std::make_shared<FloatHistogram>();
    marker->sum = value;
    row.floats = std::move(marker);
  }
  NoteAdmitted({time, value, kind});
  batch_.histograms.push_back(std::move(row));
}

void HeadAppender::AdmitHistogram(const HistogramSample& sample, TimestampMs time, const Limits& limits,
                                  uint32_t index) {
  const uint32_t id = RefId(sample.ref);
  const double sum = SumOf(sample);
  const bool stale = IsStaleNaN(sum);
  // What is out of bounds is that, whatever else it is.
  const bool out = !limits.window && time < limits.min_valid;
  const Result<void> valid = stale || out                ? Result<void>()
                             : sample.integer != nullptr ? Validate(*sample.integer)
                             : sample.floats != nullptr  ? Validate(*sample.floats)
                                                        : Result<void>(Fail(ErrorCode::kInvalid, "no histogram given"));
  if (!valid) {
    Reject(RejectReason::kInvalidValue, id, time, index, true, valid.error().message());
    return;
  }
  IndexFloats();
  LookAt(id);
  const LastSample& last = judged_.last;
  Fate fate = Judge(time, last.time, SameAsLast(last, sample), limits);
  if (sample.is_start_zero && fate != Fate::kInOrder) return;
  if (fate == Fate::kLate) fate = LateOne(stale);
  NoteLateness(fate, time, limits);
  if (IsRefusal(fate)) {
    RejectFate(fate, id, time, last, sum, index, true);
    return;
  }
  ++report_.accepted;
  if (!StandsInBatch(time, true, limits, fate)) return;
  if (fate == Fate::kInOrder) {
    NoteAdmitted({time, sum, sample.integer != nullptr ? Kind::kHistogram : Kind::kFloatHistogram});
  } else {
    ++late_histograms_;
  }
  batch_.histograms.push_back({id, time, sample.start_time, sample.integer, sample.floats});
}

void HeadAppender::AdmitExemplars() {
  boost::unordered_flat_map<uint32_t, size_t> newest;  // of the batch's exemplars, by series
  for (uint32_t index = 0; index < exemplars_.size(); ++index) {
    const auto& pending = exemplars_[index];
    const uint32_t id = RefId(pending.ref);
    Exemplar exemplar = pending.exemplar;
    if (!exemplar.has_time) {
      exemplar.time = batch_.time;
      exemplar.has_time = true;
    }
    using Verdict = ExemplarRing::Verdict;
    switch (head_.exemplars().Check(id, exemplar)) {
      case Verdict::kAccept:
        break;
      case Verdict::kSame:
      case Verdict::kDisabled:
        continue;
      case Verdict::kOutOfOrder:
        Reject(RejectReason::kExemplar, id, exemplar.time, index, false, "out of order exemplar");
        continue;
      case Verdict::kLabelsTooLong:
        Reject(RejectReason::kExemplarLabels, id, exemplar.time, index, false,
               "label length for exemplar exceeds maximum of 128 UTF-8 characters");
        continue;
    }
    // As with samples, what only those before it in the batch keep out is counted and no refusal.
    const auto [latest, first] = newest.try_emplace(id, batch_.exemplars.size());
    if (!first) {
      const Exemplar& before = batch_.exemplars[latest->second].exemplar;
      const Verdict verdict = head_.exemplars().Check(id, exemplar, &before);
      if (verdict == Verdict::kOutOfOrder) ++exemplars_left_out_;
      if (verdict != Verdict::kAccept) continue;
      if (exemplar.time >= before.time) latest->second = batch_.exemplars.size();
    }
    batch_.exemplars.push_back({id, std::move(exemplar)});
  }
}

void HeadAppender::AdmitMetadata() {
  for (const auto& pending : metadata_) {
    const std::string metric(head_.LabelsOf(RefId(pending.ref)).MetricName());
    if (head_.Metadata(metric) == pending.metadata) continue;
    batch_.metadata.push_back({metric, pending.metadata});
  }
}

void HeadAppender::Reject(RejectReason reason, uint32_t id, TimestampMs time, uint32_t index, bool histogram,
                          std::string detail) {
  if (list_refusals_) {
    const uint32_t generation = head_.series().cold(id).generation.load(std::memory_order_acquire);
    report_.refusals.push_back({MakeRef(id, generation), time, reason, histogram, index, detail});
  }
  auto& rejected = report_.rejected[static_cast<size_t>(reason)];
  if (rejected.count++ != 0) return;
  rejected.first = head_.LabelsOf(id);
  rejected.first_time = time;
  rejected.detail = std::move(detail);
}

void HeadAppender::CountRefused(Fate fate, bool histogram) const {
  HeadCounters& counters = head_.mutable_counters();
  if (fate == Fate::kTooOld) counters.too_old.Of(histogram).fetch_add(1, std::memory_order_relaxed);
  if (fate == Fate::kOutOfBounds) counters.out_of_bounds.Of(histogram).fetch_add(1, std::memory_order_relaxed);
  if (fate == Fate::kOutOfOrder) counters.out_of_order.Of(histogram).fetch_add(1, std::memory_order_relaxed);
}

void HeadAppender::RejectFate(Fate fate, uint32_t id, TimestampMs time, const LastSample& last, double value,
                              uint32_t index, bool histogram) {
  CountRefused(fate, histogram);
  switch (fate) {
    case Fate::kDuplicate: {
      std::string detail;
      if (!histogram) {
        const bool over = last.histogram != nullptr;
        detail = "duplicate sample for timestamp " + std::to_string(time) + "; overrides not allowed: existing " +
                 (over ? std::string("is a histogram") : FormatFloatGeneral(last.value)) + ", new value " +
                 FormatFloatGeneral(value);
      }
      Reject(RejectReason::kDuplicate, id, time, index, histogram, std::move(detail));
      return;
    }
    case Fate::kTooOld:
      Reject(RejectReason::kTooOld, id, time, index, histogram);
      return;
    case Fate::kOutOfBounds:
      Reject(RejectReason::kOutOfBounds, id, time, index, histogram);
      return;
    default:
      Reject(RejectReason::kOutOfOrder, id, time, index, histogram);
      return;
  }
}

bool HeadAppender::RefuseOutOfBounds(TimestampMs time, bool histogram) {
  const Limits limits = CurrentLimits();
  if (limits.newest == kNoTime || limits.window || time >= limits.min_valid) return false;
  CountRefused(Fate::kOutOfBounds, histogram);
  return true;
}

template <typename IsSame>
HeadAppender::Fate HeadAppender::FateNow(SeriesRef ref, TimestampMs time, IsSame is_same) const {
  if (head_.max_time() == kNoTime || !head_.series().Alive(ref)) return Fate::kInOrder;
  const uint32_t id = RefId(ref);
  const Group& group = GroupOf(id);
  const auto lock = group.LockShared();
  const LastSample last = group.Last(id);
  return Judge(time, last.time, is_same(last), CurrentLimits());
}

TimestampMs HeadAppender::too_old_before() const {
  if (head_.max_time() == kNoTime || head_.out_of_order_window() == 0) return std::numeric_limits<TimestampMs>::min();
  return CurrentLimits().too_old;
}

bool HeadAppender::RefuseTooOld(SeriesRef ref, TimestampMs time, bool histogram) {
  const Fate fate = FateNow(ref, time, [](const LastSample&) { return true; });
  if (fate != Fate::kTooOld) return false;
  CountRefused(fate, histogram);
  return true;
}

bool HeadAppender::WouldRefuse(const TimedSample& sample) const {
  const Fate fate =
      FateNow(sample.ref, sample.time, [&](const LastSample& last) { return SameAsLast(last, sample.value); });
  return IsRefusal(fate == Fate::kLate ? LateOne(IsStaleNaN(sample.value)) : fate);
}

bool HeadAppender::WouldRefuse(const HistogramSample& sample) const {
  const Fate fate = FateNow(sample.ref, sample.time, [&](const LastSample& last) { return SameAsLast(last, sample); });
  return IsRefusal(fate == Fate::kLate ? LateOne(IsStaleNaN(SumOf(sample))) : fate);
}

// A mark tells that a batch has admitted a sample of the series; nobody needs it beyond admission.
void HeadAppender::ClearMarks() {
  for (const uint32_t id : batch_.series) head_.series().slab(id).in_batch = 0;
  for (const auto& [id, sample] : admitted_) head_.series().slab(id).in_batch = 0;
}

Result<void> HeadAppender::LogAndApply() {
  CommitLog::Appended appended;
  {
    // The number is taken under the locks of all groups concerned and announced there: a reader that sees the number
    // waits for the groups.
    std::vector<std::unique_lock<std::shared_mutex>> locks;
    locks.reserve(owners_.size());
    for (const uint32_t owner : owners_) locks.push_back(head_.group(owner).Lock());
    auto result = head_.log().Append(batch_, group_.chain());
    if (!result) {
      locks.clear();
      group_.chain().valid = false;
      for (const uint32_t owner : owners_) head_.group(owner).Abandon();
      return Fail(result.error());
    }
    appended = std::move(*result);
    for (const uint32_t owner : owners_) head_.group(owner).Announce(appended.lsn);
  }
  if (appended.layout_changed) {
    SeriesTable& series = head_.series();
    for (const uint32_t id : appended.previous_layout)
      series.slab(id).in_layout &= ~(uint64_t{1} << (id % Slab::kSeries));
    for (const uint32_t id : group_.chain().series) series.slab(id).in_layout |= uint64_t{1} << (id % Slab::kSeries);
  }
  if (auto written = head_.log().AwaitWritten(appended.lsn); !written) {
    group_.chain().valid = false;
    for (const uint32_t owner : owners_) head_.group(owner).Abandon();
    return written;
  }
  const Group::Moment moment{appended.lsn, head_.Settled(), head_.min_valid_time()};
  // Times first: a view that may see the samples must not find them outside the head's range.
  if (!batch_.series.empty()) head_.NoteTimes(batch_.time, batch_.time);
  if (!batch_.timed.empty()) head_.NoteTimes(batch_.timed.front().time, batch_.timed.back().time);
  for (const auto& row : batch_.histograms) head_.NoteTimes(row.time, row.time);
  // Within the turn, so that a snapshot of the head has all or nothing of a batch.
  for (const auto& row : batch_.exemplars) head_.exemplars().Add(row.series, row.exemplar);
  for (const auto& row : batch_.metadata) head_.SetMetadata(row.metric, row.metadata);
  for (const uint32_t owner : owners_) head_.group(owner).Apply(batch_, moment);
  report_.commit = appended.lsn;
  return {};
}

void HeadAppender::CountAccepted() {
  HeadCounters& counters = head_.mutable_counters();
  counters.late_appended.floats.fetch_add(late_floats_, std::memory_order_relaxed);
  counters.late_appended.histograms.fetch_add(late_histograms_, std::memory_order_relaxed);
  counters.appended.floats.fetch_add(batch_.series.size() + batch_.timed.size(), std::memory_order_relaxed);
  counters.appended.histograms.fetch_add(batch_.histograms.size(), std::memory_order_relaxed);
  counters.exemplars_appended.fetch_add(batch_.exemplars.size(), std::memory_order_relaxed);
  counters.exemplars_out_of_order.fetch_add(exemplars_left_out_, std::memory_order_relaxed);
  for (const auto& [fate, histogram] : left_out_) CountRefused(fate, histogram);
}

}  // namespace epi::tsdb
