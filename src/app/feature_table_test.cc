#include "app/feature_table.h"

#include <gtest/gtest.h>

#include "testing/conformance.h"

namespace epi::app {
namespace {

TEST(FeatureTable, DefaultsAreThoseOfTheReference) {
  EPI_CONFORMANCE_OR_SKIP(golden, "api/features_golden.json");
  const auto expected = golden.get<web::FeatureTable>();
  const auto table = MakeFeatureTable({}, {});
  for (const auto& [category, features] : expected) {
    ASSERT_TRUE(table.contains(category)) << category;
    if (category == "service_discovery_providers") continue;
    EXPECT_EQ(table.at(category), features) << category;
  }
  EXPECT_EQ(table.size(), expected.size());
}

TEST(FeatureTable, ProvidersThatAreOnlyParsedAreOff) {
  EPI_CONFORMANCE_OR_SKIP(golden, "api/features_golden.json");
  const auto table = MakeFeatureTable({}, {});
  const auto& providers = table.at("service_discovery_providers");
  EXPECT_EQ(providers.size(), golden["service_discovery_providers"].size());
  EXPECT_TRUE(providers.at("kubernetes"));
  EXPECT_TRUE(providers.at("static"));
}

TEST(FeatureTable, FollowsFlagsAndFeatures) {
  config::Flags flags;
  config::Features features;
  flags.web_enable_otlp_receiver = true;
  features.promql_experimental_functions = true;
  const auto table = MakeFeatureTable(flags, features);
  EXPECT_TRUE(table.at("api").at("otlp_write_receiver"));
  EXPECT_TRUE(table.at("promql_functions").at("sort_by_label"));
  EXPECT_TRUE(table.at("promql_operators").at("limitk"));
}

}  // namespace
}  // namespace epi::app
