#include "tsdb/wal/batch_record.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "tsdb/wal/record_file.h"

namespace epi::tsdb {
namespace {

// The same double by its bits.
void ExpectSame(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.group, b.group);
  EXPECT_EQ(a.series, b.series);
  ASSERT_EQ(a.values.size(), b.values.size());
  for (size_t i = 0; i < a.values.size(); ++i)
    EXPECT_EQ(std::bit_cast<uint64_t>(a.values[i]), std::bit_cast<uint64_t>(b.values[i]));
  if (!a.series.empty()) {
    EXPECT_EQ(a.time, b.time);
  }
  EXPECT_EQ(a.timed, b.timed);
  EXPECT_EQ(a.tombstones, b.tombstones);
  ASSERT_EQ(a.histograms.size(), b.histograms.size());
  for (size_t i = 0; i < a.histograms.size(); ++i) {
    EXPECT_EQ(a.histograms[i].series, b.histograms[i].series);
    EXPECT_EQ(a.histograms[i].time, b.histograms[i].time);
    EXPECT_EQ(a.histograms[i].start_time, b.histograms[i].start_time);
    if (a.histograms[i].integer != nullptr) {
      EXPECT_EQ(*a.histograms[i].integer, *b.histograms[i].integer);
    }
    if (a.histograms[i].floats != nullptr) {
      EXPECT_EQ(*a.histograms[i].floats, *b.histograms[i].floats);
    }
  }
  ASSERT_EQ(a.exemplars.size(), b.exemplars.size());
  for (size_t i = 0; i < a.exemplars.size(); ++i) EXPECT_EQ(a.exemplars[i].exemplar, b.exemplars[i].exemplar);
  ASSERT_EQ(a.metadata.size(), b.metadata.size());
  for (size_t i = 0; i < a.metadata.size(); ++i) EXPECT_EQ(a.metadata[i].metadata, b.metadata[i].metadata);
}

// Encodes as a group does: bases are the values before, of the series of the chain's layout.
class Writer {
 public:
  std::string Encode(Batch batch, uint64_t segment = 1) {
    batch.bases.clear();
    for (const uint32_t id : batch.series) {
      const auto at = std::find(chain_.series.begin(), chain_.series.end(), id);
      batch.bases.push_back(at == chain_.series.end() ? 0.0 : values_[id]);
    }
    std::string out;
    bool changed = false;
    std::vector<uint32_t> previous;
    EncodeBatch(batch, segment, chain_, out, changed, previous);
    for (size_t i = 0; i < batch.series.size(); ++i) values_[batch.series[i]] = batch.values[i];
    return out;
  }
  LayoutChain chain_;
  std::vector<double> values_ = std::vector<double>(100000);
};

Batch Everything() {
  Batch batch;
  batch.group = 7;
  batch.time = 1'700'000'000'000;
  batch.series = {10, 11, 12, 500, 13};
  batch.values = {1, -2.5, 1e300, StaleNaN(), -0.0};
  batch.timed = {{5, -3, 1.5, 0}, {5, 10, 2.5, 4}, {9, 10, 77, 0}};
  auto h = std::make_shared<Histogram>();
  h->schema = 3;
  h->count = 9;
  h->sum = 1.25;
  h->positive_spans = {{-2, 2}, {3, 1}};
  h->positive_buckets = {4, -1, 0};
  h->counter_reset_hint = CounterResetHint::kGauge;
  batch.histograms.push_back({3, 12, 5, h, nullptr});
  auto f = std::make_shared<FloatHistogram>();
  f->schema = kCustomBucketsSchema;
  f->custom_values = {1, 2.5};
  f->positive_spans = {{0, 3}};
  f->positive_buckets = {1, 0.5, 2};
  f->count = 3.5;
  batch.histograms.push_back({4, 12, 0, nullptr, f});
  batch.exemplars.push_back({3, {{{"trace_id", "abc"}}, 0.5, 12, true}});
  batch.metadata.push_back({"metric", {MetricType::kCounter, "seconds", "Help."}});
  batch.tombstones.push_back({8, -5, 5});
  return batch;
}

TEST(BatchRecordTest, RoundTripOfEverySection) {
  Writer writer;
  BatchDecoder decoder;
  Batch got;
  const Batch batch = Everything();
  ASSERT_TRUE(decoder.Decode(writer.Encode(batch), got));
  ExpectSame(batch, got);
}

TEST(BatchRecordTest, DifferencesLayoutChangesAndSegments) {
  SeededRandom random{5};
  Writer writer;
  BatchDecoder decoder;
  Batch batch;
  batch.group = 1;
  std::vector<uint32_t> layout;
  for (uint32_t i = 0; i < 300; ++i) layout.push_back(i < 200 ? i : i * 3);
  uint64_t segment = 1;
  size_t small = 0;
  for (int round = 0; round < 300; ++round) {
    if (random.Below(5) == 0) layout.erase(layout.begin() + static_cast<std::ptrdiff_t>(random.Below(layout.size())));
    if (random.Below(5) == 0)
      layout.insert(layout.begin() + static_cast<std::ptrdiff_t>(random.Below(layout.size())),
                    2000u + static_cast<uint32_t>(round));
    if (random.Below(40) == 0) std::reverse(layout.begin(), layout.end());
    if (random.Below(50) == 0) {
      ++segment;
      decoder.Reset();
    }
    batch.time += 15000;
    batch.series = layout;
    batch.values.resize(layout.size());
    for (auto& v : batch.values) {
      const uint64_t kind = random.Below(10);
      if (kind > 6) v = kind == 7 ? std::floor(random.Unit() * 1e6) : kind == 8 ? random.Unit() : StaleNaN();
    }
    const std::string payload = writer.Encode(batch, segment);
    small += payload.size() < batch.series.size() * 5;
    Batch got;
    const auto outcome = decoder.Decode(payload, got);
    ASSERT_TRUE(outcome);
    ASSERT_EQ(*outcome, BatchDecoder::Outcome::kDecoded);
    ExpectSame(batch, got);
  }
  EXPECT_GT(small, 100u);
}

TEST(BatchRecordTest, ALostRecordMakesOrphansUntilTheNextFullOne) {
  Writer writer;
  BatchDecoder decoder;
  Batch batch;
  batch.group = 1;
  batch.series = {1, 2};
  int orphans = 0;
  bool decoded_again = false;
  for (int i = 0; i < 40; ++i) {
    batch.time += 1000;
    batch.values = {i * 1.0, i * 2.0};
    const std::string payload = writer.Encode(batch);
    if (i == 5) continue;
    Batch got;
    const auto outcome = decoder.Decode(payload, got);
    ASSERT_TRUE(outcome);
    if (*outcome == BatchDecoder::Outcome::kOrphan) {
      ++orphans;
      EXPECT_FALSE(decoded_again);
      continue;
    }
    decoded_again |= i > 5;
    ExpectSame(batch, got);
  }
  EXPECT_EQ(orphans, 10);
}

TEST(BatchRecordTest, TruncationAtEveryByteAndFlippedBitsAreNoTrouble) {
  Writer writer;
  const std::string payload = writer.Encode(Everything());
  Batch got;
  for (size_t size = 0; size < payload.size(); ++size) {
    BatchDecoder decoder;
    EXPECT_FALSE(decoder.Decode(payload.substr(0, size), got)) << size;
  }
  for (size_t bit = 0; bit < payload.size() * 8; ++bit) {
    std::string flipped = payload;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    BatchDecoder decoder;
    static_cast<void>(decoder.Decode(flipped, got));  // the record's checksum catches it; here it must only not crash
  }
}

TEST(RecordFileTest, ScannerStepsOverDamageAndFindsTheTail) {
  std::string file = EncodeFileHeader({RecordFileKind::kWal, 3, 10});
  std::vector<size_t> starts;
  for (int i = 0; i < 5; ++i) {
    starts.push_back(file.size());
    AppendRecord(file, 1, 10 + static_cast<uint64_t>(i), std::string(20 + static_cast<size_t>(i), 'x'));
  }
  const auto scan = [](std::string_view content, std::vector<uint64_t>& lsns) {
    RecordScanner scanner(content);
    RecordScanner::Record record;
    lsns.clear();
    while (scanner.Next(record)) lsns.push_back(record.lsn);
    return scanner.damage().size();
  };
  std::vector<uint64_t> lsns;
  EXPECT_EQ(scan(file, lsns), 0u);
  EXPECT_EQ(lsns.size(), 5u);
  EXPECT_EQ(DecodeFileHeader(file, RecordFileKind::kWal)->number, 3u);
  EXPECT_FALSE(DecodeFileHeader(file, RecordFileKind::kSeriesLog));
  for (size_t bit = kRecordFileHeaderBytes * 8; bit < file.size() * 8; ++bit) {
    std::string flipped = file;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const size_t damage = scan(flipped, lsns);
    const bool in_last = bit / 8 >= starts.back();
    EXPECT_EQ(lsns.size(), 4u) << bit;
    EXPECT_EQ(damage, in_last ? 0u : 1u) << bit;  // the last record becomes a torn tail
  }
  for (size_t size = kRecordFileHeaderBytes; size < file.size(); ++size) {
    EXPECT_EQ(scan(std::string_view(file).substr(0, size), lsns), 0u);
    EXPECT_EQ(lsns.size(),
              static_cast<size_t>(std::upper_bound(starts.begin(), starts.end(), size) - starts.begin()) - 1);
  }
  for (size_t size = 0; size < kRecordFileHeaderBytes; ++size)
    EXPECT_FALSE(DecodeFileHeader(std::string_view(file).substr(0, size), RecordFileKind::kWal));
}

}  // namespace
}  // namespace epi::tsdb
