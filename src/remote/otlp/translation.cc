#include "remote/otlp/translation.h"

#include <algorithm>
#include <limits>

#include "base/escaping.h"
#include "base/utf8.h"
#include "model/number_format.h"
#include "remote/otlp/names.h"
#include "remote/otlp/native_histograms.h"

namespace epi::remote::otlp {
namespace {

constexpr std::string_view kTargetInfo = "target_info";
// Of an exemplar's labels, in characters, as OpenMetrics limits them.
constexpr size_t kMaxExemplarRunes = 128;
// target_info is written over the time its resource's samples span, which nobody checks: no more often than this.
constexpr int64_t kMaxTargetInfoSamples = 1'000;

// Times are signed here: what is beyond 2262 was before 1970.
TimestampMs Milliseconds(uint64_t ns) { return static_cast<TimestampMs>(ns) / 1'000'000; }

bool IsDelta(const Metric& metric) { return metric.temporality == Temporality::kDelta; }

bool HasTemporality(Kind kind) {
  return kind == Kind::kSum || kind == Kind::kHistogram || kind == Kind::kExponentialHistogram;
}

// Deltas have no type of their own yet, so that nobody takes a rate of them.
MetricType TypeOf(const Metric& metric) {
  if (HasTemporality(metric.kind) && IsDelta(metric)) return MetricType::kUnknown;
  switch (metric.kind) {
    case Kind::kGauge:
      return MetricType::kGauge;
    case Kind::kSum:
      return metric.monotonic ? MetricType::kCounter : MetricType::kGauge;
    case Kind::kHistogram:
    case Kind::kExponentialHistogram:
      return MetricType::kHistogram;
    case Kind::kSummary:
      return MetricType::kSummary;
    case Kind::kNone:
      break;
  }
  return MetricType::kUnknown;
}

size_t Runes(std::string_view text) {
  size_t count = 0;
  while (!text.empty()) {
    uint32_t rune = 0;
    text.remove_prefix(std::max<size_t>(DecodeUtf8(text, rune), 1));
    ++count;
  }
  return count;
}

Exemplar ToExemplar(const DataExemplar& from) {
  std::vector<LabelView> pairs;
  if (!from.trace_id.empty()) pairs.push_back({"trace_id", from.trace_id});
  if (!from.span_id.empty()) pairs.push_back({"span_id", from.span_id});
  size_t runes = 0;
  for (const auto& pair : pairs) runes += Runes(pair.name) + Runes(pair.value);
  for (const auto& attribute : from.attributes) runes += Runes(attribute.key) + Runes(attribute.value);
  if (runes <= kMaxExemplarRunes) {
    for (const auto& attribute : from.attributes) pairs.push_back({attribute.key, attribute.value});
  }
  return {Labels::FromPairs(std::move(pairs)), from.value.value_or(0), Milliseconds(from.time_ns), true};
}

std::vector<Exemplar> ToExemplars(const DataPoint& point) {
  std::vector<Exemplar> out;
  for (const auto& exemplar : point.exemplars) out.push_back(ToExemplar(exemplar));
  return out;
}

class Translator {
 public:
  Translator(const TranslationSettings& settings, TranslationSink& sink)
      : settings_(settings), sink_(sink), namer_(settings.config), labels_(settings.config, namer_) {}

  Result<TranslationOutcome> Run(const ExportRequest& request) {
    for (const auto& resource : request.resources) EPI_TRY(Resource(resource));
    return std::move(outcome_);
  }

 private:
  // False when the error is one of a metric, and is noted. Errors of the sink go up.
  bool Noted(const Result<void>& made) {
    if (made) return false;
    Note(made.error().message());
    return true;
  }
  void Note(std::string text) { outcome_.errors.push_back({place_, std::move(text)}); }

  Result<void> Resource(const ResourceMetrics& resource) {
    ++place_;
    if (Noted(labels_.SetResource(resource.attributes))) return {};
    earliest_ns_ = std::numeric_limits<uint64_t>::max();
    latest_ns_ = 0;
    for (const auto& scope : resource.scopes) {
      ++place_;
      if (Noted(labels_.SetScope({scope.name, scope.version, scope.schema_url, &scope.attributes}))) continue;
      for (const auto& metric : scope.metrics) EPI_TRY(OneMetric(metric));
    }
    if (earliest_ns_ == std::numeric_limits<uint64_t>::max()) return {};
    return TargetInfo();
  }

