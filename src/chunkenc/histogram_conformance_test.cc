// Prometheus's own tables for the parts of histogram chunks (tsdb/chunkenc).
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file_system.h"
#include "chunkenc/encoding.h"
#include "chunkenc/histogram_layout.h"
#include "chunkenc/histogram_spans.h"
#include "testing/temp_dir.h"

namespace epi {
namespace {

using Json = nlohmann::json;

std::vector<HistogramSpan> Spans(const Json& spans) {
  std::vector<HistogramSpan> out;
  if (spans.is_null()) return out;
  for (const auto& s : spans) out.push_back({s[0].get<int32_t>(), s[1].get<uint32_t>()});
  return out;
}
template <typename T>
std::vector<T> List(const Json& c, const char* key) {
  return c.contains(key) && !c[key].is_null() ? c[key].get<std::vector<T>>() : std::vector<T>{};
}

struct Insert {
  int64_t pos;
  int64_t num;
  friend bool operator==(const Insert&, const Insert&) = default;
};

// Where `slots` leave room in a layout of `count`, as positions in the smaller list; joined per position, or, when
// `by_index` is given, only while the bucket indexes are neighbours.
std::vector<Insert> Inserts(const std::vector<uint32_t>& slots, size_t count, const std::vector<int64_t>* by_index) {
  std::vector<Insert> out;
  size_t at = 0;
  int64_t last_index = INT64_MIN;
  for (size_t slot = 0; slot < count; ++slot) {
    if (at < slots.size() && slots[at] == slot) {
      ++at;
      continue;
    }
    const auto pos = static_cast<int64_t>(at);
    const int64_t index = by_index ? (*by_index)[slot] : 0;
    if (!out.empty() && out.back().pos == pos && (!by_index || index == last_index + 1)) {
      ++out.back().num;
    } else {
      out.push_back({pos, 1});
    }
    last_index = index;
  }
  return out;
}
std::vector<Insert> Wanted(const Json& c, const char* key) {
  std::vector<Insert> out;
  if (c.contains(key) && !c[key].is_null())
    for (const auto& i : c[key]) out.push_back({i["pos"].get<int64_t>(), i["num"].get<int64_t>()});
  return out;
}
std::vector<int64_t> Indexes(const std::vector<HistogramSpan>& spans) {
  std::vector<int64_t> out;
  for (BucketIndexes at(spans); !at.done(); at.Next()) out.push_back(at.index());
  return out;
}

void CheckIterator(const Json& c) { EXPECT_EQ(Indexes(Spans(c["spans"])), c["idxs"].get<std::vector<int64_t>>()); }

void CheckBothWays(const Json& c) {
  const auto merged = MergeSpans(Spans(c["spansA"]), Spans(c["spansB"]));
  EXPECT_EQ(merged.spans, Spans(c["mergedSpans"]));
  EXPECT_EQ(Inserts(merged.slots_a, merged.buckets, nullptr), Wanted(c, "fInserts"));
  EXPECT_EQ(Inserts(merged.slots_b, merged.buckets, nullptr), Wanted(c, "bInserts"));
  EXPECT_EQ(ExpandDeltas(List<int64_t>(c, "bucketsIn"), merged.slots_a, merged.buckets),
            List<int64_t>(c, "bucketsOut"));
}

void CheckLayout(const Json& c) {
  HistogramLayout layout;
  layout.schema = c["schema"].get<int32_t>();
  layout.zero_threshold = c.value("zeroThreshold", 0.0);
  layout.positive_spans = Spans(c["positiveSpans"]);
  layout.negative_spans = Spans(c["negativeSpans"]);
  layout.custom_values = List<double>(c, "customValues");
  BitWriter out;
  WriteHistogramLayout(out, layout);
  std::string data;
  out.CopyTo(data);
  BitReader in(data);
  HistogramLayout read;
  ASSERT_TRUE(ReadHistogramLayout(in, read));
  EXPECT_TRUE(read.SameSchema(layout));
  EXPECT_EQ(read.positive_spans, layout.positive_spans);
  EXPECT_EQ(read.negative_spans, layout.negative_spans);
  EXPECT_EQ(read.custom_values, layout.custom_values);
}

void CheckUnion(const Json& c) {
  const auto merged = MergeSpans(Spans(c["s1"]), Spans(c["s2"]));
  EXPECT_EQ(merged.spans, c.contains("exp") ? Spans(c["exp"]) : std::vector<HistogramSpan>{});
}

void CheckExpand(const Json& c) {
  const auto a = Spans(c["spansA"]), b = Spans(c["spansB"]);
  const auto in_a = List<int64_t>(c, "bucketsA"), in_b = List<int64_t>(c, "bucketsB");
  const auto counts_a = DeltasToCounts(in_a), counts_b = DeltasToCounts(in_b);
  const auto merged = MergeUnlessReset<int64_t>(a, counts_a, b, counts_b);
  const std::vector<double> floats_a(counts_a.begin(), counts_a.end()), floats_b(counts_b.begin(), counts_b.end());
  EXPECT_EQ(MergeUnlessReset<double>(a, floats_a, b, floats_b).has_value(), merged.has_value());
  EXPECT_EQ(!merged.has_value(), c["expectReset"].get<bool>());
  if (!merged) return;
  const auto indexes = Indexes(merged->spans);
  EXPECT_EQ(merged->spans, Spans(c["expectMergedSpans"]));
  EXPECT_EQ(Inserts(merged->slots_a, merged->buckets, &indexes), Wanted(c, "expectForwardInserts"));
  EXPECT_EQ(Inserts(merged->slots_b, merged->buckets, &indexes), Wanted(c, "expectBackwardInserts"));
  EXPECT_EQ(ExpandDeltas(in_a, merged->slots_a, merged->buckets), List<int64_t>(c, "expectBucketsA"));
  EXPECT_EQ(ExpandDeltas(in_b, merged->slots_b, merged->buckets), List<int64_t>(c, "expectBucketsB"));
}

void CheckCompatible(const Json& c) {
  EXPECT_EQ(
      CompatibleValues(static_cast<ChunkEncoding>(c["a"].get<int>()), static_cast<ChunkEncoding>(c["b"].get<int>())),
      c["want"].get<bool>());
}

TEST(HistogramChunkConformance, Tables) {
  const std::string dir = testing::ConformanceDir();
  if (dir.empty()) GTEST_SKIP() << "the conformance data is not here";
  const auto text = PosixFileSystem().ReadFile(dir + "/tsdb/histogram_chunk.json");
  ASSERT_TRUE(text.has_value());
  const std::pair<std::string_view, void (*)(const Json&)> checks[] = {
      {"BucketIterator", CheckIterator},
      {"ExpandSpansBothWaysAndInsert", CheckBothWays},
      {"WriteReadHistogramChunkLayout", CheckLayout},
      {"SpansFromBidirectionalCompareSpans", CheckUnion},
      {"ExpandIntOrFloatSpansAndBuckets", CheckExpand},
      {"CompatibleValues", CheckCompatible},
  };
  const Json table = Json::parse(*text);
  for (const auto& c : table["cases"]) {
    SCOPED_TRACE(c["id"].get<std::string>());
    bool known = false;
    for (const auto& [name, check] : checks) {
      if (name != c["test"].get<std::string>()) continue;
      check(c);
      known = true;
    }
    EXPECT_TRUE(known);
  }
}

}  // namespace
}  // namespace epi
