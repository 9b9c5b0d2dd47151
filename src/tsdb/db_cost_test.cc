// What /api/v1/status/tsdb/cost adds up.
#include <gtest/gtest.h>

#include "testing/memory_file_system.h"
#include "testing/simulated_clock.h"
#include "tsdb/db.h"

namespace epi::tsdb {
namespace {

using testing::MemoryFileSystem;
constexpr int64_t kCostBlockMs = 100'000;
constexpr TimestampMs kCostBegin = 1'000'000;  // a bound of blocks

class DbCostTest : public ::testing::Test {
 protected:
  DbCostTest() {
    options_.directory = "/data";
    options_.head.group.block_range_ms = kCostBlockMs;
    options_.max_block_duration_ms = kCostBlockMs;
    options_.head.group.phase_entries = 10;
    auto db = Db::Open(options_, {fs_, clock_, random_, Logger()});
    EXPECT_TRUE(db && (*db)->Load());
    db_ = std::move(*db);
    appender_ = *db_->OpenGroup({GroupIdentity::Kind::kScrape, "t"});
  }
  // Ten series of "many", whose values are hard to encode, and one of "one" that never changes.
  void Write(TimestampMs from, TimestampMs to) {
    for (TimestampMs t = from; t < to; t += 1000) {
      for (int i = 0; i < 10; ++i) {
        const auto ref = *appender_->Intern(Labels{{"__name__", "many"}, {"i", std::to_string(i)}});
        appender_->Add(ref, static_cast<double>(random_.Next()));
      }
      appender_->Add(*appender_->Intern(Labels{{"__name__", "one"}}), 1);
      ASSERT_TRUE(appender_->Commit(t)->all_accepted());
    }
  }

  MemoryFileSystem fs_;
  testing::SimulatedClock clock_;
  SeededRandom random_{1};
  DbOptions options_;
  std::unique_ptr<Db> db_;
  std::unique_ptr<BatchAppender> appender_;
};

TEST_F(DbCostTest, MetricsShareWhatTheHeadTakes) {
  Write(kCostBegin, kCostBegin + 5000);
  const CostTable cost = *db_->CostByName();
  ASSERT_EQ(cost.metrics.size(), 2u);
  const Cost& many = cost.metrics.at("many");
  const Cost& one = cost.metrics.at("one");
  EXPECT_EQ(many.count, 10u);
  EXPECT_EQ(one.count, 1u);
  EXPECT_GT(many.memory_bytes, 10 * one.memory_bytes);  // its streams have something in them
  EXPECT_EQ(many.disk_bytes + one.disk_bytes, 0u);
  const HeadMemory memory = db_->head().Memory();
  const size_t expected = memory.total() - memory.symbols - memory.postings;
  const size_t sum = many.memory_bytes + one.memory_bytes;
  EXPECT_LE(sum, expected);
  EXPECT_GE(sum, expected - 2 * 11) << "no more than what divisions round down";
  ASSERT_EQ(cost.labels.size(), 2u);
  EXPECT_EQ(cost.labels.at("i").count, 10u);
  EXPECT_EQ(cost.labels.at("__name__").count, 2u);
  EXPECT_GT(cost.labels.at("i").memory_bytes, 10u);
}

TEST_F(DbCostTest, FilesOfRunsAndBlocksCount) {
  Write(kCostBegin, kCostBegin + 3 * kCostBlockMs);
  ASSERT_TRUE(db_->Maintain());
  const auto blocks = db_->blocks().blocks();
  ASSERT_FALSE(blocks->empty());
  uint64_t chunk_bytes = 0, many = 0, one = 0;
  for (const auto& block : *blocks) {
    const BlockCost cost = *CostOfBlock(*block);
    ASSERT_EQ(cost.metrics.size(), 2u);
    for (size_t i = 0; i < block->chunks().segments(); ++i)
      chunk_bytes += block->chunks().segment_bytes(i) - kChunkSegmentHeaderBytes;
    many += cost.metrics.at("many");
    one += cost.metrics.at("one");
    EXPECT_GE(cost.labels.at("i"), 10 * 4u + 10u);  // ten lists of one, and a byte of text each
  }
  // Every byte of a chunk belongs to a series; the rest are the entries of eleven series a block.
  EXPECT_GT(many + one, chunk_bytes);
  EXPECT_LT(many + one, chunk_bytes + blocks->size() * 11 * 128);
  EXPECT_GT(many, 20 * one);
  const CostTable cost = *db_->CostByName();
  EXPECT_GE(cost.metrics.at("many").disk_bytes, many);
  EXPECT_GE(cost.labels.at("i").disk_bytes, blocks->size() * 50);
  EXPECT_EQ((*db_->CostByName()).metrics.at("many").disk_bytes, cost.metrics.at("many").disk_bytes);
}

}  // namespace
}  // namespace epi::tsdb
