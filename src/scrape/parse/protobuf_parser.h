// The protobuf exposition: io.prometheus.client.MetricFamily messages, each with its length in front.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "scrape/parse/exposition.h"
#include "scrape/parse/protobuf_messages.h"

namespace epi::scrape {

// Families come as HELP, UNIT (when there is one), TYPE and their metrics; a metric as the series that the text formats
// would show, and a native histogram as one entry. ParserOptions::convert_classic_to_nhcb is none of this parser's.
class ProtobufParser final : public ExpositionParser {
 public:
  ProtobufParser(std::string_view body, ParserOptions options) : rest_(body), options_(options) {}

  Result<EntryKind> Next() override;
  Labels SampleLabels() override;
  bool HasEmptyLabel(std::string_view name) const override;
  std::string RepeatedLabel(const Labels& stored) const override;
  bool NextExemplar(Exemplar& exemplar) override;
  std::optional<std::vector<Exemplar>> HistogramExemplars() const override;
  TimestampMs StartTime() override { return metric_.start_time; }

 private:
  // What comes next of the family or metric at hand.
  enum class Stage : unsigned char { kFamily, kUnit, kType, kMetric, kNative, kClassic };

  Result<EntryKind> NextFamily();
  Result<void> CheckFamily() const;
  Result<void> BeginMetric();
  EntryKind EmitType();
  EntryKind EmitNative();
  // The next classic series of the metric, or nothing when it has no more.
  bool EmitClassic();
  // Sets the entry to a series of the metric with a suffix to its name and maybe one more label.
  void EmitSeries(std::string_view suffix, double value, std::string_view label = {}, double label_value = 0);
  void BuildSeries(std::string_view suffix, std::string_view label, double label_value);
  bool ExemplarFrom(const proto::ExemplarMessage& message, Exemplar& exemplar) const;

  std::string_view rest_;
  ParserOptions options_;
  Stage stage_ = Stage::kFamily;
  proto::Family family_;
  proto::FamilyType type_ = proto::FamilyType::kUntyped;
  size_t next_metric_ = 0;
  proto::Metric metric_;
  // Within a classic histogram or summary: 0 the count, 1 the sum, then buckets or quantiles.
  size_t field_ = 0;
  bool saw_infinity_ = false;
  const proto::Bucket* bucket_ = nullptr;  // of the current series
  size_t next_exemplar_ = 0;
  std::string metric_name_;
  std::string extra_value_;  // of le or quantile
  std::vector<LabelView> labels_;
  std::string series_;
};

}  // namespace epi::scrape
