#include "scrape/scrape_loop.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/number_format.h"

namespace epi::scrape {
namespace {

constexpr std::array<std::string_view, 8> kReportNames = {
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
    // With extra_scrape_metrics.
    "scrape_timeout_seconds",
    "scrape_sample_limit",
    "scrape_body_size_bytes",
};
constexpr size_t kPlainReports = 5;

// What a gzip stream may be larger than its content, for bodies that do not compress.
constexpr uint64_t kCompressionSlack = 64u << 10;

constexpr std::string_view kBodyLimitText = "body size limit exceeded";

Labels ReportLabels(std::string_view name, const Labels& target_labels) {
  const Labels base = Labels::FromPairs({{kMetricName, name}});
  LabelsBuilder builder(base);
  for (const LabelView label : target_labels) {
    builder.Set("exported_" + std::string(label.name), base.Get(label.name));
    builder.Set(label.name, label.value);
  }
  return builder.Build();
}

std::string TimeoutSeconds(DurationMs timeout_ms) { return FormatFloatPlain(static_cast<double>(timeout_ms) / 1000); }

}  // namespace

void InFlight::Enter() {
  const std::lock_guard lock(mutex_);
  ++count_;
}

void InFlight::Leave() {
  const std::lock_guard lock(mutex_);
  if (--count_ == 0) none_.notify_all();
}

void InFlight::AwaitNone() {
  std::unique_lock lock(mutex_);
  none_.wait(lock, [this] { return count_ == 0; });
}

std::unique_ptr<Inflater> InflaterPool::Take() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<Inflater>();
  auto inflater = std::move(idle_.back());
  idle_.pop_back();
  return inflater;
}

void InflaterPool::Give(std::unique_ptr<Inflater> inflater) {
  inflater->Trim();
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(inflater));
}

SampleRules RulesOf(const ScrapeJob& job, const StorageAbilities& abilities) {
  SampleRules rules;
  rules.honor_labels = job.honor_labels;
  rules.honor_timestamps = job.honor_timestamps;
  rules.track_timestamps_staleness = job.track_timestamps_staleness;
  rules.name_scheme = job.name_scheme;
  rules.metric_relabel = job.metric_relabel;
  rules.sample_limit = job.sample_limit;
  rules.label_limit = job.label_limit;
  rules.label_name_length_limit = job.label_name_length_limit;
  rules.label_value_length_limit = job.label_value_length_limit;
  rules.native_histogram_bucket_limit = job.native_histogram_bucket_limit;
  rules.native_histogram_min_bucket_factor = job.native_histogram_min_bucket_factor;
  rules.drop_new_over_limit = job.drop_new_over_sample_limit;
  rules.exemplars = abilities.exemplars;
  rules.start_timestamps = abilities.start_timestamps;
  rules.start_zero_samples = abilities.start_zero_samples;
  rules.synthesize_starts = abilities.synthesize_starts;
  rules.append_metadata = abilities.metadata;
  rules.type_and_unit_labels = abilities.type_and_unit_labels;
  return rules;
}

bool SameMeaning(const SampleRules& a, const SampleRules& b) {
  return a.honor_labels == b.honor_labels && a.name_scheme == b.name_scheme && a.metric_relabel == b.metric_relabel &&
         a.label_limit == b.label_limit && a.label_name_length_limit == b.label_name_length_limit &&
         a.label_value_length_limit == b.label_value_length_limit && a.type_and_unit_labels == b.type_and_unit_labels;
}

ScrapeLoop::ScrapeLoop(ScrapeContext& context, std::shared_ptr<const Target> target,
                       std::shared_ptr<const PoolSettings> settings)
    : context_(context),
      target_(std::move(target)),
      interval_ns_(target_->interval_ms() * 1'000'000),
      interval_metrics_(context.metrics.ForInterval(FormatGoDuration(interval_ns_))),
      settings_(std::move(settings)),
      ingest_(std::make_unique<SampleIngest>(context.hash_key, context.interner)) {}

ScrapeLoop::~ScrapeLoop() = default;

TargetState ScrapeLoop::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::shared_ptr<const MetadataCache> ScrapeLoop::metadata() const {
  const std::lock_guard lock(mutex_);
  return ingest_->metadata();
}

void ScrapeLoop::Start() {
  aligned_ns_ = 0;
  ScheduleTick(context_.clock.Monotonic() + target_->OffsetNs(context_.clock.NowNs(), context_.offset_seed));
}

