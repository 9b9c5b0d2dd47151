#include "chunkenc/histogram_chunk.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "chunkenc/histogram_appender.h"
#include "model/histogram_convert.h"
#include "model/sample.h"

namespace epi {
namespace {

constexpr TimestampMs kHistogramT = 1'700'000'000'000;

std::string HistogramHex(std::string_view data) {
  std::string out;
  for (const unsigned char c : data) {
    out += "0123456789abcdef"[c >> 4];
    out += "0123456789abcdef"[c & 15];
  }
  return out;
}

std::vector<int64_t> ToDeltas(const std::vector<int64_t>& counts) {
  std::vector<int64_t> out;
  int64_t before = 0;
  for (const int64_t c : counts) {
    out.push_back(c - before);
    before = c;
  }
  return out;
}

struct Row {
  int64_t offset;
  int64_t count;
  int64_t zero;
  double sum;
  std::vector<int64_t> counts;
};

Histogram MakeInt(const Row& row) {
  Histogram h;
  h.schema = 2;
  h.zero_threshold = 0.001;
  h.positive_spans = {{-1, 2}, {3, 1}};
  h.count = static_cast<uint64_t>(row.count);
  h.zero_count = static_cast<uint64_t>(row.zero);
  h.sum = row.sum;
  h.positive_buckets = ToDeltas(row.counts);
  return h;
}

template <typename Kind, typename Make>
std::string EncodeRows(ChunkEncoding encoding, CounterResetHeader header, const std::vector<Row>& rows,
                       int64_t start_offset, Make make) {
  const auto first = make(rows[0]);
  HistogramChunkEncoder<Kind> encoder(encoding, header, LayoutOf(first));
  for (const auto& row : rows)
    encoder.Append(kHistogramT + row.offset, make(row), start_offset == 0 ? 0 : kHistogramT + start_offset);
  return encoder.Snapshot().data;
}

Histogram MakeCustom(const Row& row) {
  Histogram h = MakeInt(row);
  h.schema = kCustomBucketsSchema;
  h.zero_threshold = 0;
  h.positive_spans = {{0, 2}, {1, 1}};
  h.custom_values = {0.005, 1, 2.5, 1e6};
  return h;
}

// Bytes that Prometheus 3.14's own encoders produce for the same samples.
TEST(HistogramChunk, BytesAreThoseOfPrometheus) {
  EXPECT_EQ(
      HistogramHex(EncodeRows<IntHistogramKind>(
          ChunkEncoding::kHistogram, CounterResetHeader::kUnknown,
          {{0, 3, 0, 4.5, {1, 2, 0}}, {15002, 9, 0, 13.5, {2, 4, 3}}, {30003, 13, 0, 19.5, {5, 5, 3}}}, 0, MakeInt)),
      "000300ff3f50624dd2f1a9fc94a578cdfc0003179fcad001320090000000000004636f83a9ac3350dcc631bd9ac6c655b0");
  EXPECT_EQ(
      HistogramHex(EncodeRows<IntHistogramKind>(
          ChunkEncoding::kHistogramSt, CounterResetHeader::kUnknown,
          {{0, 3, 0, 4.5, {1, 2, 0}}, {15001, 8, 1, 12, {3, 2, 2}}, {30002, 15, 2, 22.5, {5, 4, 4}}}, -1000, MakeInt)),
      "000380ff3f50624dd2f1a9fc94a578cdfc0003179fcad001320090000000000004636d00ff83a99c2c750bd95a49358dea56");
  const auto make_float = [](const Row& row) {
    FloatHistogram h;
    h.schema = 2;
    h.zero_threshold = 0.001;
    h.positive_spans = {{-1, 2}, {3, 1}};
    h.count = static_cast<double>(row.count);
    h.zero_count = static_cast<double>(row.zero);
    h.sum = row.sum;
    for (const int64_t c : row.counts) h.positive_buckets.push_back(static_cast<double>(c));
    return h;
  };
  EXPECT_EQ(
      HistogramHex(EncodeRows<FloatHistogramKind>(
          ChunkEncoding::kFloatHistogramSt, CounterResetHeader::kUnknown,
          {{0, 4, 1, 6, {1, 2, 0}}, {15001, 8, 1, 12, {4, 2, 1}}, {30001, 15, 2, 22.5, {7, 4, 2}}}, -1000, make_float)),
      "000380ff3f50624dd2f1a9fc94a578cdfc0003179fcad00080200000000000007fe000000000000080300000000000007fe0000000000000"
      "800000"
      "00000000000000000000000001a01ff07533a82da82f095ffb115ffdf607f097fff58deec0bd60f097ffc0");
  EXPECT_EQ(
      HistogramHex(EncodeRows<IntHistogramKind>(
          ChunkEncoding::kHistogram, CounterResetHeader::kUnknown,
          {{0, 3, 0, 4.5, {1, 2, 0}}, {15002, 8, 0, 12, {1, 4, 3}}, {30002, 14, 0, 21, {4, 6, 4}}}, 0, MakeCustom)),
      "00030000ee5ca48c54b78fa7d38a412e848000000000fe00018bcfe5680099004800000000000231b7c1d4d615a85ea51b45ac5eceb6");
  EXPECT_EQ(HistogramHex(EncodeRows<IntHistogramKind>(
                ChunkEncoding::kHistogramSt, CounterResetHeader::kGauge,
                {{0, 3, 0, 4.5, {1, 2, 0}}, {15001, 7, 0, 10.5, {2, 5, 0}}, {30003, 11, 0, 16.5, {5, 6, 0}}}, -1000,
                MakeCustom)),
            "c0038000ee5ca48c54b78fa7d38a412e848000000000fe00018bcfe5680099004800000000000231b6807fc1d4cd1a86de32ac4d63"
            "572de480");
}

template <typename Kind>
struct Point {
  TimestampMs t;
  TimestampMs start;
  typename Kind::Value h;
};

template <typename Kind>
Result<std::vector<Point<Kind>>> DecodeHistograms(ChunkEncoding encoding, std::string_view data) {
  EPI_ASSIGN(auto cursor, HistogramChunkCursor<Kind>::Open(encoding, data));
  std::vector<Point<Kind>> out;
  while (true) {
    EPI_ASSIGN(const bool more, cursor.Next());
    if (!more) return out;
    out.push_back({cursor.time(), cursor.start_time(), {}});
    cursor.Get(out.back().h);
    FloatHistogram as_float;
    cursor.GetFloat(as_float);
    EXPECT_EQ(as_float.positive_spans, out.back().h.positive_spans);
  }
}

// A counter histogram that grows at random, now and then in new buckets.
template <typename Kind>
struct Growing {
  SeededRandom& random;
  std::vector<int64_t> counts = std::vector<int64_t>(40, 0);
  std::vector<bool> present = std::vector<bool>(40, false);
  int64_t zero = 0;

