#include "tsdb/block/backfill.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "chunkenc/sample_chunker.h"
#include "model/histogram_validate.h"
#include "model/label_names.h"
#include "tsdb/block/block_writer.h"

namespace epi::tsdb {
namespace {

constexpr int64_t kSmallestRangeMs = 2 * 3'600'000;
constexpr int64_t kBackfillRangeFactor = 3;
constexpr int64_t kSeriesOverhead = 200;  // of one entry of the map, roughly
constexpr int64_t kHistogramOverhead = 160;

Result<void> CheckLabels(const Labels& labels) {
  if (labels.empty()) return Fail(ErrorCode::kInvalid, "empty labelset: invalid sample");
  if (!AreValidLabels(labels, NameScheme::kUtf8))
    return Fail(ErrorCode::kInvalid, "invalid labels " + labels.ToString());
  return {};
}

template <typename H>
int64_t BytesOf(const H& h) {
  constexpr size_t kSpanBytes = sizeof(h.positive_spans[0]);
  constexpr size_t kBucketBytes = sizeof(h.positive_buckets[0]);
  return kHistogramOverhead +
         static_cast<int64_t>((h.positive_spans.size() + h.negative_spans.size()) * kSpanBytes +
                              (h.positive_buckets.size() + h.negative_buckets.size()) * kBucketBytes);
}

}  // namespace

int64_t BackfillBlockRange(int64_t max_block_ms) {
  int64_t range = kSmallestRangeMs;
  while (range <= max_block_ms / kBackfillRangeFactor) range *= kBackfillRangeFactor;
  return range;
}

std::pair<TimestampMs, TimestampMs> BackfillWindow(TimestampMs t, int64_t range_ms) {
  const TimestampMs begin = t - ((t % range_ms) + range_ms) % range_ms;
  return {begin, begin + range_ms};
}

Backfill::Backfill(FileSystem& fs, std::string directory, Clock& clock, Random& random, BackfillLayout layout,
                   const BackfillOptions& options, Budget* budget)
    : fs_(fs),
      directory_(std::move(directory)),
      clock_(clock),
      random_(random),
      layout_(std::move(layout)),
      budget_("backfill", options.max_bytes, budget),
      charge_(budget_) {}

bool Backfill::Accept(TimestampMs time) {
  if (layout_.accepted.Contains(time)) return true;
  ++(time < layout_.accepted.min ? report_.too_old : report_.too_new);
  return false;
}

TimestampMs Backfill::WindowOf(TimestampMs time) const {
  for (size_t i = layout_.ranges_ms.size(); i-- > 1;) {
    const auto [begin, end] = BackfillWindow(time, layout_.ranges_ms[i]);
    if (end <= layout_.settled) return begin;
  }
  return BackfillWindow(time, layout_.ranges_ms.front()).first;
}

Result<Backfill::Series*> Backfill::Room(const Labels& labels, TimestampMs time, int64_t bytes) {
  const TimestampMs begin = WindowOf(time);
  for (bool flushed = false;; flushed = true) {
    Window& window = windows_[begin];
    auto at = window.find(labels);
    const bool fresh = at == window.end();
    const int64_t needed = bytes + (fresh ? kSeriesOverhead + static_cast<int64_t>(labels.bytes()) : 0);
    if (auto charged = charge_.Add(needed); charged) {
      if (fresh) at = window.emplace(labels, Series()).first;
      return &at->second;
    } else if (flushed) {
      return Fail(std::move(charged).error());
    }
    EPI_TRY(Flush());
  }
}

Result<void> Backfill::Add(const Labels& labels, TimestampMs time, double value, TimestampMs start_time) {
  EPI_TRY(CheckLabels(labels));
  if (!Accept(time)) return {};
  EPI_ASSIGN(Series* const series, Room(labels, time, sizeof(FloatEntry)));
  series->floats.push_back({time, value, start_time});
  return {};
}

template <typename H>
Result<void> Backfill::AddAny(const Labels& labels, HistogramEntry entry, const H& histogram) {
  EPI_TRY(CheckLabels(labels));
  if (!IsStaleNaN(histogram.sum)) EPI_TRY(Validate(histogram));
  if (!Accept(entry.time)) return {};
  EPI_ASSIGN(Series* const series, Room(labels, entry.time, BytesOf(histogram)));
  series->histograms.push_back(std::move(entry));
  return {};
}

Result<void> Backfill::AddHistogram(const Labels& labels, TimestampMs time, const Histogram& histogram,
                                    TimestampMs start_time) {
  return AddAny(labels, {time, start_time, std::make_shared<const Histogram>(histogram), nullptr}, histogram);
}

Result<void> Backfill::AddHistogram(const Labels& labels, TimestampMs time, const FloatHistogram& histogram,
                                    TimestampMs start_time) {
  return AddAny(labels, {time, start_time, nullptr, std::make_shared<const FloatHistogram>(histogram)}, histogram);
}

// By time, each time once: of two the one that was given first.
Result<void> Backfill::Sort(const Labels& labels, Series& series) {
  const auto by_time = [](const auto& a, const auto& b) { return a.time < b.time; };
  const auto conflict = [&](TimestampMs time) -> Result<void> {
    ++report_.duplicates;
    if (!layout_.refuse_conflicts) return {};
    return Fail(ErrorCode::kInvalid,
                "duplicate sample for timestamp " + std::to_string(time) + " of " + labels.ToString());
  };
  std::stable_sort(series.floats.begin(), series.floats.end(), by_time);
  std::stable_sort(series.histograms.begin(), series.histograms.end(), by_time);
  size_t kept = 0;
  for (const FloatEntry& entry : series.floats) {
    if (kept == 0 || entry.time != series.floats[kept - 1].time) {
      series.floats[kept++] = entry;
    } else if (std::bit_cast<uint64_t>(entry.value) != std::bit_cast<uint64_t>(series.floats[kept - 1].value)) {
      EPI_TRY(conflict(entry.time));
    }
  }
  series.floats.resize(kept);
  kept = 0;
  for (HistogramEntry& entry : series.histograms) {
    const bool taken =
        std::binary_search(series.floats.begin(), series.floats.end(), FloatEntry{entry.time, 0, 0}, by_time);
    HistogramEntry* const before = kept == 0 ? nullptr : &series.histograms[kept - 1];
    if (taken || (before != nullptr && before->time == entry.time)) {
      const bool same = !taken && ((entry.integer && before->integer && *entry.integer == *before->integer) ||
                                   (entry.floats && before->floats && *entry.floats == *before->floats));
      if (!same) EPI_TRY(conflict(entry.time));
      continue;
    }
    if (&series.histograms[kept] != &entry) series.histograms[kept] = std::move(entry);
    ++kept;
  }
  series.histograms.resize(kept);
  return {};
}

Result<std::optional<BlockMeta>> Backfill::Write(Window& window) {
  EPI_ASSIGN(auto writer, BlockWriter::Create(fs_, directory_, Ulid::Make(clock_.NowMs(), random_)));
  SampleChunker chunker({.keep_start_times = true});
  BlockMeta meta;
  meta.min_time = std::numeric_limits<TimestampMs>::max();
  meta.max_time = std::numeric_limits<TimestampMs>::min();
  for (auto& entry_of_series : window) {
    const auto& labels = entry_of_series.first;
    auto& series = entry_of_series.second;
    EPI_TRY(Sort(labels, series));
    size_t next = 0;
    const auto add_floats_before = [&](TimestampMs end) {
      for (; next < series.floats.size() && series.floats[next].time < end; ++next)
        chunker.Add(series.floats[next].time, series.floats[next].value, series.floats[next].start_time);
    };
    for (const HistogramEntry& entry : series.histograms) {
      add_floats_before(entry.time);
      if (entry.integer) {
        chunker.Add(entry.time, *entry.integer, entry.start_time);
      } else {
        chunker.Add(entry.time, *entry.floats, entry.start_time);
      }
    }
    add_floats_before(std::numeric_limits<TimestampMs>::max());
    const auto chunks = chunker.Take();
    if (chunks.empty()) continue;
    EPI_TRY(writer->AddSeries(labels, chunks));
    meta.min_time = std::min(meta.min_time, chunks.front().min_time);
    meta.max_time = std::max(meta.max_time, chunks.back().max_time + 1);
  }
  if (layout_.hint) meta.AddHint(*layout_.hint);
  meta.foreign = layout_.foreign;
  return writer->Finish(std::move(meta));
}

Result<void> Backfill::Flush() {
  for (auto& [begin, window] : windows_) {
    EPI_ASSIGN(auto meta, Write(window));
    if (!meta) continue;
    report_.stored += meta->stats.samples;
    report_.blocks.push_back(meta->ulid.ToString());
    flushed_.push_back(std::move(*meta));
  }
  windows_.clear();
  charge_.Reset();
  return {};
}

void Backfill::Forget() {
  windows_.clear();
  charge_.Reset();
  report_ = {};
}

Result<BackfillReport> Backfill::Commit() {
  auto done = Flush();
  BackfillReport report = std::move(report_);
  Forget();
  written_ = std::exchange(flushed_, {});
  if (!done) return Fail(std::move(done).error());
  return report;
}

}  // namespace epi::tsdb
