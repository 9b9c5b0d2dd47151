#include "remote/otlp/delta_streams.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/xxhash64.h"

namespace epi::remote::otlp {
namespace {

constexpr int64_t kSweepEveryMs = 60'000;
// An exponential histogram gets a coarser scale rather than more buckets than this on a side.
constexpr int64_t kUsualBuckets = 160;
constexpr int64_t kMostBuckets = 1 << 16;
constexpr int32_t kCoarsestScale = -4;

class KeyText {
 public:
  void Add(std::string_view text) {
    text_ += std::to_string(text.size());
    text_ += ':';
    text_ += text;
  }
  void Add(const Attributes& attributes) {
    std::vector<const Attribute*> sorted;
    for (const auto& attribute : attributes) sorted.push_back(&attribute);
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const Attribute* a, const Attribute* b) { return a->key < b->key; });
    text_ += std::to_string(sorted.size()) + '{';
    for (const Attribute* attribute : sorted) {
      Add(attribute->key);
      Add(attribute->value);
    }
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

struct IndexRange {
  int64_t first = 0, last = -1;  // empty
  bool empty() const { return last < first; }
  int64_t size() const { return last - first + 1; }
};

IndexRange RangeOf(const Buckets& buckets, int shift) {
  if (buckets.counts.empty()) return {};
  const int64_t first = buckets.offset;
  return {first >> shift, (first + static_cast<int64_t>(buckets.counts.size()) - 1) >> shift};
}
IndexRange Union(const IndexRange& a, const IndexRange& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  return {std::min(a.first, b.first), std::max(a.last, b.last)};
}

void AddInto(Buckets& to, const Buckets& from, int shift) {
  for (size_t i = 0; i < from.counts.size(); ++i) {
    const int64_t index = (static_cast<int64_t>(from.offset) + static_cast<int64_t>(i)) >> shift;
    to.counts[static_cast<size_t>(index - to.offset)] += from.counts[i];
  }
}

int ShiftTo(int32_t from, int32_t to) { return static_cast<int>(std::min<int64_t>(int64_t{from} - to, 40)); }

Buckets Sum(const Buckets& a, int shift_a, const Buckets& b, int shift_b) {
  const IndexRange range = Union(RangeOf(a, shift_a), RangeOf(b, shift_b));
  Buckets out;
  if (range.empty()) return out;
  out.offset = static_cast<int32_t>(range.first);
  out.counts.assign(static_cast<size_t>(range.size()), 0);
  AddInto(out, a, shift_a);
  AddInto(out, b, shift_b);
  return out;
}

// The finest scale at which both together have a usual number of buckets. False when even the coarsest has too many.
bool AgreeOnScale(const Distribution& a, const Distribution& b, int32_t& scale) {
  scale = std::min(a.scale, b.scale);
  for (;; --scale) {
    int64_t most = 0;
    for (const auto side : {&Distribution::positive, &Distribution::negative}) {
      most = std::max(
          most, Union(RangeOf(a.*side, ShiftTo(a.scale, scale)), RangeOf(b.*side, ShiftTo(b.scale, scale))).size());
    }
    if (most <= kUsualBuckets) return true;
    if (scale <= kCoarsestScale) return most <= kMostBuckets;
  }
}

void AddSums(Distribution& total, const Distribution& point) {
  total.count += point.count;
  total.zero_count += point.zero_count;
  if (total.sum && point.sum) {
    *total.sum += *point.sum;
  } else {
    total.sum.reset();
  }
}

// False when the point cannot be added.
bool AddExponential(Distribution& total, const Distribution& point) {
  int32_t scale = 0;
  if (!AgreeOnScale(total, point, scale)) return false;
  for (const auto side : {&Distribution::positive, &Distribution::negative}) {
    total.*side = Sum(total.*side, ShiftTo(total.scale, scale), point.*side, ShiftTo(point.scale, scale));
  }
  total.scale = scale;
  AddSums(total, point);
  return true;
}

// Other bounds begin a new total; returns whether they did.
bool AddExplicit(Distribution& total, const Distribution& point) {
  if (total.bounds != point.bounds || total.bucket_counts.size() != point.bucket_counts.size()) {
    total = point;
    return true;
  }
  for (size_t i = 0; i < point.bucket_counts.size(); ++i) total.bucket_counts[i] += point.bucket_counts[i];
  AddSums(total, point);
  return false;
}

int64_t BytesOf(const Distribution& d) {
  const size_t values =
      d.bucket_counts.capacity() + d.bounds.capacity() + d.positive.counts.capacity() + d.negative.counts.capacity();
  return static_cast<int64_t>(sizeof(Distribution) + values * 8);
}

}  // namespace

struct DeltaStreams::Stream {
  uint64_t start_ns = 0;
  uint64_t last_ns = 0;
  TimestampMs touched = 0;
  double value = 0;
  std::unique_ptr<Distribution> distribution;
  int64_t bytes() const { return distribution ? BytesOf(*distribution) : 0; }
};

DeltaStreams::DeltaStreams(DeltaLimits limits) : limits_(limits) {}
DeltaStreams::~DeltaStreams() = default;

size_t DeltaStreams::streams() const {
  const std::lock_guard lock(mutex_);
  return streams_.size();
}

DeltaStreams::Key DeltaStreams::KeyOf(const ResourceMetrics& resource, const ScopeMetrics& scope, const Metric& metric,
                                      const DataPoint& point) {
  KeyText text;
  text.Add(resource.attributes);
  text.Add(scope.name);
  text.Add(scope.version);
  text.Add(scope.attributes);
  text.Add(metric.name);
  text.Add(metric.unit);
  text.Add(std::to_string(static_cast<int>(metric.kind) * 2 + (metric.monotonic ? 1 : 0)));
  text.Add(point.attributes);
  constexpr uint64_t kOtherSeed = 0x9e3779b97f4a7c15;
  return {XxHash64(text.text(), kOtherSeed), XxHash64(text.text())};
}

size_t DeltaStreams::ToCumulative(ExportRequest& request, TimestampMs now) {
  size_t dropped = 0;
  const std::lock_guard lock(mutex_);
  Forget(now);
  for (auto& resource : request.resources) {
    for (auto& scope : resource.scopes) {
      for (auto& metric : scope.metrics) {
        if (metric.temporality != Temporality::kDelta || metric.points.empty()) continue;
        metric.temporality = Temporality::kCumulative;
        dropped += std::erase_if(metric.points, [&](DataPoint& point) {
          return !Accumulate(KeyOf(resource, scope, metric, point), metric.kind, point, now);
        });
        if (metric.points.empty()) metric.kind = Kind::kNone;
      }
      std::erase_if(scope.metrics, [](const Metric& metric) {
        return metric.kind == Kind::kNone && metric.temporality == Temporality::kCumulative;
      });
    }
  }
  return dropped;
}

void DeltaStreams::Forget(TimestampMs now) {
  if (now - last_sweep_ < kSweepEveryMs) return;
  last_sweep_ = now;
  boost::unordered::erase_if(streams_, [&](const auto& entry) {
    if (now - entry.second->touched <= limits_.stale_after_ms) return false;
    bytes_ -= entry.second->bytes();
    return true;
  });
}

bool DeltaStreams::Accumulate(const Key& key, Kind kind, DataPoint& point, TimestampMs now) {
  auto at = streams_.find(key);
  if (point.no_recorded_value) {
    if (at != streams_.end()) {
      bytes_ -= at->second->bytes();
      streams_.erase(at);
    }
    return false;
  }
  const bool known = at != streams_.end();
  if (!known) {
    if (streams_.size() >= limits_.max_streams || bytes_ >= limits_.max_bytes) return false;
    at = streams_.emplace(key, std::make_unique<Stream>()).first;
    at->second->start_ns = point.start_ns;
  }
  Stream& stream = *at->second;
  if (known && (point.time_ns <= stream.last_ns || point.start_ns < stream.start_ns)) return false;
  bytes_ -= stream.bytes();
  bool added = true;
  if (!point.distribution) {
    stream.value += point.value;
  } else if (!stream.distribution) {
    stream.distribution = std::make_unique<Distribution>(*point.distribution);
  } else if (kind == Kind::kExponentialHistogram) {
    added = AddExponential(*stream.distribution, *point.distribution);
  } else if (AddExplicit(*stream.distribution, *point.distribution)) {
    stream.start_ns = point.start_ns;
  }
  bytes_ += stream.bytes();
  if (!added) return false;
  stream.last_ns = point.time_ns;
  stream.touched = now;
  point.start_ns = stream.start_ns;
  point.value = stream.value;
  if (point.distribution) *point.distribution = *stream.distribution;
  return true;
}

}  // namespace epi::remote::otlp
