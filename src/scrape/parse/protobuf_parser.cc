#include "scrape/parse/protobuf_parser.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/escaping.h"
#include "base/utf8.h"
#include "model/histogram_math.h"
#include "model/number_format.h"
#include "scrape/parse/exposed_labels.h"

namespace epi::scrape {
namespace {

constexpr char kSeparator = '\xff';

MetricType TypeOf(proto::FamilyType type) {
  switch (type) {
    case proto::FamilyType::kCounter:
      return MetricType::kCounter;
    case proto::FamilyType::kGauge:
      return MetricType::kGauge;
    case proto::FamilyType::kSummary:
      return MetricType::kSummary;
    case proto::FamilyType::kHistogram:
      return MetricType::kHistogram;
    case proto::FamilyType::kGaugeHistogram:
      return MetricType::kGaugeHistogram;
    case proto::FamilyType::kUntyped:
      break;
  }
  return MetricType::kUnknown;
}

bool IsHistogram(proto::FamilyType type) {
  return type == proto::FamilyType::kHistogram || type == proto::FamilyType::kGaugeHistogram;
}

Result<void> CheckSide(std::string_view side, const std::vector<HistogramSpan>& spans, size_t buckets) {
  uint64_t needed = 0;
  for (const auto& span : spans) needed += span.length;
  if (needed == buckets) return {};
  return Fail(ErrorCode::kInvalid, std::string(side) + " side: spans require " + std::to_string(needed) +
                                       " buckets, have " + std::to_string(buckets));
}

// What does not fit together could not be compacted.
Result<void> CheckBuckets(const proto::HistogramMessage& h) {
  const bool floats = h.is_float();
  EPI_TRY(CheckSide("positive", h.positive_spans, floats ? h.positive_counts.size() : h.positive_deltas.size()));
  return CheckSide("negative", h.negative_spans, floats ? h.negative_counts.size() : h.negative_deltas.size());
}

}  // namespace

Result<EntryKind> ProtobufParser::Next() {
  while (true) {
    switch (stage_) {
      case Stage::kFamily:
        return NextFamily();
      case Stage::kUnit:
        stage_ = Stage::kType;
        entry_.text = family_.unit;
        return entry_.kind = EntryKind::kUnit;
      case Stage::kType:
        return EmitType();
      case Stage::kMetric:
        if (next_metric_ == family_.metrics.size()) {
          stage_ = Stage::kFamily;
          break;
        }
        EPI_TRY(BeginMetric());
        break;
      case Stage::kNative: {
        const bool classic = options_.keep_classic_histograms && !metric_.histogram.buckets.empty();
        stage_ = classic ? Stage::kClassic : Stage::kMetric;
        return EmitNative();
      }
      case Stage::kClassic:
        if (EmitClassic()) return entry_.kind = EntryKind::kSeries;
        stage_ = Stage::kMetric;
        break;
    }
  }
}

Result<void> ProtobufParser::BeginMetric() {
  EPI_ASSIGN(metric_, proto::DecodeMetric(family_.metrics[next_metric_++], type_));
  field_ = 0;
  saw_infinity_ = false;
  const bool native = IsHistogram(type_) && metric_.histogram.is_native() && !options_.ignore_native_histograms;
  stage_ = native ? Stage::kNative : Stage::kClassic;
  if (!native) return {};
  auto checked = CheckBuckets(metric_.histogram);
  if (!checked) return Fail(checked.error().WithContext("histogram " + Quoted(family_.name)));
  return {};
}

Result<void> ProtobufParser::CheckFamily() const {
  const auto invalid = [](std::string message) { return Fail(ErrorCode::kInvalid, std::move(message)); };
  const std::string_view name = family_.name;
  if (name.empty() || !IsValidUtf8(name)) return invalid("invalid metric name: " + std::string(name));
  if (!IsValidUtf8(family_.help)) {
    return invalid("invalid help for metric " + Quoted(name) + ": " + std::string(family_.help));
  }
  if (family_.type < 0 || family_.type > static_cast<int>(proto::FamilyType::kGaugeHistogram)) {
    return invalid("unknown metric type for metric " + Quoted(name) + ": " + std::to_string(family_.type));
  }
  return {};
}

Result<EntryKind> ProtobufParser::NextFamily() {
  do {
    if (rest_.empty()) return entry_.kind = EntryKind::kEnd;
    EPI_ASSIGN(const proto::Delimited delimited, proto::TakeDelimited(rest_));
    rest_.remove_prefix(delimited.size);
    EPI_ASSIGN(family_, proto::DecodeFamily(delimited.message));
  } while (family_.metrics.empty());
  EPI_TRY(CheckFamily());
  type_ = static_cast<proto::FamilyType>(family_.type);
  next_metric_ = 0;
  entry_.family = family_.name;
  entry_.text = family_.help;
  stage_ = family_.unit.empty() ? Stage::kType : Stage::kUnit;
  return entry_.kind = EntryKind::kHelp;
}

EntryKind ProtobufParser::EmitType() {
  stage_ = Stage::kMetric;
  entry_.type = TypeOf(type_);
  entry_.text = {};
  return entry_.kind = EntryKind::kType;
}

EntryKind ProtobufParser::EmitNative() {
  const proto::HistogramMessage& h = metric_.histogram;
  BuildSeries({}, {}, 0);
  bucket_ = nullptr;
  next_exemplar_ = 0;
  entry_.has_time = metric_.time != 0;
  entry_.time = metric_.time;
  entry_.histogram.reset();
  entry_.float_histogram.reset();
  const auto fill = [&](auto& out) {
    out.counter_reset_hint =
        type_ == proto::FamilyType::kGaugeHistogram ? CounterResetHint::kGauge : CounterResetHint::kUnknown;
    out.schema = h.schema;
    out.zero_threshold = h.zero_threshold;
    out.sum = h.sample_sum;
    out.positive_spans = h.positive_spans;
    out.negative_spans = h.negative_spans;
  };
  if (h.is_float()) {
    auto out = std::make_shared<FloatHistogram>();
    fill(*out);
    out->count = h.sample_count_float;
    out->zero_count = h.zero_count_float;
    out->positive_buckets = h.positive_counts;
    out->negative_buckets = h.negative_counts;
    Compact(*out);
    entry_.float_histogram = std::move(out);
  } else {
    auto out = std::make_shared<Histogram>();
    fill(*out);
    out->count = h.sample_count;
    out->zero_count = h.zero_count;
    out->positive_buckets = h.positive_deltas;
    out->negative_buckets = h.negative_deltas;
    Compact(*out);
    entry_.histogram = std::move(out);
  }
  return entry_.kind = EntryKind::kHistogram;
}

bool ProtobufParser::EmitClassic() {
  const size_t field = field_++;
  if (type_ == proto::FamilyType::kSummary) {
    if (field == 0) {
      EmitSeries("_count", static_cast<double>(metric_.summary_count));
    } else if (field == 1) {
      EmitSeries("_sum", metric_.summary_sum);
    } else if (field - 2 < metric_.quantiles.size()) {
      const proto::Quantile& quantile = metric_.quantiles[field - 2];
      EmitSeries({}, quantile.value, kQuantileLabel, quantile.quantile);
    } else {
      return false;
    }
    return true;
  }
  if (!IsHistogram(type_)) {
    if (field > 0) return false;
    EmitSeries({}, metric_.value);
    return true;
  }
  const proto::HistogramMessage& h = metric_.histogram;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (field == 0) {
    EmitSeries("_count", h.count());
  } else if (field == 1) {
    EmitSeries("_sum", h.sample_sum);
  } else if (field - 2 < h.buckets.size() && !saw_infinity_) {
    const proto::Bucket& bucket = h.buckets[field - 2];
    saw_infinity_ = bucket.upper_bound == kInfinity;
    EmitSeries("_bucket", bucket.count(), kBucketLabel, bucket.upper_bound);
    bucket_ = &bucket;
  } else if (!saw_infinity_) {
    saw_infinity_ = true;
    EmitSeries("_bucket", h.count(), kBucketLabel, kInfinity);
  } else {
    return false;
  }
  return true;
}

void ProtobufParser::EmitSeries(std::string_view suffix, double value, std::string_view label, double label_value) {
  BuildSeries(suffix, label, label_value);
  bucket_ = nullptr;
  next_exemplar_ = 0;
  entry_.value = std::isnan(value) ? NormalNaN() : value;
  entry_.has_time = metric_.time != 0;
  entry_.time = metric_.time;
  entry_.histogram.reset();
  entry_.float_histogram.reset();
}

void ProtobufParser::BuildSeries(std::string_view suffix, std::string_view label, double label_value) {
  metric_name_.assign(family_.name).append(suffix);
  labels_.clear();
  labels_.push_back({kMetricName, metric_name_});
  if (options_.type_and_unit_labels) {
    if (type_ != proto::FamilyType::kUntyped) labels_.push_back({"__type__", MetricTypeName(TypeOf(type_))});
    if (!family_.unit.empty()) labels_.push_back({"__unit__", family_.unit});
  }
  for (const auto& [name, value] : metric_.labels) {
    if (options_.type_and_unit_labels && (name == kMetricName || name == "__type__" || name == "__unit__")) continue;
    labels_.push_back({name, value});
  }
  if (!label.empty()) {
    extra_value_.clear();
    AppendOpenMetricsValue(extra_value_, label_value);
    labels_.push_back({label, extra_value_});
  }
  std::stable_sort(labels_.begin(), labels_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  series_.clear();
  for (const LabelView& pair : labels_) {
    if (pair.name == kMetricName) {
      series_ += pair.value;
      continue;
    }
    series_ += kSeparator;
    series_ += pair.name;
    series_ += kSeparator;
    series_ += pair.value;
  }
  entry_.series = series_;
}

Labels ProtobufParser::SampleLabels() { return ExposedLabels(labels_); }

bool ProtobufParser::HasEmptyLabel(std::string_view name) const { return epi::scrape::HasEmptyLabel(labels_, name); }

std::string ProtobufParser::RepeatedLabel(const Labels& stored) const {
  return epi::scrape::RepeatedLabel(labels_, stored);
}

std::optional<std::vector<Exemplar>> ProtobufParser::HistogramExemplars() const {
  if (metric_.histogram.exemplars.empty()) return std::nullopt;
  std::vector<Exemplar> out;
  for (const auto& message : metric_.histogram.exemplars) {
    if (message.has_time) ExemplarFrom(message, out.emplace_back());
  }
  return out;
}

bool ProtobufParser::ExemplarFrom(const proto::ExemplarMessage& message, Exemplar& exemplar) const {
  std::vector<LabelView> pairs;
  for (const auto& [name, value] : message.labels) pairs.push_back({name, value});
  exemplar.labels = Labels::FromPairs(std::move(pairs));
  exemplar.value = message.value;
  exemplar.has_time = message.has_time;
  exemplar.time = message.time;
  return true;
}

bool ProtobufParser::NextExemplar(Exemplar& exemplar) {
  if (entry_.kind == EntryKind::kSeries) {
    if (next_exemplar_++ > 0) return false;
    if (type_ == proto::FamilyType::kCounter) return metric_.has_exemplar && ExemplarFrom(metric_.exemplar, exemplar);
    return bucket_ != nullptr && bucket_->has_exemplar && ExemplarFrom(bucket_->exemplar, exemplar);
  }
  // Of a native histogram: those of its own, or else those of the classic buckets; only with times.
  const proto::HistogramMessage& h = metric_.histogram;
  if (!h.exemplars.empty()) {
    while (next_exemplar_ < h.exemplars.size()) {
      const auto& message = h.exemplars[next_exemplar_++];
      if (message.has_time) return ExemplarFrom(message, exemplar);
    }
    return false;
  }
  while (next_exemplar_ < h.buckets.size()) {
    const auto& bucket = h.buckets[next_exemplar_++];
    if (bucket.has_exemplar && bucket.exemplar.has_time) return ExemplarFrom(bucket.exemplar, exemplar);
  }
  return false;
}

}  // namespace epi::scrape
