#include "config/kubernetes_selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/file_system.h"
#include "config/byte_size.h"
#include "config/config_schema.h"
#include "config/relabel_schema.h"
#include "config/scrape_schema.h"
#include "config/yaml_json.h"
#include "model/case_mapping.h"
#include "testing/conformance.h"
#include "testing/temp_dir.h"

namespace epi::config {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::string ConfigDirectory() { return JoinPath(epi::testing::ConformanceDir(), "config"); }

// The files are named as upstream's tests name them, "testdata/x.yml", because error texts quote the name.
class TestdataFiles final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    return real_.Open(Real(path), mode);
  }
  Result<std::unique_ptr<MappedFile>> Map(const std::string& path) override { return real_.Map(Real(path)); }
  Result<FileInfo> Stat(const std::string& path) override { return real_.Stat(Real(path)); }
  Result<std::vector<std::string>> List(const std::string& path) override { return real_.List(Real(path)); }
  Result<void> CreateDirectories(const std::string& path) override { return real_.CreateDirectories(Real(path)); }
  Result<void> Rename(const std::string& from, const std::string& to) override {
    return real_.Rename(Real(from), Real(to));
  }
  Result<void> HardLink(const std::string& from, const std::string& to) override {
    return real_.HardLink(Real(from), Real(to));
  }
  Result<void> RemoveFile(const std::string& path) override { return real_.RemoveFile(Real(path)); }
  Result<void> RemoveAll(const std::string& path) override { return real_.RemoveAll(Real(path)); }
  Result<void> SyncDirectory(const std::string& path) override { return real_.SyncDirectory(Real(path)); }
  Result<std::unique_ptr<FileLock>> LockFile(const std::string& path) override { return real_.LockFile(Real(path)); }
  Result<Space> DiskSpace(const std::string& path) override { return real_.DiskSpace(Real(path)); }

 private:
  static std::string Real(const std::string& path) {
    return path.starts_with('/') ? path : JoinPath(ConfigDirectory(), path);
  }
  FileSystem& real_ = PosixFileSystem();
};

std::string Outcome(const Result<Config>& config) { return config ? std::string() : config.error().message(); }

TEST(ConfigConformance, EveryFileLoadsOrFailsAsInPrometheus) {
  EPI_CONFORMANCE_OR_SKIP(data, "config/load.json");
  TestdataFiles files;
  for (const auto& test : data.at("cases")) {
    SCOPED_TRACE(test.dump());
    const std::string path = "testdata/" + test.at("file").get<std::string>();
    LoadOptions options;
    options.agent_mode = test.at("mode") == "agent";
    if (test.at("mode") == "static_config entry") {
      const auto text = files.ReadFile(path);
      ASSERT_TRUE(text.has_value());
      EXPECT_FALSE(ParseStaticGroup(*text).has_value());
      continue;
    }
    const auto config = LoadConfig(files, path, options);
    const std::string error = Outcome(config);
    EXPECT_EQ(error.empty(), test.at("result") == "ok") << error;
    for (const auto& part : test.value("error_contains", json::array()))
      EXPECT_THAT(error, HasSubstr(part.get<std::string>()));
    if (!config) continue;
    const auto jobs = LoadScrapeConfigs(files, *config, options);
    const std::string expected = test.value("scrape_configs_error_contains", std::string());
    EXPECT_EQ(jobs.has_value(), expected.empty()) << (jobs ? "" : jobs.error().message());
    EXPECT_THAT(jobs ? std::string() : jobs.error().message(), HasSubstr(expected));
  }
}

// What the file was read to, as JSON with nothing redacted.
template <typename T>
json Loaded(const T& value) {
  const std::string text = Codec<T>::Write(value, {.redact = false}).Text();
  const auto document = YamlDocument::Parse(text);
  EXPECT_TRUE(document.has_value()) << text;
  return document ? json::parse(YamlToJson(document->root())) : json();
}

bool IsZero(const json& value) {
  return value.is_null() || value == false || value == 0 || value == "" || (value.is_structured() && value.empty()) ||
         value == "0s";
}

// Expected fields must be there; others must be zero.
void Compare(const json& expected, const json& actual, const std::string& where);

void CompareObjects(const json& expected, const json& actual, const std::string& where) {
  for (const auto& [written, value] : expected.items()) {
    const std::string key = written == "OutOfOrderTimeWindow" ? "outofordertimewindow" : written;
    if (key == "_discovery") {
      // Named by package and type where a package has several: "aws:EC2SDConfig", "moby:DockerSwarmSDConfig".
      const std::string type = value.get<std::string>().substr(value.get<std::string>().find(':') + 1);
      EXPECT_EQ(ToLowerUtf8(type).find(actual.at(key).get<std::string>()), 0u) << where;
      continue;
    }
    if (!actual.contains(key)) {
      EXPECT_TRUE(IsZero(value)) << where << "." << key << " is missing";
    } else {
      Compare(value, actual.at(key), where + "." + key);
    }
  }
  for (const auto& [key, value] : actual.items()) {
    const bool all_zero =
        value.is_object() && std::all_of(value.begin(), value.end(), [](const json& field) { return IsZero(field); });
    const bool window = key == "outofordertimewindow" && expected.contains("OutOfOrderTimeWindow");
    EXPECT_TRUE(expected.contains(key) || window || all_zero || IsZero(value))
        << where << "." << key << " is " << value;
  }
}

