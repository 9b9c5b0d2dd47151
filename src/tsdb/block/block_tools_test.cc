// Verification, backfill, and the texts for people.
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "testing/block_fixture.h"
#include "testing/conformance.h"
#include "testing/simulated_clock.h"
#include "testing/temp_dir.h"
#include "tsdb/block/backfill.h"
#include "tsdb/block/block_report.h"
#include "tsdb/block/dump.h"
#include "tsdb/block/verify_block.h"

namespace epi::tsdb {
namespace {

TEST(VerifyBlock, BlocksOfPrometheusAreSound) {
  const std::string dir = testing::ConformanceDir();
  if (dir.empty()) GTEST_SKIP() << "no conformance data";
  for (const auto* folder : {"blocks", "blocks_tombstones", "head_snapshot", "long"}) {
    const auto blocks = ListBlockDirectories(PosixFileSystem(), dir + "/tsdb/generated/" + folder);
    ASSERT_TRUE(blocks.has_value());
    for (const auto& block : *blocks) {
      const auto report = VerifyBlock(PosixFileSystem(), block);
      ASSERT_TRUE(report.has_value());
      EXPECT_TRUE(report->sound()) << block << ": " << report->problems[0];
      EXPECT_GT(report->samples, 0u);
    }
  }
  const auto version1 = VerifyBlock(PosixFileSystem(), dir + "/tsdb/index_format_v1");
  ASSERT_TRUE(version1.has_value());
  EXPECT_EQ(version1->series, 102u);
}

PlainData SomeData() {
  PlainData data;
  for (int i = 0; i < 10; ++i) {
    auto& series = data[Labels{{"__name__", "m"}, {"i", std::to_string(i)}}];
    for (int s = 0; s < 130; ++s) series.floats.push_back({s * 1000, s * 1.0, 0});
  }
  return data;
}

TEST(VerifyBlock, FindsEveryFlippedByteOfChunksAndIndex) {
  const testing::TempDir dir;
  const auto path = WriteBlock(dir.path(), SomeData(), 1);
  ASSERT_TRUE(path.has_value());
  const auto clean = VerifyBlock(PosixFileSystem(), *path);
  ASSERT_TRUE(clean && clean->sound());
  EXPECT_EQ(clean->chunks, 20u);
  for (const auto* name : {"/chunks/000001", "/index", "/tombstones"}) {
    const std::string good = *PosixFileSystem().ReadFile(*path + name);
    const auto file = PosixFileSystem().Open(*path + name, OpenMode::kAppend);
    size_t unseen = 0;
    for (size_t i = 0; i < good.size(); i += 3) {
      ASSERT_TRUE((*file)->WriteAt(i, std::string(1, static_cast<char>(good[i] ^ 0x20))).has_value());
      const auto report = VerifyBlock(PosixFileSystem(), *path);
      ASSERT_TRUE(report.has_value());
      unseen += report->sound();
      ASSERT_TRUE((*file)->WriteAt(i, good.substr(i, 1)).has_value());
    }
    // Padding between series and lists, and behind the header of a segment, belongs to nobody.
    EXPECT_LE(unseen, good.size() / 10) << name;
  }
}

TEST(VerifyBlock, FindsWrongCounts) {
  const testing::TempDir dir;
  const auto path = WriteBlock(dir.path(), SomeData(), 1);
  BlockMeta meta = *ReadBlockMeta(PosixFileSystem(), *path);
  meta.stats.samples += 1;
  meta.max_time -= 1;
  ASSERT_TRUE(WriteBlockMeta(PosixFileSystem(), *path, meta).has_value());
  const auto report = VerifyBlock(PosixFileSystem(), *path);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->problem_count, 11u);  // ten last chunks outside the range, one count
}

std::string PromtoolOutput(const std::string& arguments) {
  std::string out;
  FILE* pipe = ::popen(("promtool tsdb " + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return out;
  char buffer[4096];
  while (const size_t got = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, got);
  ::pclose(pipe);
  return out;
}

TEST(BlockReport, ListIsPromtools) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) GTEST_SKIP() << "promtool is not installed";
  const testing::TempDir dir;
  ASSERT_TRUE(WriteBlock(dir.path(), SomeData(), 1).has_value());
  std::vector<std::shared_ptr<const Block>> blocks;
  const auto directories = *ListBlockDirectories(PosixFileSystem(), dir.path());
  for (const auto& directory : directories) blocks.push_back(*Block::Open(PosixFileSystem(), directory));
  EXPECT_EQ(BlockListText(blocks, false), PromtoolOutput("list " + dir.path()));
  EXPECT_EQ(BlockListText(blocks, true), PromtoolOutput("list -r " + dir.path()));
}

TEST(BlockReport, Analysis) {
  const testing::TempDir dir;
  const auto block = Block::Open(PosixFileSystem(), *WriteBlock(dir.path(), SomeData(), 1));
  ASSERT_TRUE(block.has_value());
  const auto text = AnalyzeBlockText(**block, {.limit = 2});
  ASSERT_TRUE(text.has_value());
  EXPECT_NE(text->find("Total Series: 10\nLabel names: 2\nPostings (unique label pairs): 11\n"
                       "Postings entries (total label pairs): 20\n"),
            std::string::npos)
      << *text;
  EXPECT_NE(text->find("Most common label pairs:\n10 __name__=m\n1 i=0\n\n"), std::string::npos);
  EXPECT_NE(text->find("Highest cardinality labels:\n10 i\n1 __name__\n"), std::string::npos);
}

// Ten series of 130 samples make a chunk of 120 and one of 10 each.
TEST(BlockReport, FullnessOfChunks) {
  const testing::TempDir dir;
  PlainData data = SomeData();
  auto& sizes = data[Labels{{"__name__", "sizes"}}].histograms;
  for (int s = 0; s < 12; ++s) {
    FloatHistogram h;
    h.count = 3.0 + s;
    h.positive_spans = {{0, 2}};
    h.positive_buckets = {3.0 + s, 0};
    h.negative_spans = {{0, 1}};
    h.negative_buckets = {0};
    sizes.emplace_back(s * 1000, h);
  }
  const auto block = Block::Open(PosixFileSystem(), *WriteBlock(dir.path(), data, 1));
  ASSERT_TRUE(block.has_value());
  const auto text = AnalyzeBlockText(**block, {.extended = true});
  ASSERT_TRUE(text.has_value());
  const std::string tail = text->substr(text->find("\nCompaction analysis"));
  const std::string bar(47, '#');  // ten chunks of 21
  EXPECT_NE(tail.find("\nCompaction analysis:\n\nsamples per float chunk (min/avg/max): 10/65/120\n"
                      "[  1, 100]: 10 " +
                      bar + "\n[101, 200]: 10 " + bar + "\n[201, 300]:  0 \n\nbytes per float chunk (min/avg/max): "),
            std::string::npos)
      << tail;
  EXPECT_NE(tail.find("\n\nsamples per histogram chunk (min/avg/max): 12/12/12\n[11, 20]: 1 ####\n[21, 30]: 0 \n\n"),
            std::string::npos)
      << tail;
  EXPECT_NE(tail.find("buckets per histogram chunk (min/avg/max): 36/36/36\n[31, 40]: 1 ####\n[41, 50]: 0 \n\n"),
            std::string::npos)
      << tail;
}

TEST(BlockReport, DumpIsPromtools) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) GTEST_SKIP() << "promtool is not installed";
  const testing::TempDir dir;
  ASSERT_TRUE(PosixFileSystem().CreateDirectories(dir.path() + "/wal").has_value());
  PlainData data = SomeData();
  data[Labels{{"__name__", "zz"}, {"q", "a\"b\\c\nd"}}].floats = {
      {1, 1e-7, 0}, {2, 1e21, 0}, {3, 123456789, 0}, {4, -0.0, 0}};
  const auto block = Block::Open(PosixFileSystem(), *WriteBlock(dir.path(), data, 1));
  LocalSymbols symbols;
  Budget budget("test");
  const auto selection = (*block)->Select({}, SelectHints{}, symbols, budget);
  ASSERT_TRUE(selection.has_value());
  std::string out;
  ASSERT_TRUE(DumpSeries(**selection, symbols, DumpForm::kSamples, [&](std::string_view text) -> Result<void> {
                out += text;
                return {};
              }).has_value());
  EXPECT_EQ(out, PromtoolOutput("dump " + dir.path()));
}

