#include "tsdb/early/early_record.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tsdb/wal/record_file.h"

namespace epi::tsdb {
namespace {

std::string EncodedEarly(const EarlyBatch& batch) {
  std::string out;
  EncodeEarlyBatch(batch, out);
  return out;
}

EarlyBatch EverythingEarly() {
  EarlyBatch batch;
  batch.group = 3;
  batch.identity = GroupIdentity{GroupIdentity::Kind::kScrape, "target"};
  batch.first_defined = 7;
  batch.defined = {Labels{{"__name__", "a"}}, Labels{{"__name__", "b"}, {"x", "y"}}};
  batch.rows.time = 1'700'000'000'000;
  batch.rows.series = {7, 8, 7};
  batch.rows.values = {1.5, StaleNaN(), -0.0};
  batch.timed = {{8, 1'700'000'000'500, 2.5, 0, 1}, {8, 1'600'000'000'000, 3.5, 1'600'000'000'000, 3}};
  auto integer = std::make_shared<Histogram>();
  integer->count = 3;
  integer->zero_count = 3;
  auto floats = std::make_shared<FloatHistogram>();
  floats->sum = 2.25;
  batch.rows.histograms = {{7, 5, 1, integer, nullptr}, {8, 6, 0, nullptr, floats}};
  batch.histogram_order = {{0, 0}, {2, 1}};
  batch.rows.exemplars = {{7, {Labels{{"trace", "t"}}, 0.5, 4, true}}};
  batch.metadata = {{8, {MetricType::kCounter, "seconds", "help"}}};
  return batch;
}

TEST(EarlyRecordTest, EverythingComesBack) {
  const EarlyBatch in = EverythingEarly();
  const auto out = DecodeEarlyBatch(EncodedEarly(in));
  ASSERT_TRUE(out.has_value()) << out.error().message();
  EXPECT_EQ(out->group, in.group);
  EXPECT_EQ(out->identity, in.identity);
  EXPECT_EQ(out->first_defined, in.first_defined);
  EXPECT_EQ(out->defined, in.defined);
  EXPECT_EQ(out->rows.time, in.rows.time);
  EXPECT_EQ(out->rows.series, in.rows.series);
  EXPECT_TRUE(IsStaleNaN(out->rows.values[1]));
  EXPECT_TRUE(std::signbit(out->rows.values[2]));
  ASSERT_EQ(out->timed.size(), 2u);
  EXPECT_EQ(out->timed[0].start_time, 0);
  EXPECT_EQ(out->timed[1].time, 1'600'000'000'000);
  EXPECT_EQ(out->timed[1].start_time, 1'600'000'000'000);
  EXPECT_EQ(out->timed[1].after_floats, 3u);
  ASSERT_EQ(out->rows.histograms.size(), 2u);
  EXPECT_EQ(out->rows.histograms[0].integer->count, 3u);
  EXPECT_EQ(out->rows.histograms[1].floats->sum, 2.25);
  EXPECT_EQ(out->histogram_order[1].after_floats, 2u);
  EXPECT_EQ(out->histogram_order[1].after_timed, 1u);
  EXPECT_EQ(out->rows.exemplars[0].exemplar, in.rows.exemplars[0].exemplar);
  EXPECT_EQ(out->metadata[0].metadata, in.metadata[0].metadata);
  EXPECT_EQ(out->samples(), 7u);
  EXPECT_EQ(EncodedEarly(*out), EncodedEarly(in));
}

TEST(EarlyRecordTest, EveryTruncationIsNoticed) {
  const std::string whole = EncodedEarly(EverythingEarly());
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(DecodeEarlyBatch(std::string_view(whole).substr(0, size)).has_value()) << size;
}

// Behind a checksum in the file; here only that nothing worse than another batch comes of it.
TEST(EarlyRecordTest, NoFlippedBitMakesABatchThatContradictsItself) {
  const std::string whole = EncodedEarly(EverythingEarly());
  size_t refused = 0;
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const auto batch = DecodeEarlyBatch(flipped);
    if (!batch) {
      ++refused;
      continue;
    }
    EXPECT_EQ(batch->histogram_order.size(), batch->rows.histograms.size());
    for (const auto& row : batch->timed) EXPECT_LE(row.after_floats, batch->rows.series.size());
    for (const auto& order : batch->histogram_order) {
      EXPECT_LE(order.after_floats, batch->rows.series.size());
      EXPECT_LE(order.after_timed, batch->timed.size());
    }
  }
  EXPECT_GT(refused, 100u);
}

TEST(EarlyRecordTest, AbsurdCountsTakeNoMemory) {
  EarlyBatch batch;
  batch.defined = {Labels{{"a", "b"}}};
  std::string bytes = EncodedEarly(batch);
  ASSERT_EQ(bytes[3], 1);  // the count of definitions
  bytes.replace(3, 1, "\xff\xff\xff\xff\x0f");
  EXPECT_FALSE(DecodeEarlyBatch(bytes).has_value());
}

TEST(EarlyRecordTest, AMarkComesBackOrIsRefused) {
  const std::string whole = EncodeMergeMark({5, 77});
  const auto mark = DecodeMergeMark(whole);
  ASSERT_TRUE(mark.has_value());
  EXPECT_EQ(mark->sequence, 5u);
  EXPECT_EQ(mark->lsn, 77u);
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(DecodeMergeMark(std::string_view(whole).substr(0, size)).has_value());
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(DecodeMergeMark(flipped).has_value()) << bit;
  }
}

}  // namespace
}  // namespace epi::tsdb