void ScrapeLoop::ScheduleTick(MonotonicNs due) {
  {
    const std::lock_guard lock(mutex_);
    next_due_ = due;
  }
  context_.scheduler.At(due, [self = shared_from_this()](MonotonicNs at) { self->OnTick(at); });
}

void ScrapeLoop::OnTick(MonotonicNs due) {
  bool begin = false;
  bool ended = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      ended = stale_markers_ && (running_ || state_.last_scrape_ns != 0);
    } else if (running_) {
      tick_waiting_ = true;
    } else {
      running_ = begin = true;
    }
  }
  if (ended) {
    const TimestampMs time = context_.clock.NowMs();
    context_.scheduler.At(due + interval_ns_ + interval_ns_ / 10, [self = shared_from_this(), time](MonotonicNs) {
      self->context_.in_flight.Enter();
      self->context_.workers.Submit([self, time] {
        self->WriteEndOfRunMarkers(time);
        self->context_.in_flight.Leave();
      });
    });
    return;
  }
  if (!begin && !tick_waiting_) return;
  // Missed ticks are not made up for: the next one lies in the future.
  const MonotonicNs now = context_.clock.Monotonic();
  MonotonicNs next = due + interval_ns_;
  if (next <= now) next += (now - next) / interval_ns_ * interval_ns_ + interval_ns_;
  ScheduleTick(next);
  if (begin) Begin();
}

TimestampMs ScrapeLoop::AlignedTime(int64_t now_ns) {
  const int64_t tolerance = std::min(interval_ns_ / 100, context_.timestamp_tolerance_ns);
  if (!context_.align_timestamps) return now_ns / 1'000'000;
  if (aligned_ns_ == 0 || aligned_ns_ > now_ns) aligned_ns_ = now_ns;
  aligned_ns_ += (now_ns - aligned_ns_) / interval_ns_ * interval_ns_;
  if (now_ns - aligned_ns_ <= tolerance) return aligned_ns_ / 1'000'000;
  return now_ns / 1'000'000;
}

// Called with running_ set: nobody else touches the scrape's state.
void ScrapeLoop::Begin() {
  auto attempt = std::make_shared<Attempt>();
  attempt->start_ns = context_.clock.NowNs();
  attempt->started = context_.clock.Monotonic();
  attempt->time = AlignedTime(attempt->start_ns);
  if (last_start_ns_ != 0) {
    const double length = static_cast<double>(attempt->start_ns - last_start_ns_) / 1e9;
    interval_metrics_.length->Observe(length);
    interval_metrics_.length_histogram->Observe(length);
  }
  last_start_ns_ = attempt->start_ns;
  context_.in_flight.Enter();
  std::optional<Error> forced;
  {
    const std::lock_guard lock(mutex_);
    forced = forced_error_;
  }
  if (!forced) return SendRequest(attempt);
  context_.workers.Submit(
      [self = shared_from_this(), attempt, error = *forced] { self->Finish(*attempt, epi::Fail(error)); });
}

void ScrapeLoop::SendRequest(const std::shared_ptr<Attempt>& attempt) {
  std::shared_ptr<const PoolSettings> settings;
  {
    const std::lock_guard lock(mutex_);
    settings = settings_;
  }
  const ScrapeJob& job = settings->job;
  net::HttpRequest request;
  request.url = target_->url();
  request.profile = settings->profile;
  request.timeout_ms = target_->timeout_ms();
  request.unix_socket = target_->unix_socket();
  request.max_body_bytes = context_.body_hard_cap;
  if (job.body_size_limit > 0) {
    request.max_body_bytes = std::min(context_.body_hard_cap, job.body_size_limit + kCompressionSlack);
  }
  request.headers.Add("Accept", settings->accept);
  request.headers.Add("Accept-Encoding", job.enable_compression ? "gzip" : "identity");
  request.headers.Add("X-Prometheus-Scrape-Timeout-Seconds", TimeoutSeconds(target_->timeout_ms()));
  const auto id =
      context_.http.Send(std::move(request), [self = shared_from_this(), attempt](Result<net::HttpResponse> response) {
        auto held = std::make_shared<Result<net::HttpResponse>>(std::move(response));
        self->context_.workers.Submit([self, attempt, held] { self->Finish(*attempt, std::move(*held)); });
      });
  const std::lock_guard lock(mutex_);
  request_ = id;
  if (stopped_ && !stale_markers_) context_.http.Cancel(id);
}

