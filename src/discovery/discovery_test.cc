// The conformance cases of this module.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "base/file_system.h"
#include "base/json_syntax.h"
#include "discovery/dns.h"
#include "discovery/http.h"
#include "discovery/json.h"
#include "discovery/target_group.h"
#include "testing/conformance.h"
#include "testing/discovery_fixture.h"
#include "testing/temp_dir.h"

namespace epi::discovery {
namespace {

using nlohmann::json;

Labels LabelsOf(const json& labels) {
  std::vector<std::pair<std::string, std::string>> owned;
  for (const auto& [name, value] : labels.items()) owned.emplace_back(name, value.get<std::string>());
  std::vector<LabelView> pairs;
  for (const auto& [name, value] : owned) pairs.push_back({name, value});
  return Labels::FromPairs(std::move(pairs));
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

// Expected groups, with the placeholder for the path or URL filled in.
std::vector<TargetGroup> GroupsOf(const json& groups, const std::string& placeholder, const std::string& value) {
  std::vector<TargetGroup> out;
  for (const auto& group : json::parse(Replaced(groups.dump(), placeholder, value))) {
    TargetGroup& each = out.emplace_back();
    each.source = group.at("source");
    for (const auto& target : group.at("targets")) each.targets.push_back(LabelsOf(target));
    each.labels = LabelsOf(group.value("labels", json::object()));
  }
  return out;
}

std::string DiscoveryFile(const std::string& name) {
  return PosixFileSystem().ReadFile(JoinPath(JoinPath(epi::testing::ConformanceDir(), "discovery"), name)).value();
}

// Records as the mock resolver of the original test gives them, read back from the expected labels.
std::vector<DnsRecord> RecordsOf(const TargetGroup& group, DnsType type) {
  std::vector<DnsRecord> out;
  for (const auto& target : group.targets) {
    DnsRecord& record = out.emplace_back();
    record.type = type;
    const std::string address(target.Get("__address__"));
    record.target = Replaced(Replaced(address.substr(0, address.rfind(':')), "[", ""), "]", "");
    for (const char* label :
         {"__meta_dns_srv_record_target", "__meta_dns_mx_record_target", "__meta_dns_ns_record_target"}) {
      if (target.Has(label)) record.target = target.Get(label);
    }
    record.port = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  }
  return out;
}

DnsType TypeOf(const std::string& name) {
  return name == "A"      ? DnsType::kA
         : name == "AAAA" ? DnsType::kAaaa
         : name == "MX"   ? DnsType::kMx
         : name == "NS"   ? DnsType::kNs
                          : DnsType::kSrv;
}

void CheckGroupText(const json& test, const std::string& kind) {
  const std::string input = test.at("input");
  const auto group = kind == "group_from_json" ? ParseTargetGroupJson(input) : ParseTargetGroupYaml(input);
  ASSERT_EQ(group.has_value(), test.at("result") == "ok") << (group ? "" : group.error().message());
  if (!group) {
    if (test.contains("error_text")) {
      EXPECT_EQ(group.error().message(), test.at("error_text").get<std::string>());
    }
    return;
  }
  EXPECT_EQ(group->targets.size(), test.at("targets").size());
  EXPECT_EQ(group->labels, LabelsOf(test.at("labels")));
}

void CheckGroupWriting(const json& test, const std::string& kind) {
  TargetGroup group;
  const json& from = test.at("group");
  for (const auto& target : from.value("Targets", json::array())) group.targets.push_back(LabelsOf(target));
  group.labels = LabelsOf(from.value("Labels", json::object()));
  if (kind == "group_to_json") {
    EXPECT_EQ(json::parse(TargetGroupToJson(group)), json::parse(test.at("expectedJSON").get<std::string>()));
  } else {
    EXPECT_EQ(TargetGroupToYaml(group), test.at("expectedYaml").get<std::string>());
  }
}

void CheckFile(const json& test) {
  const epi::testing::TempDir directory;
  const std::string fixture = test.at("file");
  const std::string path = JoinPath(directory.path(), BaseName(fixture));
  ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(path, DiscoveryFile(fixture)));
  DiscoveryFixture discovery;
  discovery.Start("file_sd_configs:\n- files: ['" + path + "']\n");
  if (test.at("result") == "ok") {
    discovery.AwaitUpdates(1);
    EXPECT_EQ(discovery.Groups(), GroupsOf(test.at("groups"), "<path>", path));
  } else {
    discovery.AwaitWaiting();
    EXPECT_EQ(discovery.Groups(), std::vector<TargetGroup>());
    EXPECT_EQ(discovery.Metric("prometheus_sd_file_read_errors_total"), 1);
  }
}

void CheckHttp(const json& test) {
  const std::string body =
      test.contains("body_file") ? DiscoveryFile(test.at("body_file")) : test.value("body", std::string());
  DiscoveryFixture discovery;
  discovery.Serve([&](const std::string&) -> ApiAnswer {
    return {test.value("status", 200), test.value("content_type", std::string("application/json; charset=utf-8")),
            body};
  });
  const std::string url = discovery.url() + "/sd";
  discovery.Start("http_sd_configs:\n- url: " + url + "\n");
  if (test.at("result") == "ok") {
    discovery.AwaitUpdates(1);
    EXPECT_EQ(discovery.Groups(), GroupsOf(test.at("groups"), "<url>", url));
  } else {
    discovery.AwaitWaiting();
    EXPECT_EQ(discovery.Metric("prometheus_sd_http_failures_total"), 1);
    EXPECT_THAT(discovery.log(),
                ::testing::HasSubstr(Replaced(test.at("error_text").get<std::string>(), "\"", "\\\"")));
  }
}

TEST(DiscoveryConformance, AllCases) {
  EPI_CONFORMANCE_OR_SKIP(data, "discovery/discovery.json");
  for (const auto& test : data.at("cases")) {
    SCOPED_TRACE(test.dump());
    const std::string kind = test.at("kind");
    if (kind == "file_sd") {
      CheckFile(test);
    } else if (kind == "http_sd") {
      CheckHttp(test);
    } else if (kind == "http_sd_content_type") {
      EXPECT_EQ(IsJsonContentType(test.at("header").get<std::string>()), test.at("accepted").get<bool>());
    } else if (kind.starts_with("group_from")) {
      CheckGroupText(test, kind);
    } else if (kind.starts_with("group_to")) {
      CheckGroupWriting(test, kind);
    } else if (kind == "dns_config") {
      const json& input = test.at("input");
      const json config = {{"names", input.at("Names")}, {"type", input.at("Type")}, {"port", input.value("Port", 0)}};
      EXPECT_EQ(ParseSections("dns_sd_configs: [" + config.dump() + "]").has_value(),
                !test.at("expectErr").get<bool>());
    } else if (kind == "dns_result") {
      const json& config = test.at("config");
      for (const auto& expected : GroupsOf(test.at("groups"), "<none>", "")) {
        const auto records = RecordsOf(expected, TypeOf(config.value("type", std::string("SRV"))));
        EXPECT_EQ(DnsTargets(expected.source, records, config.value("port", 0)), expected);
      }
    }
  }
}

TEST(FileDiscovery, FollowsChangesAndRemovals) {
  const epi::testing::TempDir directory;
  auto& files = PosixFileSystem();
  const std::string path = JoinPath(directory.path(), "a.yml");
  ASSERT_TRUE(files.WriteFileAtomically(path, "- targets: [a]\n- targets: [b]\n"));
  DiscoveryFixture discovery;
  discovery.Start("file_sd_configs:\n- files: ['" + directory.path() + "/*.yml']\n");
  discovery.AwaitGroups(2);
  ASSERT_TRUE(files.WriteFileAtomically(path, "- targets: [c]\n"));
  discovery.AwaitGroups(1);
  EXPECT_EQ(discovery.Groups()[0].targets[0].Get("__address__"), "c");
  // What cannot be read keeps its targets; the interval finds it again even without an event.
  ASSERT_TRUE(files.WriteFileAtomically(path, "- targets: 1\n"));
  discovery.AwaitMetric("prometheus_sd_file_read_errors_total", 1);
  EXPECT_EQ(discovery.Groups().size(), 1u);
  ASSERT_TRUE(files.RemoveFile(path));
  discovery.AwaitGroups(0);
}

TEST(HttpDiscovery, DropsGroupsThatAreNoMore) {
  DiscoveryFixture discovery;
  std::atomic<int> asked = 0;
  discovery.Serve([&](const std::string& target) -> ApiAnswer {
    EXPECT_EQ(target, "/sd");
    if (asked++ == 0)
      return {200, "application/json", "[{\"targets\":[\"a\"]},{\"targets\":[\"b\"],\"labels\":{\"x\":\"1\"}}]"};
    return {200, "application/json", "[{\"targets\":[\"c\"]}]"};
  });
  discovery.Start("http_sd_configs:\n- url: " + discovery.url() + "/sd\n  refresh_interval: 10s\n");
  discovery.AwaitGroups(2);
  discovery.AwaitWaiting();
  discovery.Advance(10'000);
  discovery.AwaitGroups(1);
  EXPECT_EQ(discovery.Groups()[0].targets[0].Get("__address__"), "c");
}

TEST(Json, SyntaxErrorsAreInGosWords) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "unexpected end of JSON input"},
      {" [{\"a\": ", "unexpected end of JSON input"},
      {"[\"a", "unexpected end of JSON input"},
      {"x", "invalid character 'x' looking for beginning of value"},
      {"[1,]", "invalid character ']' looking for beginning of value"},
      {"[.5]", "invalid character '.' looking for beginning of value"},
      {"['a']", "invalid character '\\'' looking for beginning of value"},
      {"[\xc3\xa9]", "invalid character '\xc3\x83' looking for beginning of value"},
      {"[\x01]", "invalid character '\\x01' looking for beginning of value"},
      {"[\\]", "invalid character '\\\\' looking for beginning of value"},
      {"{x", "invalid character 'x' looking for beginning of object key string"},
      {"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"},
      {"{\"a\" 1}", "invalid character '1' after object key"},
      {"{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair"},
      {"[1 2]", "invalid character '2' after array element"},
      {"[01]", "invalid character '1' after array element"},
      {"[1}", "invalid character '}' after array element"},
      {"[]]", "invalid character ']' after top-level value"},
      {"tru", "invalid character ' ' in literal true (expecting 'e')"},
      {"[nulx", "invalid character 'x' in literal null (expecting 'l')"},
      {"fa", "invalid character ' ' in literal false (expecting 'l')"},
      {"[-]", "invalid character ']' in numeric literal"},
      {"[1.]", "invalid character ']' after decimal point in numeric literal"},
      {"[1.5e+]", "invalid character ']' in exponent of numeric literal"},
      {"[\"a\nb\"]", "invalid character '\\n' in string literal"},
      {"[\"\\x\"]", "invalid character 'x' in string escape code"},
      {"[\"\\u12g4\"]", "invalid character 'g' in \\u hexadecimal character escape"},
      {"[\"\\u12", "invalid character ' ' in \\u hexadecimal character escape"},
  };
  for (const auto& [text, error] : cases) {
    const auto parsed = Json::Parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().message(), error) << text;
  }
  for (const char* good : {"1", " null ", "{}", "[]", R"({"a":[1,-0.5e+3,"\u00e9\"",true,false,null,{}]})"}) {
    EXPECT_EQ(JsonSyntaxError(good), "") << good;
    EXPECT_TRUE(Json::Parse(good)) << good;
  }
}

