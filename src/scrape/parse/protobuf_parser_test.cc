// Protobuf bodies that no conformance file has.
#include "scrape/parse/protobuf_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <protozero/pbf_writer.hpp>

#include "scrape/parse/format.h"
#include "scrape/parse/nhcb_parser.h"

namespace epi::scrape {
namespace {

using ::testing::ElementsAre;

// Numbers of io.prometheus.client's fields.
constexpr int kName = 1, kType = 3, kMetric = 4, kUnit = 5;
constexpr int kMetricHistogram = 7;
constexpr int kSampleCount = 1, kSampleSum = 2, kBucket = 3, kPositiveSpan = 12, kPositiveDelta = 13;
constexpr int kCumulativeCount = 1, kUpperBound = 2;
constexpr int kSpanLength = 2;
constexpr int kBucketExemplar = 3, kExemplars = 16, kExemplarValue = 2, kExemplarTime = 3;

// A family of one metric, with its length in front.
std::string Family(proto::FamilyType type, std::string_view unit, const std::string& histogram) {
  std::string metric, family, out;
  protozero::pbf_writer(metric).add_message(kMetricHistogram, histogram);
  protozero::pbf_writer writer(family);
  writer.add_string(kName, "h");
  writer.add_enum(kType, static_cast<int>(type));
  writer.add_message(kMetric, metric);
  if (!unit.empty()) writer.add_string(kUnit, std::string(unit));
  protozero::write_varint(std::back_inserter(out), family.size());
  return out + family;
}

std::string Classic(uint64_t count, std::vector<std::pair<double, uint64_t>> buckets) {
  std::string out;
  protozero::pbf_writer writer(out);
  writer.add_uint64(kSampleCount, count);
  writer.add_double(kSampleSum, 7);
  for (const auto& [bound, cumulative] : buckets) {
    std::string bucket;
    protozero::pbf_writer fields(bucket);
    fields.add_uint64(kCumulativeCount, cumulative);
    fields.add_double(kUpperBound, bound);
    writer.add_message(kBucket, bucket);
  }
  return out;
}

std::string ExemplarMessage(double value, bool timed) {
  std::string out;
  protozero::pbf_writer writer(out);
  writer.add_double(kExemplarValue, value);
  if (timed) writer.add_message(kExemplarTime, std::string());
  return out;
}

std::string Native(uint64_t count, uint32_t span, const std::vector<int64_t>& deltas) {
  std::string out, message;
  protozero::pbf_writer writer(out);
  writer.add_uint64(kSampleCount, count);
  protozero::pbf_writer(message).add_uint32(kSpanLength, span);
  writer.add_message(kPositiveSpan, message);
  for (const int64_t delta : deltas) writer.add_sint64(kPositiveDelta, delta);
  return out;
}

// The entries up to the end or the first error, whose text comes last; histograms with their hint.
std::vector<std::string> Entries(ExpositionParser& parser) {
  std::vector<std::string> out;
  while (true) {
    const auto kind = parser.Next();
    if (!kind) {
      out.push_back(kind.error().message());
      return out;
    }
    switch (*kind) {
      case EntryKind::kEnd:
        return out;
      case EntryKind::kSeries:
        out.emplace_back(parser.SampleLabels().MetricName());
        break;
      case EntryKind::kUnit:
        out.push_back("unit " + std::string(parser.entry().text));
        break;
      case EntryKind::kHistogram: {
        const auto& histogram = parser.entry().histogram;
        EXPECT_NE(histogram, nullptr);
        if (histogram == nullptr) return out;
        const bool gauge = histogram->counter_reset_hint == CounterResetHint::kGauge;
        out.push_back(std::string(gauge ? "gauge" : "counter") + " histogram " + std::to_string(histogram->count));
        break;
      }
      default:
        break;
    }
  }
}

TEST(ProtobufParser, UnitsNeedNotEndTheName) {
  const std::string body = Family(proto::FamilyType::kHistogram, "bytes", Native(3, 1, {3}));
  ProtobufParser parser(body, {});
  EXPECT_THAT(Entries(parser), ElementsAre("unit bytes", "counter histogram 3"));
}

// Where the type and unit are labels, a metric has no say about these.
TEST(ProtobufParser, MetadataLabelsAreTheFamilys) {
  constexpr int kLabel = 1, kLabelName = 1, kLabelValue = 2, kUntyped = 3, kMetricUntyped = 5;
  std::string metric, family, body;
  protozero::pbf_writer metric_writer(metric);
  for (const std::string name : {"__name__", "__type__", "__unit__", "x"}) {
    std::string label;
    protozero::pbf_writer fields(label);
    fields.add_string(kLabelName, name);
    fields.add_string(kLabelValue, "v");
    metric_writer.add_message(kLabel, label);
  }
  metric_writer.add_message(kMetricUntyped, std::string());
  protozero::pbf_writer writer(family);
  writer.add_string(kName, "a");
  writer.add_enum(kType, kUntyped);
  writer.add_message(kMetric, metric);
  writer.add_string(kUnit, "bytes");
  protozero::write_varint(std::back_inserter(body), family.size());
  body += family;
  ProtobufParser parser(body, {.type_and_unit_labels = true});
  auto kind = parser.Next();
  while (kind && *kind != EntryKind::kEnd && *kind != EntryKind::kSeries) kind = parser.Next();
  ASSERT_TRUE(kind && *kind == EntryKind::kSeries);
  const Labels labels = parser.SampleLabels();
  EXPECT_EQ(labels.ToString(), R"({__name__="a", __unit__="bytes", x="v"})");
  EXPECT_EQ(parser.RepeatedLabel(labels), "");
}

TEST(ProtobufParser, BucketsThatDoNotFitTheirSpansAreAnError) {
  const std::string body = Family(proto::FamilyType::kHistogram, "", Native(3, 2, {3}));
  ProtobufParser parser(body, {});
  EXPECT_THAT(Entries(parser), ElementsAre("histogram \"h\": positive side: spans require 2 buckets, have 1"));
}

TEST(NhcbParser, ConvertsGaugeHistogramsOfProtobufBodies) {
  const std::string body = Family(proto::FamilyType::kGaugeHistogram, "", Classic(5, {{1, 2}, {2, 4}})) +
                           Family(proto::FamilyType::kHistogram, "", Classic(6, {})) +
                           Family(proto::FamilyType::kHistogram, "", Classic(7, {}));
  NhcbParser parser(std::make_unique<ProtobufParser>(body, ParserOptions{}), /*keep_classic=*/false, /*protobuf=*/true);
  EXPECT_THAT(Entries(parser), ElementsAre("gauge histogram 5", "counter histogram 6", "counter histogram 7"));
}

TEST(NhcbParser, WhatAddsUpToNoHistogramFailsAProtobufBody) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::string body = Family(proto::FamilyType::kHistogram, "", Classic(5, {{1, 2}, {kInfinity, 4}}));
  NhcbParser parser(std::make_unique<ProtobufParser>(body, ParserOptions{}), /*keep_classic=*/false, /*protobuf=*/true);
  EXPECT_THAT(Entries(parser), ElementsAre("count mismatch: count=5 != le=+Inf count=4"));
}

// Its own exemplars, where it has any, count in place of its buckets'.
TEST(NhcbParser, ExemplarsOfAProtobufHistogram) {
  const auto values = [](bool own) {
    std::string histogram = Classic(5, {}), bucket;
    protozero::pbf_writer fields(bucket);
    fields.add_uint64(kCumulativeCount, 5);
    fields.add_double(kUpperBound, 1);
    fields.add_message(kBucketExemplar, ExemplarMessage(1, true));
    protozero::pbf_writer writer(histogram);
    writer.add_message(kBucket, bucket);
    if (own) writer.add_message(kExemplars, ExemplarMessage(2, false));
    if (own) writer.add_message(kExemplars, ExemplarMessage(3, true));
    const std::string body = Family(proto::FamilyType::kHistogram, "", histogram);
    NhcbParser parser(std::make_unique<ProtobufParser>(body, ParserOptions{}), /*keep_classic=*/false, true);
    std::vector<double> out;
    for (auto kind = parser.Next(); kind && *kind != EntryKind::kEnd; kind = parser.Next()) {
      for (Exemplar exemplar; *kind == EntryKind::kHistogram && parser.NextExemplar(exemplar);)
        out.push_back(exemplar.value);
    }
    return out;
  };
  EXPECT_THAT(values(false), ElementsAre(1));
  EXPECT_THAT(values(true), ElementsAre(3));
}

TEST(NhcbParser, WhatStandsBeforeAMistakeIsHandedOut) {
  const std::string body = Family(proto::FamilyType::kHistogram, "", Classic(5, {})) + "\x7f";
  NhcbParser parser(std::make_unique<ProtobufParser>(body, ParserOptions{}), /*keep_classic=*/false, true);
  const auto entries = Entries(parser);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0], "counter histogram 5");
  EXPECT_FALSE(parser.Next().has_value());
}

// The line that shows that a histogram of a text has ended gives it its time.
TEST(NhcbParser, TimeOfAHistogramInAText) {
  const std::string body =
      "# TYPE h histogram\nh_bucket{a=\"1\",le=\"+Inf\"} 3 1\nh_count{a=\"1\"} 3 2\nh_count{a=\"2\"} 3 5\n"
      "h_bucket{a=\"2\",le=\"+Inf\"} 3 6\n# TYPE b gauge\nb 1\n";
  NhcbParser parser(MakeParser(ExpositionFormat::kText, body, {}), /*keep_classic=*/false, /*protobuf=*/false);
  std::vector<TimestampMs> times;
  for (auto kind = parser.Next(); kind && *kind != EntryKind::kEnd; kind = parser.Next())
    if (*kind == EntryKind::kHistogram) times.push_back(parser.entry().time);
  EXPECT_THAT(times, ElementsAre(5, 6));
}

}  // namespace
}  // namespace epi::scrape
