// Answers with the result cache are those without it, whatever happens to the data in between.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "naive/cache_world.h"
#include "naive/comparison.h"
#include "naive/workload.h"

namespace epi::naive {
namespace {

using promql::QuerySpec;

// Random data that arrives as time goes on: most samples at once, some late; and a history of deletions, cuts and
// compactions.
class CacheStory {
 public:
  explicit CacheStory(uint64_t seed) : random_(seed), world_(kStart), data_(MakeData(random_)) {
    for (size_t s = 0; s < data_.size(); ++s) {
      for (const TimedSample& sample : data_[s].samples) {
        const bool late = random_.Below(20) == 0;
        const auto delay =
            late ? static_cast<int64_t>(random_.Below(8 * 60'000)) : static_cast<int64_t>(random_.Below(3'000));
        arrivals_.emplace(sample.t + delay, std::pair(s, sample));
      }
    }
    appender_ = *world_.db().OpenGroup({GroupIdentity::Kind::kScrape, "story"});
    for (int i = 0; i < 12; ++i) MakeSliding();
  }

  void Run(int rounds) {
    for (int round = 0; round < rounds && !::testing::Test::HasFailure(); ++round) {
      world_.clock().AdvanceMs(static_cast<int64_t>(random_.Below(90'000)));
      Arrive();
      if (random_.Below(12) == 0) Delete();
      if (random_.Below(6) == 0) {
        EXPECT_TRUE(world_.db().Maintain());
      }
      for (Sliding& query : queries_) Compare(Next(query));
    }
  }

  promql::RangeCache::Counts counts() { return world_.cache().counts(); }

 private:
  static constexpr TimestampMs kStart = 10 * 60'000;
  struct Sliding {
    std::string text;
    int64_t step;
    int64_t span;
  };

  void MakeSliding() {
    constexpr std::array<int64_t, 5> kSteps = {1000, 7000, 15'000, 30'000, 60'000};
    const int64_t step = kSteps[random_.Below(kSteps.size())];
    queries_.push_back({MakeQuery(random_).text, step, step * static_cast<int64_t>(5 + random_.Below(60))});
  }

  QuerySpec Next(const Sliding& query) {
    const TimestampMs now = world_.clock().NowMs();
    TimestampMs end = now / query.step * query.step;
    TimestampMs start = end - query.span;
    switch (random_.Below(8)) {
      case 0:  // a part of it
        start += query.step * static_cast<int64_t>(random_.Below(4));
        end -= query.step * static_cast<int64_t>(random_.Below(3));
        break;
      case 1:  // more of the past
        start -= query.step * static_cast<int64_t>(random_.Below(6));
        break;
      case 2:  // the end between two steps, and in the future
        end += static_cast<int64_t>(random_.Below(3 * 60'000));
        break;
      case 3:
        if (random_.Below(4) == 0) start += 1;  // other steps
        break;
      default:
        break;
    }
    return QuerySpec::Range(query.text, start, std::max(start, end), query.step);
  }

  void Arrive() {
    const auto until = arrivals_.upper_bound(world_.clock().NowMs());
    for (auto at = arrivals_.begin(); at != until; ++at) {
      const auto& [series, sample] = at->second;
      const SeriesRef ref = *appender_->Intern(data_[series].labels);
      if (sample.h != nullptr) {
        appender_->AddHistogram({ref, sample.t, 0, nullptr, sample.h});
      } else {
        appender_->AddAt(ref, sample.t, sample.v);
      }
      if (random_.Below(5) == 0) {
        EXPECT_TRUE(appender_->Commit(sample.t));
      }
    }
    EXPECT_TRUE(appender_->Commit(world_.clock().NowMs()));
    arrivals_.erase(arrivals_.begin(), until);
  }

  void Delete() {
    const Labels& labels = data_[random_.Below(data_.size())].labels;
    const TimestampMs min = static_cast<TimestampMs>(random_.Below(static_cast<uint64_t>(world_.clock().NowMs())));
    const std::vector<std::vector<Matcher>> sets = {{Matcher::Equal("__name__", std::string(labels.MetricName()))}};
    EXPECT_TRUE(world_.db().Delete(sets, {min, min + static_cast<int64_t>(random_.Below(600'000))}));
  }

  void Compare(const QuerySpec& spec) {
    const auto direct = world_.Direct(spec);
    const auto cached = world_.Cached(spec);
    const std::string what = spec.text + "  from " + std::to_string(spec.start) + " to " + std::to_string(spec.end) +
                             " step " + std::to_string(spec.step_ms);
    ASSERT_EQ(direct.has_value(), cached.has_value()) << what;
    if (!direct) {
      EXPECT_EQ(direct.error().message(), cached.error().message()) << what;
      return;
    }
    EXPECT_EQ(naive::Difference(direct->value, cached->value), "") << what;
    EXPECT_EQ(direct->warnings, cached->warnings) << what;
    EXPECT_EQ(direct->infos, cached->infos) << what;
  }

  SeededRandom random_;
  CacheWorld world_;
  Data data_;
  std::multimap<TimestampMs, std::pair<size_t, TimedSample>> arrivals_;
  std::unique_ptr<BatchAppender> appender_;
  std::vector<Sliding> queries_;
};

TEST(RangeCacheTest, AnswersAreTheSameWithIt) {
  promql::RangeCache::Counts total;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    CacheStory story(seed);
    story.Run(40);
    if (HasFailure()) return;
    const auto counts = story.counts();
    total.hits += counts.hits;
    total.partial += counts.partial;
    total.misses += counts.misses;
    total.bypassed += counts.bypassed;
    total.steps_kept += counts.steps_kept;
    total.steps_computed += counts.steps_computed;
  }
  std::cout << total.hits << " hits, " << total.partial << " partial, " << total.misses << " misses, " << total.bypassed
            << " bypassed, " << total.steps_kept << " steps kept, " << total.steps_computed << " computed\n";
  EXPECT_GT(total.partial, 200u);
  EXPECT_GT(total.steps_kept, 5000u);
}

class RangeCacheWorldTest : public ::testing::Test {
 protected:
  static constexpr TimestampMs kNow = 100 * 60'000;

  void Fill(CacheWorld& world, int series = 3) {
    const auto appender = *world.db().OpenGroup({GroupIdentity::Kind::kScrape, "x"});
    for (TimestampMs t = kNow - 30 * 60'000; t <= kNow; t += 15'000) {
      for (int i = 0; i < series; ++i) {
        appender->Add(*appender->Intern({{"__name__", "m_total"}, {"i", std::to_string(i)}}),
                      static_cast<double>(t * 7 % 1000 + i));
      }
      EXPECT_TRUE(appender->Commit(t));
    }
  }
  static QuerySpec LastMinutes(const std::string& text, TimestampMs now) {
    return QuerySpec::Range(text, now - 20 * 60'000, now, 30'000);
  }
};

TEST_F(RangeCacheWorldTest, ASlidingQueryComputesTheNewStepsOnly) {
  CacheWorld world(kNow);
  Fill(world);
  ASSERT_TRUE(world.Cached(LastMinutes("sum(rate(m_total[1m]))", kNow)));
  EXPECT_EQ(world.cache().counts().misses, 1u);
  EXPECT_EQ(world.cache().counts().entries, 1u);
  const uint64_t computed = world.cache().counts().steps_computed;
  ASSERT_TRUE(world.Cached(LastMinutes("sum(rate(m_total[1m]))", kNow + 30'000)));
  EXPECT_EQ(world.cache().counts().partial, 1u);
  // The newest minute and the new step.
  EXPECT_LE(world.cache().counts().steps_computed - computed, 3u);
  // All of it lies in the past now.
  const auto old = QuerySpec::Range("sum(rate(m_total[1m]))", kNow - 20 * 60'000, kNow - 2 * 60'000, 30'000);
  ASSERT_TRUE(world.Cached(old));
  EXPECT_EQ(world.cache().counts().hits, 1u);
}

TEST_F(RangeCacheWorldTest, ALateSampleTakesBackWhatItTouches) {
  CacheWorld world(kNow);
  Fill(world);
  const auto spec = LastMinutes("m_total{i=\"0\"}", kNow - 1);
  ASSERT_TRUE(world.Cached(spec));
  const auto appender = *world.db().OpenGroup({GroupIdentity::Kind::kRemoteWrite, "late"});
  const TimestampMs late = kNow - 5 * 60'000 - 5;
  appender->AddAt(*appender->Intern({{"__name__", "m_total"}, {"i", "0"}}), late, 4711);
  ASSERT_TRUE(appender->Commit(late)->all_accepted());
  const auto answer = world.Cached(spec);
  ASSERT_TRUE(answer);
  EXPECT_EQ(Difference(world.Direct(spec)->value, answer->value), "");
  const auto& points = std::get<promql::MatrixValue>(answer->value).at(0).floats;
  EXPECT_TRUE(std::any_of(points.begin(), points.end(), [](const auto& p) { return p.v == 4711; }));
  // Steps before it are still kept.
  EXPECT_EQ(world.cache().counts().partial, 1u);
}

TEST_F(RangeCacheWorldTest, NotesComeBack) {
  CacheWorld world(kNow);
  Fill(world);
  // A note about the whole metric, and one about the first minutes only: some series is a histogram there.
  const auto appender = *world.db().OpenGroup({GroupIdentity::Kind::kScrape, "h"});
  auto histogram = std::make_shared<FloatHistogram>();
  histogram->count = 1;
  histogram->zero_count = 1;
  appender->AddHistogram(
      {*appender->Intern({{"__name__", "m_total"}, {"i", "h"}}), kNow - 14 * 60'000, 0, nullptr, histogram});
  ASSERT_TRUE(appender->Commit(kNow - 14 * 60'000)->all_accepted());
  for (const char* text : {"max(m_total)", "sum(m_total)"}) {
    size_t with_notes = 0;
    for (int i = 0; i < 26; ++i) {
      const auto spec = LastMinutes(text, kNow + i * 30'000);
      const auto cached = world.Cached(spec);
      const auto direct = world.Direct(spec);
      ASSERT_TRUE(cached && direct) << text;
      EXPECT_EQ(cached->infos, direct->infos) << text << i;
      EXPECT_EQ(cached->warnings, direct->warnings) << text << i;
      EXPECT_EQ(Difference(direct->value, cached->value), "") << text << i;
      with_notes += direct->infos.empty() && direct->warnings.empty() ? 0 : 1;
    }
    EXPECT_GT(with_notes, 0u) << text;
    EXPECT_LT(with_notes, 26u) << text;
  }
  EXPECT_GT(world.cache().counts().partial, 0u);
}

// From head alone series come in the order they were made, from head and blocks by labels; what is folded differs by
// it.
TEST_F(RangeCacheWorldTest, FoldsAreInTheOrderOfTheWholeQuery) {
  CacheWorld world(kNow);
  SeededRandom random(3);
  const auto appender = *world.db().OpenGroup({GroupIdentity::Kind::kScrape, "x"});
  for (TimestampMs t = kNow - 70 * 60'000; t <= kNow; t += 15'000) {
    for (int i = 30; i > 0; --i) {
      const double value = random.Unit();
      appender->Add(*appender->Intern({{"__name__", "m_total"}, {"i", std::to_string(i * 7 % 31)}}), value);
    }
    EXPECT_TRUE(appender->Commit(t));
    if (t == kNow - 30 * 60'000) {
      EXPECT_TRUE(world.db().Maintain());
    }
  }
  ASSERT_FALSE(world.db().blocks().blocks()->empty());
  const TimestampMs in_blocks = world.db().blocks().blocks()->back()->range().max;
  ASSERT_LT(in_blocks, kNow - 20 * 60'000);
  size_t differ = 0;
  for (int i = 0; i < 30; ++i) {
    const TimestampMs end = kNow - 10 * 60'000 + i * 30'000;
    const TimestampMs start = end - (end - in_blocks + 60'000) / 30'000 * 30'000 + i * 30'000;
    const auto spec = QuerySpec::Range("stdvar(m_total)", start, end, 30'000);
    const auto cached = world.Cached(spec);
    const auto direct = world.Direct(spec);
    ASSERT_TRUE(cached && direct);
    EXPECT_EQ(Difference(direct->value, cached->value), "") << i;
    // The same steps from the head alone.
    auto late = spec;
    late.start = end;
    const auto head_only = world.Direct(late);
    differ += std::get<promql::MatrixValue>(head_only->value)[0].floats.back().v !=
              std::get<promql::MatrixValue>(direct->value)[0].floats.back().v;
  }
  EXPECT_GT(differ, 0u) << "the order makes no difference here";
  EXPECT_GT(world.cache().counts().partial, 10u);
}

TEST_F(RangeCacheWorldTest, KeepsNoMoreThanItMay) {
  constexpr int64_t kBytes = 100'000;
  CacheWorld world(kNow, kBytes);
  Fill(world, 20);
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(world.Cached(LastMinutes("m_total + " + std::to_string(i), kNow)));
    EXPECT_LE(world.cache().counts().bytes, kBytes);
  }
  EXPECT_GT(world.cache().counts().evicted, 0u);
  EXPECT_GT(world.cache().counts().entries, 1u);
  CacheWorld off(kNow, 0);
  Fill(off);
  ASSERT_TRUE(off.Cached(LastMinutes("m_total", kNow)));
  EXPECT_EQ(off.cache().counts().entries, 0u);
  EXPECT_EQ(off.cache().counts().bypassed, 1u);
}

TEST_F(RangeCacheWorldTest, ScopesAndLookbacksAreKeptApart) {
  CacheWorld world(kNow);
  Fill(world);
  auto spec = LastMinutes("m_total", kNow);
  const auto query = *world.engine().Parse(spec.text);
  ASSERT_TRUE(world.cache().Run(*query, spec, world.db(), {}, "a"));
  ASSERT_TRUE(world.cache().Run(*query, spec, world.db(), {}, "b"));
  spec.lookback_delta_ms = 1000;
  ASSERT_TRUE(world.cache().Run(*query, spec, world.db(), {}, "b"));
  EXPECT_EQ(world.cache().counts().misses, 3u);
  EXPECT_EQ(world.cache().counts().entries, 3u);
}

}  // namespace
}  // namespace epi::naive