void Compare(const json& expected, const json& actual, const std::string& where) {
  if (expected.is_object() && actual.is_object()) {
    CompareObjects(expected, actual, where);
  } else if (expected.is_array() && actual.is_array()) {
    EXPECT_EQ(expected.size(), actual.size()) << where;
    for (size_t i = 0; i < std::min(expected.size(), actual.size()); ++i) {
      Compare(expected[i], actual[i], where + "[" + std::to_string(i) + "]");
    }
  } else if (expected.is_number() && actual.is_string()) {
    EXPECT_EQ(expected.get<int64_t>(), ParseByteSize(actual.get<std::string>()).value_or(-1)) << where;
  } else {
    EXPECT_EQ(expected, actual) << where;
  }
}

// Brings our writing of a section into the form of the expectations: discoveries in one list, rules with their regex.
void Normalise(json& section) {
  if (!section.is_object()) return;
  json discoveries = json::array();
  for (const auto& kind : SdKinds()) {
    const std::string key(kind.key);
    if (!section.contains(key)) continue;
    if (kind.name == "static") {
      json groups = json::array();
      for (const auto& group : section.at(key)) {
        json targets = json::array();
        for (const auto& target : group.at("targets")) targets.push_back({{"__address__", target}});
        json out{{"Targets", targets}, {"Source", std::to_string(groups.size())}};
        if (group.contains("labels")) out["Labels"] = group.at("labels");
        groups.push_back(out);
      }
      discoveries.push_back(groups);
    } else {
      for (json config : section.at(key)) {
        config["_discovery"] = kind.name;
        discoveries.push_back(config);
      }
    }
    section.erase(key);
  }
  if (!discoveries.empty()) section["service_discovery"] = discoveries;
  for (const char* key :
       {"relabel_configs", "metric_relabel_configs", "alert_relabel_configs", "write_relabel_configs"}) {
    if (!section.contains(key)) continue;
    for (auto& rule : section.at(key)) {
      if (!rule.contains("regex")) rule["regex"] = "(.*)";
    }
  }
}

void NormaliseConfig(json& config) {
  for (const char* key : {"scrape_configs", "remote_write", "remote_read"}) {
    if (!config.contains(key)) continue;
    for (auto& section : config.at(key)) Normalise(section);
  }
  if (!config.contains("alerting")) return;
  Normalise(config.at("alerting"));
  for (auto& manager : config.at("alerting").at("alertmanagers")) Normalise(manager);
}

TEST(ConfigConformance, TheGoodFileLoadsToWhatPrometheusLoads) {
  EPI_CONFORMANCE_OR_SKIP(data, "config/conf_good_expected.json");
  TestdataFiles files;
  const auto config = LoadConfig(files, "testdata/conf.good.yml", {});
  ASSERT_TRUE(config.has_value()) << config.error().message();
  json actual = Loaded(*config);
  NormaliseConfig(actual);
  Compare(data.at("config"), actual, "config");
}

json AtPath(json value, std::string path) {
  while (!path.empty()) {
    const size_t end = path.find_first_of(".[", 1);
    std::string step = path.substr(0, end);
    path = end == std::string::npos ? "" : path.substr(path[end] == '.' ? end + 1 : end);
    if (step.front() == '[') {
      value = value.at(static_cast<size_t>(std::stoi(step.substr(1))));
    } else {
      if (!value.contains(step)) return {};
      value = value.at(step);
    }
  }
  return value;
}

