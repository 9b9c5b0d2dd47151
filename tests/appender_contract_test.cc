// What storage/appender.h promises of a batch, held against every storage there is.
#include "storage/appender.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "testing/memory_storage.h"
#include "tsdb/memory_storage.h"

namespace epi {
namespace {

struct StorageKind {
  const char* name;
  std::function<std::unique_ptr<Storage>()> make;
};

class AppenderContract : public ::testing::TestWithParam<StorageKind> {
 protected:
  AppenderContract() : storage_(GetParam().make()) {
    appender_ = *storage_->OpenGroup({GroupIdentity::Kind::kImport, "g"});
    a_ = *appender_->Intern({{"__name__", "a"}});
    b_ = *appender_->Intern({{"__name__", "b"}});
    appender_->set_list_refusals(true);
  }
  AppendReport Commit() { return *appender_->Commit(10'000); }
  void AddHistogram(SeriesRef ref, TimestampMs time, double count) {
    auto h = std::make_shared<FloatHistogram>();
    h->count = count;
    h->zero_count = count;
    appender_->AddHistogram({ref, time, 0, nullptr, std::move(h)});
  }
  // Times of a series by kind.
  std::vector<TimestampMs> Floats(const char* metric) { return TimesOf(metric, false); }
  std::vector<TimestampMs> Histograms(const char* metric) { return TimesOf(metric, true); }

  std::unique_ptr<Storage> storage_;
  std::unique_ptr<BatchAppender> appender_;
  SeriesRef a_{}, b_{};

 private:
  std::vector<TimestampMs> TimesOf(const char* metric, bool histograms) {
    const auto view = *storage_->OpenView({});
    Budget budget("test");
    const std::vector<Matcher> matchers = {Matcher::Equal("__name__", metric)};
    const auto selection = *view->Select(matchers, {}, budget);
    std::vector<TimestampMs> out;
    SeriesBatch batch;
    for (size_t i = 0; i < selection->size(); ++i) {
      EXPECT_TRUE(selection->Read(i, 1, batch));
      const SeriesSamples& samples = batch.series[0];
      if (histograms) {
        for (const auto& point : samples.histograms) out.push_back(point.t);
      } else {
        out.insert(out.end(), samples.t.begin(), samples.t.end());
      }
    }
    return out;
  }
};

using Times = std::vector<TimestampMs>;

TEST_P(AppenderContract, RefusedSamplesAreListedAndTheOthersStored) {
  appender_->AddAt(a_, 5000, 1);
  AddHistogram(b_, 5000, 1);
  ASSERT_TRUE(Commit().all_accepted());
  appender_->AddAt(a_, 4000, 2);
  appender_->AddAt(a_, 6000, 3);
  AddHistogram(b_, 3000, 2);
  const auto report = Commit();
  EXPECT_EQ(report.accepted, 1u);
  ASSERT_EQ(report.refusals.size(), 2u);
  std::map<SeriesRef, AppendReport::Refusal> by_series;
  for (const auto& refusal : report.refusals) by_series[refusal.ref] = refusal;
  EXPECT_EQ(by_series[a_].time, 4000);
  EXPECT_EQ(by_series[a_].reason, RejectReason::kOutOfOrder);
  EXPECT_FALSE(by_series[a_].is_histogram);
  EXPECT_EQ(by_series[b_].time, 3000);
  EXPECT_TRUE(by_series[b_].is_histogram);
  EXPECT_EQ(Floats("a"), (Times{5000, 6000}));
}

TEST_P(AppenderContract, AnAbortedBatchStoresNothingAndTheNextOneIsClean) {
  appender_->AddAt(a_, 5000, 1);
  ASSERT_TRUE(Commit().all_accepted());
  appender_->set_on_refusal(BatchAppender::OnRefusal::kAbort);
  appender_->AddAt(b_, 6000, 1);
  AddHistogram(b_, 7000, 1);
  appender_->AddAt(a_, 4000, 2);
  const auto refused = Commit();
  EXPECT_EQ(refused.accepted, 0u);
  EXPECT_EQ(refused.commit, 0u);
  EXPECT_TRUE(refused.any_sample_refused());
  EXPECT_EQ(Floats("b"), Times{});
  EXPECT_EQ(Histograms("b"), Times{});
  appender_->AddAt(b_, 5500, 1);  // older than what was taken back
  const auto next = Commit();
  EXPECT_TRUE(next.all_accepted());
  EXPECT_EQ(next.accepted, 1u);
  EXPECT_EQ(Floats("b"), Times{5500});
  EXPECT_EQ(Floats("a"), Times{5000});
}

TEST_P(AppenderContract, ARefusedExemplarAbortsNothing) {
  appender_->set_on_refusal(BatchAppender::OnRefusal::kAbort);
  appender_->AddAt(a_, 5000, 1);
  appender_->AddExemplar(a_, Exemplar{Labels{{"trace", std::string(200, 'x')}}, 1, 5000, true});
  EXPECT_FALSE(Commit().any_sample_refused());
  EXPECT_EQ(Floats("a"), Times{5000});
}

TEST_P(AppenderContract, ADeadRefIsReportedAndAbortsOnRequest) {
  const SeriesRef dead{(uint64_t{4711} << 32) | 4711};
  appender_->AddAt(a_, 5000, 1);
  appender_->AddAt(dead, 5000, 1);
  EXPECT_EQ(Commit().dead, std::vector<SeriesRef>{dead});
  EXPECT_EQ(Floats("a"), Times{5000});
  appender_->set_on_dead(BatchAppender::OnRefusal::kAbort);
  appender_->AddAt(a_, 6000, 1);
  appender_->AddAt(dead, 6000, 1);
  const auto report = Commit();
  EXPECT_EQ(report.dead, std::vector<SeriesRef>{dead});
  EXPECT_EQ(report.accepted, 0u);
  EXPECT_EQ(Floats("a"), Times{5000});
}

TEST_P(AppenderContract, DeadRefsAmongOthersKeepTheOrderOfTheRest) {
  const SeriesRef dead{(uint64_t{4711} << 32) | 4711};
  for (int i = 0; i < 3; ++i) appender_->Add(dead, 1);
  appender_->Add(b_, 1);
  appender_->AddAt(dead, 9000, 1);
  appender_->AddAt(a_, 9000, 1);
  appender_->Add(a_, 2);
  AddHistogram(dead, 9500, 1);
  AddHistogram(b_, 11'000, 1);
  const auto report = Commit();
  EXPECT_EQ(report.dead, std::vector<SeriesRef>{dead});
  EXPECT_EQ(report.accepted, 4u);
  EXPECT_EQ(Floats("a"), (Times{9000, 10'000}));
  EXPECT_EQ(Floats("b"), Times{10'000});
  EXPECT_EQ(Histograms("b"), Times{11'000});
}

TEST_P(AppenderContract, WhatWouldBeRefusedIsKnownBeforeTheCommit) {
  appender_->AddAt(a_, 5000, 1);
  AddHistogram(b_, 5000, 1);
  ASSERT_TRUE(Commit().all_accepted());
  const auto refuses = [this](SeriesRef ref, TimestampMs time, double value) {
    return appender_->WouldRefuse(BatchAppender::TimedSample{ref, time, value, 0});
  };
  EXPECT_TRUE(refuses(a_, 4000, 1));
  EXPECT_TRUE(refuses(a_, 5000, 2));
  EXPECT_FALSE(refuses(a_, 5000, 1));
  EXPECT_FALSE(refuses(a_, 5001, 2));
  EXPECT_TRUE(refuses(b_, 5000, 1));
  const auto refuses_histogram = [this](SeriesRef ref, TimestampMs time, double count) {
    auto h = std::make_shared<FloatHistogram>();
    h->count = count;
    h->zero_count = count;
    return appender_->WouldRefuse(BatchAppender::HistogramSample{ref, time, 0, nullptr, std::move(h)});
  };
  EXPECT_FALSE(refuses_histogram(b_, 5000, 1));
  EXPECT_TRUE(refuses_histogram(b_, 5000, 2));
  EXPECT_TRUE(refuses_histogram(b_, 4999, 1));
  EXPECT_TRUE(refuses_histogram(a_, 5000, 1));
  EXPECT_FALSE(refuses_histogram(a_, 6000, 1));
  // A series without samples takes any time that the head takes, and the batch at hand does not matter.
  const SeriesRef fresh = *appender_->Intern({{"__name__", "c"}});
  appender_->AddAt(fresh, 6000, 1);
  EXPECT_FALSE(refuses(fresh, 4000, 1));
  ASSERT_TRUE(Commit().all_accepted());
  EXPECT_TRUE(refuses(fresh, 4000, 1));
}

TEST_P(AppenderContract, ASeriesMayChangeKindWithinABatch) {
  appender_->AddAt(a_, 1000, 1);
  AddHistogram(a_, 2000, 1);
  appender_->AddAt(a_, 3000, 1);
  AddHistogram(a_, 4000, 2);
  appender_->Add(a_, 1);  // at the batch's time, 10 s
  AddHistogram(a_, 11'000, 3);
  appender_->AddAt(a_, 12'000, 4);
  const auto report = Commit();
  EXPECT_TRUE(report.all_accepted());
  EXPECT_EQ(report.accepted, 7u);
  EXPECT_EQ(Floats("a"), (Times{1000, 3000, 10'000, 12'000}));
  EXPECT_EQ(Histograms("a"), (Times{2000, 4000, 11'000}));
}

TEST_P(AppenderContract, SamplesAreJudgedInTheOrderOfTheCalls) {
  appender_->AddAt(a_, 500, 1);
  Commit();
  appender_->AddAt(a_, 2000, 1);
  appender_->AddAt(a_, 400, 1);
  appender_->Add(a_, 1);
  AddHistogram(b_, 9500, 1);
  appender_->AddAt(a_, 500, 2);
  AddHistogram(a_, 300, 1);
  const auto report = Commit();
  EXPECT_EQ(report.accepted, 3u);
  Times refused;
  std::vector<uint32_t> indexes;
  for (const auto& refusal : report.refusals) {
    refused.push_back(refusal.time);
    indexes.push_back(refusal.index);
  }
  EXPECT_EQ(refused, (Times{400, 500, 300}));
  EXPECT_EQ(indexes, (std::vector<uint32_t>{1, 2, 1}));
  EXPECT_EQ(Floats("a"), (Times{500, 2000, 10'000}));
  EXPECT_EQ(Histograms("b"), Times{9500});
}

// What a batch's own samples keep out is no refusal: the sender cannot mend it by sending the rest again.
TEST_P(AppenderContract, SamplesThatOnlyMeetEachOtherAreLeftOut) {
  appender_->set_on_refusal(BatchAppender::OnRefusal::kAbort);
  appender_->AddAt(a_, 2000, 1);
  appender_->AddAt(a_, 1000, 1);
  appender_->AddAt(a_, 2000, 2);
  appender_->Add(a_, 1);
  appender_->AddAt(a_, 9000, 1);
  appender_->Add(b_, 1);
  AddHistogram(b_, 9500, 1);
  AddHistogram(b_, 10'000, 1);
  const auto report = Commit();
  EXPECT_EQ(report.accepted, 8u);
  EXPECT_TRUE(report.refusals.empty());
  EXPECT_EQ(Floats("a"), (Times{2000, 10'000}));
  EXPECT_EQ(Floats("b"), Times{10'000});
  EXPECT_EQ(Histograms("b"), Times{});
}

TEST_P(AppenderContract, ASampleBetweenOthersOfItsSeriesCountsForThem) {
  appender_->AddAt(a_, 5000, 1);
  ASSERT_TRUE(Commit().all_accepted());
  appender_->AddAt(a_, 4000, 2);
  appender_->Add(a_, 3);
  appender_->AddAt(a_, 9000, 4);  // before the plain one
  const auto report = Commit();
  EXPECT_EQ(report.accepted, 2u);
  ASSERT_EQ(report.refusals.size(), 1u);
  EXPECT_EQ(report.refusals[0].time, 4000);
  EXPECT_EQ(Floats("a"), (Times{5000, 10'000}));
}

TEST(HeadAppenderWindow, WhatIsTooOldIsKnownBeforeTheCommit) {
  tsdb::HeadOptions options;
  options.out_of_order_window_ms = 1000;
  tsdb::MemoryStorage storage(options);
  const auto appender = *storage.OpenGroup({GroupIdentity::Kind::kImport, "g"});
  EXPECT_EQ(appender->too_old_before(), std::numeric_limits<TimestampMs>::min());
  const SeriesRef ref = *appender->Intern({{"__name__", "a"}});
  appender->AddAt(ref, 10'000, 1);
  ASSERT_TRUE(appender->Commit(10'000));
  EXPECT_EQ(appender->too_old_before(), 9000);
  EXPECT_FALSE(appender->RefuseTooOld(ref, 9000, false));
  EXPECT_FALSE(appender->WouldRefuse(BatchAppender::TimedSample{ref, 9000, 2, 0}));
  EXPECT_TRUE(appender->RefuseTooOld(ref, 8999, false));
  const SeriesRef fresh = *appender->Intern({{"__name__", "b"}});
  EXPECT_FALSE(appender->RefuseTooOld(fresh, 8999, false));
}

const StorageKind kStorages[] = {
    {"Memory", [] { return std::make_unique<testing::MemoryStorage>(); }},
    {"Head",
     [] {
       tsdb::HeadOptions options;
       options.max_exemplars = 16;
       return std::make_unique<tsdb::MemoryStorage>(options);
     }},
};
INSTANTIATE_TEST_SUITE_P(Storages, AppenderContract, ::testing::ValuesIn(kStorages),
                         [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace epi
