#include "discovery/listing_bounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/discovery_fixture.h"

namespace epi::discovery {
namespace {

using ::testing::HasSubstr;

TEST(ListingBounds, RefusesTheFirstPageTooMany) {
  ListingBounds bounds("ec2");
  for (size_t page = 1; page < kMaxListingPages; ++page) ASSERT_TRUE(bounds.Follow("token " + std::to_string(page)));
  const auto refused = bounds.Follow("last");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kLimit);
  EXPECT_EQ(refused.error().message(), "ec2: a listing has more than 10000 pages");
}

TEST(ListingBounds, CountsTheBytesOfAllAnswers) {
  ListingBounds bounds("nomad");
  EXPECT_TRUE(bounds.AddAnswer(kMaxListingBytes - 1));
  EXPECT_TRUE(bounds.AddAnswer(1));
  const auto refused = bounds.AddAnswer(1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "nomad: the answers to one listing have more than 2048 MiB");
}

TEST(ListingBounds, SeesLongerCircles) {
  ListingBounds bounds("x");
  EXPECT_TRUE(bounds.Follow("a"));
  EXPECT_TRUE(bounds.Follow("b"));
  EXPECT_FALSE(bounds.Follow("a"));
}

TEST(Ec2Discovery, PagesThatGoInACircleKeepTheTargets) {
  std::atomic<bool> circle = false;
  DiscoveryFixture discovery;
  discovery.ServeRequests([&](const net::Request& request) -> ApiAnswer {
    if (request.FormValue("Action") == "DescribeAvailabilityZones") return {200, "text/xml", "<R/>"};
    return {200, "text/xml",
            "<R><reservationSet><item><instancesSet><item><instanceId>i</instanceId><privateIpAddress>10.0.0.1"
            "</privateIpAddress></item></instancesSet></item></reservationSet>" +
                std::string(circle ? "<nextToken>n</nextToken>" : "") + "</R>"};
  });
  discovery.Start("ec2_sd_configs: [{endpoint: '" + discovery.url() +
                  "', region: eu, access_key: key, secret_key: secret}]");
  discovery.AwaitGroups(1);
  circle = true;
  discovery.AwaitInTime([&] { return discovery.Metric("prometheus_sd_refresh_failures_total") >= 1; });
  discovery.AwaitWaiting();
  EXPECT_THAT(discovery.log(), HasSubstr("could not describe instances: ec2: the pages of a listing go in a circle"));
  EXPECT_EQ(discovery.Targets().size(), 1u);
}

TEST(KubernetesDiscovery, PagesThatGoInACircleKeepTheTargets) {
  std::atomic<bool> circle = false;
  DiscoveryFixture discovery;
  discovery.ServeRequests([&](const net::Request& request) -> ApiAnswer {
    if (!request.QueryValue("watch").empty()) return {circle ? 410 : 200, "application/json", ""};
    return {
        200, "application/json",
        R"({"metadata":{"resourceVersion":"1")" + std::string(circle ? R"(,"continue":"n")" : "") +
            R"(},"items":[{"metadata":{"name":"n"},"status":{"addresses":[{"type":"InternalIP","address":"1.2.3.4"}]}}]})"};
  });
  discovery.Start("kubernetes_sd_configs: [{role: node, api_server: '" + discovery.url() + "'}]");
  discovery.AwaitGroups(1);
  circle = true;
  discovery.AwaitInTime([&] { return discovery.Metric("prometheus_sd_kubernetes_failures_total") >= 1; });
  discovery.AwaitWaiting();
  EXPECT_THAT(discovery.log(), HasSubstr("kubernetes: the pages of a listing go in a circle"));
  EXPECT_EQ(discovery.Targets().size(), 1u);
}

}  // namespace
}  // namespace epi::discovery