TEST(HttpDiscovery, ReadsWhatIsNoTextAsReplacementCharacters) {
  DiscoveryFixture discovery;
  discovery.Serve([](const std::string&) -> ApiAnswer {
    return {200, "application/json",
            R"([{"targets":["\ud800:1"],"labels":{"half":"\udc00x","pair":"\uD83D\uDE00","slash":"\\ud800",)"
            "\"bytes\":\"a\xff\"}}]"};
  });
  discovery.Start("http_sd_configs: [{url: '" + discovery.url() + "/sd'}]");
  discovery.AwaitGroups(1);
  const TargetGroup group = discovery.Groups()[0];
  EXPECT_EQ(group.targets[0].Get("__address__"), "\xef\xbf\xbd:1");
  EXPECT_EQ(group.labels.Get("half"), "\xef\xbf\xbdx");
  EXPECT_EQ(group.labels.Get("pair"), "\xf0\x9f\x98\x80");
  EXPECT_EQ(group.labels.Get("slash"), "\\ud800");
  EXPECT_EQ(group.labels.Get("bytes"), "a\xef\xbf\xbd");
}

TEST(DnsResolver, ReadsItsConfiguration) {
  const auto config = net::ParseResolverConfig(
      "# x\nnameserver 10.0.0.1\nnameserver ::1\nsearch a.example b.example\noptions ndots:2 timeout:1 attempts:3\n");
  EXPECT_THAT(config.servers, ::testing::ElementsAre("10.0.0.1", "::1"));
  EXPECT_EQ(config.ndots, 2);
  EXPECT_EQ(config.timeout_seconds, 1);
  EXPECT_THAT(CandidateNames("x.", config), ::testing::ElementsAre("x."));
  EXPECT_THAT(CandidateNames("x.y", config), ::testing::ElementsAre("x.y.a.example.", "x.y.b.example.", "x.y."));
  EXPECT_THAT(CandidateNames("x.y.z", config),
              ::testing::ElementsAre("x.y.z.", "x.y.z.a.example.", "x.y.z.b.example."));
}