  typename Kind::Value Next() {
    for (int i = 0; i < 5; ++i) {
      const auto at = random.Below(40);
      if (!present[at] && random.Below(3) > 0) continue;
      present[at] = true;
      counts[at] += static_cast<int64_t>(random.Below(50));
    }
    zero += static_cast<int64_t>(random.Below(3));
    typename Kind::Value h;
    h.schema = 1;
    h.zero_threshold = 0x1p-128;
    h.zero_count = static_cast<decltype(h.zero_count)>(zero);
    int64_t count = zero, before = 0, last = -1;
    for (int i = 0; i < 40; ++i) {
      if (!present[i]) continue;
      if (last >= 0 && last == i - 1) {
        ++h.positive_spans.back().length;
      } else {
        h.positive_spans.push_back({static_cast<int32_t>(i - 1 - last), 1});
      }
      last = i;
      count += counts[i];
      if constexpr (std::is_same_v<Kind, IntHistogramKind>) {
        h.positive_buckets.push_back(counts[i] - before);
        before = counts[i];
      } else {
        h.positive_buckets.push_back(static_cast<double>(counts[i]));
      }
    }
    h.negative_spans = h.positive_spans;
    h.negative_buckets = h.positive_buckets;
    h.count = static_cast<decltype(h.count)>(2 * count - zero);
    h.sum = static_cast<double>(count) * 1.5;
    return h;
  }
};

// The absolute counts by bucket index: equal for layouts that differ only in empty buckets.
template <typename Kind>
std::vector<std::pair<int64_t, double>> NonEmpty(const std::vector<HistogramSpan>& spans,
                                                 const std::vector<typename Kind::Bucket>& buckets) {
  std::vector<std::pair<int64_t, double>> out;
  const auto counts = Kind::Counts(buckets);
  size_t i = 0;
  for (BucketIndexes at(spans); !at.done(); at.Next(), ++i)
    if (counts[i] != 0) out.push_back({at.index(), static_cast<double>(counts[i])});
  return out;
}

template <typename Kind>
void CheckAppender(ChunkEncoding encoding, uint64_t seed) {
  SeededRandom random{seed};
  Growing<Kind> growing{random};
  std::vector<typename Kind::Value> wrote;
  std::optional<HistogramChunkAppender<Kind>> appender;
  for (int i = 0; i < 60; ++i) {
    auto h = growing.Next();
    if (i == 59) {
      h = {};
      h.sum = StaleNaN();
    }
    wrote.push_back(h);
    if (!appender) {
      appender.emplace(encoding, HistogramChunkAppender<Kind>::FirstHeader(h), kHistogramT, h, 7);
    } else {
      ASSERT_EQ(appender->Append(kHistogramT + i * 15000, h, i < 5 ? 7 : 9), std::nullopt) << i;
    }
  }
  const auto chunk = appender->Snapshot();
  const auto read = DecodeHistograms<Kind>(encoding, chunk.data);
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->size(), 60u);
  for (size_t i = 0; i < 60; ++i) {
    const auto& a = wrote[i];
    const auto& b = (*read)[i].h;
    EXPECT_EQ(std::bit_cast<uint64_t>(a.sum), std::bit_cast<uint64_t>(b.sum));
    if (CarriesStartTimes(encoding)) {
      EXPECT_EQ((*read)[i].start, i < 5 ? 7 : 9);
    }
    if (i == 59) continue;
    EXPECT_EQ(a.count, b.count);
    EXPECT_EQ(a.zero_count, b.zero_count);
    EXPECT_EQ(NonEmpty<Kind>(a.positive_spans, a.positive_buckets),
              NonEmpty<Kind>(b.positive_spans, b.positive_buckets));
    EXPECT_EQ(NonEmpty<Kind>(a.negative_spans, a.negative_buckets),
              NonEmpty<Kind>(b.negative_spans, b.negative_buckets));
    EXPECT_EQ(b.counter_reset_hint, i == 0 ? CounterResetHint::kUnknown : CounterResetHint::kNotReset);
  }
  for (size_t size = 3; size < chunk.data.size(); ++size)
    EXPECT_FALSE(DecodeHistograms<Kind>(encoding, std::string_view(chunk.data).substr(0, size)).has_value());
  if (seed != 0) return;
  std::string flipped = chunk.data;
  for (size_t bit = 0; bit < flipped.size() * 8; bit += 3) {
    flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    (void)DecodeHistograms<Kind>(encoding, flipped).has_value();
    flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
  }
}

TEST(HistogramChunk, GrowingLayoutsAreRecoded) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    CheckAppender<IntHistogramKind>(ChunkEncoding::kHistogram, seed);
    CheckAppender<IntHistogramKind>(ChunkEncoding::kHistogramSt, seed);
    CheckAppender<FloatHistogramKind>(ChunkEncoding::kFloatHistogram, seed);
    CheckAppender<FloatHistogramKind>(ChunkEncoding::kFloatHistogramSt, seed);
  }
}

