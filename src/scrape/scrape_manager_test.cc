// Loops, pools and manager against an HTTP client that answers from a script, storage in memory and a simulated clock.
#include "scrape/scrape_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "testing/fake_http_client.h"
#include "testing/memory_storage.h"
#include "testing/simulated_clock.h"

namespace epi::scrape {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Answer = epi::testing::FakeHttpClient::Answer;

constexpr int64_t kInterval = 10'000;
constexpr TimestampMs kStart = 1'700'000'000'000;
const char* const kUrl = "http://host:1/metrics";

class ScrapeManagerTest : public ::testing::Test {
 protected:
  ScrapeManagerTest()
      : clock_(kStart),
        random_(1),
        manager_(std::make_unique<ScrapeManager>(
            ScrapeManagerParts{storage_, http_, PosixFileSystem(), clock_, random_,
                               Logger::ToFunction(LogLevel::kWarn, LogFormat::kLogfmt, &OnLine, this), registry_},
            ScrapeManagerOptions{})) {}
  ~ScrapeManagerTest() override { manager_->Stop(); }

  static ScrapeJob Job(const std::string& name = "j") {
    ScrapeJob job;
    job.job_name = name;
    job.scrape_interval = kInterval;
    job.scrape_timeout = kInterval;
    return job;
  }
  static std::shared_ptr<const TargetGroup> Group(std::vector<std::string> addresses) {
    auto group = std::make_shared<TargetGroup>();
    group->source = "0";
    for (const auto& address : addresses) group->targets.push_back(Labels{{"__address__", address}});
    return group;
  }
  void Apply(std::vector<ScrapeJob> jobs) { ASSERT_TRUE(manager_->ApplyConfig(std::move(jobs), 0)); }
  void Targets(const std::string& job, std::vector<std::string> addresses) {
    manager_->UpdateTargets({{job, {Group(std::move(addresses))}}});
    AwaitSync();
  }
  static void OnLine(void* context, std::string_view line) {
    auto& self = *static_cast<ScrapeManagerTest*>(context);
    const std::lock_guard lock(self.log_mutex_);
    self.log_ += line;
  }
  std::string log() {
    const std::lock_guard lock(log_mutex_);
    return log_;
  }
  // Until the last UpdateTargets has been taken up.
  void AwaitSync() {
    while (manager_->SyncsPending()) std::this_thread::yield();
  }
  // Lets time pass until `count` scrapes have begun and are stored.
  void RunScrapes(size_t count) {
    const size_t wanted = done_ + count;
    while (http_.requests().size() < wanted) {
      clock_.AdvanceMs(100);
      manager_->AwaitIdle();
    }
    manager_->AwaitIdle();
    done_ = wanted;
  }
  // Advances by `ms` in small steps.
  void Pass(int64_t ms) {
    for (int64_t at = 0; at < ms; at += 100) {
      clock_.AdvanceMs(100);
      manager_->AwaitIdle();
    }
    done_ = http_.requests().size();
  }
  std::vector<double> Values(const Labels& labels) const {
    std::vector<double> values;
    for (const auto& sample : storage_.Samples(labels)) values.push_back(IsStaleNaN(sample.value) ? -1 : sample.value);
    return values;
  }
  static Labels Series(const std::string& name) {
    return Labels{{"__name__", name}, {"instance", "host:1"}, {"job", "j"}};
  }

