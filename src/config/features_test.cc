#include "config/features.h"

#include <gtest/gtest.h>

namespace epi::config {
namespace {

TEST(Features, ListsAndRepetition) {
  const auto parsed = ParseFeatures({"exemplar-storage,concurrent-rule-eval", "promql-experimental-functions"}).value();
  EXPECT_TRUE(parsed.features.exemplar_storage);
  EXPECT_TRUE(parsed.features.concurrent_rule_eval);
  EXPECT_TRUE(parsed.features.promql_experimental_functions);
  EXPECT_FALSE(parsed.features.st_storage);
  EXPECT_EQ(parsed.notes.size(), 3u);
}

TEST(Features, UnknownAndPermanentNamesWarn) {
  const auto parsed = ParseFeatures({"utf8-names,native-histograms,,old-ui"}).value();
  ASSERT_EQ(parsed.notes.size(), 4u);
  EXPECT_TRUE(parsed.notes[0].warning);
  EXPECT_EQ(parsed.notes[0].message, "Unknown option for --enable-feature");
  EXPECT_EQ(parsed.notes[0].attribute, "option");
  EXPECT_EQ(parsed.notes[0].value, "utf8-names");
  EXPECT_TRUE(parsed.notes[1].warning);
  EXPECT_EQ(parsed.notes[2].message, "Unknown option for --enable-feature");
  EXPECT_EQ(parsed.notes[2].value, "");
  EXPECT_FALSE(parsed.notes[3].warning);
  EXPECT_EQ(parsed.notes[3].value, "old-ui");
  EXPECT_EQ(ParseFeatures({""}).value().notes.size(), 1u);
  EXPECT_EQ(ParseFeatures({}).value().notes.size(), 0u);
}

TEST(Features, WhatIsSwitchedOnIsSaidWithoutTheOption) {
  const auto parsed = ParseFeatures({"exemplar-storage,st-storage"}).value();
  ASSERT_EQ(parsed.notes.size(), 2u);
  EXPECT_EQ(parsed.notes[0].attribute, "");
  EXPECT_EQ(parsed.notes[1].attribute, "global.scrape_protocols");
  EXPECT_EQ(parsed.notes[1].value,
            "[PrometheusProto OpenMetricsText1.0.0 OpenMetricsText0.0.1 PrometheusText1.0.0 PrometheusText0.0.4]");
}

TEST(Features, TwoThatExcludeEachOther) {
  const auto parsed = ParseFeatures({"otlp-deltatocumulative,otlp-native-delta-ingestion"});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message(),
            "cannot enable otlp-deltatocumulative and otlp-native-delta-ingestion features at the same time");
}

}  // namespace
}  // namespace epi::config