// One row of the table of reasons to begin a new chunk.
struct ResetCase {
  const char* name;
  void (*change)(Histogram& chunk, Histogram& next);
  std::optional<CounterResetHeader> int_header;  // nothing: appended
  std::optional<CounterResetHeader> float_header;
  CounterResetHeader chunk_header = CounterResetHeader::kUnknown;
};

TEST(HistogramAppender, ReasonsForANewChunk) {
  using enum CounterResetHeader;
  const ResetCase cases[] = {
      {"grown", [](Histogram&, Histogram& n) { n.count += 1, n.positive_buckets[2] += 1; }, {}, {}},
      {"gauge chunk", [](Histogram& c, Histogram&) { c.counter_reset_hint = CounterResetHint::kGauge; }, kNotReset,
       kUnknown, kGauge},
      {"hint", [](Histogram&, Histogram& n) { n.counter_reset_hint = CounterResetHint::kReset; }, kReset, kReset},
      {"stale", [](Histogram&, Histogram& n) { n = {}, n.sum = StaleNaN(); }, {}, {}},
      {"after stale", [](Histogram& c, Histogram&) { c = {}, c.sum = StaleNaN(); }, kUnknown, kUnknown},
      {"count", [](Histogram&, Histogram& n) { n.count -= 1; }, kReset, kReset},
      {"schema", [](Histogram&, Histogram& n) { n.schema = 1; }, kUnknown, kUnknown},
      {"threshold", [](Histogram&, Histogram& n) { n.zero_threshold = 0.5; }, kUnknown, kUnknown},
      {"zero count", [](Histogram&, Histogram& n) { n.zero_count = 0; }, kReset, kReset},
      {"bucket went down", [](Histogram&, Histogram& n) { n.positive_buckets[0] -= 1; }, kReset, kReset},
      {"bucket gone",
       [](Histogram&, Histogram& n) {
         n.positive_spans = {{-1, 2}}, n.positive_buckets = {1, 1};
       },
       kReset, kReset},
      {"empty bucket gone",
       [](Histogram& c, Histogram& n) {
         c.positive_buckets = {1, 1, -2};
         n.positive_spans = {{-1, 2}}, n.positive_buckets = {1, 1};
       },
       {},
       {}},
      {"bounds",
       [](Histogram& c, Histogram& n) {
         c.schema = n.schema = kCustomBucketsSchema;
         c.custom_values = {1, 2, 3, 4, 5}, n.custom_values = {1, 2, 3, 4, 6};
       },
       kReset, kReset},
      {"gauge into counter", [](Histogram&, Histogram& n) { n.counter_reset_hint = CounterResetHint::kGauge; }, kGauge,
       kGauge},
  };
  for (const auto& c : cases) {
    Histogram chunk = MakeInt({0, 5, 1, 4.5, {1, 2, 1}});
    Histogram next = chunk;
    c.change(chunk, next);
    IntHistogramChunkAppender ints(ChunkEncoding::kHistogram, IntHistogramChunkAppender::FirstHeader(chunk), 1, chunk);
    EXPECT_EQ(ints.state().header, c.chunk_header) << c.name;
    EXPECT_EQ(ints.Append(2, next), c.int_header) << c.name;
    FloatHistogramChunkAppender floats(ChunkEncoding::kFloatHistogram,
                                       FloatHistogramChunkAppender::FirstHeader(ToFloat(chunk)), 1, ToFloat(chunk));
    EXPECT_EQ(floats.Append(2, ToFloat(next)), c.float_header) << c.name;
  }
}

