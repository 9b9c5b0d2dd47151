#include "model/histogram_layout.h"

#include <algorithm>

#include "model/histogram_buckets.h"
#include "model/kahan_sum.h"

namespace epi {
namespace {

using Spans = std::vector<HistogramSpan>;
using Counts = std::vector<double>;

// More indices than any schema has between the smallest and the largest double: only a damaged histogram spans more,
// and its gaps are not filled.
constexpr int64_t kWidestLayout = 2100 << kExponentialSchemaMax;

// Nothing empty, nothing to join: the common case, checked without writing.
template <typename Count>
bool IsCompact(const Spans& spans, const std::vector<Count>& buckets, size_t max_empty) {
  if (std::find(buckets.begin(), buckets.end(), Count{0}) != buckets.end()) return false;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (spans[i].length == 0) return false;
    if (i > 0 && (spans[i].offset < 0 || static_cast<size_t>(spans[i].offset) <= max_empty)) return false;
  }
  return true;
}

template <typename Count>
void CompactSide(Spans& spans, std::vector<Count>& buckets, Counts* compensation, size_t max_empty) {
  if (IsCompact(spans, buckets, max_empty)) return;
  Spans new_spans;
  std::vector<Count> new_buckets;
  Counts new_compensation;
  SpanBuilder builder(new_spans);
  const auto append = [&](int64_t index, Count count, double term) {
    builder.Add(index);
    new_buckets.push_back(count);
    if (compensation != nullptr) new_compensation.push_back(term);
  };
  int64_t first = 0;
  int64_t next = 0;
  for (SpanWalk at(spans, buckets.size()); at.Next();) {
    const Count count = buckets[at.position()];
    const double term = compensation != nullptr ? (*compensation)[at.position()] : 0;
    if (count == 0 && term == 0) continue;
    if (new_buckets.empty()) {
      first = at.index();
    } else if (static_cast<uint64_t>(at.index() - next) <= max_empty && at.index() - first < kWidestLayout) {
      for (; next < at.index(); ++next) append(next, 0, 0);
    }
    append(at.index(), count, term);
    next = at.index() + 1;
  }
  spans = std::move(new_spans);
  buckets = std::move(new_buckets);
  if (compensation != nullptr) *compensation = std::move(new_compensation);
}

void CompactDeltas(Spans& spans, std::vector<int64_t>& deltas, size_t max_empty) {
  uint64_t current = 0;
  std::vector<uint64_t> absolute;
  for (const int64_t delta : deltas) absolute.push_back(current += static_cast<uint64_t>(delta));
  CompactSide(spans, absolute, nullptr, max_empty);
  deltas.clear();
  current = 0;
  for (const uint64_t count : absolute) {
    deltas.push_back(static_cast<int64_t>(count - current));
    current = count;
  }
}

// buckets[i] += count, with the addend's own compensation term behind it.
void AddTo(Counts& buckets, Counts* compensation, size_t i, double count, double term) {
  if (compensation == nullptr) {
    buckets[i] += count;
    return;
  }
  KahanAdd(count, buckets[i], (*compensation)[i]);
  if (term != 0) KahanAdd(term, buckets[i], (*compensation)[i]);
}

double AddendCount(const SideAddend& addend, size_t position) {
  return addend.subtract ? addend.buckets[position] * -1 : addend.buckets[position];
}
double AddendTerm(const SideAddend& addend, size_t position) {
  if (addend.compensation == nullptr) return 0;
  return addend.subtract ? (*addend.compensation)[position] * -1 : (*addend.compensation)[position];
}

// Merges two ascending walks into fresh vectors.
void MergeSides(Spans& spans, Counts& buckets, Counts* compensation, const SideAddend& addend) {
  Spans new_spans;
  Counts new_buckets;
  Counts new_compensation;
  new_buckets.reserve(buckets.size() + addend.buckets.size());
  SpanBuilder builder(new_spans);
  SpanWalk mine(spans, buckets.size());
  SpanWalk theirs(addend.spans, addend.buckets.size());
  bool have_mine = mine.Next();
  bool have_theirs = theirs.Next();
  for (size_t i = 0; have_theirs && i < addend.skip; ++i) have_theirs = theirs.Next();
  while (have_mine || have_theirs) {
    const bool take_mine = have_mine && (!have_theirs || mine.index() <= theirs.index());
    const bool take_theirs = have_theirs && (!have_mine || theirs.index() <= mine.index());
    builder.Add(take_mine ? mine.index() : theirs.index());
    const double count = take_theirs ? AddendCount(addend, theirs.position()) : 0;
    const double term = take_theirs ? AddendTerm(addend, theirs.position()) : 0;
    if (take_mine) {
      new_buckets.push_back(buckets[mine.position()]);
      if (compensation != nullptr) new_compensation.push_back((*compensation)[mine.position()]);
      if (take_theirs)
        AddTo(new_buckets, compensation != nullptr ? &new_compensation : nullptr, new_buckets.size() - 1, count, term);
    } else {
      new_buckets.push_back(count);
      if (compensation != nullptr) new_compensation.push_back(term);
    }
    if (take_mine) have_mine = mine.Next();
    if (take_theirs) have_theirs = theirs.Next();
  }
  spans = std::move(new_spans);
  buckets = std::move(new_buckets);
  if (compensation != nullptr) *compensation = std::move(new_compensation);
}

// Counts mapped to the buckets between common bounds.
struct MappedSide {
  Counts buckets;
  Counts compensation;

