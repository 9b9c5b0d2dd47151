#include "remote/write_receiver.h"

#include <algorithm>

#include "model/histogram_resolution.h"
#include "model/histogram_validate.h"
#include "model/label_names.h"
#include "remote/append_lanes.h"
#include "remote/snappy_block.h"
#include "remote/write_negotiation.h"

namespace epi::remote {
namespace {

constexpr std::string_view kTypeLabel = "__type__";
constexpr std::string_view kUnitLabel = "__unit__";
// Newer clients may send schemas up to 52 that we can still reduce to the finest we store.
constexpr int32_t kReducibleSchemaMax = 52;

std::string PairsText(std::vector<LabelView> pairs) {
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  std::string out = "{";
  for (const auto& pair : pairs) {
    if (out.size() > 1) out += ", ";
    if (IsLegacyLabelName(pair.name)) {
      out += pair.name;
    } else {
      AppendQuoted(out, pair.name);
    }
    out += '=';
    AppendQuoted(out, pair.value);
  }
  return out + "}";
}

// Empty when the labels may be stored.
std::string LabelProblem(const std::vector<LabelView>& pairs) {
  bool named = false, valid = true;
  std::vector<std::string_view> names;
  for (const auto& [name, value] : pairs) {
    named |= name == kMetricName && !value.empty();
    valid &= !name.empty() && IsValidUtf8(name) && IsValidUtf8(value);
    names.push_back(name);
  }
  if (!named || !valid) return "invalid metric name or labels, got " + PairsText(pairs);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return {};
  return "invalid labels for series, labels " + PairsText(pairs) + ", duplicated label " + std::string(*twice);
}

// What is wrong with the request will stay so; that there was no room for it beside others will pass.
int StatusOfUndecodable(const Error& error) { return error.code() == ErrorCode::kLimit ? 503 : 400; }

Result<void> ReduceToStorableSchema(WireHistogram& histogram) {
  const int32_t schema = histogram.integer ? histogram.integer->schema : histogram.floats->schema;
  if (schema <= kExponentialSchemaMax || schema > kReducibleSchemaMax) return {};
  return histogram.integer ? ReduceResolution(*histogram.integer, kExponentialSchemaMax)
                           : ReduceResolution(*histogram.floats, kExponentialSchemaMax);
}

}  // namespace

// One request from its decoded bytes to its answer.
class WriteReceiver::Request {
 public:
  Request(WriteReceiver& owner, WriteMessage message, std::string_view bytes, Budget& budget)
      : owner_(owner),
        options_(owner.options_),
        message_(message),
        bytes_(bytes),
        budget_(budget),
        now_(owner.clock_.NowMs()) {
    answer_.has_written = v2();
  }

  WriteAnswer Run() {
    auto lane = owner_.lanes_->Take();
    if (!lane) return Failed(lane.error());
    appender_ = std::move(*lane);
    appender_->set_on_refusal(v2() ? BatchAppender::OnRefusal::kSkip : BatchAppender::OnRefusal::kAbort);
    appender_->set_on_dead(BatchAppender::OnRefusal::kAbort);
    appender_->set_list_refusals(true);
    // A series may be removed between its look-up and the commit; then the batch is built once more with fresh refs.
    constexpr int kAttempts = 3;
    for (int attempt = 0; attempt < kAttempts && !Attempt(); ++attempt) {
    }
    owner_.lanes_->Give(std::move(appender_));
    return std::move(answer_);
  }

 private:
  struct Added {
    SeriesRef ref;
    size_t series;
  };
  struct Refused {
    SeriesRef ref;
    RejectReason reason;
    size_t series = 0;  // its place in the request, once that is known
  };

  bool v2() const { return message_ == WriteMessage::kV2; }

  // False when it must be tried again.
  bool Attempt() {
    samples_ = histograms_ = exemplars_ = invalid_ = 0;
    lines_.clear();
    added_.clear();
    zero_samples_.clear();
    appender_->Rollback();
    MessageMeter meter(budget_, kMaxWriteRequestMemory);
    WriteRequestReader reader(message_, bytes_, meter);
    WireSeries series;
    for (size_t index = 0;; ++index) {
      auto more = reader.Next(series);
      if (!more) {
        answer_ = Answer(StatusOfUndecodable(more.error()), more.error().message());
        return true;
      }
      if (!*more) break;
      if (auto stop = AddSeries(index, series)) {
        answer_ = std::move(*stop);
        return true;
      }
    }
    auto report = appender_->Commit(now_);
    if (!report) {
      answer_ = Failed(report.error());
      return true;
    }
    if (!report->dead.empty()) {
      owner_.cache_->Forget(report->dead);
      return false;
    }
    if (invalid_ > 0) owner_.invalid_labels_.Increment(static_cast<double>(invalid_));
    answer_ = Judge(*report);
    return true;
  }