TEST(ConfigConformance, EffectiveSettings) {
  EPI_CONFORMANCE_OR_SKIP(data, "config/effective.json");
  TestdataFiles files;
  for (const auto& test : data.at("cases")) {
    SCOPED_TRACE(test.dump().substr(0, 400));
    const std::string kind = test.at("kind");
    LoadOptions options;
    if (test.contains("env")) {
      options.environment = [&](const std::string& name) { return test.at("env").value(name, std::string()); };
    }
    const auto load = [&] {
      return test.contains("file") ? LoadConfig(files, "testdata/" + test.at("file").get<std::string>(), options)
                                   : ParseConfig(test.value("yaml", std::string()), options);
    };
    if (kind == "scrape_protocol_media_type") {
      EXPECT_EQ(ScrapeProtocolMediaType(test.at("protocol").get<std::string>()),
                test.at("media_type").get<std::string>());
      continue;
    }
    const auto config = load();
    ASSERT_TRUE(config.has_value()) << config.error().message();
    if (kind == "scrape_configs") {
      const auto jobs = LoadScrapeConfigs(files, *config, options);
      ASSERT_EQ(jobs.has_value(), test.at("result") == "ok") << (jobs ? "" : jobs.error().message());
      if (!jobs) {
        EXPECT_THAT(jobs.error().message(), HasSubstr(test.at("error_contains").get<std::string>()));
        continue;
      }
      json actual = json::array();
      for (const auto& job : *jobs) {
        actual.push_back(Loaded(job));
        Normalise(actual.back());
      }
      Compare(test.at("scrape_configs"), actual, "scrape_configs");
    } else if (kind == "extra_scrape_metrics") {
      EXPECT_EQ(config->global.extra_scrape_metrics, test.at("global").get<bool>());
      EXPECT_EQ(config->scrape_configs.at(0).extra_scrape_metrics, test.at("effective").get<bool>());
    } else if (kind == "name_settings") {
      const auto& job = config->scrape_configs.at(0);
      EXPECT_EQ(NameSchemeText(job.name_scheme()), test.at("validation_scheme").get<std::string>());
      EXPECT_EQ(job.metric_name_escaping_scheme, test.at("escaping_scheme").get<std::string>());
    } else if (kind == "value") {
      const json actual = AtPath(Loaded(*config), test.at("path"));
      if (IsZero(test.at("value"))) {
        EXPECT_TRUE(IsZero(actual)) << actual;
      } else {
        EXPECT_EQ(actual, test.at("value"));
      }
    } else if (kind == "external_labels") {
      std::map<std::string, std::string> labels(config->global.external_labels.begin(),
                                                config->global.external_labels.end());
      EXPECT_EQ(json(labels), test.at("value"));
    } else if (kind == "empty") {
      EXPECT_EQ(config->ToYaml(), ParseConfig("", {})->ToYaml());
    } else if (kind == "secrets") {
      const std::string text = config->ToYaml();
      size_t count = 0;
      for (size_t at = text.find("<secret>"); at != std::string::npos; at = text.find("<secret>", at + 1)) ++count;
      EXPECT_EQ(count, test.at("secret_count").get<size_t>());
      EXPECT_EQ(text.find(test.at("must_not_contain").get<std::string>()), std::string::npos);
    } else {
      ASSERT_EQ(kind, "roundtrip");
      const auto again = ParseConfig(Codec<Config>::Write(*config, {.redact = false}).Text(), {});
      ASSERT_TRUE(again.has_value()) << again.error().message();
      EXPECT_EQ(again->ToYaml(), config->ToYaml());
    }
  }
}

TEST(ConfigConformance, RelabelingRulesRoundTrip) {
  EPI_CONFORMANCE_OR_SKIP(data, "relabel/relabel.json");
  for (const auto& test : data.at("cases")) {
    if (test.at("kind") != "yaml_roundtrip") continue;
    const std::string yaml = test.at("yaml");
    RelabelConfig config;
    ASSERT_TRUE(ReadDocument(yaml, config).has_value());
    config.regex_given = true;
    EXPECT_EQ(RelabelConfigToYaml(config), yaml);
  }
}

TEST(Config, PrintsAsPrometheusDoes) {
  const auto config = ParseConfig(
      "global:\n  scrape_interval: 15s\n  external_labels: {b: 'x', a: \"1\"}\nscrape_configs:\n- job_name: node\n  "
      "static_configs:\n"
      "  - targets: ['localhost:9100']\n  basic_auth: {username: u, password: p}\n  relabel_configs:\n  - "
      "source_labels: [a, b]\n"
      "    target_label: c\nremote_write:\n- url: http://user:pass@remote/push\n",
      {});
  ASSERT_TRUE(config.has_value()) << config.error().message();
  EXPECT_EQ(config->ToYaml(), R"(global:
  scrape_interval: 15s
  scrape_timeout: 10s
  evaluation_interval: 1m
  external_labels:
    a: "1"
    b: x
  metric_name_validation_scheme: utf8
  scrape_native_histograms: false
  extra_scrape_metrics: false
runtime:
  gogc: 75
scrape_configs:
- job_name: node
  honor_timestamps: true
  track_timestamps_staleness: false
  scrape_interval: 15s
  scrape_timeout: 10s
  scrape_protocols:
  - OpenMetricsText1.0.0
  - OpenMetricsText0.0.1
  - PrometheusText1.0.0
  - PrometheusText0.0.4
  scrape_native_histograms: false
  always_scrape_classic_histograms: false
  convert_classic_histograms_to_nhcb: false
  metrics_path: /metrics
  scheme: http
  enable_compression: true
  metric_name_validation_scheme: utf8
  metric_name_escaping_scheme: allow-utf-8
  extra_scrape_metrics: false
  basic_auth:
    username: u
    password: <secret>
  follow_redirects: true
  enable_http2: true
  relabel_configs:
  - source_labels: [a, b]
    separator: ;
    target_label: c
    replacement: $1
    action: replace
  static_configs:
  - targets:
    - localhost:9100
storage:
  tsdb:
    outofordertimewindow: 0
    retention: {}
remote_write:
- url: http://user:xxxxx@remote/push
  remote_timeout: 30s
  protobuf_message: prometheus.WriteRequest
  follow_redirects: true
  enable_http2: false
  queue_config:
    capacity: 10000
    max_shards: 50
    min_shards: 1
    max_samples_per_send: 2000
    batch_send_deadline: 5s
    min_backoff: 30ms
    max_backoff: 5s
  metadata_config:
    send: true
    send_interval: 1m
    max_samples_per_send: 2000
otlp:
  translation_strategy: UnderscoreEscapingWithSuffixes
  label_name_underscore_sanitization: true
  label_name_preserve_multiple_underscores: true
)");
}

