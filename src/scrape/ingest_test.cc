// One target's body after body: what the cache makes of lines that move, repeat, change and vanish.
#include "scrape/ingest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <protozero/pbf_writer.hpp>

#include "base/random.h"
#include "testing/memory_storage.h"

namespace epi::scrape {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr TimestampMs kIngestStart = 1'700'000'000'000;
constexpr double kStale = -12345;

class IngestTest : public ::testing::Test {
 protected:
  IngestTest() : ingest_(TextHashKey{1, 2}, std::make_shared<MetadataInterner>()) {
    appender_ = std::move(*storage_.OpenGroup({}));
  }
  // Reads one body, ten seconds after the last, and commits.
  IngestResult Scrape(const std::string& body, ExpositionFormat format = ExpositionFormat::kText) {
    time_ += 10'000;
    auto result = ingest_.Ingest(body, format, time_, target_, rules_, histograms_, *appender_);
    appender_->set_list_refusals(true);
    const auto report = appender_->Commit(time_);
    EXPECT_TRUE(report);
    if (rules_.track_timestamps_staleness && ingest_.TakeRefusals(report->refusals, time_, *appender_)) {
      EXPECT_TRUE(appender_->Commit(time_));
    }
    refused_ = report->rejected[static_cast<size_t>(RejectReason::kDuplicate)].count;
    return result;
  }
  std::vector<double> Values(const Labels& labels) const {
    std::vector<double> values;
    for (const auto& sample : storage_.Samples(labels)) {
      values.push_back(IsStaleNaN(sample.value) ? kStale : sample.value);
    }
    return values;
  }
  static Labels Named(std::string_view name) { return Labels{{"__name__", name}}; }

  epi::testing::MemoryStorage storage_;
  std::unique_ptr<BatchAppender> appender_;
  SampleIngest ingest_;
  SampleRules rules_;
  HistogramRules histograms_;
  Labels target_;
  TimestampMs time_ = kIngestStart;
  uint32_t refused_ = 0;
};

TEST_F(IngestTest, LinesMayComeInAnyOrder) {
  std::vector<std::string> lines;
  for (int i = 0; i < 50; ++i) lines.push_back("m{i=\"" + std::to_string(i) + "\"} " + std::to_string(i) + "\n");
  const auto body = [&lines] {
    std::string all;
    for (const auto& line : lines) all += line;
    return all;
  };
  EXPECT_EQ(Scrape(body()).series_added, 50u);
  SeededRandom seeded(7);
  for (int round = 0; round < 20; ++round) {
    for (size_t i = lines.size() - 1; i > 0; --i) std::swap(lines[i], lines[seeded.Below(i + 1)]);
    const auto result = Scrape(body());
    EXPECT_EQ(result.series_added, 0u);
    EXPECT_EQ(result.scraped, 50u);
    EXPECT_EQ(result.duplicates, 0u);
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(Values(Named("m").With("i", std::to_string(i))), ::testing::Each(i));
    EXPECT_EQ(Values(Named("m").With("i", std::to_string(i))).size(), 21u);
  }
}

TEST_F(IngestTest, LinesComeAndGoAtRandom) {
  SeededRandom seeded(11);
  std::vector<bool> alive(30, false);
  std::vector<std::vector<double>> expected(30);
  for (int round = 1; round < 200; ++round) {
    std::string body;
    for (size_t i = 0; i < alive.size(); ++i) {
      const bool now = seeded.Below(3) != 0;
      if (now) {
        body += "m{i=\"" + std::to_string(i) + "\"} " + std::to_string(round) + "\n";
        expected[i].push_back(round);
      } else if (alive[i]) {
        expected[i].push_back(kStale);
      }
      alive[i] = now;
    }
    ASSERT_FALSE(Scrape(body).error);
  }
  for (size_t i = 0; i < alive.size(); ++i) {
    EXPECT_EQ(Values(Named("m").With("i", std::to_string(i))), expected[i]) << i;
  }
}

TEST_F(IngestTest, RepeatedLinesCountAsDuplicates) {
  auto result = Scrape("a 1\na 2\nb 3\n");
  EXPECT_EQ(result.scraped, 3u);
  EXPECT_EQ(result.kept, 3u);
  EXPECT_EQ(result.duplicates, 1u);
  EXPECT_EQ(result.series_added, 2u);
  result = Scrape("a 4\na 5\nb 6\n");
  EXPECT_EQ(result.duplicates, 1u);
  EXPECT_THAT(Values(Named("a")), ElementsAre(1, 4));
}

TEST_F(IngestTest, OneSeriesWrittenInTwoWaysDoesNotVanish) {
  Scrape("m{a=\"1\",b=\"2\"} 1\n");
  Scrape("m{b=\"2\",a=\"1\"} 2\n");
  EXPECT_THAT(Values(Labels{{"__name__", "m"}, {"a", "1"}, {"b", "2"}}), ElementsAre(1, 2));
}

TEST_F(IngestTest, ErrorsLeaveOnlyStaleMarkers) {
  Scrape("a 1\nb 2\n");
  const auto result = Scrape("a 3\nc 4\nb x\n");
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->message(), "strconv.ParseFloat: parsing \"x\": invalid syntax while parsing: \"b x\"");
  EXPECT_EQ(result.scraped, 2u);
  EXPECT_THAT(Values(Named("a")), ElementsAre(1, kStale));
  EXPECT_THAT(Values(Named("b")), ElementsAre(2, kStale));
  EXPECT_THAT(Values(Named("c")), IsEmpty());
  Scrape("c 5\n");
  EXPECT_THAT(Values(Named("a")), ElementsAre(1, kStale));
  EXPECT_THAT(Values(Named("c")), ElementsAre(5));
}