TEST(Backfill, WritesOneBlockAWindow) {
  const testing::TempDir dir;
  testing::SimulatedClock clock;
  SeededRandom random{1};
  Budget budget("all");
  const int64_t range = BackfillBlockRange(0);
  EXPECT_EQ(range, 7'200'000);
  EXPECT_EQ(BackfillBlockRange(24 * 3'600'000), 18 * 3'600'000);
  EXPECT_EQ(BackfillWindow(-1, 100), (std::pair<TimestampMs, TimestampMs>{-100, 0}));
  Backfill backfill(PosixFileSystem(), dir.path(), clock, random, {}, {}, &budget);
  const Labels labels{{"__name__", "x"}};
  for (const TimestampMs t : {range + 5, TimestampMs{7}, TimestampMs{3}, TimestampMs{3}, 3 * range}) {
    ASSERT_TRUE(backfill.Add(labels, t, 1.0).has_value());
  }
  EXPECT_GT(budget.used(), 0);
  const auto report = backfill.Commit();
  ASSERT_TRUE(report.has_value()) << report.error().message();
  EXPECT_EQ(report->stored, 4u);
  EXPECT_EQ(report->blocks.size(), 3u);
  ASSERT_EQ(backfill.written().size(), 3u);
  EXPECT_EQ(backfill.written()[0].min_time, 3);
  EXPECT_EQ(backfill.written()[0].max_time, 8);
  EXPECT_EQ(backfill.written()[1].min_time, range + 5);
  EXPECT_EQ(budget.used(), 0);
  const auto read = ReadDirectory(dir.path());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->at(labels).floats.size(), 4u);
  ASSERT_TRUE(backfill.Add(labels, 1, 1.0).has_value());
  ASSERT_TRUE(backfill.Add(labels, 1, 2.0).has_value());
  EXPECT_FALSE(backfill.Commit().has_value());
  EXPECT_FALSE(backfill.Add(Labels{}, 1, 1.0).has_value());
}

