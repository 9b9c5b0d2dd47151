// One pass over one body: what SampleIngest does, in three files. ingest.cc has the beginning and the end of a pass,
// ingest_text.cc the lines of texts that are known already, ingest_sample.cc one sample at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "scrape/ingest.h"
#include "scrape/parse/exposition.h"
#include "scrape/parse/sample_tail.h"

namespace epi::scrape {

inline constexpr int64_t kMaxFutureMs = 10 * 60 * 1000;  // samples further ahead of the clock are out of bounds

class SampleIngest::Run {
 public:
  Run(SampleIngest& owner, TimestampMs time, const Labels& target_labels, const SampleRules& rules,
      const HistogramRules& histograms, BatchAppender& appender, bool only_new)
      : cache_(owner.cache_),
        metadata_(*owner.metadata_),
        zeroed_starts_(owner.zeroed_starts_),
        starts_(owner.starts_),
        last_appended_(owner.last_appended_),
        timed_(owner.timed_),
        time_(time),
        target_labels_(target_labels),
        rules_(rules),
        histograms_(histograms),
        appender_(appender),
        only_new_(only_new),
        too_old_before_(appender.too_old_before()) {}

  IngestResult Execute(std::string_view body, ExpositionFormat format);
  IngestResult Fail(bool count_cache_flush);

 private:
  // Lines of the text formats, those of the last body without parsing them anew. `parser` is the one for `format`.
  Result<void> ReadText(ExpositionParser& parser, ExpositionFormat format);
  template <TextDialect dialect, typename Parser>
  Result<void> ReadLines(Parser& parser);
  template <TextDialect dialect, typename Parser>
  void TakeKnownLines(Parser& parser, size_t limit);
  template <typename Parser>
  void RememberMetadataLine(Parser& parser, size_t begin, EntryKind kind);
  Result<void> ReadEntries(ExpositionParser& parser);

  uint32_t NoteMetadata(EntryKind kind, const ExpositionEntry& entry);
  // A sample on its way into the batch.
  struct Sample {
    bool timed = false;  // it has a timestamp of its own, which counts
    TimestampMs time = 0;
    TimestampMs start = 0;  // 0 = none
    double value = 0;
    // At most one of them.
    std::shared_ptr<const Histogram> integer;
    std::shared_ptr<const FloatHistogram> floats;
    bool IsHistogram() const { return integer != nullptr || floats != nullptr; }
    bool IsStale() const { return IsStaleNaN(integer ? integer->sum : floats ? floats->sum : value); }
  };
  Result<void> TakeSample(ExpositionParser& parser, EntryKind kind);
  Result<bool> TakeKept(ExpositionParser& parser, EntryKind kind);
  Result<Labels> NewLabels(ExpositionParser& parser, CachedLine line);
  Result<bool> ReadValue(const ExpositionEntry& entry, EntryKind kind, Sample& sample) const;
  Result<void> CheckHistogram(const Sample& sample) const;
  bool FitsSampleLimit(bool fresh, const Sample& sample);
  bool IsTooOld(SeriesRef ref, const Sample& sample);
  bool AddSample(ExpositionParser& parser, SeriesRef ref, Sample& sample, bool fresh);
  bool WouldRefuse(SeriesRef ref, const Sample& sample) const;
  void AddValue(SeriesRef ref, const Sample& sample, TimestampMs exposed_start);
  bool MaySynthesize(ExpositionParser& parser, SeriesRef ref) const;
  StartSynthesis::Outcome Synthesize(SeriesRef ref, Sample& sample);
  static std::vector<Exemplar> Exemplars(ExpositionParser& parser, const Sample& sample);
  void Track(CachedLine& line, SeriesCache::Found found, const Sample& sample);
  void Untrack(CachedLine& line);
  void AddStaleMarkers(bool all);
  // What a counter was at its start: zero. Only once for each start; true when it was added.
  bool NeedsZeroSample(SeriesRef ref, TimestampMs start, TimestampMs sample_time);
  void CountLimits();
  bool HasPlaceForNew() const;
  bool uses_start_times() const { return rules_.start_timestamps || rules_.start_zero_samples; }

  SeriesCache& cache_;
  MetadataCache& metadata_;
  std::unordered_map<SeriesRef, TimestampMs>& zeroed_starts_;
  StartSynthesis& starts_;
  uint64_t& last_appended_;
  TimedSeries& timed_;
  const TimestampMs time_;
  const Labels& target_labels_;
  const SampleRules& rules_;
  const HistogramRules& histograms_;
  BatchAppender& appender_;
  const bool only_new_;
  const TimestampMs too_old_before_;  // a sample before it may fail the scrape

  IngestResult result_;
  uint64_t appended_ = 0;  // against sample_limit
  bool over_sample_limit_ = false;
  bool over_bucket_limit_ = false;
  bool family_changed_ = false;  // metadata of the family at hand is new to storage
  uint32_t family_ = MetadataLine::kNoFamily;
  std::string family_name_;
  uint64_t context_ = 0;  // distinguishes equal texts under different TYPE and UNIT lines, where those show in labels
};

}  // namespace epi::scrape