TEST(Config, ErrorsNameLineAndField) {
  EXPECT_EQ(Outcome(ParseConfig("scrape_configs:\n- job_name: a\n  nope: 1\n  honor_labels: maybe\n", {})),
            "yaml: unmarshal errors:\n  line 3: field nope not found in type config.ScrapeConfig\n  line 4: cannot "
            "unmarshal !!str "
            "`maybe` into bool");
  EXPECT_EQ(Outcome(ParseConfig("global:\n  scrape_interval: 1x\n", {})), "unknown unit \"x\" in duration \"1x\"");
  EXPECT_EQ(Outcome(ParseConfig("global: [1]\n", {})),
            "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into config.plain");
}

TEST(Config, NullSectionsAreGosZeroValues) {
  EXPECT_EQ(Outcome(ParseConfig("remote_write:\n- url: http://x\n  queue_config:\n", {})),
            "remote write queue max_shards must be positive");
  EXPECT_EQ(ParseConfig("otlp:\n", {})->otlp.translation_strategy, "");
  EXPECT_EQ(ParseConfig("runtime:\n", {})->runtime.gogc, 75);
}

TEST(Config, DefaultsFollowTheOptions) {
  LoadOptions options;
  options.default_scrape_protocols = DefaultScrapeProtocols(true);
  options.default_extra_scrape_metrics = true;
  options.exemplar_storage = true;
  options.default_retention.time = 15 * 24 * 60 * kMinuteMs;
  const auto config = ParseConfig("scrape_configs:\n- job_name: a\n", options);
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->scrape_configs[0].scrape_protocols.front(), kPrometheusProto);
  EXPECT_EQ(config->scrape_configs[0].extra_scrape_metrics, true);
  EXPECT_EQ(config->storage.max_exemplars, 100000);
  EXPECT_EQ(config->storage.tsdb->retention->time, options.default_retention.time);
}

TEST(Config, ReferencesAreReplacedWhenAskedFor) {
  const epi::testing::TempDir directory;
  auto& files = PosixFileSystem();
  ASSERT_TRUE(files.WriteFileAtomically(JoinPath(directory.path(), "secret"), " s3cret\n"));
  const std::string path = JoinPath(directory.path(), "p.yml");
  ASSERT_TRUE(files.WriteFileAtomically(
      path,
      "scrape_configs:\n- job_name: ${JOB}\n  basic_auth: {username: u, password: 'file:secret'}\n  relabel_configs:\n"
      "  - {target_label: a, replacement: '${1}${name}'}\n"));
  LoadOptions options;
  options.environment = [](const std::string& name) { return name == "JOB" ? std::string("12") : std::string(); };
  EXPECT_EQ(LoadConfig(files, path, options)->scrape_configs[0].job_name, "${JOB}");
  options.expand_references = true;
  const auto config = LoadConfig(files, path, options);
  ASSERT_TRUE(config.has_value()) << config.error().message();
  const auto& job = config->scrape_configs[0];
  EXPECT_EQ(job.job_name, "12");
  EXPECT_EQ(job.http.basic_auth->password, "s3cret");
  EXPECT_EQ(job.relabel_configs[0].replacement, "${1}${name}");
  options.environment = nullptr;
  EXPECT_EQ(Outcome(LoadConfig(files, path, options)),
            "parsing YAML file " + path + ": line 2: environment variable JOB is not set");
}

