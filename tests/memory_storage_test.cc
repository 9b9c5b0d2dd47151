#include "testing/memory_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace epi::testing {
namespace {

const GroupIdentity kGroup{GroupIdentity::Kind::kScrape, "test"};

std::unique_ptr<SeriesSelection> SelectAll(const View& view, Budget& budget, SelectHints hints = {}) {
  const std::vector<Matcher> matchers = {Matcher::Equal("__name__", "m")};
  return view.Select(matchers, hints, budget).value();
}

std::vector<std::string> LabelsOf(const View& view, const SeriesSelection& selection) {
  std::vector<std::string> out;
  for (size_t i = 0; i < selection.size(); ++i) out.push_back(ToLabels(selection.labels(i), view.symbols()).ToString());
  return out;
}

TEST(MemoryStorageTest, ViewSeesItsCommitsOnly) {
  MemoryStorage storage;
  Budget budget("test");
  storage.Append({{"__name__", "m"}, {"a", "2"}}, 1000, 1);
  const auto view = storage.OpenView({}).value();
  storage.Append({{"__name__", "m"}, {"a", "2"}}, 2000, 2);
  storage.Append({{"__name__", "m"}, {"a", "1"}}, 2000, 3);

  EXPECT_THAT(LabelsOf(*view, *SelectAll(*view, budget)).size(), 1u);
  const auto later = storage.OpenView({}).value();
  const auto selection = SelectAll(*later, budget);
  ASSERT_EQ(selection->size(), 2u);
  SeriesBatch batch;
  ASSERT_TRUE(selection->Read(0, 2, batch));
  EXPECT_EQ(std::vector<double>(batch.series[0].v.begin(), batch.series[0].v.end()), (std::vector<double>{1, 2}));
  EXPECT_EQ(batch.series[1].t[0], 2000);
}

TEST(MemoryStorageTest, OrderIsCreationOrLabels) {
  MemoryStorage storage;
  Budget budget("test");
  storage.Append({{"__name__", "m"}, {"a", "2"}}, 1000, 1);
  storage.Append({{"__name__", "m"}, {"a", "1"}}, 1000, 1);
  const auto view = storage.OpenView({}).value();
  EXPECT_EQ(LabelsOf(*view, *SelectAll(*view, budget)),
            (std::vector<std::string>{R"({__name__="m", a="2"})", R"({__name__="m", a="1"})"}));
  SelectHints sorted;
  sorted.sorted = true;
  EXPECT_EQ(LabelsOf(*view, *SelectAll(*view, budget, sorted)),
            (std::vector<std::string>{R"({__name__="m", a="1"})", R"({__name__="m", a="2"})"}));
  EXPECT_EQ(view->LabelValues("a", {}, 0, budget).value(), (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(view->LabelNames({}, 1, budget).value(), (std::vector<std::string>{"__name__"}));
}

TEST(MemoryStorageTest, RefusesAsPrometheusDoes) {
  MemoryStorage storage;
  const auto appender = storage.OpenGroup(kGroup).value();
  const SeriesRef ref = appender->Intern({{"__name__", "m"}}).value();
  appender->Add(ref, 1);
  ASSERT_TRUE(appender->Commit(2000).value().all_accepted());
  appender->Add(ref, 1);
  EXPECT_TRUE(appender->Commit(2000).value().all_accepted()) << "the same sample again";
  appender->Add(ref, 2);
  EXPECT_EQ(appender->Commit(2000)->rejected[static_cast<size_t>(RejectReason::kDuplicate)].count, 1u);
  appender->AddAt(ref, 1000, 2);
  EXPECT_EQ(appender->Commit(3000)->rejected[static_cast<size_t>(RejectReason::kOutOfOrder)].count, 1u);
  EXPECT_EQ(storage.Samples({{"__name__", "m"}}).size(), 1u);

  storage.Clear();
  appender->Add(ref, 3);
  EXPECT_EQ(appender->Commit(4000)->dead, std::vector<SeriesRef>{ref});
}

TEST(MemoryStorageTest, ABatchMayBeAllOrNothing) {
  MemoryStorage storage;
  storage.Append({{"__name__", "m"}}, 2000, 1);
  const auto appender = storage.OpenGroup(kGroup).value();
  appender->set_on_refusal(BatchAppender::OnRefusal::kAbort);
  appender->set_list_refusals(true);
  const SeriesRef ref = appender->Intern({{"__name__", "m"}}).value();
  appender->AddAt(ref, 3000, 2);
  appender->AddAt(ref, 1000, 2);
  const AppendReport report = appender->Commit(0).value();
  EXPECT_EQ(report.accepted, 0u);
  EXPECT_EQ(report.commit, 0u);
  ASSERT_EQ(report.refusals.size(), 1u);
  EXPECT_EQ(report.refusals[0].time, 1000);
  EXPECT_EQ(storage.Samples({{"__name__", "m"}}).size(), 1u);
  EXPECT_EQ(storage.last_commit(), 1u);
}

TEST(MemoryStorageTest, LateSamplesInsideTheWindowAreKept) {
  MemoryStorage storage({.out_of_order_window_ms = 1000});
  storage.Append({{"__name__", "m"}}, 2000, 2);
  storage.Append({{"__name__", "m"}}, 1500, 1);
  const auto appender = storage.OpenGroup(kGroup).value();
  appender->AddAt(appender->Intern({{"__name__", "m"}}).value(), 900, 0);
  EXPECT_EQ(appender->Commit(900)->rejected[static_cast<size_t>(RejectReason::kTooOld)].count, 1u);
  const auto samples = storage.Samples({{"__name__", "m"}});
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(samples[0].t, 1500);
}

TEST(MemoryStorageTest, HistogramsAreHandedOutAsFloats) {
  MemoryStorage storage;
  Budget budget("test");
  Histogram h;
  h.count = 3;
  h.positive_spans = {{0, 2}};
  h.positive_buckets = {1, 1};
  const auto appender = storage.OpenGroup(kGroup).value();
  const SeriesRef ref = appender->Intern({{"__name__", "m"}}).value();
  appender->AddHistogram({ref, BatchAppender::kBatchTime, 0, std::make_shared<Histogram>(h), nullptr});
  ASSERT_TRUE(appender->Commit(1000).value().all_accepted());
  storage.Append({{"__name__", "m"}}, 2000, StaleNaN());

  const auto view = storage.OpenView({}).value();
  const auto selection = SelectAll(*view, budget);
  SeriesBatch batch;
  ASSERT_TRUE(selection->Read(0, 1, batch));
  ASSERT_EQ(batch.series[0].histograms.size(), 2u);
  EXPECT_EQ(batch.series[0].histograms[0].h->positive_buckets, (std::vector<double>{1, 2}));
  EXPECT_TRUE(IsStaleNaN(batch.series[0].histograms[1].h->sum));
  EXPECT_TRUE(batch.series[0].t.empty());
}

TEST(MemoryStorageTest, FailuresCanBeAskedFor) {
  MemoryStorage storage;
  Budget budget("test");
  const auto view = storage.OpenView({}).value();
  storage.FailSelects(Error(ErrorCode::kIo, "disk on fire"));
  EXPECT_EQ(view->Select({}, {}, budget).error().message(), "disk on fire");
  storage.FailSelects(std::nullopt);
  EXPECT_TRUE(view->Select({}, {}, budget));
  EXPECT_EQ(storage.RecordedSelects().size(), 2u);
}

}  // namespace
}  // namespace epi::testing
