#include "remote/otlp_receiver.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "base/utf8.h"
#include "model/histogram_start.h"
#include "model/histogram_validate.h"
#include "net/gunzip.h"
#include "remote/append_lanes.h"
#include "remote/otlp/delta_streams.h"
#include "remote/otlp/export_request.h"
#include "remote/otlp/translation.h"

namespace epi::remote {
namespace {

constexpr std::string_view kOtlpProtobuf = "application/x-protobuf";
constexpr std::string_view kOtlpJson = "application/json";

Counter& WarningCounter(MetricRegistry& metrics, std::string_view category) {
  return metrics.AddCounter(
      "prometheus_api_otlp_translation_warnings_total",
      "The total number of warnings produced while translating OTLP metrics to the Prometheus model, by category.",
      {{"category", std::string(category)}});
}

OtlpAnswer OtlpFailure(int status, std::string text) {
  if (text.empty() || text.back() != '\n') text += '\n';
  return {status, std::move(text)};
}

// What is wrong with the request will stay so; that there was no room for it beside others will pass.
OtlpAnswer Undecodable(const Error& error) {
  return OtlpFailure(error.code() == ErrorCode::kLimit ? 503 : 400, error.message());
}

}  // namespace

// One request's samples on their way into storage.
class OtlpReceiver::Batch final : public otlp::TranslationSink {
 public:
  Batch(OtlpReceiver& owner, const otlp::ExportRequest& request, const otlp::TranslationSettings& settings,
        Budget& budget)
      : owner_(owner),
        options_(owner.options_),
        request_(request),
        settings_(settings),
        budget_(budget),
        now_(owner.clock_.NowMs()) {}

  OtlpAnswer Store() {
    auto lane = owner_.lanes_->Take();
    if (!lane) return Failed(lane.error());
    appender_ = std::move(*lane);
    appender_->set_on_dead(BatchAppender::OnRefusal::kAbort);
    appender_->set_list_refusals(true);
    // Series may be removed between look-up and commit: then it is built once more.
    constexpr int kAttempts = 4;
    for (int attempt = 0; attempt < kAttempts && !Attempt(attempt == 0); ++attempt) {
    }
    owner_.lanes_->Give(std::move(appender_));
    return std::move(answer_);
  }

  Result<void> Add(otlp::TranslatedSample sample) override {
    for (const auto& label : sample.labels) {
      if (label.name.empty()) return Refuse(sample.place, "label name \"\" is not unique: invalid sample", false);
    }
    if (sample.labels.empty()) return Refuse(sample.place, "empty labelset: invalid sample", false);
    if (sample.time > now_ + options_.max_future_ms) {
      return Refuse(sample.place, "out of bounds: timestamp is too far in the future", true);
    }
    if (sample.histogram) {
      if (auto sound = Validate(*sample.histogram); !sound) {
        return Refuse(sample.place, sound.error().message(), false);
      }
    }
    EPI_ASSIGN(const SeriesRef ref, Resolve(sample));
    if (ref == kNoSeries) return Refuse(sample.place, std::string(RejectReasonText(RejectReason::kOutOfBounds)), true);
    if (options_.append_metadata && sample.metadata->type != MetricType::kUnknown) {
      appender_->SetMetadata(ref, *sample.metadata);
    }
    const MetricMetadata& metadata = *sample.metadata;
    const bool has_metadata = metadata.type != MetricType::kUnknown || !metadata.unit.empty() || !metadata.help.empty();
    if (!has_metadata) owner_.without_metadata_.Increment();
    if (auto charged = charge_.Add(static_cast<int64_t>(2 * sizeof(Pending))); !charged) {
      return Fail(ErrorCode::kUnavailable, charged.error().message());
    }
    const bool began = sample.start_time != 0 && sample.start_time < sample.time;
    if (options_.start_time_zero_samples && began) {
      pending_.push_back({ref, sample.start_time, 0, 0, sample.place, true,
                          sample.histogram ? ZeroLike(*sample.histogram) : std::shared_ptr<const Histogram>()});
    }
    const TimestampMs start = options_.store_start_times ? sample.start_time : 0;
    pending_.push_back({ref, sample.time, start, sample.value, sample.place, false, std::move(sample.histogram)});
    for (auto& exemplar : sample.exemplars) appender_->AddExemplar(ref, std::move(exemplar));
    return {};
  }

 private:
  struct Pending {
    SeriesRef ref;
    TimestampMs time;
    TimestampMs start_time;
    double value;
    size_t place;
    bool is_zero_sample;
    std::shared_ptr<const Histogram> histogram;
  };