// A DNS message with one question and SRV, A and CNAME answers, names compressed.
std::string SrvMessage() {
  std::string m("\x00\x01\x81\x80\x00\x01\x00\x03\x00\x00\x00\x00", 12);
  m += std::string(
      "\x03_my\x02"
      "db\x00\x00\x21\x00\x01",
      12);  // question at 12: _my.db.
  m += std::string("\xc0\x0c\x00\x21\x00\x01\x00\x00\x00\x3c\x00\x0b\x00\x01\x00\x02\x0c\xea\x02h1\xc0\x10", 23);
  m += std::string("\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x01", 16);
  m += std::string("\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x10", 14);
  return m;
}

TEST(DnsResolver, ReadsAnswers) {
  const auto records = ParseDnsAnswer(SrvMessage());
  ASSERT_TRUE(records.has_value()) << records.error().message();
  // Whatever was asked for, but no CNAME.
  ASSERT_EQ(records->size(), 2u);
  EXPECT_EQ(records->at(0).type, DnsType::kSrv);
  EXPECT_EQ(records->at(0).target, "h1.db.");
  EXPECT_EQ(records->at(0).port, 3306);
  EXPECT_EQ(records->at(1).type, DnsType::kA);
  EXPECT_EQ(records->at(1).target, "10.0.0.1");
}