  // The answer that ends the request at this series, if one does.
  std::optional<WriteAnswer> AddSeries(size_t index, WireSeries& series) {
    const size_t points = series.samples.size() + series.histograms.size();
    std::string problem = series.problem;
    if (problem.empty() && options_.type_and_unit_labels && v2()) SetTypeAndUnit(series);
    if (problem.empty()) problem = LabelProblem(series.labels);
    if (!problem.empty()) {
      invalid_ += points;
      if (v2()) lines_.emplace_back(index, std::move(problem));
      return std::nullopt;
    }
    if (points == 0) {
      if (v2()) {
        lines_.emplace_back(
            index, "TimeSeries must contain at least one sample or histogram for series " + PairsText(series.labels));
      }
      return std::nullopt;
    }
    auto ref = Resolve(series.labels);
    if (!ref) return Failed(ref.error());
    added_.push_back({*ref, index});
    auto histogram = series.histograms.begin();
    for (const auto& sample : series.samples) {
      // A series that changes kind within the request lists its kinds apart; storage wants them by time.
      for (; histogram != series.histograms.end() && histogram->time < sample.time; ++histogram) {
        if (auto stop = AddHistogram(index, *ref, *histogram, series)) return stop;
      }
      if (auto stop = CheckFuture(index, sample.time, series)) {
        if (!v2()) return stop;
        continue;
      }
      AddStartTime(*ref, sample.time, sample.start_time);
      appender_->AddAt(*ref, sample.time, sample.value, options_.store_start_times ? sample.start_time : 0);
      ++samples_;
    }
    for (; histogram != series.histograms.end(); ++histogram) {
      if (auto stop = AddHistogram(index, *ref, *histogram, series)) return stop;
    }
    for (const auto& exemplar : series.exemplars) {
      if (!exemplar.labels_ok) continue;
      appender_->AddExemplar(*ref, Exemplar{Labels::FromPairs(exemplar.labels), exemplar.value, exemplar.time, true});
      ++exemplars_;
    }
    if (v2() && options_.append_metadata && (series.type != MetricType::kUnknown || !series.help.empty())) {
      appender_->SetMetadata(*ref, {series.type, std::string(series.unit), std::string(series.help)});
    }
    return std::nullopt;
  }

  std::optional<WriteAnswer> AddHistogram(size_t index, SeriesRef ref, WireHistogram& histogram,
                                          const WireSeries& series) {
    if (auto stop = CheckFuture(index, histogram.time, series)) return v2() ? std::nullopt : std::move(stop);
    auto sound = ReduceToStorableSchema(histogram);
    if (sound) sound = histogram.integer ? Validate(*histogram.integer) : Validate(*histogram.floats);
    if (!sound) {
      if (!v2()) return Answer(400, sound.error().message());
      lines_.emplace_back(index, sound.error().message() + " for series " + PairsText(series.labels));
      return std::nullopt;
    }
    appender_->AddHistogram({ref, histogram.time, options_.store_start_times ? histogram.start_time : 0,
                             std::move(histogram.integer), std::move(histogram.floats)});
    ++histograms_;
    return std::nullopt;
  }

  std::optional<WriteAnswer> CheckFuture(size_t index, TimestampMs time, const WireSeries& series) {
    if (time <= now_ + options_.max_future_ms) return std::nullopt;
    std::string text = "out of bounds: timestamp is too far in the future";
    if (v2()) lines_.emplace_back(index, text + " for series " + PairsText(series.labels));
    return Answer(400, std::move(text));
  }

  // A counter that began at start_time was zero then; refused silently when that is not news.
  void AddStartTime(SeriesRef ref, TimestampMs time, TimestampMs start_time) {
    if (!options_.start_time_zero_samples || start_time == 0 || start_time >= time) return;
    appender_->AddAt(ref, start_time, 0);
    zero_samples_.emplace_back(ref, start_time);
  }

  static void SetTypeAndUnit(WireSeries& series) {
    const auto set = [&](std::string_view name, std::string_view value) {
      if (value.empty()) return;
      std::erase_if(series.labels, [&](const LabelView& label) { return label.name == name; });
      series.labels.push_back({name, value});
    };
    if (series.type != MetricType::kUnknown) set(kTypeLabel, MetricTypeName(series.type));
    set(kUnitLabel, series.unit);
  }

  Result<SeriesRef> Resolve(const std::vector<LabelView>& pairs) {
    const uint64_t hash = HashOfPairs(pairs);
    if (const SeriesRef known = owner_.cache_->Find(hash); known != kNoSeries) return known;
    EPI_ASSIGN(const SeriesRef ref, appender_->Intern(Labels::FromPairs(pairs)));
    owner_.cache_->Put(hash, ref);
    return ref;
  }

