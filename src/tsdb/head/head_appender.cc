#include "tsdb/head/head_appender.h"

#include <algorithm>
#include <bit>
#include <limits>

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
           (*last.integer == *integer || (IsStaleNaN(last.integer->sum) && IsStaleNaN(integer->sum)));
  return last.floats != nullptr &&
         (*last.floats == *floats || (IsStaleNaN(last.floats->sum) && IsStaleNaN(floats->sum)));
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
    std::erase_if(samples, [&](const auto& sample) {
      if (!Usable(sample.ref)) return true;
      const uint32_t owner = head_.series().slab(RefId(sample.ref)).group;
      if (owner != group_.id() && std::find(owners_.begin(), owners_.end(), owner) == owners_.end())
        owners_.push_back(owner);
      return false;
    });
  };
  filter(floats_);
  filter(timed_);
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
  floats_indexed_ = false;
  late_floats_ = late_histograms_ = 0;
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
  return (on_dead_ == OnRefusal::kAbort && !report_.dead.empty()) ||
         (on_refusal_ == OnRefusal::kAbort && report_.any_sample_refused());
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
      AdmitFloat(sample.ref, at(sample), sample.value, sample.start_time, limits, true);
    }
    AdmitFloats(floats, floats_end, time, limits);
    floats = floats_end;
  };
  for (const auto& sample : histograms_) {
    admit_before(sample.after_floats, sample.after_timed);
    AdmitHistogram(sample, at(sample), limits);
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
      AdmitFloat(sample.ref, time, sample.value, 0, limits, false);
      continue;
    }
    slab.in_batch |= bit;
    if (floats_indexed_) admitted_[id] = {time, sample.value, false};
    batch_.series.push_back(id);
    batch_.values.push_back(sample.value);
    batch_.bases.push_back((slab.in_layout & bit) != 0 ? hot.last_value : 0.0);
    ++report_.accepted;
  }
}

LastSample HeadAppender::LastOf(uint32_t id, bool* in_batch) const {
  *in_batch = Marked(id);
  if (*in_batch) {
    const Admitted& earlier = admitted_.at(id);
    return {earlier.time, earlier.value, nullptr};
  }
  return GroupOf(id).Last(id);
}

// A second sample of a series may come: from now on admitted_ knows every first one.
void HeadAppender::IndexFloats() {
  if (floats_indexed_) return;
  for (size_t i = 0; i < batch_.series.size(); ++i)
    admitted_[batch_.series[i]] = {batch_.time, batch_.values[i], false};
  floats_indexed_ = true;
}