TEST(Config, ReferencesAreReplacedInEveryString) {
  const epi::testing::TempDir directory;
  auto& files = PosixFileSystem();
  const auto put = [&](const std::string& name, const std::string& text) {
    ASSERT_TRUE(files.WriteFileAtomically(JoinPath(directory.path(), name), text));
  };
  put("prod.txt", "two words\n");
  put("jobs.yml", "scrape_configs: [{job_name: other, static_configs: [{targets: ['${HOST}:2']}]}]\n");
  put("p.yml",
      "global: {scrape_interval: '${EVERY}', external_labels: {'${ENV}_name': 'file:${ENV}.txt'}}\n"
      "scrape_config_files: ['job${NOT_A_NAME_}.yml']\n"
      "scrape_configs:\n- job_name: a\n  params: {'${ENV}': [x, 'a-${HOST}-${ENV}']}\n"
      "  http_headers: {X: {secrets: ['file:prod.txt']}}\n"
      "  static_configs: [{targets: ['${HOST}:1', '${host}', 'fil${ENV}'], labels: {l: '${FILE}'}}]\n");
  LoadOptions options;
  options.expand_references = true;
  options.environment = [](const std::string& name) -> std::string {
    return name == "HOST"          ? "h"
           : name == "ENV"         ? "prod"
           : name == "EVERY"       ? "7s"
           : name == "NOT_A_NAME_" ? "s"
           : name == "FILE"        ? "file:prod.txt"
                                   : "";
  };
  const auto config = LoadConfig(files, JoinPath(directory.path(), "p.yml"), options);
  ASSERT_TRUE(config.has_value()) << config.error().message();
  EXPECT_EQ(config->global.scrape_interval, 7000);
  EXPECT_EQ(config->global.external_labels, (StringMap{{"prod_name", "two words"}}));
  const std::string text = config->ToYaml();
  EXPECT_THAT(text, HasSubstr("prod:\n    - x\n    - a-h-prod\n"));
  EXPECT_THAT(text, HasSubstr("- h:1\n    - ${host}\n    - filprod\n"));
  EXPECT_THAT(text, HasSubstr("l: file:prod.txt\n"));  // what a variable holds is no reference
  EXPECT_THAT(text, HasSubstr("secrets:\n      - <secret>\n"));
  const auto jobs = LoadScrapeConfigs(files, *config, options);
  ASSERT_TRUE(jobs.has_value()) << jobs.error().message();
  EXPECT_THAT(ScrapeConfigToYaml(jobs->at(1)), HasSubstr("- h:2\n"));
}

TEST(Config, ReferencesThatLeadNowhereAreTold) {
  const epi::testing::TempDir directory;
  auto& files = PosixFileSystem();
  const std::string path = JoinPath(directory.path(), "p.yml");
  LoadOptions options;
  options.expand_references = true;
  const auto outcome = [&](const std::string& yaml) {
    EXPECT_TRUE(files.WriteFileAtomically(path, yaml));
    return Outcome(LoadConfig(files, path, options));
  };
  EXPECT_THAT(outcome("scrape_configs:\n- job_name: file:none\n"),
              HasSubstr("parsing YAML file " + path + ": line 2: open " + JoinPath(directory.path(), "none") +
                        ": no such file or directory"));
  ASSERT_TRUE(files.WriteFileAtomically(JoinPath(directory.path(), "big"), std::string((1 << 20) + 1, 'x')));
  EXPECT_THAT(outcome("scrape_configs:\n- job_name: file:big\n"), HasSubstr("line 2: "));
  // Text stays text, whatever it looks like.
  options.environment = [](const std::string&) { return std::string("5"); };
  EXPECT_THAT(outcome("scrape_configs: [{job_name: a, sample_limit: '${N}'}]\n"),
              HasSubstr("line 1: cannot unmarshal !!str `5` into uint"));
}

TEST(ExpandVariables, IsGosExpand) {
  const auto value = [](const std::string& name) { return name == "$" ? std::string("$") : "<" + name + ">"; };
  EXPECT_EQ(ExpandVariables("a$b${c}d$$e$", value), "a<b><c>d$e$");
  EXPECT_EQ(ExpandVariables("${}x${y", value), "xy");
  EXPECT_EQ(ExpandVariables("$ 1$1x${*}", value), "$ 1<1>x<*>");
}

TEST(GogcFromEnvironment, ReadsGosVariable) {
  EXPECT_EQ(GogcFromEnvironment("off"), -1);
  EXPECT_EQ(GogcFromEnvironment("50"), 50);
  EXPECT_EQ(GogcFromEnvironment(""), 75);
}

TEST(ScrapeConfig, FingerprintsTellJobsApart) {
  const auto first = ParseConfig("scrape_configs:\n- job_name: a\n  basic_auth: {password: x}\n", {});
  const auto second = ParseConfig("scrape_configs:\n- job_name: a\n  basic_auth: {password: y}\n", {});
  EXPECT_NE(ScrapeConfigFingerprint(first->scrape_configs[0]), ScrapeConfigFingerprint(second->scrape_configs[0]));
  EXPECT_EQ(first->ToYaml(), second->ToYaml());
}