Result<std::string_view> ScrapeLoop::Body(const net::HttpResponse& response, const PoolSettings& settings,
                                          Inflater& inflater, Attempt& attempt) {
  if (response.status != 200) {
    return Fail(ErrorCode::kUnavailable, "server returned HTTP status " + response.status_text);
  }
  const uint64_t configured = settings.job.body_size_limit;
  const uint64_t limit = configured > 0 ? std::min(configured, context_.body_hard_cap) : context_.body_hard_cap;
  Result<std::string_view> body = response.body.view();
  if (response.headers.Get("Content-Encoding") == "gzip") {
    body = inflater.Gunzip(response.body.view(), limit);
  } else if (body->size() >= limit) {
    body = Fail(ErrorCode::kLimit, std::string(kBodyLimitText));
  }
  if (body) attempt.body_bytes = static_cast<int64_t>(body->size());
  return body;
}

void ScrapeLoop::Finish(Attempt& attempt, Result<net::HttpResponse> response) {
  std::shared_ptr<const PoolSettings> settings;
  bool discard = false;
  bool forget_lines = false;
  {
    const std::lock_guard lock(mutex_);
    settings = settings_;
    discard = stopped_ && !stale_markers_;
    forget_lines = std::exchange(rules_changed_, false);
  }
  if (!discard) {
    if (forget_lines) ingest_->Clear();
    auto inflater = context_.inflaters.Take();
    Result<std::string_view> body = std::string_view();
    ExpositionFormat format = ExpositionFormat::kText;
    if (!response) {
      body = epi::Fail(std::move(response).error());
    } else {
      body = Body(*response, *settings, *inflater, attempt);
    }
    if (!body) {
      attempt.error = std::move(body).error();
      if (attempt.error->code() == ErrorCode::kLimit && attempt.error->message().ends_with(kBodyLimitText)) {
        attempt.error = Error(ErrorCode::kLimit, std::string(kBodyLimitText));
        attempt.body_bytes = -1;
        context_.metrics.exceeded_body_size_limit.Increment();
      }
    } else if (!body->empty()) {
      auto chosen = ChooseFormat(response->headers.Get("Content-Type"), settings->job.fallback_scrape_protocol);
      if (chosen) {
        format = chosen->format;
        if (!chosen->warning.empty()) LogFormat(*response, chosen->warning, *settings, LogLevel::kDebug);
      } else {
        LogFormat(*response, chosen.error().message(), *settings, LogLevel::kError);
        attempt.ingested.error = std::move(chosen).error();
      }
    }
    Store(attempt, body.value_or(std::string_view()), format, *settings);
    context_.inflaters.Give(std::move(inflater));
  }
  bool again = false;
  {
    const std::lock_guard lock(mutex_);
    request_ = 0;
    again = std::exchange(tick_waiting_, false) && !stopped_;
    running_ = again;
  }
  if (again) Begin();
  context_.in_flight.Leave();
}

// The format of the body is not known, or only by the fallback.
void ScrapeLoop::LogFormat(const net::HttpResponse& response, std::string_view reason, const PoolSettings& settings,
                           LogLevel level) const {
  if (!context_.logger.enabled(level)) return;
  const auto& fallback = settings.job.fallback_scrape_protocol;
  const LogField fields[] = {{"scrape_pool", settings.job.job_name},
                             {"target", target_->url()},
                             {"content_type", response.headers.Get("Content-Type")},
                             {"fallback_media_type", fallback ? ScrapeProtocolMediaType(*fallback) : ""},
                             {"err", reason}};
  context_.logger.Write(level,
                        level == LogLevel::kError ? "Failed to determine correct type of scrape target."
                                                  : "Invalid content type on scrape, using fallback setting.",
                        fields);
}

Result<BatchAppender*> ScrapeLoop::Appender() {
  if (!appender_) {
    GroupIdentity identity;
    identity.kind = GroupIdentity::Kind::kScrape;
    identity.key = target_->public_labels().ToString() + ";" + target_->url();
    EPI_ASSIGN(appender_, context_.storage.OpenGroup(identity));
    // The end of a series that another loop goes on with is no news.
    appender_->set_on_late(BatchAppender::OnLate::kStoreSamples);
  }
  return appender_.get();
}