TEST(DnsResolver, AddressesAndNamesInTheirTextForms) {
  std::string m("\x00\x01\x81\x80\x00\x00\x00\x03\x00\x00\x00\x00", 12);
  const auto add = [&m](char type, const std::string& data) {
    m += std::string("\x00\x00", 2) + type + std::string("\x00\x01\x00\x00\x00\x3c\x00", 7);
    m += static_cast<char>(data.size());
    m += data;
  };
  add('\x1c', std::string("\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\x02\x03\x04", 16));
  add('\x1c', std::string("\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16));
  add('\x02', std::string("\x0c"
                          "a .'@;()\"\\\x01_\0",
                          14));
  const auto records = ParseDnsAnswer(m);
  ASSERT_TRUE(records.has_value()) << records.error().message();
  ASSERT_EQ(records->size(), 3u);
  EXPECT_EQ(records->at(0).target, "1.2.3.4");
  EXPECT_EQ(records->at(1).target, "fd00::1");
  EXPECT_EQ(records->at(2).target, R"(a\ \.\'\@\;\(\)\"\\\001_.)");
}

TEST(DnsResolver, DamagedAnswersFailCleanly) {
  const std::string message = SrvMessage();
  for (size_t length = 1; length < message.size(); ++length) {
    EXPECT_FALSE(ParseDnsAnswer(message.substr(0, length)).has_value()) << length;
  }
  for (size_t bit = 0; bit < message.size() * 8; ++bit) {
    std::string flipped = message;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    static_cast<void>(ParseDnsAnswer(flipped));
  }
}

TEST(Discovery, KindsThatAreNotBuiltSaySo) {
  DiscoveryFixture discovery;
  const auto sections = ParseSections("gce_sd_configs: [{project: a, zone: b}]");
  ASSERT_TRUE(sections.has_value());
  const auto made = MakeDiscoverer(sections->at(0), discovery.parts());
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().message(),
            "service discovery of kind \"gce\" is not built; its targets would silently be missing");
}

}  // namespace
}  // namespace epi::discovery