  Result<void> OneMetric(const Metric& metric) {
    ++place_;
    for (const auto& point : metric.points) {
      earliest_ns_ = std::min(earliest_ns_, point.time_ns);
      latest_ns_ = std::max(latest_ns_, point.time_ns);
    }
    if (metric.kind == Kind::kNone) {
      Note("could not get aggregation temporality for " + std::string(metric.name) +
           " as it has unsupported metric type Empty");
      return {};
    }
    if (!Storable(metric)) {
      std::string text = "invalid temporality and type combination for metric ";
      AppendQuoted(text, metric.name);
      Note(std::move(text));
      return {};
    }
    auto name = namer_.MetricName(metric);
    if (!name) {
      Note(name.error().message());
      return {};
    }
    if (metric.points.empty()) {
      outcome_.warnings.push_back(
          {"empty_data_points", "empty data points. " + std::string(metric.name) + " is dropped"});
      return {};
    }
    family_ = std::move(*name);
    metadata_ = {TypeOf(metric), namer_.UnitName(metric.unit), std::string(metric.description)};
    for (const auto& point : metric.points) {
      if (Noted(labels_.ForPoint(point.attributes, {}, builder_, outcome_.warnings))) return {};
      if (settings_.type_and_unit_labels) SetTypeAndUnit();
      if (!HaveValues(metric.kind, point.exemplars)) {
        Note("unsupported exemplar value type: Empty");
        return {};
      }
      EPI_TRY(Point(metric, point));
    }
    return {};
  }

  // Only of the kinds whose exemplars are stored.
  static bool HaveValues(Kind kind, const std::vector<DataExemplar>& exemplars) {
    return !HasTemporality(kind) ||
           std::all_of(exemplars.begin(), exemplars.end(), [](const DataExemplar& e) { return e.value.has_value(); });
  }

  bool Storable(const Metric& metric) const {
    if (metric.kind == Kind::kGauge || metric.kind == Kind::kSummary) return true;
    if (!HasTemporality(metric.kind)) return false;
    return metric.temporality == Temporality::kCumulative || (IsDelta(metric) && settings_.allow_delta);
  }

  void SetTypeAndUnit() {
    if (metadata_.type != MetricType::kUnknown) builder_.Set("__type__", MetricTypeName(metadata_.type));
    if (!metadata_.unit.empty()) builder_.Set("__unit__", metadata_.unit);
  }

  Result<void> Point(const Metric& metric, const DataPoint& point) {
    switch (metric.kind) {
      case Kind::kGauge:
        return Float(point, family_, {}, point.value);
      case Kind::kSum:
        return Float(point, family_, {}, point.value, ToExemplars(point));
      case Kind::kHistogram:
        if (!settings_.config.convert_histograms_to_nhcb) return ClassicHistogram(point);
        return Native(point, ExplicitToNative(point, IsDelta(metric), outcome_.warnings));
      case Kind::kExponentialHistogram:
        return Native(point, ExponentialToNative(point, IsDelta(metric), outcome_.warnings));
      case Kind::kSummary:
        return Summary(point);
      case Kind::kNone:
        break;
    }
    return {};
  }

  Result<void> ClassicHistogram(const DataPoint& point) {
    const Distribution& d = *point.distribution;
    if (d.sum) EPI_TRY(Float(point, family_ + "_sum", {}, *d.sum));
    EPI_TRY(Float(point, family_ + "_count", {}, static_cast<double>(d.count)));
    const size_t buckets = std::min(d.bounds.size(), d.bucket_counts.size());
    std::vector<std::vector<Exemplar>> exemplars(buckets + 1);
    // They come in order; one that does not goes with those before it, and so does NaN.
    size_t bucket = 0;
    for (const auto& exemplar : point.exemplars) {
      while (bucket < buckets && d.bounds[bucket] < *exemplar.value) ++bucket;
      exemplars[bucket].push_back(ToExemplar(exemplar));
    }
    const std::string name = family_ + "_bucket";
    uint64_t cumulative = 0;
    for (size_t i = 0; i < buckets; ++i) {
      cumulative += d.bucket_counts[i];
      const std::string bound = FormatFloatPlain(d.bounds[i]);
      EPI_TRY(Float(point, name, {kBucketLabel, bound}, static_cast<double>(cumulative), std::move(exemplars[i])));
    }
    return Float(point, name, {kBucketLabel, "+Inf"}, static_cast<double>(d.count), std::move(exemplars[buckets]));
  }

