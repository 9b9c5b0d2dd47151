#include "tsdb/block/merge_selections.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "tsdb/block/series_arrays.h"

namespace epi::tsdb {
namespace {

// A series of one input.
struct Part {
  uint32_t input = 0;
  uint32_t index = 0;
};

// Compares label sets by text; equal ids are equal text.
int CompareLabels(LabelTuple a, LabelTuple b, const SymbolSpace& symbols) {
  const size_t shorter = std::min(a.size(), b.size());
  for (size_t i = 0; i < shorter; ++i) {
    if (a[i].name != b[i].name) return symbols.Text(a[i].name).compare(symbols.Text(b[i].name));
    if (a[i].value != b[i].value) return symbols.Text(a[i].value).compare(symbols.Text(b[i].value));
  }
  return a.size() < b.size() ? -1 : a.size() > b.size() ? 1 : 0;
}

// Walks the floats and histograms of one series together.
class SampleWalk {
 public:
  explicit SampleWalk(const SeriesSamples& samples) : samples_(&samples) { Settle(); }
  bool done() const { return time_ == kDone && exhausted_; }
  TimestampMs time() const { return time_; }
  bool is_histogram() const { return histogram_next_; }
  double value() const { return samples_->v[float_]; }
  TimestampMs start() const { return samples_->start_times.empty() ? 0 : samples_->start_times[float_]; }
  const HistogramPoint& histogram() const { return samples_->histograms[point_]; }
  void Next() {
    ++(histogram_next_ ? point_ : float_);
    Settle();
  }

 private:
  static constexpr TimestampMs kDone = std::numeric_limits<TimestampMs>::max();
  void Settle() {
    const bool floats = float_ < samples_->t.size();
    const bool points = point_ < samples_->histograms.size();
    exhausted_ = !floats && !points;
    histogram_next_ = points && (!floats || samples_->histograms[point_].t < samples_->t[float_]);
    time_ = exhausted_ ? kDone : histogram_next_ ? samples_->histograms[point_].t : samples_->t[float_];
  }
  const SeriesSamples* samples_;
  size_t float_ = 0;
  size_t point_ = 0;
  TimestampMs time_ = kDone;
  bool histogram_next_ = false;
  bool exhausted_ = false;
};

TimestampMs FirstTime(const SeriesSamples& s) { return SampleWalk(s).time(); }
TimestampMs LastTime(const SeriesSamples& s) {
  TimestampMs last = std::numeric_limits<TimestampMs>::min();
  if (!s.t.empty()) last = s.t.back();
  if (!s.histograms.empty()) last = std::max(last, s.histograms.back().t);
  return last;
}
bool Empty(const SeriesSamples& s) { return s.t.empty() && s.histograms.empty(); }

void AppendHistogram(SeriesArrays& out, const HistogramPoint& point, bool other_source) {
  const CounterResetHint hint = point.h->counter_reset_hint;
  const bool compared = hint == CounterResetHint::kNotReset || hint == CounterResetHint::kReset;
  if (!other_source || !compared) {
    out.AddHistogram(point);
    return;
  }
  FloatHistogram& copy = out.AddHistogram(point.t, point.start_time, point.integer);
  copy = *point.h;
  copy.counter_reset_hint = CounterResetHint::kUnknown;
}

void AppendWhole(SeriesArrays& out, const SeriesSamples& s, bool other_source) {
  if (!s.t.empty()) {
    const auto room = out.AddFloats(s.t.size(), !s.start_times.empty());
    std::copy(s.t.begin(), s.t.end(), room.times);
    std::copy(s.v.begin(), s.v.end(), room.values);
    if (room.starts != nullptr) std::copy(s.start_times.begin(), s.start_times.end(), room.starts);
  }
  for (const auto& point : s.histograms) {
    AppendHistogram(out, point, other_source);
    other_source = false;
  }
}

// Sample by sample; parts in order of preference.
void AppendOverlapping(SeriesArrays& out, std::span<const SeriesSamples* const> parts) {
  std::vector<SampleWalk> walks;
  for (const auto* part : parts) walks.emplace_back(*part);
  size_t before = parts.size();  // whose sample came last
  while (true) {
    size_t next = parts.size();
    for (size_t i = 0; i < walks.size(); ++i) {
      if (walks[i].done()) continue;
      if (next == parts.size() || walks[i].time() < walks[next].time()) next = i;
    }
    if (next == parts.size()) return;
    SampleWalk& walk = walks[next];
    const TimestampMs time = walk.time();
    if (walk.is_histogram()) {
      AppendHistogram(out, walk.histogram(), before != parts.size() && before != next);
    } else {
      out.AddFloat(time, walk.value(), walk.start());
    }
    before = next;
    for (auto& other : walks)
      while (!other.done() && other.time() == time) other.Next();
  }
}

struct MergeScratch final : SeriesBatch::Scratch {
  SeriesArrays arrays;
  std::vector<SeriesBatch> inputs;  // one for each run of series read from an input
};

class MergedSelection final : public SeriesSelection {
 public:
  MergedSelection(std::vector<std::unique_ptr<SeriesSelection>> inputs, const SymbolSpace& symbols)
      : inputs_(std::move(inputs)) {
    Merge(symbols);
  }
  size_t size() const override { return begins_.size(); }
  LabelTuple labels(size_t index) const override {
    const Part& part = parts_[begins_[index]];
    return inputs_[part.input]->labels(part.index);
  }
  Result<void> Read(size_t first, size_t count, SeriesBatch& batch) const override;

