#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>

#include "discovery/aws_signature.h"
#include "discovery/aws_signer.h"
#include "discovery/xml.h"
#include "testing/discovery_fixture.h"
#include "testing/fake_http_client.h"
#include "testing/simulated_clock.h"
#include "testing/temp_dir.h"

namespace epi::discovery {
namespace {

using ::testing::HasSubstr;

// Requests and signatures of AWS's published test suite for Signature Version 4.
struct SignatureCase {
  const char* name;
  const char* method;
  const char* path;
  const char* query;
  std::vector<std::pair<std::string, std::string>> headers;
  const char* body;
  const char* signed_headers;
  const char* signature;
};
const SignatureCase kSignatureCases[] = {
    {"get-vanilla",
     "GET",
     "/",
     "",
     {},
     "",
     "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-unreserved",
     "GET",
     "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     "",
     {},
     "",
     "host;x-amz-date",
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {"get-slashes",
     "GET",
     "//example//",
     "",
     {},
     "",
     "host;x-amz-date",
     "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
    {"get-vanilla-query-order-key-case",
     "GET",
     "/",
     "Param2=value2&Param1=value1",
     {},
     "",
     "host;x-amz-date",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-vanilla-query-order-value",
     "GET",
     "/",
     "Param1=value2&Param1=value1",
     {},
     "",
     "host;x-amz-date",
     "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
    {"get-vanilla-utf8-query",
     "GET",
     "/",
     "\xe1\x88\xb4=bar",
     {},
     "",
     "host;x-amz-date",
     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {"get-header-value-order",
     "GET",
     "/",
     "",
     {{"my-header1", "value4"}, {"my-header1", "value1"}, {"my-header1", "value3"}, {"my-header1", "value2"}},
     "",
     "host;my-header1;x-amz-date",
     "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
    {"get-header-key-duplicate",
     "GET",
     "/",
     "",
     {{"my-header1", "value2"}, {"my-header1", "value2"}, {"my-header1", "value1"}},
     "",
     "host;my-header1;x-amz-date",
     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
    {"get-header-value-trim",
     "GET",
     "/",
     "",
     {{"my-header1", " value1"}, {"my-header2", "\"a   b   c\""}},
     "",
     "host;my-header1;my-header2;x-amz-date",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {"post-x-www-form-urlencoded",
     "POST",
     "/",
     "",
     {{"content-type", "application/x-www-form-urlencoded"}},
     "Param1=value1",
     "content-type;host;x-amz-date",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
};
constexpr int64_t kSuiteTimeMs = 1'440'938'160'000;
constexpr const char* kSuiteScope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";

AwsCredentials SuiteCredentials() { return {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "", 0}; }

TEST(AwsSignature, MatchesThePublishedSuite) {
  for (const SignatureCase& c : kSignatureCases) {
    const std::string path = CanonicalAwsPath(c.path);
    const std::string query = CanonicalAwsQuery(c.query);
    const AwsRequest request{c.method, "example.amazonaws.com", path, query, c.body, c.headers};
    const auto headers = SignAwsRequest(request, SuiteCredentials(), "us-east-1", "service", kSuiteTimeMs);
    ASSERT_EQ(headers.size(), 2u);
    EXPECT_EQ(headers[0].second, "20150830T123600Z");
    EXPECT_EQ(headers[1].second,
              std::string(kSuiteScope) + ", SignedHeaders=" + c.signed_headers + ", Signature=" + c.signature)
        << c.name;
  }
}

TEST(AwsSignature, SignsTheTokenOfTemporaryCredentials) {
  AwsCredentials credentials = SuiteCredentials();
  credentials.session_token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
  const AwsRequest request{"GET", "example.amazonaws.com", "/", "", "", {}};
  const auto headers = SignAwsRequest(request, credentials, "us-east-1", "service", kSuiteTimeMs);
  ASSERT_EQ(headers.size(), 3u);
  EXPECT_EQ(headers[1].second, credentials.session_token);
  EXPECT_EQ(headers[2].second, std::string(kSuiteScope) +
                                   ", SignedHeaders=host;x-amz-date;x-amz-security-token, "
                                   "Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8");
}

// An escape of the wire is escaped again: %2F in a segment and a slash between segments are told apart.
TEST(AwsSignature, PathsAndQueriesHaveOneForm) {
  const std::pair<const char*, const char*> paths[] = {
      {"", "/"},
      {"/", "/"},
      {"/a/b", "/a/b"},
      {"/a/b/", "/a/b/"},
      {"/a%2Fb", "/a%252Fb"},
      {"/example%20space/", "/example%2520space/"},
      {"/a/../b/./c", "/b/c"},
      {"/../..", "/"},
      {"/a/..b/.c", "/a/..b/.c"},
  };
  for (const auto& [in, out] : paths) EXPECT_EQ(CanonicalAwsPath(in), out) << in;
  const std::pair<const char*, const char*> queries[] = {
      {"", ""},
      {"a=10&a=9", "a=10&a=9"},
      {"x=a.b&x=a%2fb", "x=a%2Fb&x=a.b"},
      {"a=1&a=1", "a=1&a=1"},
      {"q=a+b", "q=a%2Bb"},
      {"b&a=1", "a=1&b="},
      {"a=1=2", "a=1%3D2"},
      {"a=%zz", "a=%25zz"},
  };
  for (const auto& [in, out] : queries) EXPECT_EQ(CanonicalAwsQuery(in), out) << in;
}

// What came of a request that was signed.
struct SignedOnce {
  std::mutex mutex;
  std::condition_variable came;
  std::optional<Result<net::HttpRequest>> result;

  AwsSigner::Done Take() {
    return [this](Result<net::HttpRequest> signed_request) {
      const std::lock_guard lock(mutex);
      result = std::move(signed_request);
      came.notify_all();
    };
  }
  const Result<net::HttpRequest>& Await() {
    std::unique_lock lock(mutex);
    came.wait(lock, [this] { return result.has_value(); });
    return *result;
  }
};

net::HttpRequest PostTo(const std::string& url) {
  net::HttpRequest request;
  request.method = "POST";
  request.url = url;
  request.headers.Set("Content-Type", "application/json");
  request.body = "[]";
  return request;
}

TEST(AwsSigner, SignsWithTheKeysOfTheConfiguration) {
  testing::FakeHttpClient http;
  testing::SimulatedClock clock(kSuiteTimeMs);
  AwsSettings settings;
  settings.region = "eu-west-1";
  settings.access_key = "key";
  settings.secret_key = "secret";
  AwsSigner signer(settings, "aps", http, PosixFileSystem(), clock);
  for (const char* url : {"https://am:443/w/ws-1/api/v2/alerts", "https://am/w/ws-1/api/v2/alerts"}) {
    SignedOnce once;
    signer.Sign(PostTo(url), once.Take());
    const auto& got = once.Await();
    ASSERT_TRUE(got) << got.error().message();
    const AwsRequest same{"POST", "am", "/w/ws-1/api/v2/alerts", "", "[]", {{"content-type", "application/json"}}};
    const auto wanted = SignAwsRequest(same, {"key", "secret", "", 0}, "eu-west-1", "aps", kSuiteTimeMs);
    EXPECT_EQ(got->headers.Get("X-Amz-Date"), wanted[0].second);
    EXPECT_EQ(got->headers.Get("Authorization"), wanted[1].second);
    EXPECT_EQ(got->body, "[]");
  }
  EXPECT_TRUE(http.requests().empty());
}

TEST(AwsRegion, IsLookedForWhereTheToolsKeepIt) {
  const epi::testing::TempDir directory;
  const std::string path = JoinPath(directory.path(), "config");
  ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(
      path, "[default]\nregion = of-default\n# c\n[profile alerts]\noutput=json\nregion=of-alerts\n[profile none]\n"));
  for (const char* variable : {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"}) ::unsetenv(variable);
  ::setenv("AWS_CONFIG_FILE", path.c_str(), 1);
  AwsSettings settings;
  const auto region = [&](const std::string& profile) {
    settings.profile = profile;
    return ConfiguredAwsRegion(settings, PosixFileSystem());
  };
  EXPECT_EQ(region(""), "of-default");
  EXPECT_EQ(region("alerts"), "of-alerts");
  EXPECT_EQ(region("none"), "");
  ::setenv("AWS_DEFAULT_REGION", "of-the-environment", 1);
  EXPECT_EQ(region("alerts"), "of-the-environment");
  settings.region = "of-the-configuration";
  EXPECT_EQ(region("alerts"), "of-the-configuration");
  ::unsetenv("AWS_DEFAULT_REGION");
  ::unsetenv("AWS_CONFIG_FILE");
}

TEST(AwsSigner, AssumesARoleAndRenewsIt) {
  testing::FakeHttpClient http;
  testing::SimulatedClock clock(kSuiteTimeMs);
  const auto answer = [](const std::string& key) {
    testing::FakeHttpClient::Answer out;
    out.body = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>" + key +
               "</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken></Credentials>"
               "</AssumeRoleResult></AssumeRoleResponse>";
    return out;
  };
  http.Script("https://sts-fips.eu-west-1.amazonaws.com/", {answer("first"), answer("second")});
  AwsSettings settings;
  settings.region = "eu-west-1";
  settings.access_key = "key";
  settings.secret_key = "secret";
  settings.role_arn = "arn:aws:iam::1:role/alerts";
  settings.external_id = "outside";
  settings.fips_sts = true;
  AwsSigner signer(settings, "aps", http, PosixFileSystem(), clock);
  const auto key_used = [&] {
    SignedOnce once;
    signer.Sign(PostTo("https://am/"), once.Take());
    const auto& got = once.Await();
    if (!got) return got.error().message();
    EXPECT_EQ(got->headers.Get("X-Amz-Security-Token"), "t");
    const std::string text(got->headers.Get("Authorization"));
    const size_t from = text.find("Credential=") + 11;
    return text.substr(from, text.find('/', from) - from);
  };
  EXPECT_EQ(key_used(), "first");
  EXPECT_EQ(key_used(), "first");
  EXPECT_THAT(http.requests().at(0).body, HasSubstr("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Falerts"));
  EXPECT_THAT(http.requests().at(0).body, HasSubstr("ExternalId=outside"));
  EXPECT_THAT(std::string(http.requests().at(0).headers.Get("Authorization")), HasSubstr("Credential=key/"));
  clock.AdvanceMs(56 * 60'000);
  EXPECT_EQ(key_used(), "second");
  EXPECT_EQ(http.requests().size(), 2u);
}

TEST(AwsSigner, SaysWhyItHasNoCredentials) {
  testing::FakeHttpClient http;
  testing::SimulatedClock clock;
  testing::FakeHttpClient::Answer refused;
  refused.status = 403;
  refused.status_text = "403 Forbidden";
  refused.body = "<R><Error><Code>AccessDenied</Code><Message>not you</Message></Error></R>";
  http.Script("https://sts.example/", {refused});
  AwsSettings settings;
  settings.region = "eu-west-1";
  settings.access_key = "key";
  settings.secret_key = "secret";
  settings.role_arn = "arn";
  settings.sts_endpoint = "https://sts.example";
  AwsSigner signer(settings, "aps", http, PosixFileSystem(), clock);
  SignedOnce once;
  signer.Sign(PostTo("https://am/"), once.Take());
  ASSERT_FALSE(once.Await());
  EXPECT_EQ(once.Await().error().message(),
            "cannot sign the request for AWS: operation error STS: AssumeRole, https response error StatusCode: 403, "
            "RequestID: , api error AccessDenied: not you");
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
            "<R><reservationSet><item><instancesSet><item><instanceId>i-2</instanceId></item>"
            "<item><instanceId>i-3</instanceId><privateIpAddress>10.0.0.3</privateIpAddress><vpcId>v</vpcId></item>"
            "</instancesSet></item></reservationSet></R>"};
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
                                                                 {"__meta_ec2_vpc_id", "v"}},
                                                          // In a network, with no interface that names its part.
                                                          Labels{{"__address__", "10.0.0.3:9100"},
                                                                 {"__meta_ec2_instance_id", "i-3"},
                                                                 {"__meta_ec2_private_ip", "10.0.0.3"},
                                                                 {"__meta_ec2_region", "eu"},
                                                                 {"__meta_ec2_subnet_id", ",,"},
                                                                 {"__meta_ec2_vpc_id", "v"}}));
}

TEST(Ec2Discovery, SaysWhatAwsRefuses) {
  DiscoveryFixture discovery;
  discovery.ServeRequests([](const net::Request&) -> ApiAnswer {
    return {401, "text/xml",
            "<Response><Errors><Error><Code>AuthFailure</Code><Message>no</Message></Error></Errors>"
            "<RequestID>r1</RequestID></Response>"};
  });
  discovery.Start("ec2_sd_configs: [{endpoint: '" + discovery.url() +
                  "', region: eu, access_key: key, secret_key: secret}]");
  discovery.AwaitWaiting();
  EXPECT_THAT(discovery.log(),
              HasSubstr("could not describe instances: operation error EC2: DescribeInstances, https response "
                        "error StatusCode: 401, RequestID: r1, api error AuthFailure: no"));
}

}  // namespace
}  // namespace epi::discovery
