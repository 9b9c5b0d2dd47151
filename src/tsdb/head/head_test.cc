#include "tsdb/head/head.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "base/random.h"
#include "tsdb/wal/volatile_log.h"

namespace epi::tsdb {
namespace {

using Points = std::vector<std::pair<TimestampMs, double>>;

class HeadTest : public ::testing::Test {
 protected:
  void Reopen(HeadOptions options) { head_ = std::make_unique<Head>(options, log_, nullptr); }
  HeadTest() { Reopen({}); }

  std::unique_ptr<BatchAppender> Open(const std::string& key = "g") {
    auto appender = head_->OpenGroup({GroupIdentity::Kind::kScrape, key});
    EXPECT_TRUE(appender);
    return std::move(*appender);
  }
  static SeriesRef Intern(BatchAppender& appender, const Labels& labels) {
    auto ref = appender.Intern(labels);
    EXPECT_TRUE(ref);
    return *ref;
  }
  static AppendReport Commit(BatchAppender& appender, TimestampMs t) {
    auto report = appender.Commit(t);
    EXPECT_TRUE(report);
    return std::move(*report);
  }
  // All series of a selection as text -> points.
  std::map<std::string, Points> Read(const View& view, std::vector<Matcher> matchers, TimeRange range = {}) {
    SelectHints hints;
    hints.range = range;
    auto selection = view.Select(matchers, hints, budget_);
    EXPECT_TRUE(selection);
    std::map<std::string, Points> out;
    SeriesBatch batch;
    for (size_t first = 0; first < (*selection)->size(); first += SeriesBatch::kMaxSeries) {
      const size_t count = std::min(SeriesBatch::kMaxSeries, (*selection)->size() - first);
      EXPECT_TRUE((*selection)->Read(first, count, batch));
      for (size_t i = 0; i < count; ++i) {
        Points& points = out[ToLabels((*selection)->labels(first + i), view.symbols()).ToString()];
        for (size_t k = 0; k < batch.series[i].t.size(); ++k)
          points.emplace_back(batch.series[i].t[k], batch.series[i].v[k]);
      }
    }
    return out;
  }
  std::map<std::string, Points> ReadAll(TimeRange range = {}) {
    return Read(*head_->OpenView(range), {*Matcher::Make(MatchType::kRegexp, "__name__", ".+")}, range);
  }