  void Take(const Spans& spans, const Counts& counts, std::span<const double> bounds, std::span<const double> common,
            bool subtract, const Counts* terms) {
    size_t target = 0;
    for (SpanWalk at(spans, counts.size()); at.Next();) {
      // Beyond all bounds, or beyond the last common one, is the +Inf bucket.
      const bool bounded = at.index() >= 0 && at.index() < static_cast<int64_t>(bounds.size());
      const double upper = bounded ? bounds[static_cast<size_t>(at.index())] : 0;
      while (bounded && target < common.size() && common[target] < upper) ++target;
      const size_t to = bounded ? target : common.size();
      const double count = counts[at.position()];
      KahanAdd(subtract ? -count : count, buckets[to], compensation[to]);
      if (terms != nullptr) KahanAdd((*terms)[at.position()], buckets[to], compensation[to]);
    }
  }
};

}  // namespace

void CompactTogether(FloatHistogram& h, FloatHistogram* compensation, size_t max_empty_buckets) {
  CompactSide(h.positive_spans, h.positive_buckets, compensation != nullptr ? &compensation->positive_buckets : nullptr,
              max_empty_buckets);
  CompactSide(h.negative_spans, h.negative_buckets, compensation != nullptr ? &compensation->negative_buckets : nullptr,
              max_empty_buckets);
  if (compensation == nullptr) return;
  compensation->positive_spans = h.positive_spans;
  compensation->negative_spans = h.negative_spans;
}

void CompactSides(Histogram& h, size_t max_empty_buckets) {
  CompactDeltas(h.positive_spans, h.positive_buckets, max_empty_buckets);
  CompactDeltas(h.negative_spans, h.negative_buckets, max_empty_buckets);
}

void AddSide(Spans& spans, Counts& buckets, Counts* compensation, const SideAddend& addend) {
  if (spans != addend.spans || buckets.size() != addend.buckets.size()) {
    return MergeSides(spans, buckets, compensation, addend);
  }
  for (size_t i = addend.skip; i < buckets.size(); ++i) {
    AddTo(buckets, compensation, i, AddendCount(addend, i), AddendTerm(addend, i));
  }
}

void AddCustomSide(Spans& spans, Counts& buckets, Counts* compensation, std::span<const double> bounds,
                   const SideAddend& addend, std::span<const double> addend_bounds, std::span<const double> common) {
  MappedSide mapped;
  mapped.buckets.resize(common.size() + 1);
  mapped.compensation.resize(common.size() + 1);
  mapped.Take(spans, buckets, bounds, common, false, compensation);
  mapped.Take(addend.spans, addend.buckets, addend_bounds, common, addend.subtract, nullptr);
  spans.clear();
  buckets.clear();
  if (compensation != nullptr) compensation->clear();
  SpanBuilder builder(spans);
  for (size_t i = 0; i < mapped.buckets.size(); ++i) {
    if (mapped.buckets[i] == 0 && mapped.compensation[i] == 0) continue;
    builder.Add(static_cast<int64_t>(i));
    buckets.push_back(mapped.buckets[i]);
    if (compensation != nullptr) compensation->push_back(mapped.compensation[i]);
  }
}

bool SameSpans(std::span<const HistogramSpan> a, std::span<const HistogramSpan> b) {
  // The next span that has a length, with the offsets of the empty ones before it.
  const auto next = [](std::span<const HistogramSpan> spans, size_t& i, HistogramSpan& out) {
    int64_t offset = 0;
    for (; i < spans.size(); ++i) {
      offset += spans[i].offset;
      if (spans[i].length == 0) continue;
      out = {static_cast<int32_t>(offset), spans[i++].length};
      return true;
    }
    return false;
  };
  size_t i = 0;
  size_t j = 0;
  HistogramSpan x;
  HistogramSpan y;
  for (;;) {
    const bool more_a = next(a, i, x);
    const bool more_b = next(b, j, y);
    if (more_a != more_b) return false;
    if (!more_a) return true;
    if (x != y) return false;
  }
}

}  // namespace epi
