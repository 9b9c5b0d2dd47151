// Federation: the newest sample of every series that a selector asks for, in an exposition format.
#include <algorithm>
#include <map>
#include <optional>

#include "model/histogram_buckets.h"
#include "telemetry/exposition.h"
#include "web/api/answer.h"
#include "web/handlers.h"
#include "web/label_scope.h"

namespace epi::web {
namespace {

struct FederatedSample {
  Labels labels;
  TimestampMs time = 0;
  double value = 0;
  std::optional<FloatHistogram> histogram;
};

bool IsProtobuf(ExpositionFormat format) {
  return format == ExpositionFormat::kProtobuf || format == ExpositionFormat::kProtobufText ||
         format == ExpositionFormat::kProtobufCompact;
}

// The newest sample of one series; nothing when it is a stale marker or there is none.
bool TakeNewest(const SeriesSamples& series, FederatedSample& out) {
  const bool has_float = !series.t.empty(), has_histogram = !series.histograms.empty();
  if (!has_float && !has_histogram) return false;
  if (has_histogram && (!has_float || series.histograms.back().t > series.t.back())) {
    const auto& point = series.histograms.back();
    if (IsStaleNaN(point.h->sum)) return false;
    out.time = point.t;
    out.histogram = *point.h;
    return true;
  }
  out.time = series.t.back();
  out.value = series.v.back();
  return !IsStaleNaN(out.value);
}

Result<void> SelectNewest(const View& view, const std::vector<Matcher>& matchers, const SelectHints& hints,
                          const net::Request& request, std::vector<FederatedSample>& out) {
  EPI_ASSIGN(const auto selection, view.Select(matchers, hints, *request.budget));
  SeriesBatch batch;
  for (size_t first = 0; first < selection->size(); first += SeriesBatch::kMaxSeries) {
    if (request.stop.stop_requested()) return Fail(ErrorCode::kCanceled, "context canceled");
    const size_t count = std::min(SeriesBatch::kMaxSeries, selection->size() - first);
    EPI_TRY(selection->Read(first, count, batch));
    for (size_t i = 0; i < count; ++i) {
      FederatedSample sample;
      if (!TakeNewest(batch.series[i], sample)) continue;
      sample.labels = ToLabels(selection->labels(first + i), view.symbols());
      out.push_back(std::move(sample));
    }
  }
  return {};
}

MetricHistogram NativeHistogram(const FloatHistogram& h) {
  MetricHistogram out;
  out.native = out.has_float_counts = true;
  out.sample_count_float = h.count;
  out.sample_sum = h.sum;
  out.schema = h.schema;
  out.zero_threshold = h.zero_threshold;
  out.zero_count_float = h.zero_count;
  for (const auto& span : h.positive_spans) out.positive_spans.push_back({span.offset, span.length});
  for (const auto& span : h.negative_spans) out.negative_spans.push_back({span.offset, span.length});
  out.positive_counts = h.positive_buckets;
  out.negative_counts = h.negative_buckets;
  return out;
}

// Custom buckets have a classic form; the encoders add the bucket for infinity.
MetricHistogram ClassicHistogram(const FloatHistogram& h) {
  MetricHistogram out;
  out.has_float_counts = true;
  out.sample_count_float = h.count;
  out.sample_sum = h.sum;
  PositiveCursor cursor(h);
  bool more = cursor.Next();
  double cumulative = 0;
  for (size_t i = 0; i < h.custom_values.size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    while (more && cursor.index() < index) more = cursor.Next();
    if (more && cursor.index() == index) cumulative += cursor.count();
    MetricBucket bucket;
    bucket.upper_bound = h.custom_values[i];
    bucket.cumulative_count_float = cumulative;
    out.buckets.push_back(std::move(bucket));
  }
  return out;
}

// Collects samples of one name and kind into a family and writes it when the next one begins.
class FamilyWriter {
 public:
  FamilyWriter(const Exposition& exposition, std::map<std::string, std::string> external, net::ResponseWriter& response)
      : exposition_(exposition), external_(std::move(external)), response_(response) {}