TEST(HistogramAppender, HeaderAfterACutOfTheCallers) {
  const Histogram chunk = MakeInt({0, 4, 0, 4.5, {1, 2, 1}});
  const IntHistogramChunkAppender ints(ChunkEncoding::kHistogram, CounterResetHeader::kUnknown, 1, chunk);
  const FloatHistogramChunkAppender floats(ChunkEncoding::kFloatHistogram, CounterResetHeader::kUnknown, 1,
                                           ToFloat(chunk));
  Histogram other = chunk;
  EXPECT_EQ(ints.NextHeader(other), CounterResetHeader::kNotReset);
  EXPECT_EQ(floats.NextHeader(ToFloat(other)), CounterResetHeader::kNotReset);
  other.schema = 3;
  EXPECT_EQ(ints.NextHeader(other), CounterResetHeader::kUnknown);
  EXPECT_EQ(floats.NextHeader(ToFloat(other)), CounterResetHeader::kNotReset);
  other = chunk;
  other.count = 1;
  EXPECT_EQ(ints.NextHeader(other), CounterResetHeader::kReset);
  EXPECT_EQ(floats.NextHeader(ToFloat(other)), CounterResetHeader::kReset);
}

TEST(HistogramChunk, DamagedSpansDoNotAskForMemory) {
  BitWriter stream;
  HistogramLayout layout;
  layout.positive_spans = {{0, 0xffffffff}};
  WriteHistogramLayout(stream, layout);
  std::string data("\0\1\0", 3);
  stream.CopyTo(data);
  data.append(40, '\0');
  EXPECT_FALSE(DecodeHistograms<IntHistogramKind>(ChunkEncoding::kHistogram, data).has_value());
}

}  // namespace
}  // namespace epi