// Prometheus checks a section as a whole, after it was read without an error.
TEST(Config, WhatIsWrongInsideIsToldBeforeTheWhole) {
  const std::pair<const char*, const char*> cases[] = {
      {"scrape_configs: [null, {job_name: a}]", "empty or null scrape config section"},
      {"scrape_configs: [null, {}]", "job_name is empty"},
      {"scrape_configs: [null, 1]",
       "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!int `1` into config.ScrapeConfig"},
      {"remote_write: [{url: http://x, write_relabel_configs: [null], queue_config: off}]",
       "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!bool `off` into config.QueueConfig"},
      {"remote_write: [{write_relabel_configs: [null]}]", "url for remote_write is empty"},
      {"scrape_configs: [{job_name: a, file_sd_configs: [null]}]", "empty or null section in file_sd_configs"},
      // The second of a name is not read.
      {"scrape_configs: [{job_name: a, file_sd_configs: [], file_sd_configs: [{files: 1}]}]",
       "yaml: unmarshal errors:\n  line 1: field file_sd_configs already set in type config.ScrapeConfig"},
      // No name is the empty one; a collection's tag is not looked at.
      {"global: {~: 1}", "yaml: unmarshal errors:\n  line 1: field  not found in type config.plain"},
      {"runtime: {gogc: !!set {a}}", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!map into int"},
      {"scrape_configs: [{job_name: a, kuma_sd_configs: {}}]",
       "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!map into []*xds.SDConfig"},
  };
  for (const auto& [yaml, error] : cases) EXPECT_EQ(Outcome(ParseConfig(yaml, {})), error) << yaml;
}

// As Go names its types.
TEST(Config, WrongTypesAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"scrape_configs: x", "line 1: cannot unmarshal !!str `x` into []*config.ScrapeConfig"},
      {"alerting: {alertmanagers: 1}", "line 1: cannot unmarshal !!int `1` into config.AlertmanagerConfigs"},
      {"global: {scrape_protocols: [[]]}", "line 1: cannot unmarshal !!seq into config.ScrapeProtocol"},
      {"otlp: {translation_strategy: {}}",
       "line 1: cannot unmarshal !!map into otlptranslator.TranslationStrategyOption"},
      {"storage: {tsdb: {retention: {size: []}}}", "line 1: cannot unmarshal !!seq into units.Base2Bytes"},
      {"storage: {tsdb: {outofordertimewindow: x}}", "line 1: cannot unmarshal !!str `x` into int64"},
      {"remote_write: 1", "line 1: cannot unmarshal !!int `1` into []*config.RemoteWriteConfig"},
      {"remote_read: {}", "line 1: cannot unmarshal !!map into []*config.RemoteReadConfig"},
      {"alerting: {alertmanagers: [{api_version: []}]}", "line 1: cannot unmarshal !!seq into config.plain"},
      {"tracing: {client_type: {}}", "line 1: cannot unmarshal !!map into config.plain"},
      {"storage: {exemplars: {max_exemplars: x}}", "line 1: cannot unmarshal !!str `x` into int64"},
      {"remote_write: [{url: http://x, protobuf_message: []}]",
       "line 1: cannot unmarshal !!seq into remote.WriteMessageType"},
      {"remote_read: [{url: http://x, chunked_read_limit: x}]", "line 1: cannot unmarshal !!str `x` into uint64"},
      {"remote_read: [{url: http://x, required_matchers: x}]",
       "line 1: cannot unmarshal !!str `x` into model.LabelSet"},
      {"scrape_configs: [{job_name: a, digitalocean_sd_configs: [{httpclient: x}]}]",
       "line 1: cannot unmarshal !!str `x` into http.Client"},
      {"scrape_configs: [{job_name: a, relabel_configs: x}]",
       "line 1: cannot unmarshal !!str `x` into []*relabel.Config"},
      {"scrape_configs: [{job_name: a, relabel_configs: [{regex: []}]}]", "line 1: cannot unmarshal !!seq into string"},
      {"scrape_configs: [{job_name: a, relabel_configs: [{modulus: x}]}]",
       "line 1: cannot unmarshal !!str `x` into uint64"},
      {"scrape_configs: [{job_name: a, static_configs: x}]",
       "line 1: cannot unmarshal !!str `x` into []*targetgroup.Group"},
      {"scrape_configs: [{job_name: a, static_configs: [{labels: x}]}]",
       "line 1: cannot unmarshal !!str `x` into model.LabelSet"},
      {"scrape_configs: [{job_name: a, static_configs: [{labels: {b: []}}]}]",
       "line 1: cannot unmarshal !!seq into model.LabelValue"},
      {"scrape_configs: [{job_name: a, ec2_sd_configs: x}]",
       "line 1: cannot unmarshal !!str `x` into []*aws.EC2SDConfig"},
      {"scrape_configs: [{job_name: a, ec2_sd_configs: [{filters: [x]}]}]",
       "line 1: cannot unmarshal !!str `x` into aws.Filter"},
      {"scrape_configs: [{job_name: a, docker_sd_configs: x}]",
       "line 1: cannot unmarshal !!str `x` into []*moby.DockerSDConfig"},
      {"scrape_configs: [{job_name: a, basic_auth: {password: []}}]",
       "line 1: cannot unmarshal !!seq into config.plain"},
      {"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, selectors: x}]}]",
       "line 1: cannot unmarshal !!str `x` into []kubernetes.SelectorConfig"},
  };
  for (const auto& [yaml, error] : cases) {
    const auto config = ParseConfig(yaml, {});
    ASSERT_FALSE(config.has_value()) << yaml;
    EXPECT_EQ(config.error().message(), std::string("yaml: unmarshal errors:\n  ") + error) << yaml;
  }
}

