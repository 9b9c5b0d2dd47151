#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "discovery/aws_signature.h"
#include "discovery/xml.h"
#include "testing/discovery_fixture.h"

namespace epi::discovery {
namespace {

using ::testing::HasSubstr;

// "get-vanilla" of AWS's published test suite for Signature Version 4.
TEST(AwsSignature, MatchesThePublishedExample) {
  const AwsCredentials credentials{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "", 0};
  const AwsRequest request{"GET", "example.amazonaws.com", "/", "", "", {}};
  const auto headers = SignAwsRequest(request, credentials, "us-east-1", "service", 1'440'938'160'000);
  ASSERT_EQ(headers.size(), 2u);
  EXPECT_EQ(headers[0].second, "20150830T123600Z");
  EXPECT_EQ(
      headers[1].second,
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "
      "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

TEST(Xml, ReadsElementsAndEntities) {
  const auto xml =
      ParseXml("<?xml version=\"1.0\"?><!-- c --><a x=\"1\"><b>1 &lt; 2 &#x41;</b><n:c/><d><![CDATA[<raw>]]></d></a>");
  ASSERT_TRUE(xml.has_value()) << xml.error().message();
  EXPECT_EQ(xml->name, "a");
  EXPECT_EQ((*xml)["b"].text, "1 < 2 A");
  EXPECT_TRUE(xml->Has("c"));
  EXPECT_EQ((*xml)["d"].text, "<raw>");
  EXPECT_EQ((*xml)["none"]["deeper"].text, "");
}

TEST(Xml, DamagedTextFailsCleanly) {
  const std::string text = "<?xml?><a><b>&amp;</b><c/><!-- x --><d><![CDATA[y]]></d></a>";
  ASSERT_TRUE(ParseXml(text).has_value());
  for (size_t length = 0; length < text.size(); ++length)
    EXPECT_FALSE(ParseXml(text.substr(0, length)).has_value()) << length;
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string flipped = text;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    static_cast<void>(ParseXml(flipped));
  }
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  EXPECT_FALSE(ParseXml(deep).has_value());
}

TEST(Ec2Discovery, PagesThroughInstances) {
  DiscoveryFixture discovery;
  discovery.ServeRequests([&](const net::Request& request) -> ApiAnswer {
    EXPECT_THAT(std::string(request.headers.Get("Authorization")), HasSubstr("Credential=key/"));
    if (request.FormValue("Action") == "DescribeAvailabilityZones") {
      return {200, "text/xml",
              "<R><availabilityZoneInfo><item><zoneName>eu-1a</zoneName><zoneId>z1</zoneId></item></"
              "availabilityZoneInfo></R>"};
    }
    EXPECT_EQ(request.FormValue("Filter.1.Name"), "tag:x");
    EXPECT_EQ(request.FormValue("Filter.1.Value.2"), "b");
    if (request.FormValue("NextToken").empty()) {
      return {200, "text/xml",
              "<R><reservationSet><item><ownerId>o</ownerId><instancesSet><item><instanceId>i-1</"
              "instanceId><imageId>ami</imageId>"
              "<instanceState><name>running</name></instanceState><privateIpAddress>10.0.0.1</privateIpAddress>"
              "<privateDnsName>d</privateDnsName><instanceType>t</instanceType><architecture>x86_64</architecture>"
              "<placement><availabilityZone>eu-1a</availabilityZone></placement><vpcId>v</vpcId><subnetId>s1</subnetId>"
              "<tagSet><item><key>a:b</key><value>1</value></item></tagSet>"
              "<networkInterfaceSet><item><subnetId>s1</subnetId></item><item><subnetId>s2</subnetId></item></"
              "networkInterfaceSet>"
              "</item></instancesSet></item></reservationSet><nextToken>n</nextToken></R>"};
    }
    return {200, "text/xml",
            "<R><reservationSet><item><instancesSet><item><instanceId>i-2</instanceId></item></instancesSet></item></"
            "reservationSet></R>"};
  });
  discovery.Start(
      "ec2_sd_configs: [{endpoint: '" + discovery.url() +
      "', region: eu, access_key: key, secret_key: secret, port: 9100, filters: [{name: 'tag:x', values: [a, b]}]}]");
  discovery.AwaitUpdates(1);
  EXPECT_THAT(discovery.Targets(), ::testing::ElementsAre(Labels{{"__address__", "10.0.0.1:9100"},
                                                                 {"__meta_ec2_ami", "ami"},
                                                                 {"__meta_ec2_architecture", "x86_64"},
                                                                 {"__meta_ec2_availability_zone", "eu-1a"},
                                                                 {"__meta_ec2_availability_zone_id", "z1"},
                                                                 {"__meta_ec2_instance_id", "i-1"},
                                                                 {"__meta_ec2_instance_state", "running"},
                                                                 {"__meta_ec2_instance_type", "t"},
                                                                 {"__meta_ec2_owner_id", "o"},
                                                                 {"__meta_ec2_primary_subnet_id", "s1"},
                                                                 {"__meta_ec2_private_dns_name", "d"},
                                                                 {"__meta_ec2_private_ip", "10.0.0.1"},
                                                                 {"__meta_ec2_region", "eu"},
                                                                 {"__meta_ec2_subnet_id", ",s1,s2,"},
                                                                 {"__meta_ec2_tag_a_b", "1"},
                                                                 {"__meta_ec2_vpc_id", "v"}}));
}

TEST(Ec2Discovery, SaysWhatAwsRefuses) {
  DiscoveryFixture discovery;
  discovery.ServeRequests([](const net::Request&) -> ApiAnswer {
    return {401, "text/xml",
            "<Response><Errors><Error><Code>AuthFailure</Code><Message>no</Message></Error></Errors></Response>"};
  });
  discovery.Start("ec2_sd_configs: [{endpoint: '" + discovery.url() +
                  "', region: eu, access_key: key, secret_key: secret}]");
  discovery.AwaitWaiting();
  EXPECT_THAT(discovery.log(), HasSubstr("could not describe instances: 401 Unauthorized: AuthFailure: no"));
}

}  // namespace
}  // namespace epi::discovery