  VolatileLog log_;
  Budget budget_{"test"};
  std::unique_ptr<Head> head_;
};

TEST_F(HeadTest, ReadsWhatWasCommitted) {
  auto appender = Open();
  const auto a = Intern(*appender, {{"__name__", "a"}, {"x", "1"}});
  const auto b = Intern(*appender, {{"__name__", "b"}});
  EXPECT_NE(a, b);
  EXPECT_EQ(a, Intern(*appender, {{"__name__", "a"}, {"x", "1"}}));
  appender->Add(a, 1);
  appender->Add(b, 2.5);
  EXPECT_EQ(Commit(*appender, 1000).accepted, 2u);
  appender->Add(a, 3);
  Commit(*appender, 2000);
  const auto all = ReadAll();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all.at("{__name__=\"a\", x=\"1\"}"), (Points{{1000, 1}, {2000, 3}}));
  EXPECT_EQ(all.at("{__name__=\"b\"}"), (Points{{1000, 2.5}}));
  EXPECT_EQ(head_->min_time(), 1000);
  EXPECT_EQ(head_->max_time(), 2000);
}

TEST_F(HeadTest, AViewIsOneMoment) {
  auto appender = Open();
  const auto a = Intern(*appender, {{"__name__", "a"}});
  appender->Add(a, 1);
  Commit(*appender, 1000);
  const auto before = head_->OpenView({});
  for (int i = 2; i < 400; ++i) {
    appender->Add(a, i);
    Commit(*appender, i * 1000);
  }
  const auto late = Intern(*appender, {{"__name__", "a"}, {"new", "text"}});
  appender->Add(late, 1);
  Commit(*appender, 1000000);
  const Matcher any = Matcher::Equal("__name__", "a");
  EXPECT_EQ(Read(*before, {any}).at("{__name__=\"a\"}"), (Points{{1000, 1}}))
      << "sealed runs keep their commit numbers";
  EXPECT_EQ(Read(*before, {any}).size(), 1u);
  EXPECT_EQ(Read(*head_->OpenView({}), {any}).at("{__name__=\"a\"}").size(), 399u);
}

TEST_F(HeadTest, RejectsAsPrometheusDoes) {
  auto appender = Open();
  const auto a = Intern(*appender, {{"__name__", "a"}});
  appender->Add(a, 1);
  Commit(*appender, 10'000'000);
  appender->Add(a, 1);
  auto report = Commit(*appender, 10'000'000);
  EXPECT_TRUE(report.all_accepted());
  appender->Add(a, 2);
  report = Commit(*appender, 10'000'000);
  EXPECT_EQ(report.rejected[static_cast<size_t>(RejectReason::kDuplicate)].count, 1u);
  EXPECT_EQ(report.rejected[static_cast<size_t>(RejectReason::kDuplicate)].detail,
            "duplicate sample for timestamp 10000000; overrides not allowed: existing 1, new value 2");
  appender->AddAt(a, 9'999'999, 1);
  EXPECT_EQ(Commit(*appender, 0).rejected[static_cast<size_t>(RejectReason::kOutOfOrder)].count, 1u);
  appender->AddAt(a, 1'000, 1);
  EXPECT_EQ(Commit(*appender, 0).rejected[static_cast<size_t>(RejectReason::kOutOfBounds)].count, 1u);
  appender->Add(a, 5);
  appender->Add(a, 5);
  appender->Add(a, 6);
  report = Commit(*appender, 10'001'000);
  EXPECT_EQ(report.accepted, 3u);  // the second and the third only meet the first, and are left out
  EXPECT_TRUE(report.all_accepted());
  EXPECT_EQ(ReadAll().begin()->second, (Points{{10'000'000, 1}, {10'001'000, 5}}));
  appender->Add(SeriesRef{12345678}, 1);
  EXPECT_EQ(Commit(*appender, 10'002'000).dead.size(), 1u);
}

TEST_F(HeadTest, LateSamplesWithinTheWindowAreMerged) {
  HeadOptions options;
  options.out_of_order_window_ms = 60'000;
  Reopen(options);
  auto appender = Open();
  const auto a = Intern(*appender, {{"__name__", "a"}});
  appender->Add(a, 1);
  Commit(*appender, 10'000'000);
  appender->Add(a, 3);
  Commit(*appender, 10'030'000);
  const auto before = head_->OpenView({});
  appender->AddAt(a, 10'015'000, 2);
  appender->AddAt(a, 9'000'000, 2);
  const auto report = Commit(*appender, 0);
  EXPECT_EQ(report.accepted, 1u);
  EXPECT_EQ(report.rejected[static_cast<size_t>(RejectReason::kTooOld)].count, 1u);
  EXPECT_EQ(ReadAll().begin()->second, (Points{{10'000'000, 1}, {10'015'000, 2}, {10'030'000, 3}}));
  EXPECT_EQ(Read(*before, {Matcher::Equal("__name__", "a")}).begin()->second.size(), 2u);
}

TEST_F(HeadTest, ALateSampleMayHaveTheTimeOfAnotherOneOfItsBatch) {
  HeadOptions options;
  options.out_of_order_window_ms = 60'000;
  Reopen(options);
  auto appender = Open();
  const auto a = Intern(*appender, {{"__name__", "a"}});
  const auto fresh = Intern(*appender, {{"__name__", "fresh"}});
  appender->Add(a, 1);
  Commit(*appender, 10'000'000);
  for (const SeriesRef ref : {a, fresh}) {
    appender->AddAt(ref, 10'001'000, 2);
    appender->AddAt(ref, 10'002'000, 3);
    appender->AddAt(ref, 10'001'000, 4);  // behind 10'002'000 by now
  }
  EXPECT_EQ(Commit(*appender, 0).accepted, 6u);
  appender->AddAt(a, 10'003'000, 5);
  EXPECT_EQ(Commit(*appender, 0).accepted, 1u);
  const auto all = ReadAll();
  EXPECT_EQ(all.at("{__name__=\"a\"}"), (Points{{10'000'000, 1}, {10'001'000, 4}, {10'002'000, 3}, {10'003'000, 5}}));
  EXPECT_EQ(all.at("{__name__=\"fresh\"}"), (Points{{10'001'000, 4}, {10'002'000, 3}}));
}

TEST_F(HeadTest, HistogramsBesideFloats) {
  auto appender = Open();
  const auto a = Intern(*appender, {{"__name__", "a"}});
  auto h = std::make_shared<Histogram>();
  h->count = 3;
  h->sum = 5;
  h->zero_count = 3;
  appender->AddHistogram({a, BatchAppender::kBatchTime, 0, h, nullptr});
  EXPECT_EQ(Commit(*appender, 1000).accepted, 1u);
  auto bad = std::make_shared<Histogram>(*h);
  bad->count = 7;
  appender->AddHistogram({a, 1500, 0, bad, nullptr});
  EXPECT_EQ(Commit(*appender, 1500).rejected[static_cast<size_t>(RejectReason::kInvalidValue)].count, 1u);
  appender->Add(a, StaleNaN());
  Commit(*appender, 2000);
  const auto view = head_->OpenView({});
  SelectHints hints;
  auto selection = view->Select(std::vector{Matcher::Equal("__name__", "a")}, hints, budget_);
  SeriesBatch batch;
  ASSERT_TRUE((*selection)->Read(0, 1, batch));
  ASSERT_EQ(batch.series[0].histograms.size(), 2u);
  EXPECT_EQ(batch.series[0].histograms[0].h->count, 3);
  EXPECT_TRUE(IsStaleNaN(batch.series[0].histograms[1].h->sum));
  EXPECT_TRUE(batch.series[0].t.empty());
}

TEST_F(HeadTest, SeriesOfAScrapeShareTheirColumn) {
  auto appender = Open();
  std::vector<SeriesRef> refs;
  for (int i = 0; i < 50; ++i) refs.push_back(Intern(*appender, {{"__name__", "m"}, {"i", std::to_string(i)}}));
  for (int t = 1; t <= 300; ++t) {
    for (const auto ref : refs) appender->Add(ref, t);
    if (t == 200)
      appender->AddAt(refs[0], t * 15000 - 7, 1);  // refused: the series already has a newer sample in the batch
    Commit(*appender, t * 15000);
  }
  const auto view = head_->OpenView({});
  SelectHints hints;
  hints.range = {15000 * 10, 15000 * 290};
  auto selection = view->Select(std::vector{Matcher::Equal("__name__", "m")}, hints, budget_);
  SeriesBatch batch;
  ASSERT_TRUE((*selection)->Read(0, 50, batch));
  for (const auto& series : batch.series) {
    EXPECT_EQ(series.column, batch.series[0].column);
    EXPECT_EQ(series.t.data(), batch.series[0].t.data());
    EXPECT_EQ(series.t.size(), 281u);
  }
}

TEST_F(HeadTest, MatchersSelectAsLabelsDo) {
  auto appender = Open();
  std::vector<Labels> sets;
  SeededRandom random{3};
  for (int i = 0; i < 300; ++i) {
    LabelsBuilder builder;
    builder.Set("__name__", "m" + std::to_string(random.Below(5)));
    builder.Set("i", std::to_string(i));
    if (random.Below(2) != 0) builder.Set("a", std::string(1, static_cast<char>('a' + random.Below(6))));
    if (random.Below(3) != 0) builder.Set("b", "value" + std::to_string(random.Below(40)));
    sets.push_back(builder.Build());
    appender->Add(Intern(*appender, sets.back()), i);
  }
  Commit(*appender, 1000);
  const std::vector<std::pair<MatchType, std::string>> kinds = {
      {MatchType::kEqual, "a"},         {MatchType::kEqual, ""},
      {MatchType::kNotEqual, "a"},      {MatchType::kNotEqual, ""},
      {MatchType::kRegexp, "a|b"},      {MatchType::kRegexp, ".*"},
      {MatchType::kRegexp, ".+"},       {MatchType::kRegexp, "|a"},
      {MatchType::kRegexp, "value1.*"}, {MatchType::kNotRegexp, "value1.*"},
      {MatchType::kNotRegexp, "a|b"},   {MatchType::kNotRegexp, ""},
      {MatchType::kNotRegexp, ".+"},    {MatchType::kRegexp, "value(1|2)?"},
      {MatchType::kEqual, "unknown"},   {MatchType::kNotEqual, "unknown"}};
  const std::vector<std::string> names = {"a", "b", "nolabel", "__name__"};
  const auto view = head_->OpenView({});
  for (const auto& name1 : names) {
    for (const auto& kind1 : kinds) {
      for (const auto& kind2 : kinds) {
        const std::vector<Matcher> matchers = {*Matcher::Make(kind1.first, name1, kind1.second),
                                               *Matcher::Make(kind2.first, "b", kind2.second)};
        std::map<std::string, Points> expected;
        std::map<std::string, std::set<std::string>> values;
        for (size_t i = 0; i < sets.size(); ++i) {
          if (std::all_of(matchers.begin(), matchers.end(),
                          [&](const Matcher& m) { return m.Matches(sets[i].Get(m.name())); })) {
            expected[sets[i].ToString()] = {{1000, static_cast<double>(i)}};
            for (const LabelView label : sets[i]) values[std::string(label.name)].emplace(label.value);
          }
        }
        EXPECT_EQ(Read(*view, matchers), expected) << matchers[0].ToString() << matchers[1].ToString();
        for (const char* name : {"a", "b", "i"}) {
          const auto found = *view->LabelValues(name, matchers, 0, budget_);
          EXPECT_EQ(std::set<std::string>(found.begin(), found.end()), values[name])
              << name << matchers[0].ToString() << matchers[1].ToString();
          EXPECT_EQ(found.size(), values[name].size());
        }
      }
    }
  }
  EXPECT_EQ(*view->LabelNames({}, 0, budget_), (std::vector<std::string>{"__name__", "a", "b", "i"}));
  EXPECT_EQ(*view->LabelValues("a", {}, 3, budget_), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(view->LabelValues("a", std::vector{Matcher::Equal("i", "x")}, 3, budget_)->size(), 0u);
}

TEST(IdListTest, MeetsWhatHasOneOfItsIds) {
  SeededRandom random{1};
  for (int round = 0; round < 2000; ++round) {
    IdList list;
    std::set<uint32_t> ids;
    // Runs, with gaps between them and some ids below what came before.
    uint32_t next = static_cast<uint32_t>(random.Below(200));
    for (uint64_t runs = random.Below(5); runs > 0; --runs) {
      for (uint64_t length = random.Below(300); length > 0; --length) ids.insert(next++);
      next += static_cast<uint32_t>(random.Below(200));
    }
    std::vector<uint32_t> order(ids.begin(), ids.end());
    if (random.Below(2) == 0 && order.size() > 3) std::swap(order.front(), order.back());
    for (const uint32_t id : order) list.Add(id);
    std::vector<uint64_t> bits(random.Below(20));
    for (uint64_t set = random.Below(3); set > 0 && !bits.empty(); --set) {
      const uint64_t bit = random.Below(bits.size() * 64);
      bits[bit / 64] |= uint64_t{1} << (bit % 64);
    }
    const bool expected = std::any_of(ids.begin(), ids.end(), [&](uint32_t id) {
      return id / 64 < bits.size() && ((bits[id / 64] >> (id % 64)) & 1) != 0;
    });
    EXPECT_EQ(list.Meets(bits), expected) << round;
  }
}

TEST_F(HeadTest, SortedSelectionIsInLabelOrder) {
  auto appender = Open();
  for (const char* x : {"b", "a", "c", "aa"}) appender->Add(Intern(*appender, {{"__name__", "m"}, {"x", x}}), 1);
  appender->Add(Intern(*appender, {{"__name__", "m"}}), 1);
  Commit(*appender, 1000);
  const auto view = head_->OpenView({});
  SelectHints hints;
  hints.sorted = true;
  auto selection = view->Select(std::vector{Matcher::Equal("__name__", "m")}, hints, budget_);
  ASSERT_EQ((*selection)->size(), 5u);
  for (size_t i = 1; i < 5; ++i) {
    EXPECT_LT(ToLabels((*selection)->labels(i - 1), view->symbols()),
              ToLabels((*selection)->labels(i), view->symbols()));
  }
}

// Appends of every shape against a map of vectors: several groups, own times, missing series, several times a batch.
TEST_F(HeadTest, RandomBatchesReadBackExactly) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    HeadOptions options;
    options.group.phase_entries = 4 + static_cast<uint32_t>(seed) * 7;
    options.group.block_range_ms = 600'000;
    VolatileLog log;
    Head head(options, log, nullptr);
    SeededRandom random{seed};
    std::map<std::string, Points> expected;
    std::vector<std::unique_ptr<BatchAppender>> groups;
    for (int g = 0; g < 3; ++g)
      groups.push_back(std::move(*head.OpenGroup({GroupIdentity::Kind::kRules, std::to_string(g)})));
    std::vector<std::pair<SeriesRef, std::string>> series;
    for (int i = 0; i < 40; ++i) {
      const Labels labels{{"__name__", "m"}, {"i", std::to_string(i)}};
      series.emplace_back(*groups[static_cast<size_t>(i) % 3]->Intern(labels), labels.ToString());
    }
    TimestampMs now = 1'000'000;
    for (int round = 0; round < 400; ++round) {
      now += 1 + static_cast<TimestampMs>(random.Below(20'000));
      BatchAppender& appender = *groups[random.Below(3)];
      const size_t shape = random.Below(4);
      for (size_t i = 0; i < series.size(); ++i) {
        const auto& [ref, name] = series[i];
        if (random.Below(10) == 0) continue;
        Points& points = expected[name];
        const double kinds[] = {1,
                                std::floor(random.Unit() * 100),
                                random.Unit(),
                                points.empty() ? 0 : points.back().second + 7,
                                StaleNaN(),
                                -0.0,
                                1e300,
                                static_cast<double>(random.Next())};
        const double value = kinds[random.Below(8)];
        const TimestampMs last = points.empty() ? 0 : points.back().first;
        if (shape == 0 || (shape == 1 && i % 2 == 0)) {
          if (now <= last) continue;
          appender.Add(ref, value);
          points.emplace_back(now, value);
        } else {
          for (TimestampMs t = now - static_cast<TimestampMs>(random.Below(5)) * 100; t <= now; t += 150) {
            if (t <= last || (!points.empty() && t <= points.back().first)) continue;
            appender.AddAt(ref, t, value);
            points.emplace_back(t, value);
          }
        }
      }
      const auto report = appender.Commit(now);
      ASSERT_TRUE(report);
      ASSERT_TRUE(report->all_accepted());
    }
    const auto view = head.OpenView({});
    for (const TimeRange range : {TimeRange{}, TimeRange{2'000'000, 3'000'000}, TimeRange{now - 5000, now}}) {
      auto got = Read(*view, {Matcher::Equal("__name__", "m")}, range);
      for (const auto& [name, points] : expected) {
        Points clipped;
        std::copy_if(points.begin(), points.end(), std::back_inserter(clipped),
                     [&](const auto& p) { return range.Contains(p.first); });
        const Points& read = got[name];
        ASSERT_EQ(read.size(), clipped.size()) << name << " seed " << seed;
        for (size_t i = 0; i < read.size(); ++i) {
          ASSERT_EQ(read[i].first, clipped[i].first) << name << " seed " << seed;
          ASSERT_EQ(std::bit_cast<uint64_t>(read[i].second), std::bit_cast<uint64_t>(clipped[i].second))
              << name << " seed " << seed;
        }
      }
    }
  }
}

TEST_F(HeadTest, ExemplarsFollowTheirRules) {
  HeadOptions options;
  options.max_exemplars = 3;
  Reopen(options);
  auto appender = Open();
  const auto a = Intern(*appender, {{"__name__", "a"}});
  appender->Add(a, 1);
  for (int i = 1; i <= 5; ++i) appender->AddExemplar(a, {{{"trace", std::to_string(i)}}, 1.0 * i, i * 100, true});
  EXPECT_TRUE(Commit(*appender, 1000).all_accepted());
  appender->AddExemplar(a, {{{"trace", "old"}}, 1, 50, true});
  EXPECT_EQ(Commit(*appender, 2000).rejected[static_cast<size_t>(RejectReason::kExemplar)].detail,
            "out of order exemplar");
  const auto found =
      head_->OpenView({})->Exemplars(std::vector<std::vector<Matcher>>{{Matcher::Equal("__name__", "a")}}, {});
  ASSERT_EQ(found->size(), 1u);
  ASSERT_EQ((*found)[0].exemplars.size(), 3u);
  EXPECT_EQ((*found)[0].exemplars[0].time, 300);
  // Another size keeps the newest; none at all ends it.
  const auto times = [&] {
    std::vector<TimestampMs> out;
    for (const auto& entry : head_->exemplars().Entries()) out.push_back(entry.exemplar.time);
    return out;
  };
  head_->exemplars().Resize(2);
  EXPECT_EQ(times(), (std::vector<TimestampMs>{400, 500}));
  head_->exemplars().Resize(4);
  for (int i = 6; i <= 8; ++i) appender->AddExemplar(a, {{{"trace", std::to_string(i)}}, 1.0 * i, i * 100, true});
  appender->Add(a, 1);
  EXPECT_TRUE(Commit(*appender, 3000).all_accepted());
  EXPECT_EQ(times(), (std::vector<TimestampMs>{500, 600, 700, 800}));
  head_->exemplars().Resize(0);
  EXPECT_EQ(head_->exemplars().stats().exemplars, 0u);
  EXPECT_EQ(head_->exemplars().Check(0, {{}, 1, 900, true}), ExemplarRing::Verdict::kDisabled);
}

// What a batch's own samples and exemplars keep out is counted, and refused to nobody.
TEST_F(HeadTest, WhatTheBatchKeepsOutIsCountedOnceItIsWritten) {
  HeadOptions options;
  options.max_exemplars = 8;
  Reopen(options);
  auto appender = Open();
  const auto a = Intern(*appender, {{"__name__", "a"}});
  const auto add = [&] {
    appender->AddAt(a, 2000, 1);
    appender->AddAt(a, 1000, 1);
    appender->AddExemplar(a, {{}, 1, 200, true});
    appender->AddExemplar(a, {{}, 1, 100, true});
    appender->AddExemplar(a, {{}, 1, 200, true});
  };
  const HeadCounters& counters = head_->counters();
  appender->set_on_refusal(BatchAppender::OnRefusal::kOnlyJudge);
  add();
  EXPECT_TRUE(Commit(*appender, 0).all_accepted());
  EXPECT_EQ(counters.out_of_order.floats, 0u);
  EXPECT_EQ(counters.exemplars_out_of_order, 0u);
  EXPECT_TRUE(ReadAll().empty());
  appender->set_on_refusal(BatchAppender::OnRefusal::kAbort);
  add();
  EXPECT_TRUE(Commit(*appender, 0).all_accepted());
  EXPECT_EQ(counters.out_of_order.floats, 1u);
  EXPECT_EQ(counters.exemplars_out_of_order, 1u);
  EXPECT_EQ(counters.exemplars_appended, 1u);
  EXPECT_EQ(ReadAll().begin()->second, (Points{{2000, 1}}));
}

TEST_F(HeadTest, OfLateSamplesOfOneTimeTheLastCountsUnlessItComesAtOnce) {
  HeadOptions options;
  options.out_of_order_window_ms = 3'600'000;
  Reopen(options);
  auto appender = Open();
  const auto a = Intern(*appender, {{"__name__", "a"}});
  const auto write = [&](TimestampMs time, double value) {
    appender->AddAt(a, time, value);
    EXPECT_TRUE(Commit(*appender, 0).all_accepted());
  };
  const auto write_histogram = [&](TimestampMs time, double count) {
    FloatHistogram h;
    h.count = h.zero_count = count;
    appender->AddHistogram({a, time, 0, nullptr, std::make_shared<const FloatHistogram>(h)});
    EXPECT_TRUE(Commit(*appender, 0).all_accepted());
  };
  const auto histogram_times = [&] {
    std::vector<TimestampMs> out;
    const auto view = head_->OpenView({});
    auto selection = view->Select(std::vector{Matcher::Equal("__name__", "a")}, {}, budget_);
    SeriesBatch batch;
    EXPECT_TRUE((*selection)->Read(0, 1, batch).has_value());
    for (const auto& point : batch.series[0].histograms) out.push_back(point.t);
    return out;
  };
  write(1000, 1);
  write(2000, 1);
  write(3000, 1);
  write(1000, 2);  // late, in the place of one in order
  write(1000, 3);  // a repetition of a late one
  write_histogram(2000, 4);
  EXPECT_EQ(ReadAll().begin()->second, (Points{{1000, 2}, {3000, 1}}));
  EXPECT_EQ(histogram_times(), (std::vector<TimestampMs>{2000}));
  EXPECT_EQ(head_->counters().late_appended.floats, 1u);
  EXPECT_EQ(head_->counters().appended.floats, 4u);
  // Once the repetition is not among the last 32 any more, it counts.
  for (TimestampMs t = 100; t < 132; ++t) write(t, 9);
  write(1000, 5);
  EXPECT_EQ(ReadAll().begin()->second.at(32), std::pair(TimestampMs{1000}, 5.0));
  EXPECT_EQ(histogram_times(), (std::vector<TimestampMs>{2000}));
}

// Nobody needs to hear that a series that others go on with has ended, or that its start is known.
TEST_F(HeadTest, LateEndsAndStartsAreNotStored) {
  HeadOptions options;
  options.out_of_order_window_ms = 3'600'000;
  Reopen(options);
  auto appender = Open();
  const auto a = Intern(*appender, {{"__name__", "a"}});
  appender->AddAt(a, 2000, 1);
  Commit(*appender, 0);
  appender->set_on_late(BatchAppender::OnLate::kStoreSamples);
  appender->AddAt(a, 1000, StaleNaN());
  appender->AddAt(a, 1001, 1);
  appender->AddStartZero(a, 500);
  auto report = Commit(*appender, 0);
  EXPECT_EQ(report.rejected[static_cast<size_t>(RejectReason::kOutOfOrder)].count, 1u);
  EXPECT_EQ(report.accepted, 1u);
  EXPECT_EQ(ReadAll().begin()->second, (Points{{1001, 1}, {2000, 1}}));
  appender->set_on_late(BatchAppender::OnLate::kRefuse);
  appender->AddAt(a, 1002, 1);
  report = Commit(*appender, 0);
  EXPECT_EQ(report.rejected[static_cast<size_t>(RejectReason::kOutOfOrder)].count, 1u);
  EXPECT_EQ(ReadAll().begin()->second.size(), 2u);
  // A start that is news goes in order.
  const auto b = Intern(*appender, {{"__name__", "b"}});
  appender->AddStartZero(b, 500);
  appender->AddAt(b, 3000, 7);
  EXPECT_TRUE(Commit(*appender, 0).all_accepted());
  EXPECT_EQ(ReadAll().at("{__name__=\"b\"}"), (Points{{500, 0}, {3000, 7}}));
}

TEST_F(HeadTest, TruncationDropsOldRunsAndRefusesOldSamples) {
  auto appender = Open();
  const auto a = Intern(*appender, {{"__name__", "a"}});
  for (int t = 1; t <= 1000; ++t) {
    appender->Add(a, t);
    Commit(*appender, t * 15'000);
  }
  EXPECT_TRUE(head_->TruncateBefore(7'200'000, UINT64_MAX));
  const auto points = ReadAll().begin()->second;
  EXPECT_EQ(points.front().first, 7'200'000);
  EXPECT_EQ(points.back().first, 15'000'000);
  EXPECT_EQ(head_->min_time(), 7'200'000);
}

}  // namespace
}  // namespace epi::tsdb
