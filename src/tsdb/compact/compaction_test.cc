#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "testing/block_fixture.h"
#include "testing/conformance.h"
#include "testing/simulated_clock.h"
#include "testing/temp_dir.h"
#include "tsdb/compact/block_store.h"
#include "tsdb/compact/compaction_planner.h"
#include "tsdb/compact/compactor.h"
#include "tsdb/compact/retention.h"
#include "tsdb/compact/throttled_pace.h"
#include "tsdb/compact/upload_list.h"

namespace epi::tsdb {
namespace {

using Json = nlohmann::json;

std::vector<BlockMeta> Metas(const Json& blocks) {
  std::vector<BlockMeta> out;
  for (const auto& b : blocks) {
    BlockMeta meta;
    const bool named = b.is_object();
    meta.min_time = (named ? b["min"] : b[0]).get<TimestampMs>();
    meta.max_time = (named ? b["max"] : b[1]).get<TimestampMs>();
    if (named) {
      meta.stats.series = b.value("num_series", uint64_t{0});
      meta.stats.tombstones = b.value("num_tombstones", uint64_t{0});
    }
    out.push_back(meta);
  }
  return out;
}

TEST(CompactionPlanner, Conformance) {
  EPI_CONFORMANCE_OR_SKIP(file, "tsdb/compaction_plan.json");
  for (const auto& c : file["cases"]) {
    SCOPED_TRACE(c["id"].get<std::string>());
    auto metas = Metas(c["blocks"]);
    const auto kind = c["kind"].get<std::string>();
    if (kind == "split_by_range") {
      Json groups = Json::array();
      for (const auto& group : SplitByRange(metas, c["range"].get<int64_t>())) {
        Json& out = groups.emplace_back(Json::array());
        for (const size_t i : group) out.push_back({metas[i].min_time, metas[i].max_time});
      }
      EXPECT_EQ(groups, c["expected"]);
      continue;
    }
    if (kind == "plan_first_failed") metas[0].compaction.failed = true;
    PlannerOptions options{.ranges_ms = c["ranges"].get<std::vector<int64_t>>()};
    std::vector<std::string> names;
    for (const size_t i : PlanCompaction(metas, options)) names.push_back(c["blocks"][i]["name"].get<std::string>());
    std::sort(names.begin(), names.end());
    auto expected = c["expected"].get<std::vector<std::string>>();
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(names, expected);
  }
}

TEST(CompactionPlanner, RangesAndHints) {
  constexpr int64_t kHour = 3'600'000;
  EXPECT_EQ(ExponentialRanges(2 * kHour, 31 * 24 * kHour),
            (std::vector<int64_t>{2 * kHour, 6 * kHour, 18 * kHour, 54 * kHour, 162 * kHour, 486 * kHour}));
  EXPECT_EQ(ExponentialRanges(5, 5), (std::vector<int64_t>{5}));
  EXPECT_EQ(ExponentialRanges(1, INT64_MAX).size(), 10u);
  // Blocks of stale series overlap the others and are not merged with them.
  std::vector<BlockMeta> metas(4);
  for (size_t i = 0; i < 4; ++i)
    metas[i].min_time = 20 * static_cast<int64_t>(i / 2), metas[i].max_time = metas[i].min_time + 20;
  metas[1].AddHint(kHintStaleSeries);
  metas[3].AddHint(kHintStaleSeries);
  const PlannerOptions options{.ranges_ms = {20, 60, 180}};
  EXPECT_TRUE(PlanCompaction(metas, options).empty());
  metas[3].min_time = 10;
  EXPECT_EQ(PlanCompaction(metas, options), (std::vector<size_t>{1, 3}));
}

PlainData Slice(const PlainData& data, TimeRange range) {
  PlainData out;
  for (const auto& [labels, series] : data) {
    PlainSeries kept;
    for (const auto& s : series.floats)
      if (range.Contains(s.t)) kept.floats.push_back(s);
    for (const auto& h : series.histograms)
      if (range.Contains(h.first)) kept.histograms.push_back(h);
    if (!kept.floats.empty() || !kept.histograms.empty()) out[labels] = kept;
  }
  return out;
}

PlainData Sample(int series, TimestampMs step, TimestampMs end) {
  PlainData out;
  for (int i = 0; i < series; ++i) {
    auto& s = out[Labels{{"__name__", "m"}, {"i", std::to_string(i)}, {"job", std::to_string(i % 5)}}];
    for (TimestampMs t = i % 3; t < end; t += step) s.floats.push_back({t, static_cast<double>(t) * i, 0});
  }
  FloatHistogram h;
  h.positive_spans = {{0, 2}};
  h.positive_buckets = {0, 0};
  auto& histograms = out[Labels{{"__name__", "zhistogram"}}];
  for (TimestampMs t = 0; t < end; t += step) {
    h.positive_buckets[0] += 1;
    h.count += 1;
    histograms.histograms.emplace_back(t, h);
  }
  return out;
}

void ExpectSame(const Result<PlainData>& read, const PlainData& want) {
  ASSERT_TRUE(read.has_value()) << read.error().message();
  ASSERT_EQ(read->size(), want.size());
  for (const auto& [labels, series] : want) {
    const auto at = read->find(labels);
    ASSERT_NE(at, read->end()) << labels.ToString();
    EXPECT_EQ(at->second.floats, series.floats) << labels.ToString();
    ASSERT_EQ(at->second.histograms.size(), series.histograms.size());
    for (size_t i = 0; i < series.histograms.size(); ++i) {
      EXPECT_EQ(at->second.histograms[i].first, series.histograms[i].first);
      EXPECT_EQ(at->second.histograms[i].second.count, series.histograms[i].second.count);
    }
  }
}

struct StoreFixture {
  testing::TempDir dir;
  testing::SimulatedClock clock;
  SeededRandom random{9};
  BlockStore store;
  explicit StoreFixture(RetentionLimits retention = {}, std::vector<int64_t> ranges = {2000, 6000, 18000})
      : store(PosixFileSystem(), clock, random, Logger(),
              {.directory = dir.path(),
               .planner = {.ranges_ms = std::move(ranges)},
               .compact = {},
               .retention = std::move(retention)}) {}
  size_t CompactAll() {
    size_t count = 0;
    while (true) {
      const auto done = store.CompactOnce(0, nullptr);
      EXPECT_TRUE(done.has_value()) << done.error().message();
      if (!done || !*done) return count;
      ++count;
    }
  }
};

TEST(BlockStore, CompactionKeepsEverySample) {
  StoreFixture f;
  const PlainData data = Sample(200, 10, 12'000);
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(WriteBlock(f.dir.path(), Slice(data, {i * 2000, i * 2000 + 1999}), i).has_value());
  }
  ASSERT_TRUE(f.store.Reload(0).has_value());
  EXPECT_EQ(f.store.blocks()->size(), 6u);
  EXPECT_EQ(f.CompactAll(), 1u);
  const auto blocks = f.store.blocks();
  ASSERT_EQ(blocks->size(), 4u);
  const auto& meta = (*blocks)[0]->meta();
  EXPECT_EQ(meta.compaction.level, 2);
  EXPECT_EQ(meta.compaction.sources.size(), 3u);
  EXPECT_EQ(meta.compaction.parents.size(), 3u);
  EXPECT_EQ(ListBlockDirectories(PosixFileSystem(), f.dir.path())->size(), 4u);
  ExpectSame(ReadDirectory(f.dir.path()), data);
}

TEST(BlockStore, OverlappingBlocksAreMerged) {
  StoreFixture f;
  const PlainData data = Sample(30, 10, 4'000);
  PlainData odd, even;
  for (const auto& [labels, series] : data) {
    for (size_t i = 0; i < series.floats.size(); ++i) {
      if (i % 2 == 0 || i % 5 == 0) even[labels].floats.push_back(series.floats[i]);
      if (i % 2 == 1) odd[labels].floats.push_back(series.floats[i]);
    }
    for (size_t i = 0; i < series.histograms.size(); ++i)
      (i % 2 ? odd : even)[labels].histograms.push_back(series.histograms[i]);
  }
  ASSERT_TRUE(WriteBlock(f.dir.path(), even, 1).has_value());
  ASSERT_TRUE(WriteBlock(f.dir.path(), odd, 2).has_value());
  ASSERT_TRUE(f.store.Reload(0).has_value());
  EXPECT_EQ(f.CompactAll(), 1u);
  ASSERT_EQ(f.store.blocks()->size(), 1u);
  EXPECT_EQ(f.store.counts().overlapping_compactions, 1u);
  ExpectSame(ReadDirectory(f.dir.path()), data);
  LocalSymbols symbols;
  Budget budget("test");
  const auto& block = *(*f.store.blocks())[0];
  EXPECT_EQ(block.meta().stats.samples, 30 * 400u + 400u);
}

TEST(BlockStore, DeletedSamplesAreCleanedAndEmptyBlocksGo) {
  StoreFixture f;
  PlainData data = Sample(20, 10, 2'000);
  ASSERT_TRUE(WriteBlock(f.dir.path(), data, 1).has_value());
  ASSERT_TRUE(f.store.Reload(0).has_value());
  EXPECT_EQ(*f.store.Delete(std::vector<Matcher>{Matcher::Equal("job", "1")}, {500, 999}), 4u);
  EXPECT_EQ(*f.store.Delete(std::vector<Matcher>{Matcher::Equal("job", "1")}, {500, 999}), 0u);
  EXPECT_EQ(*f.store.Delete(std::vector<Matcher>{Matcher::Equal("__name__", "zhistogram")}, {0, 1000}), 1u);
  EXPECT_EQ(*f.store.Delete(std::vector<Matcher>{Matcher::Equal("job", "2")}, {0, 100'000}), 4u);
  for (auto it = data.begin(); it != data.end();) {
    auto& [labels, series] = *it;
    if (labels.Get("job") == "1") std::erase_if(series.floats, [](const auto& s) { return s.t >= 500 && s.t <= 999; });
    std::erase_if(series.histograms, [](const auto& h) { return h.first <= 1000; });
    it = labels.Get("job") == "2" ? data.erase(it) : std::next(it);
  }
  ExpectSame(ReadDirectory(f.dir.path()), data);
  const Ulid old = (*f.store.blocks())[0]->meta().ulid;
  ASSERT_TRUE(f.store.CleanTombstones(0, nullptr).has_value());
  ASSERT_EQ(f.store.blocks()->size(), 1u);
  const auto& cleaned = *(*f.store.blocks())[0];
  EXPECT_NE(cleaned.meta().ulid, old);
  EXPECT_EQ(cleaned.meta().compaction.level, 1);
  EXPECT_EQ(cleaned.meta().compaction.parents[0].ulid, old);
  EXPECT_TRUE(cleaned.tombstones()->empty());
  EXPECT_EQ(cleaned.meta().stats.series, 17u);
  ExpectSame(ReadDirectory(f.dir.path()), data);
  ASSERT_TRUE(f.store.Delete(std::vector<Matcher>{}, {0, 100'000}).has_value());
  ASSERT_TRUE(f.store.CleanTombstones(0, nullptr).has_value());
  EXPECT_TRUE(f.store.blocks()->empty());
  EXPECT_TRUE(PosixFileSystem().List(f.dir.path())->empty());
}

TEST(BlockStore, FailureMarksTheInputsOnce) {
  StoreFixture f;
  const PlainData data = Sample(5, 10, 12'000);
  std::vector<std::string> paths;
  for (int i = 0; i < 6; ++i) paths.push_back(*WriteBlock(f.dir.path(), Slice(data, {i * 2000, i * 2000 + 1999}), i));
  const std::string segment = paths[1] + "/chunks/000001";
  std::string bytes = *PosixFileSystem().ReadFile(segment);
  bytes[100] ^= 1;
  ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(segment, bytes).has_value());
  ASSERT_TRUE(f.store.Reload(0).has_value());
  const auto failed = f.store.CompactOnce(0, nullptr);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code(), ErrorCode::kDataLoss);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ReadBlockMeta(PosixFileSystem(), paths[i])->compaction.failed);
  EXPECT_EQ(f.CompactAll(), 0u);
  EXPECT_EQ(f.store.blocks()->size(), 6u);
}

TEST(BlockStore, NewBlocksWaitForTheirUpload) {
  const testing::TempDir dir;
  testing::SimulatedClock clock;
  SeededRandom random{1};
  BlockStoreOptions options;
  options.directory = dir.path();
  options.planner.ranges_ms = {2000, 6000};
  options.upload_list = dir.path() + "/shipper.json";
  BlockStore store(PosixFileSystem(), clock, random, Logger(), options);
  const PlainData data = Sample(10, 10, 12'000);
  std::vector<std::string> names;
  for (int i = 0; i < 6; ++i) {
    const auto path = WriteBlock(dir.path(), Slice(data, {i * 2000, i * 2000 + 1999}), static_cast<uint64_t>(i));
    names.emplace_back(BaseName(*path));
  }
  ASSERT_TRUE(store.Reload(0).has_value());
  const auto compacted = [&] { return store.CompactOnce(0, nullptr)->has_value(); };
  EXPECT_FALSE(compacted());  // no list: everything waits
  const auto note = [&](size_t count) {
    std::string json = "{\"version\":1,\"uploaded\":[";
    for (size_t i = 0; i < count; ++i) json += (i > 0 ? ",\"" : "\"") + names[i] + "\"";
    ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(options.upload_list, json + "]}").has_value());
  };
  note(6);
  EXPECT_FALSE(compacted());  // the file is looked at once a minute
  note(2);
  clock.AdvanceMs(60'000);
  EXPECT_FALSE(compacted());  // the third block of the range waits
  note(5);
  clock.AdvanceMs(60'000);
  EXPECT_TRUE(compacted());
  EXPECT_EQ(store.blocks()->size(), 4u);
  ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(options.upload_list, "no list").has_value());
  clock.AdvanceMs(60'000);
  EXPECT_FALSE(compacted());
  ExpectSame(ReadDirectory(dir.path()), data);
  EXPECT_FALSE(DecodeUploadList("[]").has_value());
  EXPECT_FALSE(DecodeUploadList("{\"uploaded\":[1]}").has_value());
  EXPECT_TRUE(DecodeUploadList("{}")->empty());
}

TEST(ThrottledPace, RestsInProportionAndEndsWhenAsked) {
  testing::SimulatedClock clock;
  bool stop = false;
  std::vector<MonotonicNs> rests;
  ThrottledPace pace(
      clock, [&] { return stop; }, [&](MonotonicNs until) { rests.push_back(until - clock.Monotonic()); });
  EXPECT_TRUE(pace.Step(1).has_value());
  clock.AdvanceMs(2);
  EXPECT_TRUE(pace.Step(1).has_value());
  EXPECT_TRUE(rests.empty());
  clock.AdvanceMs(28);
  EXPECT_TRUE(pace.Step(1).has_value());
  ASSERT_EQ(rests.size(), 1u);
  EXPECT_EQ(rests[0], 10'000'000);
  clock.AdvanceMs(60'000);
  stop = true;
  EXPECT_EQ(pace.Step(1).error().code(), ErrorCode::kCanceled);
  EXPECT_EQ(rests.at(1), 500'000'000);
}

class CancelAtOnce final : public WorkPace {
 public:
  Result<void> Step(uint64_t) override { return Fail(ErrorCode::kCanceled, "stopped"); }
};

TEST(BlockStore, CanceledCompactionLeavesNoMark) {
  StoreFixture f;
  const PlainData data = Sample(3000, 20, 12'000);
  std::vector<std::string> paths;
  for (int i = 0; i < 6; ++i) paths.push_back(*WriteBlock(f.dir.path(), Slice(data, {i * 2000, i * 2000 + 1999}), i));
  ASSERT_TRUE(f.store.Reload(0).has_value());
  CancelAtOnce cancel;
  const auto failed = f.store.CompactOnce(0, &cancel);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code(), ErrorCode::kCanceled);
  EXPECT_FALSE(ReadBlockMeta(PosixFileSystem(), paths[0])->compaction.failed);
  EXPECT_EQ(PosixFileSystem().List(f.dir.path())->size(), 6u);
}

TEST(BlockStore, InterruptedCompactionHealsAtReload) {
  StoreFixture f;
  const PlainData data = Sample(5, 10, 4'000);
  std::vector<std::shared_ptr<const Block>> inputs;
  std::vector<BlockMeta> metas;
  for (int i = 0; i < 2; ++i) {
    const auto path = WriteBlock(f.dir.path(), Slice(data, {i * 2000, i * 2000 + 1999}), i);
    inputs.push_back(*Block::Open(PosixFileSystem(), *path));
    metas.push_back(inputs.back()->meta());
  }
  // The new block is there and the process ends before the old ones are deleted; one of them is even damaged.
  const auto made =
      CompactBlocks(PosixFileSystem(), f.dir.path(), f.store.NewUlid(), inputs, CompactedMeta(metas), {}, nullptr);
  ASSERT_TRUE(made.has_value());
  ASSERT_TRUE(PosixFileSystem().RemoveFile(inputs[0]->directory() + "/index").has_value());
  ASSERT_TRUE(f.store.Reload(0).has_value());
  EXPECT_EQ(f.store.blocks()->size(), 1u);
  EXPECT_EQ(ListBlockDirectories(PosixFileSystem(), f.dir.path())->size(), 1u);
  ExpectSame(ReadDirectory(f.dir.path()), data);
}

TEST(BlockStore, RetentionByTimeSizeAndRule) {
  RetentionLimits limits;
  limits.duration_ms = 6000;
  StoreFixture f(limits, {2000});
  const PlainData data = Sample(10, 10, 12'000);
  for (int i = 0; i < 6; ++i)
    ASSERT_TRUE(WriteBlock(f.dir.path(), Slice(data, {i * 2000, i * 2000 + 1999}), i).has_value());
  ASSERT_TRUE(f.store.Reload(0).has_value());
  EXPECT_EQ(f.store.blocks()->size(), 3u);
  EXPECT_EQ(f.store.counts().time_retentions, 1u);
  RetentionLimits rule;
  rule.rules.push_back({{Matcher::Equal("job", "3")}, 2500});
  f.store.SetRetention(rule);
  ASSERT_TRUE(f.store.ApplyRetentionRules().has_value());
  const auto read = ReadDirectory(f.dir.path(), {Matcher::Equal("job", "3")});
  ASSERT_TRUE(read.has_value());
  for (const auto& [labels, series] : *read) EXPECT_GE(series.floats.front().t, 8000);
  EXPECT_EQ(*f.store.ApplyRetentionRules(), 0u);
  RetentionLimits size;
  size.max_bytes = (*f.store.blocks())[2]->bytes() + 100;
  f.store.SetRetention(size);
  ASSERT_TRUE(f.store.Reload(50).has_value());
  EXPECT_EQ(f.store.blocks()->size(), 1u);
  ASSERT_TRUE(f.store.Reload(1000).has_value());
  EXPECT_EQ(f.store.blocks()->size(), 0u);
}

TEST(Retention, Percentage) {
  RetentionLimits limits;
  limits.max_bytes = 7;
  EXPECT_EQ(EffectiveSizeLimit(limits, 1000), 7u);
  limits.percentage = 12.5;
  EXPECT_EQ(EffectiveSizeLimit(limits, 1000), 125u);
  EXPECT_EQ(EffectiveSizeLimit(limits, 0), 7u);
}

TEST(BlockStore, SnapshotLinksFiles) {
  StoreFixture f;
  const PlainData data = Sample(5, 10, 4'000);
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(WriteBlock(f.dir.path(), Slice(data, {i * 2000, i * 2000 + 1999}), i).has_value());
  ASSERT_TRUE(f.store.Reload(0).has_value());
  EXPECT_FALSE(f.store.Snapshot(f.dir.path()).has_value());
  const std::string snapshot = f.dir.path() + "/snapshots/one";
  ASSERT_TRUE(f.store.Snapshot(snapshot).has_value());
  ASSERT_TRUE(f.store.Delete(std::vector<Matcher>{}, {0, 100'000}).has_value());
  ASSERT_TRUE(f.store.CleanTombstones(0, nullptr).has_value());
  ExpectSame(ReadDirectory(snapshot), data);
}

TEST(BlockStore, RepairsBlocksOfTheFaultyRelease) {
  const std::string fixtures = testing::ConformanceDir();
  if (fixtures.empty()) GTEST_SKIP() << "no conformance data";
  const std::string name = "01BZJ9WJQPWHGNC2W4J9TA62KC";
  const testing::TempDir dir;
  const std::string block = dir.path() + "/" + name;
  FileSystem& fs = PosixFileSystem();
  ASSERT_TRUE(fs.CreateDirectories(block + "/chunks").has_value());
  for (const auto* file : {"index", "meta.json"}) {
    const auto bytes = fs.ReadFile(fixtures + "/tsdb/repair_index_version/" + name + "/" + file);
    ASSERT_TRUE(bytes.has_value());
    ASSERT_TRUE(fs.WriteFileAtomically(block + "/" + file, *bytes).has_value());
  }
  EXPECT_FALSE(Block::Open(fs, block).has_value());
  ASSERT_TRUE(RepairIndexVersions(fs, dir.path()).has_value());
  const auto opened = Block::Open(fs, block);
  ASSERT_TRUE(opened.has_value()) << opened.error().message();
  const auto& index = (*opened)->index();
  const auto refs = index.Postings("b", "1");
  ASSERT_TRUE(refs.has_value());
  std::set<std::string> series;
  for (const BlockSeriesRef ref : *refs) {
    IndexSeries entry;
    ASSERT_TRUE(index.Series(ref, entry).has_value());
    std::string text;
    for (const auto& label : entry.labels)
      text += std::string(*index.Symbol(label.name)) + "=" + std::string(*index.Symbol(label.value)) + ",";
    series.insert(text);
  }
  EXPECT_EQ(series, (std::set<std::string>{"a=1,b=1,", "a=2,b=1,"}));
}

TEST(BlockStore, SkipsWhatHasNoMetaAndRefusesWhatIsDamaged) {
  StoreFixture f;
  const PlainData data = Sample(5, 10, 2'000);
  const auto path = WriteBlock(f.dir.path(), data, 1);
  ASSERT_TRUE(PosixFileSystem().CreateDirectories(f.dir.path() + "/01M7XT2BN0NXJC2BQDG6TH06ES").has_value());
  ASSERT_TRUE(f.store.Reload(0).has_value());
  EXPECT_EQ(f.store.blocks()->size(), 1u);
  const auto second = WriteBlock(f.dir.path(), data, 2);
  ASSERT_TRUE(PosixFileSystem().RemoveFile(*second + "/index").has_value());
  const auto reload = f.store.Reload(0);
  ASSERT_FALSE(reload.has_value());
  EXPECT_NE(reload.error().message().find("corrupted block"), std::string::npos);
  EXPECT_EQ(f.store.blocks()->size(), 1u);
}

}  // namespace
}  // namespace epi::tsdb
