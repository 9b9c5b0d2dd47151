#include "scrape/ingest.h"

#include <algorithm>
#include <utility>

#include "scrape/ingest_run.h"

namespace epi::scrape {
namespace {

void AddStaleMarker(const VanishedSeries& series, TimestampMs time, BatchAppender& appender) {
  if (series.histogram == 0 && series.has_own_time) {
    // Behind the series' sample, which has a time of its own.
    appender.AddAt(series.ref, time, StaleNaN());
    return;
  }
  if (series.histogram == 0) {
    appender.Add(series.ref, StaleNaN());
    return;
  }
  BatchAppender::HistogramSample sample{series.ref, BatchAppender::kBatchTime, 0, nullptr, nullptr};
  if (series.histogram == 1) {
    auto stale = std::make_shared<Histogram>();
    stale->sum = StaleNaN();
    sample.integer = std::move(stale);
  } else {
    auto stale = std::make_shared<FloatHistogram>();
    stale->sum = StaleNaN();
    sample.floats = std::move(stale);
  }
  appender.AddHistogram(std::move(sample));
}

}  // namespace

IngestResult SampleIngest::Run::Execute(std::string_view body, ExpositionFormat format) {
  cache_.Begin();
  if (!only_new_) timed_.Begin(cache_.alive());
  ParserOptions options;
  options.type_and_unit_labels = rules_.type_and_unit_labels;
  options.skip_created_series = uses_start_times();
  options.ignore_native_histograms = !histograms_.scrape_native;
  options.keep_classic_histograms = histograms_.keep_classic;
  options.convert_classic_to_nhcb = histograms_.convert_classic;
  const auto parser = body.empty() ? nullptr : MakeParser(format, body, options);
  Result<void> read;
  const bool plain =
      !rules_.type_and_unit_labels && !uses_start_times() && !rules_.synthesize_starts && !histograms_.convert_classic;
  if (parser == nullptr) {
    read = {};
  } else if (plain && (format == ExpositionFormat::kText || format == ExpositionFormat::kOpenMetrics)) {
    read = ReadText(*parser, format);
  } else {
    read = ReadEntries(*parser);
  }
  if (rules_.sample_limit > 0 && appended_ > rules_.sample_limit && !rules_.drop_new_over_limit) {
    over_sample_limit_ = true;
  }
  CountLimits();
  if (!read) {
    result_.error = std::move(read).error();
  } else if (over_sample_limit_) {
    result_.error = Error(ErrorCode::kLimit, "sample limit exceeded");
  } else if (over_bucket_limit_) {
    result_.error = Error(ErrorCode::kLimit, "histogram bucket limit exceeded");
  }
  if (result_.error) return Fail(true);
  if (only_new_) {
    last_appended_ += result_.series_added;
    cache_.Finish();
    return std::move(result_);
  }
  last_appended_ = appended_;
  AddStaleMarkers(/*all=*/false);
  if (body.empty()) {
    result_.cache_flushed = cache_.Abandon();
  } else {
    cache_.Finish();
  }
  metadata_.EndScrape(/*drop_unseen=*/!body.empty());
  return std::move(result_);
}

// A failed scrape counts as an empty one.
IngestResult SampleIngest::Run::Fail(bool count_cache_flush) {
  appender_.Rollback();
  AddStaleMarkers(/*all=*/true);
  result_.cache_flushed = cache_.Abandon() && count_cache_flush;
  result_.series_added = result_.error ? result_.series_added : 0;
  metadata_.EndScrape(/*drop_unseen=*/false);
  return std::move(result_);
}

void SampleIngest::Run::AddStaleMarkers(bool all) {
  for (const auto& series : cache_.Vanished(all)) {
    if (timed_.IsRefused(series.ref)) continue;  // got its marker when that happened
    AddStaleMarker(series, time_, appender_);
    if (!all) starts_.Forget(series.ref);
  }
}

void SampleIngest::Run::CountLimits() {
  result_.sample_limit_hit = over_sample_limit_;
  result_.bucket_limit_hit = over_bucket_limit_;
}

Result<void> SampleIngest::Run::ReadEntries(ExpositionParser& parser) {
  while (true) {
    EPI_ASSIGN(const EntryKind kind, parser.Next());
    switch (kind) {
      case EntryKind::kEnd:
        return {};
      case EntryKind::kSeries:
      case EntryKind::kHistogram:
        EPI_TRY(TakeSample(parser, kind));
        break;
      default:
        NoteMetadata(kind, parser.entry());
    }
  }
}

IngestResult SampleIngest::Ingest(std::string_view body, ExpositionFormat format, TimestampMs time,
                                  const Labels& target_labels, const SampleRules& rules,
                                  const HistogramRules& histograms, BatchAppender& appender) {
  return Run(*this, time, target_labels, rules, histograms, appender, /*only_new=*/false).Execute(body, format);
}

IngestResult SampleIngest::IngestFailure(TimestampMs time, BatchAppender& appender) {
  static const SampleRules kRules;
  static const HistogramRules kHistograms;
  static const Labels kNoLabels;
  cache_.Begin();
  return Run(*this, time, kNoLabels, kRules, kHistograms, appender, /*only_new=*/false).Fail(true);
}

bool SampleIngest::ForgetDead(std::span<const SeriesRef> dead) {
  if (dead.empty()) return false;
  cache_.Forget(dead);
  last_appended_ -= std::min<uint64_t>(last_appended_, dead.size());
  return true;
}

void SampleIngest::ForgetStarts(std::span<const AppendReport::Refusal> refused) {
  for (const auto& refusal : refused) starts_.Forget(refusal.ref);
}

bool SampleIngest::TakeRefusals(std::span<const AppendReport::Refusal> refusals, TimestampMs time,
                                BatchAppender& appender) {
  const auto ended = timed_.TakeRefusals(refusals);
  for (const SeriesRef ref : ended) appender.AddAt(ref, time, StaleNaN());
  return !ended.empty();
}

IngestResult SampleIngest::IngestMissing(std::string_view body, ExpositionFormat format, TimestampMs time,
                                         const Labels& target_labels, const SampleRules& rules,
                                         const HistogramRules& histograms, BatchAppender& appender) {
  return Run(*this, time, target_labels, rules, histograms, appender, /*only_new=*/true).Execute(body, format);
}

}  // namespace epi::scrape