void ScrapeLoop::Store(Attempt& attempt, std::string_view body, ExpositionFormat format, const PoolSettings& settings) {
  auto opened = Appender();
  if (!opened) {
    if (!attempt.error) attempt.error = std::move(opened).error();
    Conclude(attempt, settings);
    return;
  }
  BatchAppender& appender = **opened;
  const Labels& labels = target_->public_labels();
  const HistogramRules& histograms = target_->histograms();
  const bool readable = !attempt.error && !attempt.ingested.error;
  if (readable) {
    attempt.ingested = ingest_->Ingest(body, format, attempt.time, labels, settings.rules, histograms, appender);
  } else {
    auto error = std::move(attempt.ingested.error);
    attempt.ingested = ingest_->IngestFailure(attempt.time, appender);
    attempt.ingested.error = std::move(error);
  }
  if (!attempt.error && attempt.ingested.error) attempt.error = attempt.ingested.error;
  Report(attempt, settings, appender);
  appender.set_list_refusals(settings.rules.synthesize_starts || settings.rules.track_timestamps_staleness);
  auto report = appender.Commit(attempt.time);
  if (report && !report->dead.empty()) {
    // Storage let go of series that the cache still knew: they are looked up again and their samples added.
    Account(attempt, *report, settings);
    const std::vector<SeriesRef> dead = report->dead;
    const bool reports_dead = std::any_of(dead.begin(), dead.end(), [this](SeriesRef ref) {
      return std::find(report_refs_.begin(), report_refs_.end(), ref) != report_refs_.end();
    });
    if (reports_dead) {
      report_refs_.fill(kNoSeries);
      Report(attempt, settings, appender);
    }
    if (ingest_->ForgetDead(dead) && readable && !attempt.error) {
      const auto more =
          ingest_->IngestMissing(body, format, attempt.time, labels, settings.rules, histograms, appender);
      attempt.ingested.series_added += more.series_added;
    }
    report = appender.Commit(attempt.time);
  }
  if (report) {
    ingest_->ForgetStarts(report->refusals);
    Account(attempt, *report, settings);
    if (settings.rules.track_timestamps_staleness &&
        ingest_->TakeRefusals(attempt.error ? std::span<const AppendReport::Refusal>() : report->refusals, attempt.time,
                              appender)) {
      report = appender.Commit(attempt.time);
    }
  }
  if (!report) {
    appender.Rollback();
    if (!attempt.error) attempt.error = report.error();
    context_.logger.Error(
        "Scrape commit failed",
        {{"scrape_pool", settings.job.job_name}, {"target", target_->url()}, {"err", report.error().message()}});
  }
  Conclude(attempt, settings);
}

void ScrapeLoop::ReportSample(size_t index, double value, BatchAppender& appender) {
  if (report_refs_[index] == kNoSeries) {
    auto ref = appender.Intern(ReportLabels(kReportNames[index], target_->public_labels()));
    if (!ref) return;
    report_refs_[index] = *ref;
  }
  appender.Add(report_refs_[index], value);
}

void ScrapeLoop::Report(Attempt& attempt, const PoolSettings& settings, BatchAppender& appender) {
  const double seconds = static_cast<double>(context_.clock.Monotonic() - attempt.started) / 1e9;
  const std::array<double, kReportSeries> values = {
      attempt.error ? 0.0 : 1.0,
      seconds,
      static_cast<double>(attempt.ingested.scraped),
      static_cast<double>(attempt.ingested.kept),
      static_cast<double>(attempt.ingested.series_added),
      static_cast<double>(target_->timeout_ms()) / 1000,
      static_cast<double>(settings.job.sample_limit),
      static_cast<double>(attempt.body_bytes),
  };
  const size_t count = settings.job.extra_scrape_metrics ? kReportSeries : kPlainReports;
  for (size_t i = 0; i < count; ++i) ReportSample(i, values[i], appender);
  context_.metrics.scrape_duration.Observe(seconds);
  const std::lock_guard lock(mutex_);
  state_.last_duration_seconds = seconds;
}