  Result<void> Add(const FederatedSample& sample) {
    const ExposedType type = TypeOf(sample);
    const auto name = sample.labels.MetricName();
    if (family_.points.empty() || family_.name != name || family_.type != type) {
      EPI_TRY(Flush());
      family_.name = name;
      family_.has_help = false;
      family_.type = type;
    }
    MetricPoint& point = family_.points.emplace_back();
    point.timestamp_ms = sample.time;
    point.value = sample.value;
    if (sample.histogram) {
      const bool custom = IsCustomBucketsSchema(sample.histogram->schema);
      point.histogram = custom ? ClassicHistogram(*sample.histogram) : NativeHistogram(*sample.histogram);
    }
    for (const auto label : sample.labels)
      if (label.name != kMetricName) point.labels.emplace_back(label.name, label.value);
    for (const auto& [label, value] : external_)
      if (!sample.labels.Has(label)) point.labels.emplace_back(label, value);
    return {};
  }
  Result<void> Flush() {
    if (family_.points.empty()) return {};
    std::string out;
    EPI_TRY(AppendFamily(out, family_, exposition_));
    family_ = MetricFamily();
    return response_.Write(out);
  }

 private:
  static ExposedType TypeOf(const FederatedSample& sample) {
    if (!sample.histogram) return ExposedType::kUntyped;
    const bool gauge = sample.histogram->counter_reset_hint == CounterResetHint::kGauge;
    return gauge ? ExposedType::kGaugeHistogram : ExposedType::kHistogram;
  }

  const Exposition exposition_;
  const std::map<std::string, std::string> external_;  // added unless the series has the label
  net::ResponseWriter& response_;
  MetricFamily family_;
};

}  // namespace

Counter& FederationErrors(MetricRegistry& metrics) {
  // What Prometheus counts there are warnings of remote storage, of which there is none here.
  metrics.AddCounter("prometheus_web_federation_warnings_total",
                     "Total number of warnings that occurred while sending federation responses.");
  return metrics.AddCounter("prometheus_web_federation_errors_total",
                            "Total number of errors that occurred while sending federation responses.");
}

Result<void> ServeFederate(Services& services, const net::Request& request, net::ResponseWriter& response) {
  if (!request.form_error.empty()) return PlainError(response, 400, "error parsing form values: " + request.form_error);
  std::vector<std::vector<Matcher>> sets;
  for (const auto text : request.FormValues("match[]")) {
    auto set = promql::ParseMetricSelector(text, services.parse_options);
    if (!set) return PlainError(response, 400, set.error().message());
    if (!set->empty()) sets.push_back(std::move(*set));  // without a matcher nothing is selected
  }
  const Exposition exposition = NegotiateFormat(request.headers.Get("Accept"), false, NameEscaping::kUnderscores);
  SelectHints hints;
  hints.range.max = services.clock->NowMs();
  hints.range.min = hints.range.max - services.options.lookback_delta_ms;
  hints.sorted = true;
  const auto failed = [&](const Error& error) {
    FederationErrors(*services.metrics).Increment();
    return PlainError(response, error.code() == ErrorCode::kUnavailable ? 503 : 500, error.message());
  };
  const auto view = OpenView(services.local_storage, request, hints.range);
  if (!view) return failed(view.error());
  std::vector<FederatedSample> samples;
  for (const auto& set : sets)
    if (const auto selected = SelectNewest(**view, set, hints, request, samples); !selected)
      return failed(selected.error());
  std::sort(samples.begin(), samples.end(), [](const auto& a, const auto& b) { return a.labels < b.labels; });
  samples.erase(
      std::unique(samples.begin(), samples.end(), [](const auto& a, const auto& b) { return a.labels == b.labels; }),
      samples.end());
  std::stable_sort(samples.begin(), samples.end(),
                   [](const auto& a, const auto& b) { return a.labels.MetricName() < b.labels.MetricName(); });

  // The instance label is always there, so that the scraping server does not put its own.
  std::map<std::string, std::string> external = {{"instance", ""}};
  if (services.external_labels)
    for (const auto label : services.external_labels()) external[std::string(label.name)] = label.value;
  response.headers().Set("Content-Type", ContentType(exposition));
  FamilyWriter writer(exposition, std::move(external), response);
  for (const auto& sample : samples) {
    if (!sample.labels.Has(kMetricName)) {
      services.logger.Warn("Ignoring nameless metric during federation", {{"metric", sample.labels.ToString()}});
      continue;
    }
    // Native histograms have no form in the text formats.
    const bool native = sample.histogram && !IsCustomBucketsSchema(sample.histogram->schema);
    if (native && !IsProtobuf(exposition.format)) continue;
    EPI_TRY(writer.Add(sample));
  }
  return writer.Flush();
}

}  // namespace epi::web