  WriteAnswer Judge(const AppendReport& report) {
    uint64_t refused_samples = 0;
    uint64_t refused_histograms = 0;
    std::sort(zero_samples_.begin(), zero_samples_.end());
    std::vector<Refused> refused;
    for (const auto& refusal : report.refusals) {
      if (refusal.reason == RejectReason::kExemplar) continue;
      if (std::binary_search(zero_samples_.begin(), zero_samples_.end(), std::pair(refusal.ref, refusal.time)))
        continue;
      ++(refusal.is_histogram ? refused_histograms : refused_samples);
      refused.push_back({refusal.ref, refusal.reason});
    }
    if (v2()) {
      AddLines(std::move(refused));
    } else if (!refused.empty()) {
      lines_.emplace_back(0, RejectReasonText(refused.front().reason));
    }
    WriteAnswer out;
    if (!lines_.empty()) {
      std::stable_sort(lines_.begin(), lines_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      std::string body;
      for (const auto& [index, line] : lines_) body += (body.empty() ? "" : "\n") + line;
      out = Answer(400, std::move(body));
    }
    out.has_written = v2();
    if (v2()) {
      out.samples_written = samples_ - refused_samples;
      out.histograms_written = histograms_ - refused_histograms;
      const uint64_t lost = report.rejected[static_cast<size_t>(RejectReason::kExemplar)].count;
      out.exemplars_written = exemplars_ - std::min<uint64_t>(lost, exemplars_);
    }
    return out;
  }

  // A line for each refusal, by the first series of the request that it can belong to. Reads the request again for the
  // labels: only failing requests pay for texts.
  void AddLines(std::vector<Refused> refused) {
    std::stable_sort(added_.begin(), added_.end(), [](const Added& a, const Added& b) { return a.ref < b.ref; });
    for (auto& refusal : refused) {
      refusal.series = std::lower_bound(added_.begin(), added_.end(), refusal.ref, [](const Added& a, SeriesRef ref) {
                         return a.ref < ref;
                       })->series;
    }
    std::stable_sort(refused.begin(), refused.end(),
                     [](const Refused& a, const Refused& b) { return a.series < b.series; });
    MessageMeter meter(budget_, kMaxWriteRequestMemory);
    WriteRequestReader reader(message_, bytes_, meter);
    WireSeries series;
    size_t read = 0;
    for (const auto& refusal : refused) {
      for (; read <= refusal.series; ++read) {
        if (auto more = reader.Next(series); !more || !*more) return;
      }
      lines_.emplace_back(refusal.series,
                          std::string(RejectReasonText(refusal.reason)) + " for series " + PairsText(series.labels));
    }
  }

  WriteAnswer Answer(int status, std::string text) const {
    WriteAnswer out;
    out.status = status;
    out.body = std::move(text);
    if (out.body.empty() || out.body.back() != '\n') out.body += '\n';
    out.has_written = v2();
    return out;
  }
  WriteAnswer Failed(const Error& error) const {
    owner_.logger_.Error("Error appending remote write", {{"err", error.message()}});
    return Answer(error.code() == ErrorCode::kUnavailable ? 503 : 500, error.message());
  }

  WriteReceiver& owner_;
  const WriteReceiverOptions& options_;
  WriteMessage message_;
  std::string_view bytes_;
  Budget& budget_;
  TimestampMs now_;
  std::unique_ptr<BatchAppender> appender_;
  WriteAnswer answer_;
  uint64_t samples_ = 0, histograms_ = 0, exemplars_ = 0, invalid_ = 0;
  std::vector<std::pair<size_t, std::string>> lines_;  // series index and what is wrong with it
  std::vector<Added> added_;
  std::vector<std::pair<SeriesRef, TimestampMs>> zero_samples_;
};

WriteReceiver::WriteReceiver(WriteReceiverOptions options, Storage& storage, Clock& clock, MetricRegistry& metrics,
                             Logger logger)
    : options_(std::move(options)),
      clock_(clock),
      logger_(std::move(logger)),
      invalid_labels_(metrics.AddCounter(
          "prometheus_api_remote_write_invalid_labels_samples_total",
          "The total number of received remote write samples and histogram samples which were rejected due to invalid "
          "labels.")),
      lanes_(std::make_unique<AppendLanes>(storage, "lane")),
      cache_(std::make_unique<SentSeries>(options_.max_cached_series)) {
  // Prometheus counts what it stored although storing the metadata failed, which cannot happen here.
  metrics.AddCounter("prometheus_api_remote_write_without_metadata_appended_samples_total",
                     "The total number of received remote write samples (and histogram samples) which were ingested "
                     "without corresponding metadata.");
}
WriteReceiver::~WriteReceiver() = default;

WriteAnswer WriteReceiver::Receive(std::string_view content_type, std::string_view content_encoding,
                                   std::string_view body, Budget& budget) {
  WriteAnswer out;
  const auto message = NegotiateWrite(content_type, content_encoding, options_.accepted);
  if (!message) {
    logger_.Error("Error decoding remote write request", {{"err", message.error().message()}});
    out.status = 415;
    out.body = message.error().message() + "\n";
    return out;
  }
  BudgetCharge charge(budget);
  const auto plain = SnappyDecode(body, options_.max_decoded_bytes, charge);
  if (!plain) {
    logger_.Error("Error decompressing remote write request", {{"err", plain.error().message()}});
    out.status = StatusOfUndecodable(plain.error());
    out.body = plain.error().message() + "\n";
    out.has_written = *message == WriteMessage::kV2;
    return out;
  }
  return Request(*this, *message, *plain, budget).Run();
}

}  // namespace epi::remote