TEST(Config, PrintsMembersThatPrometheusPrintsWithoutAKeyOfTheirOwn) {
  const epi::testing::TempDir directory;
  const std::string path = JoinPath(directory.path(), "p.yml");
  ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(
      path,
      "storage: {tsdb: {out_of_order_time_window: 30m}}\n"
      "scrape_configs: [{job_name: a, digitalocean_sd_configs: [{}], proxy_url: 'http://h/${1}',\n"
      "  aws_sd_configs: [{role: ec2, region: r, bearer_token_file: t, basic_auth: {password_file: p}}]}]\n"
      "remote_write: [{url: http://x, sigv4: {region: r}}]\n"));
  const auto config = LoadConfig(PosixFileSystem(), path, {});
  ASSERT_TRUE(config.has_value()) << config.error().message();
  const std::string text = config->ToYaml();
  EXPECT_THAT(text, HasSubstr("  tsdb:\n    outofordertimewindow: 1800000\n    out_of_order_time_window: 30m\n"));
  EXPECT_THAT(text, HasSubstr("    role: droplets\n    httpclient: null\n"));
  EXPECT_THAT(text, HasSubstr("  proxy_url: http://h/$%7B1%7D\n"));
  EXPECT_THAT(text, HasSubstr("    bearer_token_file: t\n"));
  EXPECT_THAT(text, HasSubstr("password_file: " + JoinPath(directory.path(), "p") + "\n"));
  EXPECT_THAT(text, HasSubstr("  sigv4:\n    region: r\n"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("service_name")));
}

TEST(Config, EmptyValuesArePrintedWhereTheFileGaveThem) {
  const auto printed = [](const std::string& job) {
    const auto config = ParseConfig("scrape_configs: [{job_name: a, " + job + "}]\n", {});
    return config ? config->ToYaml() : config.error().message();
  };
  EXPECT_THAT(printed("proxy_url: ''"), HasSubstr("  proxy_url: \"\"\n"));
  EXPECT_THAT(printed("http_headers: {}"), HasSubstr("  http_headers: {}\n"));
  EXPECT_THAT(printed("kubernetes_sd_configs: [{role: pod, api_server: ''}]"), HasSubstr("  - api_server: \"\"\n"));
  for (const char* none : {"proxy_url: null", "http_headers: null",
                           "oauth2: {client_id: a, client_secret: b, token_url: 'http://x', claims: {}}"}) {
    const std::string text = printed(none);
    EXPECT_THAT(text, HasSubstr("job_name: a\n"));
    EXPECT_THAT(text, ::testing::Not(::testing::ContainsRegex("proxy_url|http_headers|claims"))) << none;
  }
  // An empty address is one all the same.
  EXPECT_THAT(printed("kubernetes_sd_configs: [{role: pod, api_server: '', kubeconfig_file: k}]"),
              HasSubstr("cannot use 'kubeconfig_file' and 'api_server' simultaneously"));
  for (const char* section : {"remote_write", "remote_read"}) {
    const std::string key = section;
    const auto given = ParseConfig(key + ": [{url: ''}]\n", {});
    ASSERT_TRUE(given.has_value()) << given.error().message();
    EXPECT_THAT(given->ToYaml(), HasSubstr(key + ":\n- url: \"\"\n"));
    EXPECT_THAT(Outcome(ParseConfig(key + ": [{url: null}]\n", {})), HasSubstr("url for " + key + " is empty"));
  }
}