  std::mutex log_mutex_;
  std::string log_;  // guarded by log_mutex_
  epi::testing::MemoryStorage storage_;
  epi::testing::FakeHttpClient http_;
  epi::testing::SimulatedClock clock_;
  SeededRandom random_;
  MetricRegistry registry_;
  std::unique_ptr<ScrapeManager> manager_;
  size_t done_ = 0;
};

TEST_F(ScrapeManagerTest, SamplesAndReportsAreStored) {
  http_.Script(kUrl, "# TYPE a gauge\na 1\nb{x=\"y\"} 2\n");
  Apply({Job()});
  Targets("j", {"host:1"});
  RunScrapes(2);
  EXPECT_THAT(Values(Series("a")), ElementsAre(1, 1));
  EXPECT_THAT(Values(Series("b").With("x", "y")), ElementsAre(2, 2));
  EXPECT_THAT(Values(Series("up")), ElementsAre(1, 1));
  EXPECT_THAT(Values(Series("scrape_samples_scraped")), ElementsAre(2, 2));
  EXPECT_THAT(Values(Series("scrape_samples_post_metric_relabeling")), ElementsAre(2, 2));
  EXPECT_THAT(Values(Series("scrape_series_added")), ElementsAre(2, 0));
  const auto targets = manager_->ActiveTargets("j");
  ASSERT_THAT(targets, SizeIs(1));
  EXPECT_EQ(targets[0].health, TargetHealth::kUp);
  EXPECT_EQ(targets[0].last_error, "");
  EXPECT_EQ(targets[0].scrape_url.ToString(), kUrl);
  EXPECT_EQ(targets[0].interval, "10s");
  const auto samples = storage_.Samples(Series("a"));
  EXPECT_EQ(samples[1].t - samples[0].t, kInterval);
}

TEST_F(ScrapeManagerTest, RequestCarriesPrometheusHeaders) {
  http_.Script(kUrl, "a 1\n");
  auto job = Job();
  job.scrape_timeout = 2500;
  Apply({job});
  Targets("j", {"host:1"});
  RunScrapes(1);
  const auto request = http_.requests().at(0);
  EXPECT_EQ(request.headers.Get("Accept"),
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/"
            "openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/"
            "plain;version=0.0.4;q=0.3,*/*;q=0.2");
  EXPECT_EQ(request.headers.Get("Accept-Encoding"), "gzip");
  EXPECT_EQ(request.headers.Get("X-Prometheus-Scrape-Timeout-Seconds"), "2.5");
  EXPECT_EQ(request.timeout_ms, 2500);
}

TEST_F(ScrapeManagerTest, VanishedSeriesBecomeStale) {
  Answer both, one;
  both.body = "a 1\nb 2\n";
  one.body = "b 3\n";
  http_.Script(kUrl, {both, one, both});
  Apply({Job()});
  Targets("j", {"host:1"});
  RunScrapes(3);
  EXPECT_THAT(Values(Series("a")), ElementsAre(1, -1, 1));
  EXPECT_THAT(Values(Series("b")), ElementsAre(2, 3, 2));
  EXPECT_THAT(Values(Series("scrape_series_added")), ElementsAre(2, 0, 1));
}

TEST_F(ScrapeManagerTest, TrackedTimestampsThatStorageRefusesEndTheSeries) {
  Answer newer, older;
  newer.body = "a 1 " + std::to_string(kStart - 1000) + "\n";
  older.body = "a 2 " + std::to_string(kStart - 2000) + "\n";
  http_.Script(kUrl, {newer, older, older});
  auto job = Job();
  job.track_timestamps_staleness = true;
  Apply({job});
  Targets("j", {"host:1"});
  RunScrapes(3);
  EXPECT_THAT(Values(Series("a")), ElementsAre(1, -1));
}

TEST_F(ScrapeManagerTest, FailuresMakeEverythingStaleAndReportDown) {
  Answer fine, bad, missing;
  fine.body = "a 1\nb 2\n";
  bad.body = "a 1\nb{ 2\n";
  missing.status = 404;
  missing.status_text = "404 Not Found";
  http_.Script(kUrl, {fine, bad, fine, missing});
  Apply({Job()});
  Targets("j", {"host:1"});
  RunScrapes(2);
  EXPECT_THAT(Values(Series("a")), ElementsAre(1, -1));
  EXPECT_THAT(Values(Series("b")), ElementsAre(2, -1));
  EXPECT_THAT(Values(Series("up")), ElementsAre(1, 0));
  EXPECT_THAT(Values(Series("scrape_samples_scraped")), ElementsAre(2, 1));
  auto targets = manager_->ActiveTargets("j");
  EXPECT_EQ(targets[0].health, TargetHealth::kDown);
  EXPECT_EQ(targets[0].last_error, R"(expected label name, got "2" ("INVALID") while parsing: "b{ 2")");
  RunScrapes(2);
  EXPECT_THAT(Values(Series("a")), ElementsAre(1, -1, 1, -1));
  EXPECT_THAT(Values(Series("up")), ElementsAre(1, 0, 1, 0));
  EXPECT_THAT(Values(Series("scrape_series_added")), ElementsAre(2, 0, 0, 0));
  targets = manager_->ActiveTargets("j");
  EXPECT_EQ(targets[0].last_error, "server returned HTTP status 404 Not Found");
}

TEST_F(ScrapeManagerTest, LinesNameThePoolAndTheTarget) {
  Answer twice, html;
  twice.body = "a 1\na 2\n";
  html.content_type = "text/html";
  html.body = "<html>";
  http_.Script(kUrl, {twice, html});
  auto job = Job();
  RelabelConfig rename;
  rename.target_label = "job";
  rename.replacement = "other";
  job.relabel = {rename};
  Apply({job});
  Targets("j", {"host:1"});
  RunScrapes(2);
  EXPECT_THAT(
      log(),
      ::testing::HasSubstr(
          "msg=\"Error on ingesting samples with different value but same timestamp\" component=\"scrape manager\" "
          "scrape_pool=j target=http://host:1/metrics num_dropped=1"));
  EXPECT_THAT(
      log(),
      ::testing::HasSubstr(
          "msg=\"Failed to determine correct type of scrape target.\" component=\"scrape manager\" scrape_pool=j "
          "target=http://host:1/metrics content_type=text/html fallback_media_type=\"\" "
          "err=\"received unsupported Content-Type"));
}

TEST_F(ScrapeManagerTest, NoAnswerIsReported) {
  Apply({Job()});
  Targets("j", {"host:1"});
  RunScrapes(1);
  EXPECT_THAT(Values(Series("up")), ElementsAre(0));
  EXPECT_EQ(manager_->ActiveTargets("j")[0].last_error,
            "Get \"http://host:1/metrics\": dial tcp 127.0.0.1:1: connect: connection refused");
}

TEST_F(ScrapeManagerTest, RemovedTargetsEndWithStaleMarkers) {
  http_.Script(kUrl, "a 1\n");
  Apply({Job()});
  Targets("j", {"host:1"});
  RunScrapes(1);
  const auto first = storage_.Samples(Series("a"))[0].t;
  Targets("j", {});
  Pass(kInterval * 3);
  EXPECT_THAT(Values(Series("a")), ElementsAre(1, -1));
  EXPECT_THAT(Values(Series("up")), ElementsAre(1, -1));
  const auto marker = storage_.Samples(Series("a"))[1].t;
  EXPECT_GE(marker, first + kInterval);
  EXPECT_LE(marker, first + kInterval + 200);
}

TEST_F(ScrapeManagerTest, TargetsThatComeBackInTimeGetNoMarkers) {
  http_.Script(kUrl, "a 1\n");
  Apply({Job()});
  Targets("j", {"host:1"});
  RunScrapes(1);
  Targets("j", {});
  clock_.AdvanceMs(6000);
  Targets("j", {"host:1"});
  Pass(kInterval * 3);
  for (const double value : Values(Series("a"))) EXPECT_EQ(value, 1);
  EXPECT_GE(Values(Series("a")).size(), 3u);
  EXPECT_THAT(Values(Series("scrape_series_added"))[1], 0);
}

TEST_F(ScrapeManagerTest, UnchangedJobsGoOnThroughReloads) {
  http_.Script(kUrl, "a 1\n");
  http_.Script("http://host:2/metrics", "a 1\n");
  Apply({Job("j"), Job("k")});
  manager_->UpdateTargets({{"j", {Group({"host:1"})}}, {"k", {Group({"host:2"})}}});
  AwaitSync();
  Pass(kInterval);
  const auto before = storage_.Samples(Series("a"));
  ASSERT_THAT(before, SizeIs(1));
  auto changed = Job("k");
  changed.metric_relabel.emplace_back();
  changed.metric_relabel[0].target_label = "added";
  changed.metric_relabel[0].replacement = "yes";
  Apply({Job("j"), changed});
  Pass(kInterval);
  const auto after = storage_.Samples(Series("a"));
  ASSERT_THAT(after, SizeIs(2));
  EXPECT_EQ(after[1].t - after[0].t, kInterval);
  const Labels other{{"__name__", "a"}, {"instance", "host:2"}, {"job", "k"}};
  EXPECT_THAT(Values(other), ElementsAre(1, -1));
  EXPECT_THAT(Values(other.With("added", "yes")), ElementsAre(1));
  const auto moved = storage_.Samples(other.With("added", "yes"));
  EXPECT_EQ(moved[0].t - storage_.Samples(other)[0].t, kInterval);
}

TEST_F(ScrapeManagerTest, LimitsFailTheScrape) {
  http_.Script(kUrl, "a 1\nb 2\nc 3\n");
  auto job = Job();
  job.sample_limit = 2;
  job.extra_scrape_metrics = true;
  Apply({job});
  Targets("j", {"host:1"});
  RunScrapes(1);
  EXPECT_THAT(Values(Series("a")), IsEmpty());
  EXPECT_THAT(Values(Series("up")), ElementsAre(0));
  EXPECT_THAT(Values(Series("scrape_samples_scraped")), ElementsAre(3));
  EXPECT_THAT(Values(Series("scrape_sample_limit")), ElementsAre(2));
  EXPECT_THAT(Values(Series("scrape_body_size_bytes")), ElementsAre(12));
  EXPECT_EQ(manager_->ActiveTargets("j")[0].last_error, "sample limit exceeded");
}

TEST_F(ScrapeManagerTest, SoftSampleLimitKeepsKnownSeries) {
  Answer two, three;
  two.body = "a 1\nb 2\n";
  three.body = "z 1\na 3\nb 4\ny 1\n";
  http_.Script(kUrl, {two, three});
  auto job = Job();
  job.sample_limit = 2;
  job.drop_new_over_sample_limit = true;
  Apply({job});
  Targets("j", {"host:1"});
  RunScrapes(2);
  EXPECT_THAT(Values(Series("a")), ElementsAre(1, 3));
  EXPECT_THAT(Values(Series("b")), ElementsAre(2, 4));
  EXPECT_THAT(Values(Series("y")), IsEmpty());
  EXPECT_THAT(Values(Series("z")), IsEmpty()) << "a known series further down lost its place";
  EXPECT_THAT(Values(Series("up")), ElementsAre(1, 1));
  EXPECT_EQ(manager_->ActiveTargets("j")[0].refused_new_series, 2u);
}

TEST_F(ScrapeManagerTest, PlacesOfVanishedSeriesAreGivenOutAgain) {
  Answer first, second, third;
  first.body = "a 1\nb 2\n";
  second.body = "c 1\na 3\n";
  third.body = "c 2\na 4\n";
  http_.Script(kUrl, {first, second, third});
  auto job = Job();
  job.sample_limit = 2;
  job.drop_new_over_sample_limit = true;
  Apply({job});
  Targets("j", {"host:1"});
  RunScrapes(3);
  EXPECT_THAT(Values(Series("a")), ElementsAre(1, 3, 4));
  EXPECT_THAT(Values(Series("c")), ElementsAre(2)) << "b's place was still b's in the second scrape";
  EXPECT_EQ(manager_->ActiveTargets("j")[0].refused_new_series, 0u);
}

TEST_F(ScrapeManagerTest, BodySizeLimit) {
  http_.Script(kUrl, "a 1\nb 2\n");
  auto job = Job();
  job.body_size_limit = 8;
  job.extra_scrape_metrics = true;
  Apply({job});
  Targets("j", {"host:1"});
  RunScrapes(1);
  EXPECT_THAT(Values(Series("up")), ElementsAre(0));
  EXPECT_THAT(Values(Series("scrape_body_size_bytes")), ElementsAre(-1));
  EXPECT_EQ(manager_->ActiveTargets("j")[0].last_error, "body size limit exceeded");
}

TEST_F(ScrapeManagerTest, TargetLimitStopsRequests) {
  auto job = Job();
  job.target_limit = 1;
  Apply({job});
  Targets("j", {"host:1", "host:2"});
  Pass(kInterval);
  EXPECT_THAT(http_.requests(), IsEmpty());
  EXPECT_THAT(Values(Series("up")), ElementsAre(0));
  EXPECT_EQ(manager_->ActiveTargets("j")[0].last_error, "target_limit exceeded (number of targets: 2, limit: 1)");
  Targets("j", {"host:1"});
  Pass(kInterval);
  EXPECT_THAT(http_.requests(), SizeIs(1));
}

TEST_F(ScrapeManagerTest, DroppedTargetsAreListed) {
  auto job = Job();
  job.keep_dropped_targets = 1;
  job.relabel.emplace_back();
  job.relabel[0].action = RelabelAction::kDrop;
  job.relabel[0].source_labels = {"__address__"};
  Apply({job});
  Targets("j", {"host:1", "host:2"});
  EXPECT_THAT(manager_->ActiveTargets("j"), IsEmpty());
  EXPECT_EQ(manager_->DroppedCount("j"), 2u);
  EXPECT_THAT(manager_->DroppedTargets("j"), SizeIs(1));
  const auto steps = manager_->RelabelSteps("j", Labels{{"__address__", "x"}});
  ASSERT_TRUE(steps);
  ASSERT_THAT(*steps, SizeIs(1));
  EXPECT_FALSE((*steps)[0].keep);
}

// What the service discovery page shows is what discovery said last, also of targets that go on as they are.
TEST_F(ScrapeManagerTest, DiscoveredLabelsAreTheLastOnes) {
  Apply({Job()});
  const auto discovered = [&](std::vector<std::string> versions) {
    auto group = std::make_shared<TargetGroup>();
    for (const auto& version : versions)
      group->targets.push_back(Labels{{"__address__", "host:1"}, {"__meta_version", version}});
    manager_->UpdateTargets({{"j", {group}}});
    AwaitSync();
    std::vector<std::string> out;
    for (const auto& target : manager_->ActiveTargets("j")) out.emplace_back(target.discovered.Get("__meta_version"));
    return out;
  };
  EXPECT_THAT(discovered({"1", "2"}), ElementsAre("2"));
  clock_.AdvanceMs(kInterval);
  EXPECT_THAT(discovered({"3"}), ElementsAre("3"));
}

TEST_F(ScrapeManagerTest, SlowTargetsAreCancelledAtShutdown) {
  Answer hang;
  hang.hang = true;
  http_.Script(kUrl, {hang});
  Apply({Job()});
  Targets("j", {"host:1"});
  while (http_.requests().empty()) {
    clock_.AdvanceMs(100);
    std::this_thread::yield();
  }
  manager_->Stop();
  EXPECT_THAT(Values(Series("up")), IsEmpty());
}

TEST_F(ScrapeManagerTest, MetadataIsKept) {
  http_.Script(kUrl, "# HELP a about a\n# TYPE a counter\na 1\n");
  Apply({Job()});
  Targets("j", {"host:1"});
  RunScrapes(2);
  size_t families = 0;
  manager_->ForEachMetadata([&](const Labels& target, const FamilyMetadata& family) {
    ++families;
    EXPECT_EQ(target.Get("job"), "j");
    EXPECT_EQ(family.family, "a");
    EXPECT_EQ(family.metadata.help, "about a");
    EXPECT_EQ(family.metadata.type, MetricType::kCounter);
  });
  EXPECT_EQ(families, 1u);
}

TEST_F(ScrapeManagerTest, BadProfileKeepsOnlyItsJobFromStarting) {
  auto bad = Job("bad");
  bad.http.tls_config.ca_ref = "x";
  Apply({bad, Job()});
  EXPECT_THAT(manager_->PoolNames(), ElementsAre("j"));
  Targets("bad", {"host:1"});
  EXPECT_THAT(manager_->PoolNames(), ElementsAre("j")) << "tried again, in vain";
  auto good = Job("bad");
  Apply({good, Job()});
  EXPECT_THAT(manager_->PoolNames(), ElementsAre("bad", "j"));
  EXPECT_THAT(manager_->ActiveTargets("bad"), SizeIs(1)) << "with the targets that came meanwhile";
}

TEST_F(ScrapeManagerTest, BadProfileOfARunningJobIsAnErrorAndChangesNothing) {
  Apply({Job()});
  Targets("j", {"host:1"});
  auto bad = Job();
  bad.http.tls_config.ca_ref = "x";
  const auto applied = manager_->ApplyConfig({bad}, 0);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().message(), "scrape job j: cannot use secret ref without manager");
  EXPECT_THAT(manager_->ActiveTargets("j"), SizeIs(1));
  EXPECT_THAT(manager_->Job("j")->http.tls_config.ca_ref, IsEmpty());
}

}  // namespace
}  // namespace epi::scrape
