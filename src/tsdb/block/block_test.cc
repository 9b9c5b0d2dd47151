#include "tsdb/block/block.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "model/number_format.h"
#include "testing/block_fixture.h"
#include "testing/conformance.h"
#include "testing/temp_dir.h"
#include "tsdb/block/matcher_postings.h"

namespace epi::tsdb {
namespace {

using Json = nlohmann::json;

Labels ToLabelSet(const Json& json) {
  std::vector<LabelView> pairs;
  for (const auto& [name, value] : json.items()) pairs.push_back({name, value.get_ref<const std::string&>()});
  return Labels::FromPairs(pairs);
}
double Value(const Json& v) { return v.is_string() ? *ParseGoFloat(v.get<std::string>()) : v.get<double>(); }

// Compares the float samples with an expected list; NaN equals NaN of any pattern, zero has a sign.
void ExpectSeries(const PlainData& data, const Json& expected) {
  EXPECT_EQ(data.size(), expected.size());
  for (const auto& series : expected) {
    const Labels labels = ToLabelSet(series["labels"]);
    SCOPED_TRACE(labels.ToString());
    const auto at = data.find(labels);
    ASSERT_NE(at, data.end());
    const auto& floats = at->second.floats;
    const auto& samples = series["samples"];
    ASSERT_EQ(floats.size(), samples.size());
    for (size_t i = 0; i < floats.size(); ++i) {
      EXPECT_EQ(floats[i].t, samples[i][0].get<TimestampMs>());
      const double want = Value(samples[i][1]);
      EXPECT_TRUE(std::isnan(want) ? std::isnan(floats[i].v)
                                   : std::bit_cast<uint64_t>(want) == std::bit_cast<uint64_t>(floats[i].v))
          << want << " " << floats[i].v;
    }
  }
}

TEST(Block, ReadsWhatPrometheusWrote) {
  EPI_CONFORMANCE_OR_SKIP(expected, "tsdb/generated/blocks.expected.json");
  const auto data = ReadDirectory(testing::ConformanceDir() + "/tsdb/generated/blocks");
  ASSERT_TRUE(data.has_value()) << data.error().message();
  ExpectSeries(*data, expected);
}

TEST(Block, HidesDeletedSamples) {
  EPI_CONFORMANCE_OR_SKIP(expected, "tsdb/generated/blocks_tombstones.expected.json");
  const auto data = ReadDirectory(testing::ConformanceDir() + "/tsdb/generated/blocks_tombstones");
  ASSERT_TRUE(data.has_value()) << data.error().message();
  ExpectSeries(*data, expected);
}

TEST(Block, ReadsHistograms) {
  EPI_CONFORMANCE_OR_SKIP(expected, "tsdb/generated/head.expected.json");
  const auto data = ReadDirectory(testing::ConformanceDir() + "/tsdb/generated/head_snapshot");
  ASSERT_TRUE(data.has_value()) << data.error().message();
  EXPECT_EQ(data->size(), expected["series"].size());
  for (const auto& series : expected["series"]) {
    const Labels labels = ToLabelSet(series["labels"]);
    SCOPED_TRACE(labels.ToString());
    const auto at = data->find(labels);
    ASSERT_NE(at, data->end());
    if (!series.contains("histograms") || series["histograms"].empty()) continue;
    size_t i = 0;
    for (const auto& [t, h] : at->second.histograms) {
      if (IsStaleNaN(h.sum)) continue;
      ASSERT_LT(i, series["histograms"].size());
      const auto& want = series["histograms"][i++];
      EXPECT_EQ(t, want[0].get<TimestampMs>());
      EXPECT_EQ(h.count, Value(want[1]["count"]));
      EXPECT_EQ(h.sum, Value(want[1]["sum"]));
    }
    EXPECT_EQ(i, series["histograms"].size());
  }
}

TEST(Block, ReadsIndexVersion1) {
  const std::string dir = testing::ConformanceDir();
  if (dir.empty()) GTEST_SKIP() << "no conformance data";
  const auto any = ReadBlocks({dir + "/tsdb/index_format_v1"}, {*Matcher::Make(MatchType::kNotRegexp, "foo", "^.?$")});
  ASSERT_TRUE(any.has_value()) << any.error().message();
  ASSERT_EQ(any->size(), 2u);
  EXPECT_EQ(any->at(Labels{{"foo", "bar"}}).floats, (std::vector<PlainSample>{{1, 2, 0}}));
  EXPECT_EQ(any->at(Labels{{"foo", "baz"}}).floats, (std::vector<PlainSample>{{3, 4, 0}}));
  const auto one = ReadBlocks({dir + "/tsdb/index_format_v1"}, {Matcher::Equal("foo", "bar")});
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->size(), 1u);
}

PlainData SmallData() {
  PlainData data;
  for (int i = 0; i < 70; ++i) {
    auto& series = data[Labels{{"__name__", "m" + std::to_string(i % 3)}, {"i", std::to_string(i)}}];
    for (int s = 0; s < 300; ++s) series.floats.push_back({1000 + s * 1000 + (i % 2), i * 1000.0 + s, 0});
  }
  FloatHistogram h;
  h.schema = 1;
  h.positive_spans = {{0, 2}};
  h.positive_buckets = {1, 2};
  h.count = 3;
  h.sum = 7;
  for (int s = 0; s < 200; ++s) {
    h.positive_buckets[0] += 1;
    h.count += 1;
    data[Labels{{"__name__", "histogram"}}].histograms.emplace_back(1000 + s * 1000, h);
  }
  return data;
}

void ExpectEqualData(const PlainData& a, const PlainData& b) {
  ASSERT_EQ(a.size(), b.size());
  for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
    EXPECT_EQ(x->first, y->first);
    EXPECT_EQ(x->second.floats, y->second.floats) << x->first.ToString();
    ASSERT_EQ(x->second.histograms.size(), y->second.histograms.size());
    for (size_t i = 0; i < x->second.histograms.size(); ++i) {
      EXPECT_EQ(x->second.histograms[i].first, y->second.histograms[i].first);
      FloatHistogram left = x->second.histograms[i].second, right = y->second.histograms[i].second;
      left.counter_reset_hint = right.counter_reset_hint = CounterResetHint::kUnknown;
      EXPECT_EQ(left, right);
    }
  }
}