TEST(Config, UnsignedNumbersEndAtTheFloatNextToTheirLargest) {
  const auto limit = [](const std::string& text) {
    const auto config = ParseConfig("scrape_configs: [{job_name: a, sample_limit: " + text + "}]\n", {});
    return config ? std::to_string(config->scrape_configs[0].sample_limit) : "refused";
  };
  EXPECT_EQ(limit("18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(limit("18446744073709551616"), "9223372036854775808");
  EXPECT_EQ(limit("18446744073709555712"), "refused");
}

TEST(Config, ScalewayKeysHaveTheirForms) {
  const std::string uuid = "11111111-1111-1111-1111-111111111112";
  const auto outcome = [&](const std::string& key, const std::string& value) {
    std::map<std::string, std::string> keys = {
        {"role", "instance"}, {"project_id", uuid}, {"access_key", "SCWXXXXXXXXXXXXXXXXX"}, {"secret_key", uuid}};
    keys[key] = value;
    std::string section;
    for (const auto& [name, text] : keys) section += name + ": '" + text + "', ";
    return Outcome(ParseConfig("scrape_configs: [{job_name: a, scaleway_sd_configs: [{" + section + "}]}]\n", {}));
  };
  EXPECT_EQ(outcome("zone", "fr-par-9"), "");
  EXPECT_EQ(outcome("access_key", "SCWx"),
            "scaleway-sdk-go: invalid access key format 'SCWx', expected SCWXXXXXXXXXXXXXXXXX format");
  EXPECT_EQ(outcome("secret_key", "x"),
            "scaleway-sdk-go: invalid secret key format 'x', expected a UUID: xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
  EXPECT_THAT(outcome("project_id", uuid + "0"), HasSubstr("scaleway-sdk-go: invalid project ID format"));
  EXPECT_EQ(outcome("zone", ""), "scaleway-sdk-go: default zone cannot be empty");
  EXPECT_THAT(outcome("zone", "par1"), HasSubstr("scaleway-sdk-go: invalid default zone format 'par1', available"));
  EXPECT_EQ(outcome("api_url", ""), "scaleway-sdk-go: invalid API url ''");
  EXPECT_EQ(outcome("api_url", "http://x/"),
            "scaleway-sdk-go: invalid API url 'http://x/' it should not have a trailing slash");
}

TEST(Config, AFieldSelectorsErrorTellsTheCharacterByItsNumber) {
  EXPECT_EQ(Outcome(ParseConfig("scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, selectors: "
                                "[{role: pod, field: 'a=b=c'}]}]}]",
                                {})),
            "invalid field selector: unescaped character in value: 61");
}

TEST(Config, ANullSourceLabelIsTheEmptyName) {
  EXPECT_TRUE(
      ParseConfig("scrape_configs: [{job_name: a, relabel_configs: [{source_labels: [null], target_label: b}]}]", {})
          .has_value());
  EXPECT_FALSE(
      ParseConfig("scrape_configs: [{job_name: a, relabel_configs: [{source_labels: [''], target_label: b}]}]", {})
          .has_value());
}

TEST(KubernetesSelector, LabelsAreCheckedAsTheApiDoes) {
  const std::pair<const char*, const char*> cases[] = {
      {"app=x, tier in (a,b),!old", ""},
      {"x.y/z=1,n>3,a in (,b),a=", ""},
      {"in,notin in (a)", ""},
      {"", ""},
      {"-1", R"(unable to parse requirement: <nil>: Invalid value: "-1": name part must consist of )"},
      {"a/b/c", R"(unable to parse requirement: <nil>: Invalid value: "a/b/c": a valid label key must consist of )"},
      {"/a", R"(unable to parse requirement: <nil>: Invalid value: "/a": prefix part must be non-empty)"},
      {"a/",
       R"(unable to parse requirement: <nil>: Invalid value: "a/": name part must be non-empty; name part must )"},
      {"x..y/z", R"(unable to parse requirement: <nil>: Invalid value: "x..y/z": prefix part a lowercase RFC 1123 )"},
      {"a=-",
       R"(unable to parse requirement: values[0][a]: Invalid value: "-": a valid label must be an empty string )"},
      {"a>x", R"(unable to parse requirement: values[0]: Invalid value: "x": for 'Gt', 'Lt' operators, the value )"},
      {"a=b c", "found 'c', expected: ',' or 'end of string'"},
      {"a in", "unable to parse requirement: found '' expected: '('"},
      {"a in (b", "unable to parse requirement: found '', expected: ',' or ')'"},
      {"a,", "found '', expected: identifier after ','"},
      {",a", "found ',', expected: !, identifier, or 'end of string'"},
      {"a=!b", "unable to parse requirement: found '!', expected: identifier"},
      {"a gt 1", "unable to parse requirement: found 'gt', expected: in, notin, =, ==, !=, gt, lt"},
  };
  for (const auto& [selector, error] : cases) {
    const auto checked = CheckLabelSelector(selector);
    const std::string text = checked ? "" : checked.error().message();
    EXPECT_TRUE(*error == '\0' ? text.empty() : text.starts_with(error)) << selector << ": " << text;
  }
  EXPECT_FALSE(CheckLabelSelector(std::string(64, 'a')));
  EXPECT_TRUE(CheckLabelSelector(std::string(63, 'a') + "=" + std::string(63, 'v')));
  EXPECT_FALSE(CheckLabelSelector("a=" + std::string(64, 'v')));
  EXPECT_FALSE(CheckLabelSelector(std::string(254, 'x') + "/a"));
}

}  // namespace
}  // namespace epi::config
