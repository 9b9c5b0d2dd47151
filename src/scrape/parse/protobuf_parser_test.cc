// Protobuf bodies that no conformance file has.
#include "scrape/parse/protobuf_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <protozero/pbf_writer.hpp>

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

}  // namespace
}  // namespace epi::scrape