TEST(Backfill, LongWindowsWhereThePastIsSettled) {
  const testing::TempDir dir;
  testing::SimulatedClock clock;
  SeededRandom random{1};
  const int64_t hours = 3'600'000;
  BackfillLayout layout;
  layout.ranges_ms = {2 * hours, 6 * hours, 18 * hours};
  layout.settled = 25 * hours;
  layout.accepted = {hours, 28 * hours};
  layout.refuse_conflicts = false;
  layout.hint = std::string(kHintOutOfOrder);
  Backfill backfill(PosixFileSystem(), dir.path(), clock, random, layout);
  const Labels labels{{"__name__", "x"}};
  for (TimestampMs t = 0; t <= 30 * hours; t += hours) ASSERT_TRUE(backfill.Add(labels, t, 1.0).has_value());
  ASSERT_TRUE(backfill.Add(labels, 2 * hours, 5.0).has_value());
  FloatHistogram histogram;
  histogram.count = 1;
  histogram.zero_count = 1;
  ASSERT_TRUE(backfill.AddHistogram(labels, 2 * hours + 1, histogram).has_value());
  ASSERT_TRUE(backfill.AddHistogram(labels, 3 * hours, histogram).has_value());
  histogram.count = -1;
  EXPECT_FALSE(backfill.AddHistogram(labels, 4, histogram).has_value());
  const auto report = backfill.Commit();
  ASSERT_TRUE(report.has_value()) << report.error().message();
  EXPECT_EQ(report->too_old, 1u);
  EXPECT_EQ(report->too_new, 2u);
  EXPECT_EQ(report->duplicates, 2u);  // a second value, and a histogram where a float is
  EXPECT_EQ(report->stored, 29u);
  std::vector<TimestampMs> begins;
  for (const auto& meta : backfill.written()) {
    begins.push_back(meta.min_time / hours);
    EXPECT_TRUE(meta.HasHint(kHintOutOfOrder));
  }
  EXPECT_EQ(begins, (std::vector<TimestampMs>{1, 18, 24, 26, 28}));
  const auto read = ReadDirectory(dir.path());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->at(labels).floats.size(), 28u);
  EXPECT_EQ(read->at(labels).histograms.size(), 1u);
}

TEST(Backfill, WhatExceedsTheMemoryIsWrittenInBetween) {
  const testing::TempDir dir;
  testing::SimulatedClock clock;
  SeededRandom random{1};
  Backfill backfill(PosixFileSystem(), dir.path(), clock, random, {}, {.max_bytes = 10'000});
  const Labels labels{{"__name__", "x"}};
  for (TimestampMs t = 0; t < 2000; ++t) ASSERT_TRUE(backfill.Add(labels, t, 1.0).has_value());
  const auto report = backfill.Commit();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->stored, 2000u);
  EXPECT_GT(report->blocks.size(), 4u);
  EXPECT_EQ(ReadDirectory(dir.path())->at(labels).floats.size(), 2000u);
}

}  // namespace
}  // namespace epi::tsdb