TEST_F(IngestTest, EmptyBodyMakesEverythingStale) {
  Scrape("a 1\n");
  EXPECT_FALSE(Scrape("").error);
  EXPECT_EQ(Scrape("a 2\n").series_added, 0u);
  EXPECT_THAT(Values(Named("a")), ElementsAre(1, kStale, 2));
}

TEST_F(IngestTest, ExposedTimestampsGetNoStaleMarkersUnlessTracked) {
  const auto line = [this](int64_t offset) { return "a 1 " + std::to_string(time_ + offset) + "\n"; };
  Scrape(line(5000));
  Scrape(line(5000));
  Scrape("b 1\n");
  EXPECT_THAT(Values(Named("a")), ElementsAre(1, 1));
  EXPECT_EQ(storage_.Samples(Named("a"))[0].t, kIngestStart + 5000);
  rules_.track_timestamps_staleness = true;
  Scrape(line(5000));
  Scrape("b 1\n");
  EXPECT_THAT(Values(Named("a")), ElementsAre(1, 1, 1, kStale));
  rules_.honor_timestamps = false;
  Scrape("c 1 1000\n");
  EXPECT_EQ(storage_.Samples(Named("c"))[0].t, time_);
}

// There is nothing to end yet, and a marker would stand in the way of the samples to come.
TEST_F(IngestTest, NewSeriesWithTimestampsGetNoMarker) {
  const auto line = [this](int64_t offset) { return "a 1 " + std::to_string(time_ + offset) + "\nb 1\n"; };
  Scrape(line(5000));
  Scrape("b 1\n");
  Scrape(line(5000));
  Scrape(line(4000));
  EXPECT_THAT(Values(Named("a")), ElementsAre(1, 1, 1));
}

TEST_F(IngestTest, TheFirstOfRepeatedSamplesSaysWhetherTheSeriesIsTracked) {
  Scrape("a 1\na 2 " + std::to_string(time_ + 1000) + "\n");
  Scrape("b 1\n");
  EXPECT_THAT(Values(Named("a")), ElementsAre(1, kStale));
}

TEST_F(IngestTest, SamplesOutOfBoundsEndTheirSeries) {
  Scrape("a 1\nb 1\n");
  Scrape("a 1 " + std::to_string(time_ + 3'600'000) + "\nb 1\n");
  Scrape("b 1\n");
  EXPECT_THAT(Values(Named("a")), ElementsAre(1, kStale));
}