  Result<void> Summary(const DataPoint& point) {
    const Distribution& d = *point.distribution;
    EPI_TRY(Float(point, family_ + "_sum", {}, d.sum.value_or(0)));
    EPI_TRY(Float(point, family_ + "_count", {}, static_cast<double>(d.count)));
    for (const auto& quantile : d.quantiles) {
      const std::string text = FormatFloatPlain(quantile.quantile);
      EPI_TRY(Float(point, family_, {kQuantileLabel, text}, quantile.value));
    }
    return {};
  }

  Result<void> Native(const DataPoint& point, Result<Histogram> histogram) {
    if (!histogram) {
      Note(histogram.error().message());
      return {};
    }
    TranslatedSample sample = Sample(point, family_, {});
    sample.histogram = std::make_shared<Histogram>(std::move(*histogram));
    sample.exemplars = ToExemplars(point);
    return sink_.Add(std::move(sample));
  }

  Result<void> Float(const DataPoint& point, std::string_view name, LabelView extra, double value,
                     std::vector<Exemplar> exemplars = {}) {
    TranslatedSample sample = Sample(point, name, extra);
    sample.value = point.no_recorded_value ? StaleNaN() : value;
    sample.exemplars = std::move(exemplars);
    return sink_.Add(std::move(sample));
  }

  // The sample of a series with the point's labels, this name and one more label.
  TranslatedSample Sample(const DataPoint& point, std::string_view name, LabelView extra) {
    TranslatedSample out;
    out.labels = LabelsWith(name, extra);
    out.place = place_;
    out.family = family_;
    out.metadata = &metadata_;
    out.time = Milliseconds(point.time_ns);
    out.start_time = Milliseconds(point.start_ns);
    return out;
  }

  std::span<const LabelView> LabelsWith(std::string_view name, LabelView extra) {
    pairs_.clear();
    builder_.ForEach([&](const LabelView& label) {
      const bool replaced = label.name == kMetricName || (!extra.value.empty() && label.name == extra.name);
      if (!replaced) pairs_.push_back(label);
    });
    const auto insert = [&](const LabelView& label) {
      if (!label.value.empty()) pairs_.insert(std::lower_bound(pairs_.begin(), pairs_.end(), label), label);
    };
    insert({kMetricName, name});
    insert(extra);
    return pairs_;
  }

  Result<void> TargetInfo() {
    ++place_;
    auto told = labels_.ForTarget(builder_, outcome_.warnings);
    if (!told) {
      Note(told.error().message());
      return {};
    }
    if (!*told) return {};
    family_ = kTargetInfo;
    metadata_ = {MetricType::kGauge, "", "Target metadata"};
    const TimestampMs latest = Milliseconds(latest_ns_);
    const int64_t interval = std::max<int64_t>(settings_.lookback_delta_ms / 2, 1);
    TimestampMs time = std::max(Milliseconds(earliest_ns_), latest - interval * kMaxTargetInfoSamples);
    for (; time < latest; time += interval) EPI_TRY(AddTargetInfo(time));
    return AddTargetInfo(latest);
  }

  Result<void> AddTargetInfo(TimestampMs time) {
    TranslatedSample sample;
    sample.place = place_;
    sample.labels = LabelsWith(kTargetInfo, {});
    sample.family = kTargetInfo;
    sample.metadata = &metadata_;
    sample.time = time;
    sample.value = 1;
    return sink_.Add(std::move(sample));
  }

  const TranslationSettings& settings_;
  TranslationSink& sink_;
  Namer namer_;
  SeriesLabels labels_;
  TranslationOutcome outcome_;
  size_t place_ = 0;
  uint64_t earliest_ns_ = 0, latest_ns_ = 0;
  // Of the metric and data point under way.
  std::string family_;
  MetricMetadata metadata_;
  LabelsBuilder builder_;
  std::vector<LabelView> pairs_;
};

}  // namespace

Result<TranslationOutcome> Translate(const ExportRequest& request, const TranslationSettings& settings,
                                     TranslationSink& sink) {
  return Translator(settings, sink).Run(request);
}

}  // namespace epi::remote::otlp
