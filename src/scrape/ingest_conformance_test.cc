// The shared cases from a body to stored samples, for targets' labels, and for the settings of a scrape.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "config/config.h"
#include "model/duration.h"
#include "model/number_format.h"
#include "scrape/histogram_limits.h"
#include "scrape/ingest.h"
#include "scrape/job_from_config.h"
#include "scrape/target.h"
#include "testing/conformance.h"
#include "testing/memory_storage.h"

namespace epi::scrape {
namespace {

using epi::testing::ConformanceText;
using nlohmann::json;

constexpr TimestampMs kScrapeTime = 1'700'000'000'000;

Labels StoredLabelsOf(const json& object) {
  LabelsBuilder builder;
  for (const auto& [name, value] : object.items()) builder.Set(name, ConformanceText(value));
  return builder.Build();
}

double StoredNumberOf(const json& value) {
  return value.is_number() ? value.get<double>() : ParseGoFloat(value.get<std::string>()).value();
}

TimestampMs TimeOf(const json& value) { return value.is_string() ? kScrapeTime : value.get<TimestampMs>(); }

void CheckStored(const json& want, const epi::testing::MemoryStorage& storage, const std::string& id) {
  for (const auto& sample : want) {
    const Labels labels = StoredLabelsOf(sample.at("labels"));
    const auto stored = storage.Samples(labels);
    ASSERT_EQ(stored.size(), 1u) << id << ": " << labels.ToString();
    EXPECT_EQ(stored[0].t, TimeOf(sample.at("timestamp_ms"))) << id;
    EXPECT_EQ(stored[0].start_time, sample.value("start_timestamp_ms", TimestampMs{0})) << id;
    if (sample.contains("value")) {
      const double value = StoredNumberOf(sample["value"]);
      EXPECT_TRUE(stored[0].value == value || (std::isnan(value) && std::isnan(stored[0].value))) << id;
      EXPECT_FALSE(IsStaleNaN(stored[0].value)) << id;
    } else {
      EXPECT_TRUE(stored[0].is_histogram()) << id;
    }
    const auto exemplars = storage.ExemplarsOf(labels);
    const json wanted = sample.value("exemplars", json::array());
    ASSERT_EQ(exemplars.size(), wanted.size()) << id << ": " << labels.ToString();
    for (size_t i = 0; i < exemplars.size(); ++i) {
      EXPECT_EQ(exemplars[i].labels, StoredLabelsOf(wanted[i].at("labels"))) << id;
      EXPECT_EQ(exemplars[i].value, StoredNumberOf(wanted[i].at("value"))) << id;
      EXPECT_EQ(exemplars[i].time, TimeOf(wanted[i].at("timestamp_ms"))) << id;
    }
  }
}

TEST(AppendConformance, EveryCase) {
  EPI_CONFORMANCE_OR_SKIP(data, "scrape/append.json");
  for (const auto& c : data.at("cases")) {
    const std::string id = c.at("id");
    const std::string body = ConformanceText(c.contains("input") ? c["input"] : json{{"_base64", c["input_base64"]}});
    const auto format = ChooseFormat(c.at("content_type").get<std::string>(), std::nullopt);
    ASSERT_TRUE(format) << id;
    SampleRules rules;
    rules.exemplars = true;
    rules.validate_histograms = false;  // these cases were made without a storage that does
    const json samples = c.value("samples", json::array());
    rules.start_timestamps = std::any_of(samples.begin(), samples.end(),
                                         [](const json& sample) { return sample.contains("start_timestamp_ms"); });
    rules.honor_labels = c.value("honor_labels", false);
    const json limits = c.value("limits", json::object());
    rules.label_limit = limits.value("label_limit", 0);
    rules.label_name_length_limit = limits.value("label_name_length_limit", 0);
    rules.label_value_length_limit = limits.value("label_value_length_limit", 0);
    const HistogramRules histograms{c.value("native_histograms", false), c.value("always_scrape_classic", false),
                                    false};
    epi::testing::MemoryStorage storage;
    auto appender = storage.OpenGroup({});
    ASSERT_TRUE(appender);
    SampleIngest ingest(TextHashKey{}, std::make_shared<MetadataInterner>());
    const auto result = ingest.Ingest(body, format->format, kScrapeTime, StoredLabelsOf(c.at("target_labels")), rules,
                                      histograms, **appender);
    if (c.contains("result")) {
      EXPECT_EQ(result.error.has_value(), c["result"] == "fail") << id;
      EXPECT_EQ(result.label_limit_hit, c["result"] == "fail") << id;
      continue;
    }
    ASSERT_FALSE(result.error) << id << ": " << result.error->message();
    ASSERT_TRUE((*appender)->Commit(kScrapeTime)) << id;
    CheckStored(c.at("samples"), storage, id);
    EXPECT_EQ(storage.SeriesLabels().size(), c.at("samples").size()) << id;
    if (::testing::Test::HasFatalFailure()) return;
  }
}

std::shared_ptr<Histogram> HistogramOf(const json& j) {
  auto h = std::make_shared<Histogram>();
  h->schema = j.value("schema", 0);
  h->count = j.value("count", uint64_t{0});
  h->sum = j.value("sum", 0.0);
  h->zero_threshold = j.value("zero_threshold", 0.0);
  h->zero_count = j.value("zero_count", uint64_t{0});
  for (const auto& span : j.value("positive_spans", json::array())) {
    h->positive_spans.push_back({span[0].get<int32_t>(), span[1].get<uint32_t>()});
  }
  for (const auto& span : j.value("negative_spans", json::array())) {
    h->negative_spans.push_back({span[0].get<int32_t>(), span[1].get<uint32_t>()});
  }
  h->positive_buckets = j.value("positive_buckets", std::vector<int64_t>());
  h->negative_buckets = j.value("negative_buckets", std::vector<int64_t>());
  h->custom_values = j.value("custom_values", std::vector<double>());
  return h;
}

void CheckSetting(const json& c) {
  const std::string id = c.at("id");
  const std::string kind = c.at("kind");
  if (kind == "accept_header") {
    std::vector<ScrapeProtocol> protocols;
    for (const auto& name : c.at("scrape_protocols")) {
      protocols.push_back(ScrapeProtocolFromName(name.get<std::string>()).value());
    }
    for (const NameEscaping escaping :
         {NameEscaping::kNone, NameEscaping::kUnderscores, NameEscaping::kDots, NameEscaping::kValues}) {
      if (NameEscapingText(escaping) != c.at("escaping").get<std::string>()) continue;
      EXPECT_EQ(AcceptHeader(protocols, escaping), c.at("header").get<std::string>()) << id;
    }
  } else if (kind == "schema_for_min_bucket_factor") {
    EXPECT_EQ(MaxSchemaForFactor(c.at("factor").get<double>()), c.at("schema").get<int32_t>()) << id;
  } else {
    HistogramLimits limits;
    limits.max_buckets = c.value("limit", uint64_t{0});
    limits.max_schema = c.value("max_schema", kExponentialSchemaMax);
    std::shared_ptr<const Histogram> h = HistogramOf(c.at("histogram"));
    const auto fitted = FitHistogram(h, limits);
    EXPECT_EQ(fitted.has_value(), c.value("result", "ok") == "ok") << id;
    if (!fitted) return;
    EXPECT_EQ(h->schema, c.at("schema").get<int32_t>()) << id;
    if (c.contains("bucket_count")) {
      EXPECT_EQ(h->positive_buckets.size() + h->negative_buckets.size(), c["bucket_count"].get<size_t>()) << id;
    }
  }
}

TEST(SettingsConformance, EveryCase) {
  EPI_CONFORMANCE_OR_SKIP(data, "scrape/settings.json");
  for (const auto& c : data.at("cases")) CheckSetting(c);
}

ScrapeJob JobOf(const json& config) {
  ScrapeJob job;
  job.job_name = config.value("job_name", "");
  job.scheme = config.value("scheme", "http");
  job.metrics_path = config.value("metrics_path", "/metrics");
  job.scrape_interval = ParseDuration(config.value("scrape_interval", "1m")).value();
  job.scrape_timeout = ParseDuration(config.value("scrape_timeout", "10s")).value();
  job.convert_classic_histograms_to_nhcb = config.value("convert_classic_histograms_to_nhcb", false);
  for (const auto& rule : config.value("relabel_configs", json::array())) {
    RelabelConfig relabel;
    relabel.action = RelabelActionFromName(rule.value("action", "replace")).value();
    relabel.regex = AnchoredRegex::Compile(rule.value("regex", "(.*)")).value();
    relabel.source_labels = rule.value("source_labels", std::vector<std::string>());
    relabel.replacement = rule.value("replacement", "$1");
    relabel.target_label = rule.value("target_label", "");
    job.relabel.push_back(std::move(relabel));
  }
  return job;
}

TEST(PopulateLabelsConformance, EveryCase) {
  EPI_CONFORMANCE_OR_SKIP(data, "scrape/populate_labels.json");
  for (const auto& c : data.at("cases")) {
    const std::string id = c.at("id");
    const ScrapeJob job = JobOf(c.at("scrape_config"));
    const Labels discovered = DiscoveredLabels(StoredLabelsOf(c.at("target")), {}, job);
    const auto populated = PopulateLabels(discovered, job);
    if (c.at("result") == "fail") {
      ASSERT_FALSE(populated) << id;
      EXPECT_EQ(populated.error().message(), c.at("error_text").get<std::string>()) << id;
      continue;
    }
    ASSERT_TRUE(populated) << id << ": " << populated.error().message();
    EXPECT_TRUE(populated->keep) << id;
    EXPECT_EQ(populated->labels.ToString(), StoredLabelsOf(c.at("labels")).ToString()) << id;
    EXPECT_EQ(discovered.ToString(), StoredLabelsOf(c.at("discovered_labels")).ToString()) << id;
  }
}

TEST(TargetsFromGroupConformance, EveryCase) {
  EPI_CONFORMANCE_OR_SKIP(data, "scrape/targets_from_group.json");
  for (const auto& c : data.at("cases")) {
    const auto config = config::ParseConfig(c.at("cfgText").get<std::string>(), {});
    ASSERT_TRUE(config.has_value()) << c.at("id") << ": " << config.error().message();
    auto group = std::make_shared<TargetGroup>();
    for (const auto& target : c.at("targets")) group->targets.push_back(StoredLabelsOf(target));
    const auto found = TargetsFromGroup(group, JobFromConfig(config->scrape_configs.at(0)));
    EXPECT_EQ(found.active.empty(), c.value("shouldDropTarget", false)) << c.at("id");
  }
}

// Labels that a job's relabeling takes from a target and that it cannot do without.
TEST(TargetsFromGroup, LabelsThatRelabelingTookAway) {
  ScrapeJob job;
  job.job_name = "job1";
  auto group = std::make_shared<TargetGroup>();
  group->targets.push_back(Labels{{"__address__", "localhost:9090"}});
  EXPECT_EQ(TargetsFromGroup(group, job).active.size(), 1u);
  job.relabel.emplace_back();
  job.relabel[0].action = RelabelAction::kLabelDrop;
  job.relabel[0].regex = AnchoredRegex::Compile("__address__").value();
  auto found = TargetsFromGroup(group, job);
  EXPECT_TRUE(found.active.empty());
  EXPECT_THAT(found.failures, ::testing::ElementsAre("instance 0 in group : no address"));
  job.relabel[0].action = RelabelAction::kLabelKeep;
  job.relabel[0].regex = AnchoredRegex::Compile("foo").value();
  EXPECT_TRUE(TargetsFromGroup(group, job).active.empty());
}

// What relabeling leaves of the labels that say how histograms are scraped.
TEST(TargetsFromGroup, HistogramLabelsMayBeEmpty) {
  ScrapeJob job;
  job.scrape_native_histograms = true;
  job.relabel.emplace_back();
  job.relabel[0].action = RelabelAction::kLabelDrop;
  job.relabel[0].regex = AnchoredRegex::Compile("__.*_histograms.*__").value();
  auto group = std::make_shared<TargetGroup>();
  group->targets.push_back(Labels{{"__address__", "h:1"}});
  const auto found = TargetsFromGroup(group, job);
  ASSERT_EQ(found.active.size(), 1u);
  EXPECT_TRUE(found.active[0].target->histograms().scrape_native);
  EXPECT_FALSE(found.active[0].target->histograms().keep_classic);
}

TEST(TargetsFromGroup, TheGroupGivesNoAddress) {
  auto group = std::make_shared<TargetGroup>();
  group->source = "g";
  group->labels = Labels{{"__address__", "host:1"}};
  group->targets.emplace_back();
  const auto found = TargetsFromGroup(group, ScrapeJob());
  EXPECT_TRUE(found.active.empty());
  EXPECT_THAT(found.failures, ::testing::ElementsAre("instance 0 in group g: no address"));
}

TEST(Target, UrlFromLabelsAndParams) {
  ScrapeJob job;
  job.job_name = "j";
  job.params = {{"a", {"1", "2"}}, {"b", {"x y"}}};
  auto group = std::make_shared<TargetGroup>();
  group->targets.push_back(Labels{{"__address__", "[::1%eth0]:80"}, {"__param_a", "9"}, {"__param_c", "&"}});
  const auto found = TargetsFromGroup(group, job);
  ASSERT_EQ(found.active.size(), 1u);
  EXPECT_EQ(found.active[0].target->url(), "http://[::1%25eth0]:80/metrics?a=9&a=2&b=x+y&c=%26");
  EXPECT_EQ(found.active[0].target->public_labels().ToString(), R"({instance="[::1%eth0]:80", job="j"})");
}

}  // namespace
}  // namespace epi::scrape