void ScrapeLoop::Account(const Attempt& attempt, const AppendReport& report, const PoolSettings& settings) {
  struct Row {
    RejectReason reason;
    Counter* counter;
    std::string_view message;
  };
  ScrapeMetrics& m = context_.metrics;
  const Row rows[] = {
      {RejectReason::kDuplicate, &m.duplicate_timestamp,
       "Error on ingesting samples with different value but same timestamp"},
      {RejectReason::kOutOfOrder, &m.out_of_order, "Error on ingesting out-of-order samples"},
      {RejectReason::kTooOld, &m.out_of_bounds,
       "Error on ingesting samples that are too old or are too far into the future"},
      {RejectReason::kOutOfBounds, &m.out_of_bounds,
       "Error on ingesting samples that are too old or are too far into the future"},
      {RejectReason::kExemplar, &m.exemplar_out_of_order, "Error on ingesting out-of-order exemplars"},
  };
  for (const auto& row : rows) {
    uint64_t count = report.rejected[static_cast<size_t>(row.reason)].count;
    if (row.reason == RejectReason::kDuplicate) count += attempt.ingested.duplicates;
    if (row.reason == RejectReason::kOutOfBounds) count += attempt.ingested.out_of_bounds;
    if (count == 0) continue;
    row.counter->Increment(static_cast<double>(count));
    context_.logger.Warn(row.message,
                         {{"scrape_pool", settings.job.job_name}, {"target", target_->url()}, {"num_dropped", count}});
  }
}

void ScrapeLoop::Conclude(Attempt& attempt, const PoolSettings& settings) {
  ScrapeMetrics& m = context_.metrics;
  const IngestResult& in = attempt.ingested;
  if (in.sample_limit_hit) m.exceeded_sample_limit.Increment();
  if (in.bucket_limit_hit) m.exceeded_bucket_limit.Increment();
  if (in.label_limit_hit) m.exceeded_label_limits.Increment();
  if (in.cache_flushed) m.cache_flush_forced.Increment();
  if (in.refused_new > 0) m.refused_new_series.Increment(static_cast<double>(in.refused_new));
  if (attempt.error) {
    if (settings.failure_log)
      settings.failure_log->Write(attempt.error->message(), settings.job.job_name, target_->url());
    context_.logger.Debug(
        "Scrape failed",
        {{"scrape_pool", settings.job.job_name}, {"target", target_->url()}, {"err", attempt.error->message()}});
  }
  const std::lock_guard lock(mutex_);
  state_.health = attempt.error ? TargetHealth::kDown : TargetHealth::kUp;
  state_.last_error = attempt.error ? attempt.error->message() : std::string();
  state_.last_scrape_ns = attempt.start_ns;
  state_.refused_new_series = in.refused_new;
}

void ScrapeLoop::Stop(StopReason reason) {
  net::HttpClient::RequestId request = 0;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    stale_markers_ = reason == StopReason::kTargetGone;
    tick_waiting_ = false;
    if (reason == StopReason::kShutdown && running_) request = request_;
  }
  if (request != 0) context_.http.Cancel(request);
}

void ScrapeLoop::Adopt(ScrapeLoop& former) {
  const std::scoped_lock lock(mutex_, former.mutex_);
  if (!former.stopped_ || !former.stale_markers_) return;
  former.stale_markers_ = false;
  if (former.running_) return;
  ingest_ = std::exchange(former.ingest_, std::make_unique<SampleIngest>(context_.hash_key, context_.interner));
  appender_ = std::move(former.appender_);
  report_refs_ = std::exchange(former.report_refs_, {});
  rules_changed_ = former.rules_changed_ || !SameMeaning(former.settings_->rules, settings_->rules);
}

void ScrapeLoop::Reconfigure(std::shared_ptr<const PoolSettings> settings) {
  const std::lock_guard lock(mutex_);
  if (!SameMeaning(settings_->rules, settings->rules)) rules_changed_ = true;
  settings_ = std::move(settings);
}

void ScrapeLoop::ForceError(std::optional<Error> error) {
  const std::lock_guard lock(mutex_);
  forced_error_ = std::move(error);
}

void ScrapeLoop::WriteEndOfRunMarkers(TimestampMs time) {
  {
    const std::lock_guard lock(mutex_);
    if (!stale_markers_ || running_) return;
    stale_markers_ = false;
    running_ = true;  // nothing else may touch the appender
  }
  if (appender_) {
    static_cast<void>(ingest_->IngestFailure(time, *appender_));
    for (const SeriesRef ref : report_refs_) {
      if (ref != kNoSeries) appender_->Add(ref, StaleNaN());
    }
    if (auto report = appender_->Commit(time); !report) {
      appender_->Rollback();
      context_.logger.Error("Writing stale markers failed",
                            {{"target", target_->url()}, {"err", report.error().message()}});
    }
  }
  const std::lock_guard lock(mutex_);
  running_ = false;
}

}  // namespace epi::scrape