TEST(BlockWriter, RoundTripOverSeveralSegments) {
  const testing::TempDir dir;
  const PlainData data = SmallData();
  const auto path = WriteBlock(dir.path(), data, 1, {}, {.max_segment_bytes = 10'000});
  ASSERT_TRUE(path.has_value()) << path.error().message();
  const auto read = ReadBlocks({*path});
  ASSERT_TRUE(read.has_value()) << read.error().message();
  ExpectEqualData(*read, data);
  const auto block = Block::Open(PosixFileSystem(), *path);
  ASSERT_TRUE(block.has_value());
  EXPECT_GT((*block)->chunks().segments(), 3u);
  EXPECT_EQ((*block)->meta().stats.series, 71u);
  EXPECT_EQ((*block)->meta().stats.float_samples, 21000u);
  EXPECT_EQ((*block)->meta().stats.histogram_samples, 200u);
  EXPECT_EQ(*PosixFileSystem().List(dir.path()), (std::vector<std::string>{std::string(BaseName(*path))}));
  EXPECT_EQ(*PosixFileSystem().List(*path), (std::vector<std::string>{"chunks", "index", "meta.json", "tombstones"}));
}

TEST(BlockWriter, RangeAndColumns) {
  const testing::TempDir dir;
  const auto path = WriteBlock(dir.path(), SmallData(), 1);
  ASSERT_TRUE(path.has_value());
  SelectHints hints;
  hints.range = {50'000, 60'000};
  const auto read = ReadBlocks({*path}, {Matcher::Equal("i", "4")}, hints);
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->size(), 1u);
  EXPECT_EQ(read->begin()->second.floats.size(), 11u);
  EXPECT_EQ(read->begin()->second.floats.front().t, 50'000);
  LocalSymbols symbols;
  Budget budget("test");
  const auto block = Block::Open(PosixFileSystem(), *path);
  const auto selection = (*block)->Select(std::vector<Matcher>{*Matcher::Make(MatchType::kRegexp, "i", "0|2|3")},
                                          SelectHints{}, symbols, budget);
  ASSERT_TRUE(selection.has_value());
  SeriesBatch batch;
  ASSERT_TRUE((*selection)->Read(0, 3, batch).has_value());
  EXPECT_EQ(batch.series[1].t.size(), 300u);
  // m0{i=0}, m0{i=3}, m2{i=2}: even ones have the same times, the odd one in between has others.
  EXPECT_NE(batch.series[0].column, batch.series[1].column);
}

TEST(BlockWriter, NothingIsLeftWithoutSamplesOrFinish) {
  const testing::TempDir dir;
  SeededRandom random{1};
  {
    auto writer = BlockWriter::Create(PosixFileSystem(), dir.path(), Ulid::Make(1, random));
    ASSERT_TRUE(writer.has_value());
    EXPECT_EQ((*writer)->Finish({})->has_value(), false);
    auto other = BlockWriter::Create(PosixFileSystem(), dir.path(), Ulid::Make(1, random));
    SampleChunker chunker;
    chunker.Add(1, 1.0);
    ASSERT_TRUE((*other)->AddSeries(Labels{{"a", "b"}}, chunker.Take()).has_value());
    chunker.Add(1, 1.0);
    EXPECT_FALSE((*other)->AddSeries(Labels{{"a", "a"}}, chunker.Take()).has_value());
    chunker.Add(1, 1.0);
    EXPECT_FALSE((*other)->AddSeries(Labels{{"a", "b"}}, chunker.Take()).has_value());
  }
  EXPECT_TRUE(PosixFileSystem().List(dir.path())->empty());
}

TEST(BlockWriter, StartTimesTakeEncoding4) {
  const testing::TempDir dir;
  PlainData data;
  auto& series = data[Labels{{"__name__", "x"}}];
  for (int i = 0; i < 300; ++i) series.floats.push_back({1000 * i, i * 1.0, i < 50 ? 0 : 500});
  const auto path = WriteBlock(dir.path(), data, 1, {.keep_start_times = true});
  ASSERT_TRUE(path.has_value());
  const auto read = ReadBlocks({*path});
  ASSERT_TRUE(read.has_value()) << read.error().message();
  ExpectEqualData(*read, data);
}

TEST(Matchers, Conformance) {
  EPI_CONFORMANCE_OR_SKIP(file, "tsdb/postings_for_matchers.json");
  const testing::TempDir dir;
  PlainData data;
  for (const auto& series : file["series"]) data[ToLabelSet(series)].floats = {{1, 1.0, 0}};
  const auto path = WriteBlock(dir.path(), data, 1);
  ASSERT_TRUE(path.has_value()) << path.error().message();
  const std::map<std::string, MatchType> types = {{"=", MatchType::kEqual},
                                                  {"!=", MatchType::kNotEqual},
                                                  {"=~", MatchType::kRegexp},
                                                  {"!~", MatchType::kNotRegexp}};
  for (const auto& c : file["cases"]) {
    SCOPED_TRACE(c["id"].get<std::string>());
    std::vector<Matcher> matchers;
    for (const auto& m : c["matchers"]) {
      matchers.push_back(*Matcher::Make(types.at(m["op"].get<std::string>()), m["name"].get<std::string>(),
                                        m["value"].get<std::string>()));
    }
    const auto read = ReadBlocks({*path}, matchers);
    ASSERT_TRUE(read.has_value()) << read.error().message();
    EXPECT_EQ(read->size(), c["expected"].size());
    for (const auto& labels : c["expected"]) EXPECT_EQ(read->count(ToLabelSet(labels)), 1u);
  }
}

TEST(Matchers, EqualLookingAtEverySeries) {
  const testing::TempDir dir;
  PlainData data;
  SeededRandom random{5};
  for (int i = 0; i < 3000; ++i) {
    LabelsBuilder labels;
    labels.Set("n", std::to_string(i));
    labels.Set("few", std::to_string(random.Below(3)));
    if (random.Below(2))
      labels.Set("some", std::string(1 + random.Below(3), static_cast<char>('a' + random.Below(20))));
    data[labels.Build()].floats = {{1, 1.0, 0}};
  }
  const auto path = WriteBlock(dir.path(), data, 1);
  ASSERT_TRUE(path.has_value()) << path.error().message();
  const auto block = Block::Open(PosixFileSystem(), *path);
  ASSERT_TRUE(block.has_value());
  const std::tuple<MatchType, const char*, const char*> parts[] = {
      {MatchType::kEqual, "few", "1"},        {MatchType::kRegexp, "some", "a.*"},
      {MatchType::kRegexp, "some", "a|b|c"},  {MatchType::kNotRegexp, "some", "a.*"},
      {MatchType::kRegexp, "some", ".+"},     {MatchType::kEqual, "some", ""},
      {MatchType::kNotEqual, "some", ""},     {MatchType::kRegexp, "n", "1.*"},
      {MatchType::kEqual, "n", "17"},         {MatchType::kNotRegexp, "n", "1.*|2.*"},
      {MatchType::kNotEqual, "few", "0"},     {MatchType::kRegexp, "few", "0|2|"},
      {MatchType::kNotRegexp, "few", "0|2|"}, {MatchType::kRegexp, "n", "(12|13)[0-9]"}};
  for (const auto& [type_a, name_a, value_a] : parts) {
    for (const auto& [type_b, name_b, value_b] : parts) {
      const std::vector<Matcher> matchers = {*Matcher::Make(type_a, name_a, value_a),
                                             *Matcher::Make(type_b, name_b, value_b)};
      size_t want = 0;
      std::set<std::string> values, names;
      for (const auto& [labels, series] : data) {
        if (!matchers[0].Matches(labels.Get(name_a)) || !matchers[1].Matches(labels.Get(name_b))) continue;
        ++want;
        if (labels.Has("some")) values.emplace(labels.Get("some"));
        for (const auto label : labels) names.emplace(label.name);
      }
      const auto refs = PostingsForMatchers((*block)->index(), matchers);
      ASSERT_TRUE(refs.has_value());
      EXPECT_EQ(refs->size(), want) << matchers[0].ToString() << matchers[1].ToString();
      EXPECT_EQ(*(*block)->LabelValues("some", matchers, 0), (std::vector<std::string>(values.begin(), values.end())));
      EXPECT_EQ(*(*block)->LabelNames(matchers, 0), (std::vector<std::string>(names.begin(), names.end())));
    }
  }
  EXPECT_EQ((*block)->LabelValues("n", {}, 0)->size(), 3000u);
  EXPECT_EQ((*block)->LabelValues("n", {}, 7)->size(), 7u);
  EXPECT_TRUE((*block)->LabelValues("none", {}, 0)->empty());
}

TEST(Block, DeletionHidesSamplesAndIsKept) {
  const testing::TempDir dir;
  const auto path = WriteBlock(dir.path(), SmallData(), 1);
  ASSERT_TRUE(path.has_value());
  const auto block = Block::Open(PosixFileSystem(), *path);
  ASSERT_TRUE(block.has_value());
  EXPECT_EQ(*(*block)->Delete(std::vector<Matcher>{Matcher::Equal("i", "4")}, {2000, 3000}), 1u);
  EXPECT_EQ(*(*block)->Delete(std::vector<Matcher>{Matcher::Equal("i", "5")}, {0, 1'000'000'000}), 1u);
  EXPECT_EQ(*(*block)->Delete(std::vector<Matcher>{Matcher::Equal("i", "none")}, {0, 1}), 0u);
  const auto read = ReadBlocks({*path}, {*Matcher::Make(MatchType::kRegexp, "i", "4|5|6")});
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->size(), 2u);
  const Labels four{{"__name__", "m1"}, {"i", "4"}};
  EXPECT_EQ(read->at(four).floats.size(), 298u);
  EXPECT_EQ(ReadBlockMeta(PosixFileSystem(), *path)->stats.tombstones, 2u);
}

TEST(Merge, OverlappingBlocksGiveOneSampleATime) {
  const testing::TempDir dir;
  const Labels shared{{"__name__", "shared"}}, left{{"__name__", "left"}}, right{{"__name__", "right"}};
  PlainData a, b;
  PlainSeries want;
  for (int i = 0; i < 500; ++i) {
    if (i % 3 != 0) a[shared].floats.push_back({i * 10, 1.0, 0});
    if (i % 2 == 0) b[shared].floats.push_back({i * 10, 2.0, 0});
    if (i % 3 != 0 || i % 2 == 0) want.floats.push_back({i * 10, i % 3 != 0 ? 1.0 : 2.0, 0});
  }
  a[left].floats = {{1, 5.0, 0}};
  b[right].floats = {{2, 6.0, 0}};
  const auto first = WriteBlock(dir.path(), a, 1);
  const auto second = WriteBlock(dir.path(), b, 2);
  ASSERT_TRUE(first && second);
  const auto read = ReadBlocks({*first, *second});
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->size(), 3u);
  EXPECT_EQ(read->at(shared).floats, want.floats);
  EXPECT_EQ(read->at(left).floats.size(), 1u);
  EXPECT_EQ(read->at(right).floats.size(), 1u);
}

TEST(Merge, BlocksBehindOneAnotherAreJoined) {
  const testing::TempDir dir;
  PlainData whole, parts[3];
  FloatHistogram h;
  h.positive_spans = {{0, 1}};
  h.positive_buckets = {1};
  for (int series = 0; series < 100; ++series) {
    const Labels labels{{"s", std::to_string(series)}};
    for (int i = 0; i < 300; ++i) {
      whole[labels].floats.push_back({i * 10, i * 1.0, 0});
      if (series % 7 == 3 && i / 100 == 1) {
        whole[labels].floats.pop_back();
        continue;
      }
      parts[i / 100][labels].floats.push_back({i * 10, i * 1.0, 0});
    }
  }
  const Labels histogram{{"s", "histogram"}};
  for (int i = 0; i < 300; ++i) {
    h.count = h.positive_buckets[0] = i;
    whole[histogram].histograms.emplace_back(i * 10, h);
    parts[i / 100][histogram].histograms.emplace_back(i * 10, h);
  }
  std::vector<std::string> paths;
  for (int i = 0; i < 3; ++i) paths.push_back(*WriteBlock(dir.path(), parts[i], i));
  const auto read = ReadBlocks(paths);
  ASSERT_TRUE(read.has_value()) << read.error().message();
  ExpectEqualData(*read, whole);
  const auto& points = read->at(histogram).histograms;
  EXPECT_EQ(points[99].second.counter_reset_hint, CounterResetHint::kNotReset);
  EXPECT_EQ(points[100].second.counter_reset_hint, CounterResetHint::kUnknown);
}

TEST(ChunkSegments, Conformance) {
  EPI_CONFORMANCE_OR_SKIP(file, "tsdb/chunk_segment/cases.json");
  const auto bytes = PosixFileSystem().ReadFile(testing::ConformanceDir() + "/tsdb/chunk_segment/000001");
  ASSERT_TRUE(bytes.has_value());
  for (const auto& c : file["cases"]) {
    SCOPED_TRACE(c["id"].get<std::string>());
    const testing::TempDir dir;
    std::string edited = *bytes;
    if (c["edit"].is_object() && c["edit"].contains("truncate_to"))
      edited.resize(c["edit"]["truncate_to"].get<size_t>());
    if (c["edit"].is_object() && c["edit"].contains("write_hex")) {
      const auto hex = c["edit"]["write_hex"].get<std::string>();
      for (size_t i = 0; i < hex.size() / 2; ++i) {
        edited[c["edit"]["offset"].get<size_t>() + i] = static_cast<char>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
      }
    }
    ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(dir.path() + "/000001", edited).has_value());
    const auto segments = ChunkSegments::Open(PosixFileSystem(), dir.path());
    EXPECT_EQ(segments.has_value(), c["open"].get<std::string>() == "ok");
    const auto expect_error = [&](const Error& error) {
      EXPECT_NE(error.message().find(c["error_contains"].get<std::string>()), std::string::npos) << error.message();
    };
    if (!segments) {
      expect_error(segments.error());
      continue;
    }
    ChunkReadBatch batch;
    const BlockChunkRef refs[] = {8};
    const auto read = (*segments)->Read(refs, batch);
    EXPECT_EQ(read.has_value(), c["read"].is_object());
    if (!read) {
      expect_error(read.error());
      continue;
    }
    ASSERT_EQ(batch.chunks.size(), 1u);
    EXPECT_EQ(batch.chunks[0].encoding, ChunkEncoding::kXor);
  }
}

// Without syncing: these tests write thousands of times.
void Overwrite(const std::string& path, std::string_view data) {
  auto file = PosixFileSystem().Open(path, OpenMode::kTruncate);
  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE((*file)->Append(data).has_value());
}

TEST(IndexReader, EveryBitOfASmallIndexCounts) {
  const testing::TempDir dir;
  PlainData data;
  data[Labels{{"__name__", "x"}, {"a", "1"}}].floats = {{1, 1.0, 0}, {2, 2.0, 0}};
  data[Labels{{"__name__", "x"}, {"a", "2"}}].floats = {{1, 3.0, 0}};
  const auto path = WriteBlock(dir.path(), data, 1);
  ASSERT_TRUE(path.has_value());
  const std::string file = *path + "/index";
  const std::string good = *PosixFileSystem().ReadFile(file);
  for (size_t size = 0; size < good.size(); ++size) {
    Overwrite(file, good.substr(0, size));
    EXPECT_FALSE(Block::Open(PosixFileSystem(), *path).has_value()) << size;
  }
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string flipped = good;
    flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    Overwrite(file, flipped);
    // Found, or one of the padding bytes that nobody reads; and version 3, which is read as 2.
    const auto read = ReadBlocks({*path}, {Matcher::Equal("__name__", "x")});
    if (read) ExpectEqualData(*read, data);
  }
}

TEST(ChunkSegments, EveryBitOfASmallSegmentCounts) {
  const testing::TempDir dir;
  PlainData data;
  data[Labels{{"__name__", "x"}, {"a", "1"}}].floats = {{1, 1.0, 0}, {2, 2.0, 0}};
  data[Labels{{"__name__", "x"}, {"a", "2"}}].floats = {{1, 3.0, 0}};
  const auto path = WriteBlock(dir.path(), data, 1);
  ASSERT_TRUE(path.has_value());
  const std::string file = *path + "/chunks/000001";
  const std::string good = *PosixFileSystem().ReadFile(file);
  for (size_t size = 0; size < good.size(); ++size) {
    Overwrite(file, good.substr(0, size));
    EXPECT_FALSE(ReadBlocks({*path}).has_value()) << size;
  }
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string flipped = good;
    flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    Overwrite(file, flipped);
    const auto read = ReadBlocks({*path});
    const bool padding = bit / 8 >= 5 && bit / 8 < 8;
    EXPECT_EQ(read.has_value(), padding) << bit;
  }
}