void HeadAppender::AdmitFloat(SeriesRef ref, TimestampMs time, double value, TimestampMs start_time,
                              const Limits& limits, bool timed) {
  const uint32_t id = RefId(ref);
  IndexFloats();
  bool in_batch = false;
  const LastSample last = LastOf(id, &in_batch);
  const bool last_is_histogram = last.histogram != nullptr || (in_batch && admitted_.at(id).histogram);
  const bool stale_over_histogram = IsStaleNaN(value) && last.histogram != nullptr;
  const bool same = stale_over_histogram ? IsStaleNaN(last.histogram->integer != nullptr ? last.histogram->integer->sum
                                                                                         : last.histogram->floats->sum)
                                         : !last_is_histogram && SameBits(last.value, value);
  const Fate fate = Judge(time, last.time, same, limits);
  if (fate == Fate::kSame) {
    ++report_.accepted;
    return;
  }
  NoteLateness(fate, time, limits);
  if (fate != Fate::kInOrder && fate != Fate::kLate) {
    RejectFate(fate, id, time, last, value, false);
    return;
  }
  ++report_.accepted;
  if (stale_over_histogram && fate == Fate::kInOrder && AdmitStaleHistogram(id, time, last, value)) return;
  if (fate == Fate::kInOrder) {
    admitted_[id] = {time, value, false};
    Mark(id);
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
    batch_.timed.push_back({id, time, value, start_time});
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
bool HeadAppender::AdmitStaleHistogram(uint32_t id, TimestampMs time, const LastSample& last, double value) {
  Batch::HistogramRow row{id, time, 0, nullptr, nullptr};
  if (last.histogram->integer != nullptr) {
    auto marker = std::make_shared<Histogram>();
    marker->sum = value;
    row.integer = std::move(marker);
  } else {
    auto marker = std::make_shared<FloatHistogram>();
    marker->sum = value;
    row.floats = std::move(marker);
  }
  admitted_[id] = {time, value, true};
  Mark(id);
  batch_.histograms.push_back(std::move(row));
  return true;
}

void HeadAppender::AdmitHistogram(const HistogramSample& sample, TimestampMs time, const Limits& limits) {
  const uint32_t id = RefId(sample.ref);
  const double sum = sample.integer != nullptr  ? sample.integer->sum
                     : sample.floats != nullptr ? sample.floats->sum
                                                : 0;
  const bool stale = IsStaleNaN(sum);
  const Result<void> valid = stale                       ? Result<void>()
                             : sample.integer != nullptr ? Validate(*sample.integer)
                             : sample.floats != nullptr  ? Validate(*sample.floats)
                                                        : Result<void>(Fail(ErrorCode::kInvalid, "no histogram given"));
  if (!valid) {
    Reject(RejectReason::kInvalidValue, id, time, true, valid.error().message());
    return;
  }
  IndexFloats();
  bool in_batch = false;
  const LastSample last = LastOf(id, &in_batch);
  const bool same =
      last.histogram != nullptr && SameHistogram(*last.histogram, sample.integer.get(), sample.floats.get());
  const Fate fate = Judge(time, last.time, same, limits);
  if (fate == Fate::kSame) {
    ++report_.accepted;
    return;
  }
  NoteLateness(fate, time, limits);
  if (fate != Fate::kInOrder && fate != Fate::kLate) {
    RejectFate(fate, id, time, last, sum, true);
    return;
  }
  ++report_.accepted;
  if (fate == Fate::kInOrder) {
    admitted_[id] = {time, sum, true};
    Mark(id);
  } else {
    ++late_histograms_;
  }
  batch_.histograms.push_back({id, time, sample.start_time, sample.integer, sample.floats});
}

void HeadAppender::AdmitExemplars() {
  for (const auto& pending : exemplars_) {
    const uint32_t id = RefId(pending.ref);
    Exemplar exemplar = pending.exemplar;
    if (!exemplar.has_time) {
      exemplar.time = batch_.time;
      exemplar.has_time = true;
    }
    std::string_view why;
    switch (head_.exemplars().Check(id, exemplar)) {
      case ExemplarRing::Verdict::kAccept:
        batch_.exemplars.push_back({id, std::move(exemplar)});
        continue;
      case ExemplarRing::Verdict::kSame:
      case ExemplarRing::Verdict::kDisabled:
        continue;
      case ExemplarRing::Verdict::kOutOfOrder:
        head_.mutable_counters().exemplars_out_of_order.fetch_add(1, std::memory_order_relaxed);
        why = "out of order exemplar";
        break;
      case ExemplarRing::Verdict::kLabelsTooLong:
        why = "label length for exemplar exceeds maximum of 128 UTF-8 characters";
        break;
    }
    Reject(RejectReason::kExemplar, id, exemplar.time, false, std::string(why));
  }
}

void HeadAppender::AdmitMetadata() {
  for (const auto& pending : metadata_) {
    const std::string metric(head_.LabelsOf(RefId(pending.ref)).MetricName());
    if (head_.Metadata(metric) == pending.metadata) continue;
    batch_.metadata.push_back({metric, pending.metadata});
  }
}

void HeadAppender::Reject(RejectReason reason, uint32_t id, TimestampMs time, bool histogram, std::string detail) {
  if (list_refusals_) {
    const uint32_t generation = head_.series().cold(id).generation.load(std::memory_order_acquire);
    report_.refusals.push_back({MakeRef(id, generation), time, reason, histogram});
  }
  auto& rejected = report_.rejected[static_cast<size_t>(reason)];
  if (rejected.count++ != 0) return;
  rejected.first = head_.LabelsOf(id);
  rejected.first_time = time;
  rejected.detail = std::move(detail);
}

void HeadAppender::RejectFate(Fate fate, uint32_t id, TimestampMs time, const LastSample& last, double value,
                              bool histogram) {
  HeadCounters& counters = head_.mutable_counters();
  switch (fate) {
    case Fate::kDuplicate: {
      std::string detail;
      if (!histogram) {
        const bool over = last.histogram != nullptr;
        detail = "duplicate sample for timestamp " + std::to_string(time) + "; overrides not allowed: existing " +
                 (over ? std::string("is a histogram") : FormatFloatGeneral(last.value)) + ", new value " +
                 FormatFloatGeneral(value);
      }
      Reject(RejectReason::kDuplicate, id, time, histogram, std::move(detail));
      return;
    }
    case Fate::kTooOld:
      counters.too_old.Of(histogram).fetch_add(1, std::memory_order_relaxed);
      Reject(RejectReason::kTooOld, id, time, histogram);
      return;
    case Fate::kOutOfBounds:
      counters.out_of_bounds.Of(histogram).fetch_add(1, std::memory_order_relaxed);
      Reject(RejectReason::kOutOfBounds, id, time, histogram);
      return;
    default:
      counters.out_of_order.Of(histogram).fetch_add(1, std::memory_order_relaxed);
      Reject(RejectReason::kOutOfOrder, id, time, histogram);
      return;
  }
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
}

}  // namespace epi::tsdb