 private:
  void Merge(const SymbolSpace& symbols);
  std::span<const Part> PartsOf(size_t index) const {
    const size_t end = index + 1 < begins_.size() ? begins_[index + 1] : parts_.size();
    return std::span(parts_).subspan(begins_[index], end - begins_[index]);
  }
  static void AppendSeries(SeriesArrays& out, std::vector<const SeriesSamples*>& parts);

  std::vector<std::unique_ptr<SeriesSelection>> inputs_;
  std::vector<Part> parts_;     // series after series, inputs in order
  std::vector<size_t> begins_;  // of each series in parts_
};

void MergedSelection::Merge(const SymbolSpace& symbols) {
  // A heap of the inputs by their next series; among equals the earlier input first.
  std::vector<Part> heap;
  const auto after = [&](const Part& a, const Part& b) {
    const int order = CompareLabels(inputs_[a.input]->labels(a.index), inputs_[b.input]->labels(b.index), symbols);
    return order != 0 ? order > 0 : a.input > b.input;
  };
  for (uint32_t i = 0; i < inputs_.size(); ++i)
    if (inputs_[i]->size() > 0) heap.push_back({i, 0});
  std::make_heap(heap.begin(), heap.end(), after);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), after);
    Part part = heap.back();
    heap.pop_back();
    const LabelTuple next = inputs_[part.input]->labels(part.index);
    const bool same = !begins_.empty() && std::equal(next.begin(), next.end(), labels(begins_.size() - 1).begin(),
                                                     labels(begins_.size() - 1).end());
    if (!same) begins_.push_back(parts_.size());
    parts_.push_back(part);
    if (++part.index < inputs_[part.input]->size()) {
      heap.push_back(part);
      std::push_heap(heap.begin(), heap.end(), after);
    }
  }
}

void MergedSelection::AppendSeries(SeriesArrays& out, std::vector<const SeriesSamples*>& parts) {
  parts.erase(std::remove_if(parts.begin(), parts.end(), [](const SeriesSamples* s) { return Empty(*s); }),
              parts.end());
  std::vector<const SeriesSamples*> by_time = parts;
  std::stable_sort(by_time.begin(), by_time.end(),
                   [](const SeriesSamples* a, const SeriesSamples* b) { return FirstTime(*a) < FirstTime(*b); });
  bool apart = true;
  for (size_t i = 1; i < by_time.size(); ++i) apart &= LastTime(*by_time[i - 1]) < FirstTime(*by_time[i]);
  if (!apart) {
    AppendOverlapping(out, parts);
    return;
  }
  for (size_t i = 0; i < by_time.size(); ++i) AppendWhole(out, *by_time[i], i > 0);
}

Result<void> MergedSelection::Read(size_t first, size_t count, SeriesBatch& batch) const {
  auto* scratch = dynamic_cast<MergeScratch*>(batch.scratch.get());
  if (scratch == nullptr) {
    auto fresh = std::make_unique<MergeScratch>();
    scratch = fresh.get();
    batch.scratch = std::move(fresh);
  }
  // Series that follow one another in an input are read with one call.
  struct Run {
    Part begin;
    uint32_t count = 0;
  };
  std::vector<Run> runs;
  std::vector<std::pair<size_t, size_t>> places;  // of each part: run and place in it
  std::vector<size_t> open(inputs_.size(), std::numeric_limits<size_t>::max());
  for (size_t i = first; i < first + count; ++i) {
    for (const Part& part : PartsOf(i)) {
      size_t& run = open[part.input];
      if (run == std::numeric_limits<size_t>::max() || runs[run].begin.index + runs[run].count != part.index) {
        run = runs.size();
        runs.push_back({part, 0});
      }
      places.emplace_back(run, runs[run].count++);
    }
  }
  if (scratch->inputs.size() < runs.size()) scratch->inputs.resize(runs.size());
  for (size_t i = 0; i < runs.size(); ++i) {
    EPI_TRY(inputs_[runs[i].begin.input]->Read(runs[i].begin.index, runs[i].count, scratch->inputs[i]));
  }
  scratch->arrays.Clear();
  std::vector<const SeriesSamples*> parts;
  size_t at = 0;
  for (size_t i = first; i < first + count; ++i) {
    parts.clear();
    for (size_t n = PartsOf(i).size(); n > 0; --n, ++at) {
      parts.push_back(&scratch->inputs[places[at].first].series[places[at].second]);
    }
    scratch->arrays.BeginSeries();
    AppendSeries(scratch->arrays, parts);
  }
  scratch->arrays.Publish(batch.series);
  return {};
}

}  // namespace

Result<std::unique_ptr<SeriesSelection>> MergeSelections(std::vector<std::unique_ptr<SeriesSelection>> inputs,
                                                         const SymbolSpace& symbols) {
  std::erase_if(inputs, [](const auto& input) { return input == nullptr; });
  if (inputs.size() == 1) return std::move(inputs[0]);
  return std::make_unique<MergedSelection>(std::move(inputs), symbols);
}

std::vector<std::string> MergeSortedTexts(std::vector<std::vector<std::string>> lists, size_t limit) {
  std::vector<std::string> out;
  if (lists.size() == 1) {
    out = std::move(lists[0]);
  } else {
    for (auto& list : lists) std::move(list.begin(), list.end(), std::back_inserter(out));
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
  }
  if (limit > 0 && out.size() > limit) out.resize(limit);
  return out;
}

}  // namespace epi::tsdb
