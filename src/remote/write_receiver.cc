#include "remote/write_receiver.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/escaping.h"
#include "model/histogram_resolution.h"
#include "model/histogram_start.h"
#include "model/histogram_validate.h"
#include "model/label_names.h"
#include "model/number_format.h"
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
    appender_->set_on_dead(BatchAppender::OnRefusal::kAbort);
    // A request of version 1.0 ends with its first refusal.
    appender_->set_list_refusals(v2());
    // A series may be removed between its look-up and the commit; then the batch is built once more with fresh refs.
    constexpr int kAttempts = 3;
    for (int attempt = 0; attempt < kAttempts && !Attempt(); ++attempt) {
    }
    owner_.lanes_->Give(std::move(appender_));
    return std::move(answer_);
  }

 private:
  enum Part : unsigned char { kSamples, kHistograms, kExemplars };
  using Counts = std::array<size_t, 3>;  // by part
  // Where a line of the answer belongs: a series, a part of it, and how many of the part the batch had before.
  struct Place {
    size_t series;
    Part part;
    size_t at;
    auto operator<=>(const Place&) const = default;
  };
  struct Line {
    Place place;
    std::string text;
    bool goes_on = false;  // with " for series " and the labels, which are read again
    TimestampMs time = 0;
  };
  // A series with something for the batch, and what that had before it.
  struct Added {
    size_t series;
    Counts before;
  };

  bool v2() const { return message_ == WriteMessage::kV2; }

  // False when it must be tried again.
  bool Attempt() {
    given_ = written_ = {};
    invalid_ = 0;
    lines_.clear();
    added_.clear();
    stop_.reset();
    appender_->Rollback();
    MessageMeter meter(budget_, kMaxWriteRequestMemory);
    WriteRequestReader reader(message_, bytes_, meter);
    WireSeries series;
    for (size_t index = 0;; ++index) {
      auto more = reader.Next(series);
      if (!more) {
        answer_ = Undecodable(more.error());
        return true;
      }
      if (!*more) break;
      if (!stop_) AddSeries(index, series);
    }
    if (stop_ && (v2() || stop_->status != 400)) {
      answer_ = std::move(*stop_);
      return true;
    }
    // What storage has against the samples before the stop comes first.
    appender_->set_on_refusal(v2()    ? BatchAppender::OnRefusal::kSkip
                              : stop_ ? BatchAppender::OnRefusal::kOnlyJudge
                                      : BatchAppender::OnRefusal::kAbort);
    auto report = appender_->Commit(now_);
    if (!report) {
      answer_ = Failed(report.error());
      return true;
    }
    if (!report->dead.empty()) {
      owner_.cache_->Forget(report->dead);
      return false;
    }
    answer_ = v2() ? JudgeV2(*report) : JudgeV1(*report);
    return true;
  }

  // Sets stop_ when the request ends here.
  void AddSeries(size_t index, WireSeries& series) {
    const size_t points = series.samples.size() + series.histograms.size();
    std::string problem = series.problem;
    if (problem.empty() && options_.type_and_unit_labels && v2()) SetTypeAndUnit(series);
    if (problem.empty()) problem = LabelProblem(series.labels);
    if (!problem.empty()) {
      if (!v2()) owner_.logger_.Warn("Invalid metric names or labels", {{"got", PairsText(series.labels)}});
      if (!series.problem_is_metadata) invalid_ += v2() ? points : 1;
      if (v2()) lines_.push_back({{index, kSamples, 0}, std::move(problem)});
      return;
    }
    if (points == 0) {
      if (v2()) {
        lines_.push_back(
            {{index, kSamples, 0},
             "TimeSeries must contain at least one sample or histogram for series " + PairsText(series.labels)});
      }
      return;
    }
    hash_ = HashOfPairs(series.labels);
    ref_ = owner_.cache_->Find(hash_);
    added_.push_back({index, given_});
    auto histogram = series.histograms.begin();
    for (const auto& sample : series.samples) {
      // A series that changes kind within the request lists its kinds apart; storage wants them by time.
      for (; histogram != series.histograms.end() && histogram->time < sample.time; ++histogram) {
        if (!AddHistogram(*histogram, series)) return;
      }
      if (!AddSample(sample, series)) return;
    }
    for (; histogram != series.histograms.end(); ++histogram) {
      if (!AddHistogram(*histogram, series)) return;
    }
    if (ref_ == kNoSeries && !series.exemplars.empty()) ref_ = appender_->Find(Labels::FromPairs(series.labels));
    for (const auto& exemplar : series.exemplars) AddExemplar(exemplar, series);
    if (v2() && ref_ != kNoSeries && options_.append_metadata &&
        (series.type != MetricType::kUnknown || !series.help.empty())) {
      appender_->SetMetadata(ref_, {series.type, std::string(series.unit), std::string(series.help)});
    }
  }

  // These two are false when the request ends here.
  bool AddSample(const WireSample& sample, const WireSeries& series) {
    if (TooFarAhead(sample.time)) return Refuse(kSamples, kTooFarAhead, sample.time, series);
    if (!FindOrMake(kSamples, sample.time, series)) return !stop_;
    if (options_.start_time_zero_samples && sample.start_time != 0 && sample.start_time < sample.time) {
      appender_->AddStartZero(ref_, sample.start_time);
      ++given_[kSamples];
    }
    appender_->AddAt(ref_, sample.time, sample.value, options_.store_start_times ? sample.start_time : 0);
    ++given_[kSamples];
    ++written_[kSamples];
    return true;
  }

  bool AddHistogram(WireHistogram& histogram, const WireSeries& series) {
    if (TooFarAhead(histogram.time)) return Refuse(kHistograms, kTooFarAhead, histogram.time, series);
    auto sound = ReduceToStorableSchema(histogram);
    if (sound) sound = histogram.integer ? Validate(*histogram.integer) : Validate(*histogram.floats);
    if (!sound) {
      const bool out_of_bounds = appender_->RefuseOutOfBounds(histogram.time, true);
      return Refuse(kHistograms, out_of_bounds ? RejectReasonText(RejectReason::kOutOfBounds) : sound.error().message(),
                    histogram.time, series);
    }
    if (!FindOrMake(kHistograms, histogram.time, series)) return !stop_;
    if (options_.start_time_zero_samples && histogram.start_time != 0 && histogram.start_time < histogram.time) {
      BatchAppender::HistogramSample zero{ref_, histogram.start_time, 0, nullptr, nullptr, 0, 0, true};
      if (histogram.integer) zero.integer = ZeroLike(*histogram.integer);
      if (histogram.floats) zero.floats = ZeroLike(*histogram.floats);
      appender_->AddHistogram(std::move(zero));
      ++given_[kHistograms];
    }
    appender_->AddHistogram({ref_, histogram.time, options_.store_start_times ? histogram.start_time : 0,
                             std::move(histogram.integer), std::move(histogram.floats)});
    ++given_[kHistograms];
    ++written_[kHistograms];
    return true;
  }

  // What cannot be stored for another reason than its order is left out, and nobody is told.
  void AddExemplar(const WireExemplar& exemplar, const WireSeries& series) {
    if (!exemplar.problem.empty()) {
      lines_.push_back({{added_.back().series, kExemplars, given_[kExemplars]},
                        "parsing exemplar for series " + PairsText(series.labels) + ": " + exemplar.problem});
      return;
    }
    if (TooFarAhead(exemplar.time)) return LogExemplar(exemplar, series);
    if (ref_ == kNoSeries) return;
    appender_->AddExemplar(ref_, Exemplar{Labels::FromPairs(exemplar.labels), exemplar.value, exemplar.time, true});
    ++given_[kExemplars];
    ++written_[kExemplars];
  }

  static constexpr std::string_view kTooFarAhead = "out of bounds: timestamp is too far in the future";
  bool TooFarAhead(TimestampMs time) const { return time > now_ + options_.max_future_ms; }

  // Sees to ref_. False when the sample at `time` is not stored: it is refused, or stop_ says why not.
  bool FindOrMake(Part part, TimestampMs time, const WireSeries& series) {
    if (ref_ != kNoSeries) [[likely]]
      return true;
    if (appender_->RefuseOutOfBounds(time, part == kHistograms)) {
      Refuse(part, RejectReasonText(RejectReason::kOutOfBounds), time, series);
      return false;
    }
    auto ref = appender_->Intern(Labels::FromPairs(series.labels));
    if (!ref) {
      stop_ = Failed(ref.error());
      return false;
    }
    ref_ = *ref;
    owner_.cache_->Put(hash_, ref_);
    return true;
  }

  // Whether the request goes on.
  bool Refuse(Part part, std::string_view why, TimestampMs time, const WireSeries& series) {
    const std::string labels = PairsText(series.labels);
    LogRefusal(part, why, labels, time);
    if (!v2()) {
      stop_ = Answer(400, std::string(why));
      return false;
    }
    lines_.push_back({{added_.back().series, part, given_[part]}, std::string(why) + " for series " + labels});
    return true;
  }

  void LogRefusal(Part part, std::string_view why, std::string_view labels, TimestampMs time) const {
    owner_.logger_.Error(part == kExemplars    ? "Out of order exemplar"
                         : part == kHistograms ? "Out of order histogram from remote write"
                                               : "Out of order sample from remote write",
                         {{"err", why}, {"series", labels}, {"timestamp", time}});
  }

  void LogExemplar(const WireExemplar& exemplar, const WireSeries& series) const {
    if (!v2()) return;
    const std::string text = "{Labels:" + PairsText(exemplar.labels) + " Value:" + FormatFloatGeneral(exemplar.value) +
                             " Ts:" + std::to_string(exemplar.time) + " HasTs:true}";
    owner_.logger_.Error("failed to ingest exemplar, emitting error log, but no error for PRW caller",
                         {{"err", kTooFarAhead}, {"series", PairsText(series.labels)}, {"exemplar", text}});
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

  WriteAnswer JudgeV1(const AppendReport& report) {
    for (size_t reason = 0; reason < kRejectReasons; ++reason) {
      const auto& rejected = report.rejected[reason];
      if (rejected.count == 0 || ConcernsExemplar(RejectReason(reason))) continue;
      const std::string_view why =
          rejected.detail.empty() ? RejectReasonText(RejectReason(reason)) : std::string_view(rejected.detail);
      LogRefusal(kSamples, why, rejected.first.ToString(), rejected.first_time);
      return Answer(400, std::string(why));
    }
    if (stop_) return std::move(*stop_);
    if (invalid_ > 0) owner_.invalid_labels_.Increment(static_cast<double>(invalid_));
    WarnOfExemplars(report);
    return {};
  }

  WriteAnswer JudgeV2(const AppendReport& report) {
    if (invalid_ > 0) owner_.invalid_labels_.Increment(static_cast<double>(invalid_));
    WarnOfExemplars(report);
    for (const auto& refusal : report.refusals) {
      const Part part = ConcernsExemplar(refusal.reason) ? kExemplars : refusal.is_histogram ? kHistograms : kSamples;
      --written_[part];
      if (refusal.reason == RejectReason::kExemplarLabels) continue;
      // The last series that found less of the part in the batch.
      const auto next = std::partition_point(added_.begin(), added_.end(),
                                             [&](const Added& added) { return added.before[part] <= refusal.index; });
      lines_.push_back(
          {{std::prev(next)->series, part, refusal.index}, std::string(refusal.text()), true, refusal.time});
    }
    std::stable_sort(lines_.begin(), lines_.end(), [](const Line& a, const Line& b) { return a.place < b.place; });
    CompleteLines();
    std::string body;
    for (const auto& line : lines_) body += (body.empty() ? "" : "\n") + line.text;
    WriteAnswer out = lines_.empty() ? WriteAnswer() : Answer(400, std::move(body));
    out.has_written = true;
    out.samples_written = written_[kSamples];
    out.histograms_written = written_[kHistograms];
    out.exemplars_written = written_[kExemplars];
    return out;
  }

  void WarnOfExemplars(const AppendReport& report) const {
    const auto dropped = report.rejected[static_cast<size_t>(RejectReason::kExemplar)].count;
    if (dropped > 0) owner_.logger_.Warn("Error on ingesting out-of-order exemplars", {{"num_dropped", dropped}});
  }

  // Reads the request again for the labels: only failing requests pay for texts.
  void CompleteLines() {
    MessageMeter meter(budget_, kMaxWriteRequestMemory);
    WriteRequestReader reader(message_, bytes_, meter);
    WireSeries series;
    std::string labels;
    size_t read = 0;
    for (auto& line : lines_) {
      if (!line.goes_on) continue;
      for (; read <= line.place.series; ++read) {
        if (auto more = reader.Next(series); !more || !*more) return;
        labels.clear();
      }
      if (labels.empty()) {
        if (options_.type_and_unit_labels) SetTypeAndUnit(series);
        labels = PairsText(series.labels);
      }
      LogRefusal(line.place.part, line.text, labels, line.time);
      line.text += " for series " + labels;
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
    owner_.logger_.Error("Error while storing the remote write request", {{"err", error.message()}});
    return Answer(error.code() == ErrorCode::kUnavailable ? 503 : 500, error.message());
  }
  WriteAnswer Undecodable(const Error& error) const {
    owner_.logger_.Error(v2() ? "Error decoding v2 remote write request" : "Error decoding v1 remote write request",
                         {{"protobuf_message", WriteMessageName(message_)}, {"err", error.message()}});
    return Answer(StatusOfUndecodable(error), error.message());
  }

  WriteReceiver& owner_;
  const WriteReceiverOptions& options_;
  WriteMessage message_;
  std::string_view bytes_;
  Budget& budget_;
  TimestampMs now_;
  std::unique_ptr<BatchAppender> appender_;
  WriteAnswer answer_;
  Counts given_ = {};    // to the batch, zeros of starts included
  Counts written_ = {};  // as the answer says
  uint64_t invalid_ = 0;
  std::vector<Line> lines_;
  std::vector<Added> added_;
  std::optional<WriteAnswer> stop_;
  // Of the series being added.
  uint64_t hash_ = 0;
  SeriesRef ref_ = kNoSeries;
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
  const auto refuse = [](int status, const std::string& why) {
    WriteAnswer out;
    out.status = status;
    out.body = why + "\n";
    return out;
  };
  if (const auto encoding = CheckWriteEncoding(content_encoding); !encoding) {
    return refuse(415, encoding.error().message());
  }
  BudgetCharge charge(budget);
  const auto plain = SnappyDecode(body, options_.max_decoded_bytes, charge, SnappyWords::kS2);
  if (!plain) return refuse(StatusOfUndecodable(plain.error()), plain.error().message());
  const auto message = NegotiateWrite(content_type, options_.accepted);
  if (!message) {
    logger_.Error("Error decoding remote write request", {{"err", message.error().message()}});
    return refuse(415, message.error().message());
  }
  return Request(*this, *message, *plain, budget).Run();
}

}  // namespace epi::remote
