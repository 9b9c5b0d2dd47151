#include "scrape/parse/nhcb_parser.h"

#include <cmath>
#include <type_traits>
#include <utility>

#include "model/histogram_validate.h"
#include "model/number_format.h"

namespace epi::scrape {
namespace {

constexpr std::string_view kBucketSuffix = "_bucket", kCountSuffix = "_count", kSumSuffix = "_sum";

std::string_view BaseName(std::string_view name) {
  for (const auto suffix : {kBucketSuffix, kCountSuffix, kSumSuffix}) {
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  }
  return name;
}

// What names the series, as Prometheus has it: in the manner of the body's other series.
std::string SeriesText(const Labels& labels, bool protobuf) {
  std::string text(labels.MetricName());
  const Labels rest = labels.Without(kMetricName);
  if (!protobuf) return rest.empty() ? text : text + rest.ToString();
  constexpr char kSeparator = '\xff';
  for (const LabelView label : rest) {
    text += kSeparator;
    text += label.name;
    text += kSeparator;
    text += label.value;
  }
  return text;
}

Labels IdentityOf(const Labels& labels) { return labels.Without(kMetricName).Without(kBucketLabel); }

}  // namespace

EntryKind NhcbParser::Forward(EntryKind kind) {
  entry_ = parser_->entry();
  return entry_.kind = kind;
}

Result<EntryKind> NhcbParser::Next() {
  while (true) {
    if (state_ == State::kEmitting) {
      state_ = State::kPlain;
      if (failure_) return Fail(*failure_);
      if (pending_ == EntryKind::kSeries && Collect(parser_->SampleLabels()) && !keep_classic_) continue;
      return Forward(pending_);
    }
    held_exemplars_ = false;
    if (failure_) return Fail(*failure_);
    auto next = parser_->Next();
    if (!next) {
      if (!protobuf_) return next;
      // What stands before the mistake is whole.
      failure_ = std::move(next).error();
      EPI_ASSIGN(const bool emitted, Emit());
      if (emitted) return EntryKind::kHistogram;
      continue;
    }
    pending_ = *next;
    switch (pending_) {
      case EntryKind::kSeries: {
        const Labels labels = parser_->SampleLabels();
        if (IsOther(labels)) {
          EPI_ASSIGN(const bool emitted, Emit());
          // The time of a histogram in a text is that of the line that shows its end, as for Prometheus.
          if (emitted && !protobuf_) {
            entry_.has_time = parser_->entry().has_time;
            entry_.time = parser_->entry().time;
          }
          if (emitted) return EntryKind::kHistogram;
        }
        const bool after_exponential = state_ == State::kPlain && last_exponential_ &&
                                       BaseName(labels.MetricName()) == last_name_ &&
                                       IdentityOf(labels) == last_labels_;
        if (!after_exponential && Collect(labels) && !keep_classic_) continue;
        return Forward(pending_);
      }
      case EntryKind::kHistogram: {
        const Labels labels = parser_->SampleLabels();
        last_name_.assign(labels.MetricName());
        last_labels_ = IdentityOf(labels);
        last_exponential_ = true;
        break;
      }
      case EntryKind::kType:
        family_.assign(parser_->entry().family);
        type_ = parser_->entry().type;
        break;
      default:
        break;
    }
    EPI_ASSIGN(const bool emitted, Emit());
    return emitted ? EntryKind::kHistogram : Forward(pending_);
  }
}

bool NhcbParser::IsHistogramFamily() const {
  return type_ == MetricType::kHistogram || (protobuf_ && type_ == MetricType::kGaugeHistogram);
}

bool NhcbParser::IsOther(const Labels& labels) const {
  if (state_ != State::kCollecting) return false;
  if (!IsHistogramFamily() || BaseName(labels.MetricName()) != last_name_) return true;
  // A protobuf metric begins with its count, even when another had the same labels.
  if (protobuf_ && labels.MetricName().ends_with(kCountSuffix)) return true;
  return IdentityOf(labels) != last_labels_;
}

NhcbParser::Part NhcbParser::PartOf(const Labels& labels) const {
  if (!IsHistogramFamily()) return Part::kNone;
  const std::string_view name = labels.MetricName();
  if (BaseName(name) != family_) return Part::kNone;
  if (name.ends_with(kBucketSuffix)) return Part::kBucket;
  if (name.ends_with(kCountSuffix)) return Part::kCount;
  return name.ends_with(kSumSuffix) ? Part::kSum : Part::kNone;
}

bool NhcbParser::Collect(const Labels& labels) {
  const Part part = PartOf(labels);
  if (part == Part::kNone) return false;
  double bound = 0;
  if (part == Part::kBucket) {
    const auto parsed = ParseGoFloat(labels.Get(kBucketLabel));
    if (!parsed || std::isnan(*parsed)) return false;
    bound = *parsed;
  }
  const ExpositionEntry& entry = parser_->entry();
  if (state_ != State::kCollecting) {
    state_ = State::kCollecting;
    last_name_.assign(BaseName(labels.MetricName()));
    last_labels_ = IdentityOf(labels);
    last_exponential_ = false;
    collected_labels_ = labels.Without(kBucketLabel).With(kMetricName, last_name_);
    collected_repeated_ = parser_->RepeatedLabel(labels);
    collected_start_ = parser_->StartTime();
    collected_gauge_ = type_ == MetricType::kGaugeHistogram;
    auto own = parser_->HistogramExemplars();
    owns_exemplars_ = own.has_value();
    if (own) collected_exemplars_ = std::move(*own);
  }
  collected_has_time_ = entry.has_time;
  collected_time_ = entry.time;
  series_exemplars_.clear();
  for (Exemplar exemplar; parser_->NextExemplar(exemplar); exemplar = {}) {
    if (!owns_exemplars_ && (exemplar.has_time || !protobuf_)) collected_exemplars_.push_back(exemplar);
    // Of a text they are the histogram's alone, even when the classic series are kept.
    if (protobuf_) series_exemplars_.push_back(std::move(exemplar));
  }
  held_exemplars_ = true;
  next_exemplar_ = 0;
  switch (part) {
    case Part::kBucket:
      collected_.SetBucket(bound, entry.value);
      break;
    case Part::kCount:
      collected_.SetCount(entry.value);
      break;
    default:
      collected_.SetSum(entry.value);
  }
  return true;
}

Result<bool> NhcbParser::Emit() {
  if (state_ != State::kCollecting) return false;
  auto converted = collected_.Convert();
  state_ = State::kPlain;
  collected_.Clear();
  const auto exemplars = std::exchange(collected_exemplars_, {});
  if (!converted && protobuf_) return Fail(converted.error());
  if (!converted || !TakeConverted(std::move(*converted))) return false;
  state_ = State::kEmitting;
  emitted_labels_ = std::move(collected_labels_);
  emitted_repeated_ = collected_repeated_;
  emitted_series_ = SeriesText(emitted_labels_, protobuf_);
  emitted_start_ = collected_start_;
  emitted_exemplars_ = exemplars;
  next_exemplar_ = 0;
  entry_.kind = EntryKind::kHistogram;
  entry_.series = emitted_series_;
  entry_.has_time = collected_has_time_;
  entry_.time = collected_time_;
  return true;
}

// Fails when the buckets are no sound histogram. Of a protobuf body that is found out where the sample is stored.
Result<void> NhcbParser::TakeConverted(ClassicHistogram::Converted converted) {
  entry_ = {};
  const auto take = [&](auto& from, auto& to) -> Result<void> {
    if (collected_gauge_) from.counter_reset_hint = CounterResetHint::kGauge;
    if (!protobuf_) EPI_TRY(Validate(from));
    to = std::make_shared<std::remove_reference_t<decltype(from)>>(std::move(from));
    return {};
  };
  return converted.integer ? take(*converted.integer, entry_.histogram)
                           : take(*converted.floats, entry_.float_histogram);
}

Labels NhcbParser::SampleLabels() { return state_ == State::kEmitting ? emitted_labels_ : parser_->SampleLabels(); }

bool NhcbParser::HasEmptyLabel(std::string_view name) const {
  return state_ != State::kEmitting && parser_->HasEmptyLabel(name);
}

std::string NhcbParser::RepeatedLabel(const Labels& stored) const {
  if (state_ != State::kEmitting) return parser_->RepeatedLabel(stored);
  return stored.Has(emitted_repeated_) ? emitted_repeated_ : std::string();
}

TimestampMs NhcbParser::StartTime() { return state_ == State::kEmitting ? emitted_start_ : parser_->StartTime(); }

bool NhcbParser::NextExemplar(Exemplar& exemplar) {
  if (state_ != State::kEmitting && !held_exemplars_) return parser_->NextExemplar(exemplar);
  const auto& exemplars = state_ == State::kEmitting ? emitted_exemplars_ : series_exemplars_;
  if (next_exemplar_ >= exemplars.size()) return false;
  exemplar = exemplars[next_exemplar_++];
  return true;
}

}  // namespace epi::scrape