  // Notes what is wrong with a metric: Prometheus goes on with the next one after the first error. `hopeless`: the
  // sender must not send it again.
  Result<void> Refuse(size_t place, std::string text, bool hopeless) {
    if (errors_.emplace(place, std::move(text)).second) hopeless_ |= hopeless;
    return {};
  }

  // What is wrong, in the order of the request.
  OtlpAnswer Refusal() const {
    std::string text;
    for (const auto& [place, line] : errors_) text += (text.empty() ? "" : "\n") + line;
    if (!hopeless_) owner_.logger_.Error("Error appending remote write", {{"err", text}});
    return OtlpFailure(hopeless_ ? 400 : 500, std::move(text));
  }

  // False when it must be tried again.
  bool Attempt(bool first) {
    pending_.clear();
    errors_.clear();
    hopeless_ = false;
    charge_ = BudgetCharge(budget_);
    appender_->Rollback();
    auto outcome = Translate(request_, settings_, *this);
    if (!outcome) {
      answer_ = Failed(outcome.error());
      return true;
    }
    if (first) Report(outcome->warnings);
    for (auto& error : outcome->errors) static_cast<void>(Refuse(error.place, std::move(error.text), false));
    // What storage has to say about the rest of a request that is refused anyway is part of the answer.
    appender_->set_on_refusal(errors_.empty() ? BatchAppender::OnRefusal::kAbort
                                              : BatchAppender::OnRefusal::kOnlyJudge);
    HandOver();
    auto report = appender_->Commit(now_);
    if (!report) {
      answer_ = Failed(report.error());
      return true;
    }
    if (!report->dead.empty()) {
      owner_.known_->Forget(report->dead);
      return false;
    }
    Judge(*report);
    return true;
  }

  // Prometheus refuses nothing for its order within one request: of samples of a series the later ones simply do not
  // count. Here they are put in order, and of two for one time the first stays.
  void HandOver() {
    const auto key = [](const Pending& p) { return std::tuple(p.time, p.ref, p.is_zero_sample); };
    std::stable_sort(pending_.begin(), pending_.end(),
                     [&](const Pending& a, const Pending& b) { return key(a) < key(b); });
    const auto end = std::unique(pending_.begin(), pending_.end(),
                                 [](const Pending& a, const Pending& b) { return a.time == b.time && a.ref == b.ref; });
    pending_.erase(end, pending_.end());
    for (const auto& sample : pending_) {
      if (sample.histogram) {
        BatchAppender::HistogramSample histogram{sample.ref, sample.time, sample.start_time, sample.histogram, nullptr};
        histogram.is_start_zero = sample.is_zero_sample;
        appender_->AddHistogram(std::move(histogram));
      } else if (sample.is_zero_sample) {
        appender_->AddStartZero(sample.ref, sample.time);
      } else {
        appender_->AddAt(sample.ref, sample.time, sample.value, sample.start_time);
      }
    }
  }

  void Judge(const AppendReport& report) {
    for (const auto& refusal : report.refusals) {
      if (ConcernsExemplar(refusal.reason)) {
        if (refusal.reason == RejectReason::kExemplar) owner_.late_exemplars_.Increment();
        continue;
      }
      const bool hopeless =
          refusal.reason != RejectReason::kSeriesLimit && refusal.reason != RejectReason::kInvalidValue;
      static_cast<void>(Refuse(PlaceOf(refusal), std::string(refusal.text()), hopeless));
    }
    answer_ = errors_.empty() ? OtlpAnswer() : Refusal();
  }

  // The samples are in order of time and series by now, and there is one of each.
  size_t PlaceOf(const AppendReport::Refusal& refusal) const {
    const auto key = std::pair(refusal.time, refusal.ref);
    const auto at = std::lower_bound(
        pending_.begin(), pending_.end(), key,
        [](const Pending& sample, const auto& wanted) { return std::pair(sample.time, sample.ref) < wanted; });
    return at != pending_.end() && std::pair(at->time, at->ref) == key ? at->place : 0;
  }

  // None for a sample that is out of bounds for any series: none is made for it.
  Result<SeriesRef> Resolve(const otlp::TranslatedSample& sample) {
    const uint64_t hash = HashOfPairs(sample.labels);
    if (const SeriesRef known = owner_.known_->Find(hash); known != kNoSeries) return known;
    if (appender_->RefuseOutOfBounds(sample.time, sample.histogram != nullptr)) return kNoSeries;
    EPI_ASSIGN(const SeriesRef ref, appender_->Intern(Readable(sample.labels)));
    owner_.known_->Put(hash, ref);
    return ref;
  }

  // Prometheus takes bytes that are no text, and hands them out so. Here every one becomes the character for such.
  static Labels Readable(std::span<const LabelView> pairs) {
    LabelsBuilder builder;
    for (const auto& [name, value] : pairs) builder.Set(ToValidUtf8(name), ToValidUtf8(value));
    return builder.Build();
  }