TEST_F(IngestTest, TrackedSeriesEndWhereStorageRefusesThem) {
  rules_.track_timestamps_staleness = true;
  const auto at = [](TimestampMs time) { return " 1 " + std::to_string(time) + "\n"; };
  Scrape("a" + at(time_ + 9000) + "b 1\n");
  Scrape("a" + at(time_ - 5000) + "b 1\n");
  EXPECT_THAT(Values(Named("a")), ElementsAre(1, kStale));
  // Still refused, now because of the marker: one is enough, here and when it vanishes.
  Scrape("a" + at(time_ - 5000) + "b 1\n");
  Scrape("b 1\n");
  EXPECT_THAT(Values(Named("a")), ElementsAre(1, kStale));
  // A new one, and one that has more than one sample.
  Scrape("b" + at(time_ + 9000) + "b" + at(time_ + 8000) + "a" + at(time_ - 25'000));
  EXPECT_THAT(Values(Named("b")), ElementsAre(1, 1, 1, 1, 1));
  Scrape("c 1\n");
  EXPECT_THAT(Values(Named("a")), ElementsAre(1, kStale));
  EXPECT_THAT(Values(Named("b")), ElementsAre(1, 1, 1, 1, 1, kStale));
}

TEST_F(IngestTest, SeriesThatStartToExposeTimestampsEndWithAMarker) {
  Scrape("a 1\n");
  Scrape("a 2 " + std::to_string(time_ + 9000) + "\n");
  Scrape("a 3 " + std::to_string(time_ + 9000) + "\n");
  Scrape("a 4\n");
  Scrape("b 1\n");
  EXPECT_THAT(Values(Named("a")), ElementsAre(1, 2, kStale, 3, 4, kStale));
}

TEST_F(IngestTest, SamplesFarInTheFutureAreOutOfBounds) {
  const auto result = Scrape("a 1 " + std::to_string(time_ + 3'600'000) + "\nb 2\n");
  EXPECT_EQ(result.out_of_bounds, 1u);
  EXPECT_EQ(result.kept, 2u);
  EXPECT_THAT(Values(Named("b")), ElementsAre(2));
}

TEST_F(IngestTest, SeriesBeyondTheBucketLimitAreNotCountedAsAdded) {
  histograms_.convert_classic = true;
  rules_.native_histogram_bucket_limit = 1;
  const auto result = Scrape(
      "a 1\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_count 3\nh_sum 1\n"
      "# TYPE b gauge\nb 1\n");
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->message(), "histogram bucket limit exceeded");
  EXPECT_EQ(result.kept, 3u);
  EXPECT_EQ(result.series_added, 1u);
}

TEST_F(IngestTest, DroppedSeriesAreCountedAndCached) {
  RelabelConfig drop;
  drop.action = RelabelAction::kDrop;
  drop.source_labels = {"__name__"};
  drop.regex = AnchoredRegex::Compile("b").value();
  rules_.metric_relabel = {drop};
  for (int i = 0; i < 2; ++i) {
    const auto result = Scrape("a 1\nb 2\nc 3\n");
    EXPECT_EQ(result.scraped, 3u);
    EXPECT_EQ(result.kept, 2u);
  }
  EXPECT_THAT(Values(Named("b")), IsEmpty());
  EXPECT_THAT(Values(Named("c")), ElementsAre(3, 3));
}

TEST_F(IngestTest, NameAndLabelErrorsFailTheScrape) {
  RelabelConfig rename;
  rename.action = RelabelAction::kLabelDrop;
  rename.regex = AnchoredRegex::Compile("__name__").value();
  rules_.metric_relabel = {rename};
  EXPECT_EQ(Scrape("a{b=\"c\"} 1\n").error->message(), "missing metric name (__name__ label)");
  rules_.metric_relabel.clear();
  rules_.name_scheme = NameScheme::kLegacy;
  EXPECT_EQ(Scrape("{\"a.b\"} 1\n").error->message(), "invalid metric name or label names: {__name__=\"a.b\"}");
  EXPECT_EQ(Scrape("a{b=\"1\",b=\"2\"} 1\n").error->message(), "label name \"b\" is not unique: invalid sample");
}

TEST_F(IngestTest, RepeatedLabelsCountAgainstTheLimit) {
  rules_.label_limit = 2;
  EXPECT_EQ(Scrape("a{b=\"1\",b=\"2\"} 1\n").error->message(),
            "label_limit exceeded (metric: a, number of labels: 3, limit: 2)");
}

// A name that is empty somewhere is no label, and relabeling may take one away.
TEST_F(IngestTest, RepeatedLabelsMayVanish) {
  target_ = Labels{{"instance", "host"}};
  EXPECT_FALSE(Scrape("a{l=\"1\",l=\"\",l=\"2\"} 2\n").error);
  EXPECT_THAT(Values(Named("a").With("instance", "host")), ElementsAre(2));
  EXPECT_EQ(Scrape("a{z=\"1\",z=\"2\",l=\"1\",l=\"2\"} 1\n").error->message(),
            "label name \"l\" is not unique: invalid sample");
  EXPECT_EQ(Scrape("a{instance=\"x\",instance=\"y\"} 1\n").error->message(),
            "label name \"instance\" is not unique: invalid sample");
  histograms_.convert_classic = true;
  const std::string histogram =
      "# TYPE h histogram\nh_bucket{l=\"1\",l=\"2\",le=\"+Inf\"} 1\nh_count{l=\"1\",l=\"2\"} 1\n";
  EXPECT_EQ(Scrape(histogram).error->message(), "label name \"l\" is not unique: invalid sample");
  RelabelConfig drop;
  drop.action = RelabelAction::kLabelDrop;
  drop.regex = AnchoredRegex::Compile("l|z").value();
  rules_.metric_relabel = {drop};
  ingest_.Clear();
  EXPECT_FALSE(Scrape("c{z=\"1\",z=\"2\",l=\"1\",l=\"2\"} 3\n" + histogram).error);
  EXPECT_THAT(Values(Named("c").With("instance", "host")), ElementsAre(3));
}

TEST_F(IngestTest, HonoredEmptyLabelsKeepTheTargetsAway) {
  target_ = Labels{{"instance", "host"}};
  rules_.honor_labels = true;
  Scrape("a{instance=\"\"} 1\nb 2\n");
  EXPECT_THAT(Values(Named("a")), ElementsAre(1));
  EXPECT_THAT(Values(Named("b").With("instance", "host")), ElementsAre(2));
}

TEST_F(IngestTest, ChangedRulesRetireWhatDoesNotComeBack) {
  Scrape("a 1\nb 2\n");
  target_ = Labels{{"x", "y"}};
  ingest_.Clear();
  Scrape("a 3\nb 4\n");
  EXPECT_THAT(Values(Named("a")), ElementsAre(1, kStale));
  EXPECT_THAT(Values(Named("a").With("x", "y")), ElementsAre(3));
  ingest_.Clear();
  Scrape("a 5\nb 6\n");
  EXPECT_THAT(Values(Named("a").With("x", "y")), ElementsAre(3, 5));
}

TEST_F(IngestTest, SeriesThatStorageForgotAreLookedUpAgain) {
  Scrape("a 1\nb 2\n");
  storage_.Clear();
  time_ += 10'000;
  const std::string body = "a 3\nb 4\n";
  static_cast<void>(ingest_.Ingest(body, ExpositionFormat::kText, time_, target_, rules_, histograms_, *appender_));
  const auto report = appender_->Commit(time_);
  ASSERT_TRUE(report);
  ASSERT_EQ(report->dead.size(), 2u);
  ASSERT_TRUE(ingest_.ForgetDead(report->dead));
  const auto again =
      ingest_.IngestMissing(body, ExpositionFormat::kText, time_, target_, rules_, histograms_, *appender_);
  EXPECT_EQ(again.series_added, 2u);
  ASSERT_TRUE(appender_->Commit(time_));
  EXPECT_THAT(Values(Named("a")), ElementsAre(3));
  Scrape("a 5\nb 6\n");
  EXPECT_THAT(Values(Named("a")), ElementsAre(3, 5));
}

TEST_F(IngestTest, NewStartsPutAZeroThere) {
  rules_.start_zero_samples = true;
  const auto body = [](const char* value, const char* start) {
    return std::string("# TYPE a counter\na_total ") + value + "\na_created " + start + "\n# EOF\n";
  };
  Scrape(body("5", "1700000005"), ExpositionFormat::kOpenMetrics);
  Scrape(body("6", "1700000005"), ExpositionFormat::kOpenMetrics);
  Scrape(body("1", "1700000025"), ExpositionFormat::kOpenMetrics);
  EXPECT_THAT(Values(Named("a_total")), ElementsAre(0, 5, 6, 0, 1));
}

// Of a histogram, one in the buckets that its samples are stored in.
TEST_F(IngestTest, ZerosOfHistogramsHaveTheResolutionOfTheirSamples) {
  rules_.start_zero_samples = true;
  rules_.native_histogram_min_bucket_factor = 2;
  histograms_.scrape_native = true;
  std::string span, start, histogram, metric, family, body;
  protozero::pbf_writer(span).add_uint32(2, 1);                        // length
  protozero::pbf_writer(start).add_int64(1, kIngestStart / 1000 - 1);  // seconds
  protozero::pbf_writer fields(histogram);
  fields.add_uint64(1, 3);        // sample_count
  fields.add_sint32(5, 8);        // schema
  fields.add_message(12, span);   // positive_span
  fields.add_sint64(13, 3);       // positive_delta
  fields.add_message(15, start);  // start_timestamp
  protozero::pbf_writer(metric).add_message(7, histogram);
  protozero::pbf_writer writer(family);
  writer.add_string(1, "h");
  writer.add_enum(3, 4);  // histogram
  writer.add_message(4, metric);
  protozero::write_varint(std::back_inserter(body), family.size());
  EXPECT_FALSE(Scrape(body + family, ExpositionFormat::kProtobuf).error);
  const auto samples = storage_.Samples(Named("h"));
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(samples[0].t, kIngestStart - 1000);
  EXPECT_EQ(samples[0].integer->count, 0u);
  EXPECT_EQ(samples[0].integer->schema, 0);
  EXPECT_EQ(samples[1].t, time_);
  EXPECT_EQ(samples[1].integer->schema, 0);
}

TEST_F(IngestTest, OpenMetricsPagesTakeTheShortWayToo) {
  const std::string body =
      "# TYPE a counter\n# UNIT a_seconds seconds\na_total{x=\"1\"} 1.5 # {t=\"1\"} 1\nb 2 1700000005.5\nc 3\n# EOF\n";
  rules_.exemplars = true;
  Scrape(body, ExpositionFormat::kOpenMetrics);
  const auto result = Scrape(body, ExpositionFormat::kOpenMetrics);
  EXPECT_EQ(result.scraped, 3u);
  EXPECT_THAT(Values(Named("c")), ElementsAre(3, 3));
  EXPECT_THAT(Values(Named("b")), ElementsAre(2));
  EXPECT_THAT(Values(Named("a_total").With("x", "1")), ElementsAre(1.5, 1.5));
}

// Another target writes the same series, and is ahead.
TEST_F(IngestTest, SeriesWhoseSamplesStorageRefusesAreNotAdded) {
  rules_.track_timestamps_staleness = true;
  const auto other = std::move(*storage_.OpenGroup({}));
  other->AddAt(*other->Intern(Named("a")), time_ + 50'000, 1);
  other->AddAt(*other->Intern(Named("b")), time_ + 50'000, 1);
  ASSERT_TRUE(other->Commit(time_));
  const TimestampMs late = time_;
  const auto body = [&](TimestampMs time) { return "a 2\nb 2 " + std::to_string(time) + "\nc 3\na 2\n"; };
  for (int i = 0; i < 2; ++i) {
    const auto result = Scrape(body(late));
    EXPECT_EQ(result.kept, 4u);
    EXPECT_EQ(result.series_added, i == 0 ? 1u : 0u);
    EXPECT_EQ(result.duplicates, 0u);  // it is no repetition of a sample that was taken
  }
  Scrape("c 4\n");
  EXPECT_THAT(Values(Named("a")), ElementsAre(1));
  EXPECT_THAT(Values(Named("b")), ElementsAre(1));
  time_ = late + 60'000;
  const auto result = Scrape(body(late + 60'000));
  EXPECT_EQ(result.series_added, 2u);
  EXPECT_EQ(result.duplicates, 1u);
  EXPECT_THAT(Values(Named("a")), ElementsAre(1, 2));
  EXPECT_THAT(Values(Named("b")), ElementsAre(1, 2));
}

TEST_F(IngestTest, ExemplarsOfRefusedSamplesAreNotStored) {
  rules_.exemplars = true;
  const auto scrape = [this](TimestampMs time, const std::string& value, const char* trace) {
    Scrape("# TYPE a counter\na_total " + value + " " + std::to_string(static_cast<double>(time) / 1000) + " # {t=\"" +
               trace + "\"} 1 " + std::to_string(static_cast<double>(time_) / 1000) + "\n# EOF\n",
           ExpositionFormat::kOpenMetrics);
  };
  scrape(kIngestStart + 2000, "1", "first");
  scrape(kIngestStart + 1000, "2", "late");
  scrape(kIngestStart + 2000, "2", "duplicate");
  scrape(kIngestStart + 2000, "1", "same");
  std::vector<std::string> traces;
  for (const auto& exemplar : storage_.ExemplarsOf(Named("a_total"))) traces.emplace_back(exemplar.labels.Get("t"));
  EXPECT_THAT(traces, ElementsAre("first", "same"));
}

TEST_F(IngestTest, ExemplarsOfAConvertedHistogramAreNotThoseOfItsBuckets) {
  rules_.exemplars = true;
  histograms_.convert_classic = true;
  histograms_.keep_classic = true;
  const std::string body =
      "# TYPE h histogram\nh_bucket{le=\"1\"} 1 # {t=\"a\"} 1 1700000000\nh_bucket{le=\"+Inf\"} 3\nh_count 3\nh_sum "
      "1\n# EOF\n";
  EXPECT_EQ(Scrape(body, ExpositionFormat::kOpenMetrics).series_added, 5u);
  EXPECT_EQ(storage_.ExemplarsOf(Named("h")).size(), 1u);
  EXPECT_TRUE(storage_.ExemplarsOf(Named("h_bucket").With("le", "1.0")).empty());
}

TEST_F(IngestTest, ATooOldSampleFailsTheScrape) {
  epi::testing::MemoryStorageOptions options;
  options.out_of_order_window_ms = 60'000;
  epi::testing::MemoryStorage storage(options);
  appender_ = std::move(*storage.OpenGroup({}));
  const auto body = [this](int64_t age) { return "a 1 " + std::to_string(time_ - age) + "\nb 1\n"; };
  EXPECT_FALSE(Scrape("a 1\nb 1\n").error);
  EXPECT_FALSE(Scrape(body(30'000)).error);  // stored out of order
  EXPECT_FALSE(Scrape(body(30'000)).error);
  for (int i = 0; i < 2; ++i) {
    const auto result = Scrape(body(61'000));
    ASSERT_TRUE(result.error);
    EXPECT_EQ(result.error->message(), "too old sample");
    EXPECT_EQ(result.kept, 0u);
  }
}

// The limits are passed one after the other, as the sample meets them: buckets, samples, time.
TEST_F(IngestTest, WhatALimitKeepsOutMeetsNoFurtherOne) {
  histograms_.convert_classic = true;
  rules_.native_histogram_bucket_limit = 1;
  rules_.sample_limit = 1;
  const std::string histogram =
      "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_count 3\nh_sum 1\n# TYPE b gauge\n";
  EXPECT_EQ(Scrape(histogram + "b 1\n").error->message(), "histogram bucket limit exceeded");
  const auto result = Scrape(histogram + "b 1\nc 2 " + std::to_string(time_ + 3'600'000) + "\n");
  EXPECT_EQ(result.error->message(), "sample limit exceeded");
  EXPECT_TRUE(result.bucket_limit_hit);
  EXPECT_EQ(result.out_of_bounds, 0u);
  EXPECT_EQ(result.kept, 3u);
  rules_.native_histogram_bucket_limit = 0;
  EXPECT_EQ(Scrape(histogram).series_added, 1u);  // it was not there before
}

}  // namespace
}  // namespace epi::scrape