// promtool of the Debian package, as the independent reader.
std::string RunPromtool(const std::string& arguments) {
  std::string out;
  FILE* pipe = ::popen(("promtool tsdb " + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return out;
  char buffer[4096];
  while (const size_t got = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, got);
  const int status = ::pclose(pipe);
  return status == 0 ? out : "failed: " + out;
}

TEST(Promtool, ReadsOurBlocks) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) GTEST_SKIP() << "promtool is not installed";
  const testing::TempDir dir;
  const PlainData data = SmallData();
  const auto path = WriteBlock(dir.path(), data, 1, {}, {.max_segment_bytes = 10'000});
  ASSERT_TRUE(path.has_value());
  const std::string list = RunPromtool("list " + dir.path());
  EXPECT_NE(list.find(std::string(BaseName(*path))), std::string::npos) << list;
  EXPECT_NE(list.find("21200"), std::string::npos) << list;
  const std::string analyze = RunPromtool("analyze " + dir.path());
  EXPECT_NE(analyze.find("Series: 71"), std::string::npos) << analyze;
  // It opens no directory without a log.
  ASSERT_TRUE(PosixFileSystem().CreateDirectories(dir.path() + "/wal").has_value());
  const std::string dump = RunPromtool("dump " + dir.path());
  size_t lines = 0;
  for (const char c : dump) lines += c == '\n';
  EXPECT_EQ(lines, 21000u) << dump.substr(0, 500);  // it prints floats only
  EXPECT_NE(dump.find("{__name__=\"m2\", i=\"5\"} 5299 300001\n"), std::string::npos);
}

// A file that another program cuts off under a running server: an error of each query, and no crash.
TEST(Block, AnIndexThatBecomesShorterIsAnError) {
  const testing::TempDir dir;
  PlainData data;
  for (int i = 0; i < 2000; ++i)
    data[Labels{{"__name__", "m"}, {"i", std::to_string(i)}}].floats = {{i, 1, 0}, {i + 1, 2, 0}};
  const auto path = WriteBlock(dir.path(), data, 1);
  ASSERT_TRUE(path.has_value());
  const auto block = Block::Open(PosixFileSystem(), *path);
  ASSERT_TRUE(block.has_value());
  const auto file = PosixFileSystem().Open(JoinPath(*path, kIndexFile), OpenMode::kAppend);
  ASSERT_TRUE((*file)->Truncate(4096).has_value());
  LocalSymbols symbols;
  Budget budget("test");
  const std::vector<Matcher> matchers{Matcher::Equal("__name__", "m")};
  const auto selection = (*block)->Select(matchers, SelectHints{}, symbols, budget);
  ASSERT_FALSE(selection.has_value());
  EXPECT_EQ(selection.error().code(), ErrorCode::kDataLoss);
  EXPECT_FALSE((*block)->LabelValues("i", {}, 0).has_value());
  EXPECT_FALSE((*block)->LabelNames(matchers, 0).has_value());
  EXPECT_FALSE((*block)->Delete(matchers, {0, 5}).has_value());
}

}  // namespace
}  // namespace epi::tsdb