  void Report(const otlp::Warnings& warnings) {
    for (const auto& warning : warnings) {
      WarningCounter(owner_.metrics_, warning.category).Increment();
      owner_.logger_.Warn("OTLP translation warning", {{"warning", warning.text}});
    }
  }

  OtlpAnswer Failed(const Error& error) const {
    owner_.logger_.Error("Error appending remote write", {{"err", error.message()}});
    return OtlpFailure(error.code() == ErrorCode::kUnavailable ? 503 : 500, error.message());
  }

  OtlpReceiver& owner_;
  const OtlpReceiverOptions& options_;
  const otlp::ExportRequest& request_;
  const otlp::TranslationSettings& settings_;
  Budget& budget_;
  const TimestampMs now_;
  std::unique_ptr<BatchAppender> appender_;
  BudgetCharge charge_;
  std::vector<Pending> pending_;
  std::map<size_t, std::string> errors_;  // by the place of the metric, its first one
  bool hopeless_ = false;
  OtlpAnswer answer_ = OtlpFailure(503, "series are removed faster than they can be written");
};

OtlpReceiver::OtlpReceiver(OtlpReceiverOptions options, Storage& storage, Clock& clock, MetricRegistry& metrics,
                           Logger logger)
    : options_(options),
      clock_(clock),
      metrics_(metrics),
      logger_(std::move(logger)),
      late_exemplars_(metrics.AddCounter("prometheus_api_otlp_out_of_order_exemplars_total",
                                         "The total number of received OTLP exemplars which were rejected because "
                                         "they were out of order.")),
      without_metadata_(metrics.AddCounter("prometheus_api_otlp_appended_samples_without_metadata_total",
                                           "The total number of samples ingested from OTLP without corresponding "
                                           "metadata.")),
      lanes_(std::make_unique<AppendLanes>(storage, "otlp")),
      known_(std::make_unique<SentSeries>(options.max_cached_series)),
      deltas_(std::make_unique<otlp::DeltaStreams>()),
      config_(std::make_shared<config::OtlpConfig>()) {}
OtlpReceiver::~OtlpReceiver() = default;

void OtlpReceiver::SetConfig(config::OtlpConfig config) {
  auto next = std::make_shared<const config::OtlpConfig>(std::move(config));
  const std::lock_guard lock(mutex_);
  config_ = std::move(next);
}

OtlpAnswer OtlpReceiver::Receive(std::string_view content_type, std::string_view content_encoding,
                                 std::string_view body, Budget& budget) {
  const auto undecodable = [this](const Error& error) {
    logger_.Error("Error decoding OTLP write request", {{"err", error.message()}});
    return Undecodable(error);
  };
  const bool json = content_type == kOtlpJson;
  if (!json && content_type != kOtlpProtobuf) {
    return undecodable({ErrorCode::kInvalid, "unsupported content type: " + std::string(content_type) +
                                                 ", supported: [application/json, application/x-protobuf]"});
  }
  std::string plain;
  BudgetCharge plain_charge(budget);
  if (content_encoding == "gzip") {
    auto inflated = net::GunzipAll(body, options_.max_decoded_bytes, plain_charge);
    if (!inflated) return undecodable(inflated.error());
    plain = std::move(*inflated);
    body = plain;
  } else if (!content_encoding.empty()) {
    return undecodable({ErrorCode::kInvalid, "unsupported compression: " + std::string(content_encoding) +
                                                 ". Only \"gzip\" or no compression supported"});
  }
  if (body.size() > options_.max_decoded_bytes) {
    return undecodable({ErrorCode::kInvalid,
                        "request body exceeds the " + std::to_string(options_.max_decoded_bytes) + " bytes limit"});
  }
  auto request = json ? otlp::DecodeJson(body, budget) : otlp::DecodeProtobuf(body, budget);
  if (!request) return undecodable(request.error());
  if (options_.deltas == OtlpReceiverOptions::Deltas::kToCumulative) {
    if (const size_t dropped = deltas_->ToCumulative(*request, clock_.NowMs()); dropped > 0) {
      logger_.Warn("OTLP delta points dropped", {{"count", std::to_string(dropped)}});
    }
  }
  otlp::TranslationSettings settings;
  {
    const std::lock_guard lock(mutex_);
    settings.config = *config_;
  }
  settings.allow_delta = options_.deltas == OtlpReceiverOptions::Deltas::kStore;
  settings.type_and_unit_labels = options_.type_and_unit_labels;
  settings.lookback_delta_ms = options_.lookback_delta_ms;
  return Batch(*this, *request, settings, budget).Store();
}

}  // namespace epi::remote
