#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <map>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/random.h"
#include "chunkenc/float_chunk.h"
#include "chunkenc/histogram_chunk.h"
#include "model/number_format.h"
#include "testing/block_fixture.h"
#include "testing/conformance.h"
#include "testing/temp_dir.h"
#include "tsdb/import/prometheus_head.h"
#include "tsdb/import/wal_compression.h"
#include "tsdb/import/wal_reader.h"
#include "tsdb/import/wal_writer.h"

namespace epi::tsdb {
namespace {

using Json = nlohmann::json;
FileSystem& Fs() { return PosixFileSystem(); }

void WriteFile(const std::string& path, std::string_view data) {
  auto file = Fs().Open(path, OpenMode::kTruncate);
  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE((*file)->Append(data).has_value());
}

// All records up to the end or the damage.
std::pair<std::vector<std::string>, bool> ReadRecords(const std::string& path) {
  std::vector<std::string> out;
  const auto file = Fs().Open(path, OpenMode::kRead);
  WalSegmentReader reader(**file);
  while (true) {
    const auto more = reader.Next();
    if (!more) return {out, false};
    if (!*more) return {out, true};
    out.emplace_back(reader.record());
  }
}

TEST(WalReader, Conformance) {
  EPI_CONFORMANCE_OR_SKIP(file, "tsdb/wal_reader/cases.json");
  for (const auto& c : file["cases"]) {
    SCOPED_TRACE(c["id"].get<std::string>());
    const auto [records, whole] =
        ReadRecords(testing::ConformanceDir() + "/tsdb/wal_reader/" + c["file"].get<std::string>());
    EXPECT_EQ(whole, c["result"].get<std::string>() == "ok");
    ASSERT_EQ(records.size(), c["records"].size());
    for (size_t i = 0; i < records.size(); ++i) EXPECT_EQ(records[i].size(), c["records"][i]["length"].get<size_t>());
  }
}

TEST(WalRepair, Conformance) {
  EPI_CONFORMANCE_OR_SKIP(file, "tsdb/wal_repair/cases.json");
  const std::string base = testing::ConformanceDir() + "/tsdb/wal_repair/base";
  for (const auto& c : file["cases"]) {
    SCOPED_TRACE(c["id"].get<std::string>());
    const testing::TempDir dir;
    const auto base_segments = *ListNumberedFiles(Fs(), base);
    for (const auto& segment : base_segments) {
      std::string bytes = *Fs().ReadFile(base + "/" + segment.name);
      if (segment.number == c["segment"].get<uint64_t>()) {
        const auto hex = c["write_hex"].get<std::string>();
        for (size_t i = 0; i < hex.size() / 2; ++i) {
          bytes[c["offset"].get<size_t>() + i] = static_cast<char>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
        }
      }
      WriteFile(dir.path() + "/" + segment.name, bytes);
    }
    uint64_t damaged = 0, offset = 0;
    const auto edited = *ListNumberedFiles(Fs(), dir.path());
    for (const auto& segment : edited) {
      const auto opened = Fs().Open(dir.path() + "/" + segment.name, OpenMode::kRead);
      WalSegmentReader reader(**opened);
      auto more = reader.Next();
      while (more && *more) more = reader.Next();
      if (more) continue;
      damaged = segment.number;
      offset = reader.offset();
      break;
    }
    EXPECT_EQ(damaged, c["segment"].get<uint64_t>());
    ASSERT_TRUE(RepairWal(Fs(), dir.path(), damaged, offset).has_value());
    size_t records = 0;
    const auto segments = *ListNumberedFiles(Fs(), dir.path());
    for (const auto& segment : segments) {
      const auto [found, whole] = ReadRecords(dir.path() + "/" + segment.name);
      EXPECT_TRUE(whole);
      for (const auto& record : found) EXPECT_EQ(static_cast<size_t>(static_cast<uint8_t>(record[0])), ++records);
    }
    EXPECT_EQ(records, c["intact_records"].get<size_t>());
    EXPECT_EQ(segments.back().number, c["last_segment_after_repair"].get<uint64_t>());
    EXPECT_EQ(Fs().Stat(dir.path() + "/" + segments.back().name)->size, c["last_segment_size"].get<uint64_t>());
  }
}

TEST(WalWriter, RoundTripOfEverySizeAndCompression) {
  const testing::TempDir dir;
  SeededRandom random{4};
  for (const auto compression : {WalCompression::kNone, WalCompression::kSnappy, WalCompression::kZstd}) {
    std::vector<std::string> records = {"", "x"};
    for (int i = 0; i < 60; ++i) {
      std::string record(random.Below(i % 10 == 0 ? 100'000 : 5000), 'a');
      for (size_t at = 0; at < record.size(); at += 1 + random.Below(40)) record[at] = static_cast<char>(random.Next());
      records.push_back(record);
    }
    // Leaves exactly a header's room in the page.
    records.push_back(std::string(32768 - 14, 'z'));
    const std::string path = dir.path() + "/segment";
    WalSegmentWriter writer(std::move(*Fs().Open(path, OpenMode::kTruncate)), compression);
    for (const auto& record : records) ASSERT_TRUE(writer.Log(record).has_value());
    ASSERT_TRUE(writer.Close().has_value());
    const auto [read, whole] = ReadRecords(path);
    EXPECT_TRUE(whole);
    EXPECT_EQ(read, records);
  }
}

TEST(WalReader, DamageNeverGivesOtherRecords) {
  const testing::TempDir dir;
  const std::string path = dir.path() + "/segment";
  const std::vector<std::string> records = {"first record", "second one", std::string(300, 'x')};
  WalSegmentWriter writer(std::move(*Fs().Open(path, OpenMode::kTruncate)), WalCompression::kSnappy);
  for (const auto& record : records) ASSERT_TRUE(writer.Log(record).has_value());
  ASSERT_TRUE(writer.Close().has_value());
  const std::string good = *Fs().ReadFile(path);
  // A header cut off behind its type reads as an empty record, because the rest of the page counts as zeros; so does a
  // type that damage makes out of padding. Empty records say nothing.
  const auto expect_prefix = [&] {
    auto read = ReadRecords(path).first;
    std::erase(read, std::string());
    ASSERT_LE(read.size(), records.size());
    for (size_t i = 0; i < read.size(); ++i) EXPECT_EQ(read[i], records[i]);
  };
  for (size_t size = 0; size < 90; ++size) {
    WriteFile(path, good.substr(0, size));
    expect_prefix();
  }
  // Bytes 0, 19 and 36 hold type and flags of the three fragments, which no checksum covers.
  for (size_t bit = 0; bit < 7 * 8 * 10; ++bit) {
    if (bit / 8 == 0 || bit / 8 == 19 || bit / 8 == 36) continue;
    std::string flipped = good;
    flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    WriteFile(path, flipped);
    expect_prefix();
  }
}

// Keeps everything, as plain values.
struct CollectingSink final : ImportSink {
  std::map<uint64_t, Labels> labels;
  std::map<uint64_t, std::map<TimestampMs, double>> floats;
  std::map<uint64_t, std::map<TimestampMs, FloatHistogram>> histograms;
  std::map<uint64_t, Intervals> tombstones;
  std::map<uint64_t, std::vector<Exemplar>> exemplars;
  std::map<uint64_t, MetricMetadata> metadata;
  std::map<uint64_t, std::map<TimestampMs, TimestampMs>> starts;
  size_t chunks = 0, late_chunks = 0, late_samples = 0;

  Result<void> AddSeries(uint64_t ref, const Labels& l) override {
    EXPECT_FALSE(labels.contains(ref));
    labels[ref] = l;
    return {};
  }
  Result<void> AddChunk(uint64_t ref, const HeadChunk& chunk) override {
    EXPECT_TRUE(labels.contains(ref));
    ++(chunk.out_of_order ? late_chunks : chunks);
    if (IsFloatEncoding(chunk.encoding)) {
      const uint32_t count = ChunkSampleCount(chunk.encoding, chunk.data);
      std::vector<TimestampMs> t(count);
      std::vector<double> v(count);
      EPI_TRY(DecodeFloatChunk(chunk.encoding, chunk.data, t.data(), v.data(), nullptr));
      for (uint32_t i = 0; i < count; ++i) floats[ref].emplace(t[i], v[i]);
      return {};
    }
    return IsIntHistogramEncoding(chunk.encoding) ? Walk<IntHistogramKind>(ref, chunk)
                                                  : Walk<FloatHistogramKind>(ref, chunk);
  }
  template <typename Kind>
  Result<void> Walk(uint64_t ref, const HeadChunk& chunk) {
    EPI_ASSIGN(auto cursor, HistogramChunkCursor<Kind>::Open(chunk.encoding, chunk.data));
    while (true) {
      EPI_ASSIGN(const bool more, cursor.Next());
      if (!more) return {};
      cursor.GetFloat(histograms[ref][cursor.time()]);
    }
  }
  Result<void> AddSamples(std::span<const WalSample> samples) override {
    for (const auto& s : samples) {
      EXPECT_TRUE(labels.contains(s.ref));
      floats[s.ref].emplace(s.t, s.v);
      starts[s.ref][s.t] = s.start;
    }
    return {};
  }
  Result<void> AddHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const Histogram& h) override {
    FloatHistogram f;
    f.schema = h.schema;
    f.sum = h.sum;
    f.count = static_cast<double>(h.count);
    f.custom_values = h.custom_values;
    histograms[ref].emplace(t, f);
    starts[ref][t] = start;
    return {};
  }
  Result<void> AddFloatHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const FloatHistogram& h) override {
    histograms[ref].emplace(t, h);
    starts[ref][t] = start;
    return {};
  }
  Result<void> AddLateSample(const WalSample& s) override {
    ++late_samples;
    floats[s.ref].emplace(s.t, s.v);
    return {};
  }
  Result<void> AddLateHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const Histogram& h) override {
    return AddHistogram(ref, t, start, h);
  }
  Result<void> AddLateFloatHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const FloatHistogram& h) override {
    return AddFloatHistogram(ref, t, start, h);
  }
  Result<void> AddTombstone(uint64_t ref, TimeRange range) override {
    AddInterval(tombstones[ref], range);
    return {};
  }
  Result<void> AddExemplar(uint64_t ref, const Exemplar& exemplar) override {
    exemplars[ref].push_back(exemplar);
    return {};
  }
  Result<void> SetMetadata(uint64_t ref, const MetricMetadata& m) override {
    metadata[ref] = m;
    return {};
  }
  Result<void> RemoveSeries(uint64_t ref) override {
    labels.erase(ref);
    floats.erase(ref);
    return {};
  }
};

Labels ImportedLabelSet(const Json& json) {
  std::vector<LabelView> pairs;
  for (const auto& [name, value] : json.items()) pairs.push_back({name, value.get_ref<const std::string&>()});
  return Labels::FromPairs(pairs);
}

void ExpectHead(const CollectingSink& sink, const PlainData& blocks, const Json& expected) {
  for (const auto& series : expected) {
    const Labels labels = ImportedLabelSet(series["labels"]);
    SCOPED_TRACE(labels.ToString());
    std::map<TimestampMs, double> floats;
    std::map<TimestampMs, double> sums;
    if (const auto in_block = blocks.find(labels); in_block != blocks.end())
      for (const auto& s : in_block->second.floats) floats[s.t] = s.v;
    for (const auto& [ref, l] : sink.labels) {
      if (l != labels) continue;
      const auto deleted = sink.tombstones.contains(ref) ? sink.tombstones.at(ref) : Intervals{};
      if (sink.floats.contains(ref))
        for (const auto& [t, v] : sink.floats.at(ref))
          if (!IsDeleted(deleted, t) && !IsStaleNaN(v)) floats.emplace(t, v);
      if (sink.histograms.contains(ref))
        for (const auto& [t, h] : sink.histograms.at(ref))
          if (!IsStaleNaN(h.sum)) sums[t] = h.sum;
    }
    const Json none = Json::array();
    const Json& samples = series.contains("samples") ? series["samples"] : none;
    ASSERT_EQ(floats.size(), samples.size());
    size_t i = 0;
    for (const auto& [t, v] : floats) {
      EXPECT_EQ(t, samples[i][0].get<TimestampMs>());
      EXPECT_EQ(FormatFloatPlain(v), samples[i++][1].get<std::string>());
    }
    const Json& points = series.contains("histograms") ? series["histograms"] : none;
    ASSERT_EQ(sums.size(), points.size());
    i = 0;
    for (const auto& [t, sum] : sums) {
      EXPECT_EQ(t, points[i][0].get<TimestampMs>());
      EXPECT_EQ(FormatFloatPlain(sum), points[i++][1]["sum"].get<std::string>());
    }
  }
}

TEST(PrometheusHead, TakesOverAKilledServersDirectory) {
  EPI_CONFORMANCE_OR_SKIP(expected, "tsdb/generated/head.expected.json");
  const std::string dir = testing::ConformanceDir() + "/tsdb/generated/head";
  EXPECT_TRUE(HasPrometheusHead(Fs(), dir));
  CollectingSink sink;
  const auto report = ImportPrometheusHead(Fs(), dir, {}, sink, Logger());
  ASSERT_TRUE(report.has_value()) << report.error().message();
  EXPECT_EQ(report->wal_damage, "");
  EXPECT_EQ(report->unknown_refs, 0u);
  EXPECT_EQ(sink.labels.size(), expected["series"].size());
  ExpectHead(sink, {}, expected["series"]);
  size_t exemplars = 0, wanted = 0;
  for (const auto& [ref, list] : sink.exemplars) exemplars += list.size();
  for (const auto& e : expected["exemplars"]) wanted += e["exemplars"].size();
  EXPECT_EQ(exemplars, wanted);
}

TEST(PrometheusHead, TakesOverCheckpointAndBlocks) {
  EPI_CONFORMANCE_OR_SKIP(expected, "tsdb/generated/long.expected.json");
  const std::string dir = testing::ConformanceDir() + "/tsdb/generated/long";
  const auto blocks = ReadDirectory(dir);
  ASSERT_TRUE(blocks.has_value()) << blocks.error().message();
  TimestampMs min_valid = 0;
  const auto directories = *ListBlockDirectories(Fs(), dir);
  for (const auto& block : directories) {
    min_valid = std::max(min_valid, ReadBlockMeta(Fs(), block)->max_time);
  }
  CollectingSink sink;
  const auto report = ImportPrometheusHead(Fs(), dir, {.min_valid_time = min_valid}, sink, Logger());
  ASSERT_TRUE(report.has_value()) << report.error().message();
  ExpectHead(sink, *blocks, expected);
}

// A log of every record type of 3.14, written here.
std::string SeriesRecord(uint64_t ref, const Labels& labels) {
  std::string out;
  ByteWriter w(out);
  w.U8(1);
  w.Big64(ref);
  w.Uvarint(labels.size());
  for (const auto label : labels) {
    w.UvarintString(label.name);
    w.UvarintString(label.value);
  }
  return out;
}
std::string SamplesRecord(const std::vector<WalSample>& samples) {
  std::string out;
  ByteWriter w(out);
  w.U8(2);
  w.Big64(samples[0].ref);
  w.Big64(static_cast<uint64_t>(samples[0].t));
  for (const auto& s : samples) {
    w.Varint(static_cast<int64_t>(s.ref - samples[0].ref));
    w.Varint(s.t - samples[0].t);
    w.Big64(std::bit_cast<uint64_t>(s.v));
  }
  return out;
}
std::string FromHex(std::string_view hex) {
  std::string out;
  std::string digits;
  for (const char c : hex)
    if (c != ' ') digits += c;
  for (size_t i = 0; i < digits.size(); i += 2) out += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return out;
}
void WriteLog(const std::string& directory, uint64_t segment, const std::vector<std::string>& records,
              WalCompression compression = WalCompression::kZstd) {
  ASSERT_TRUE(Fs().CreateDirectories(directory).has_value());
  WalSegmentWriter writer(std::move(*Fs().Open(directory + "/" + WalSegmentName(segment), OpenMode::kTruncate)),
                          compression);
  for (const auto& record : records) ASSERT_TRUE(writer.Log(record).has_value());
  ASSERT_TRUE(writer.Close().has_value());
}

TEST(PrometheusHead, RecordsWithStartTimesAndMetadata) {
  constexpr TimestampMs kT = 1'700'000'000'000;
  const testing::TempDir dir;
  std::string metadata;
  ByteWriter w(metadata);
  w.U8(6);
  w.Uvarint(5);
  w.U8(1);
  w.Uvarint(3);
  for (const auto* text : {"UNIT", "seconds", "OTHER", "x", "HELP", "help text"}) w.UvarintString(text);
  std::vector<std::string> records;
  for (const uint64_t ref : {5, 6, 7, 8, 9}) records.push_back(SeriesRecord(ref, Labels{{"ref", std::to_string(ref)}}));
  records.push_back(metadata);
  records.push_back(std::string("\xc8 a type of the future"));
  records.push_back(
      FromHex("0b 0a 80a0abfef962 c0f6a3fef962 3ff8000000000000 02 00 01 4000000000000000 06 02 00 4008000000000000"
              "01 b0ea01 02 e0d403 4010000000000000"));
  records.push_back(
      FromHex("0c 0e 80a0abfef962 b090abfef962 00 02 0000000000000000 00 03 4010000000000000 01 01 02 00 02 02 02 00"
              "02 0a 01 00 69 0000000000000000 00 02 3ff0000000000000 01 00 01 00 01 04 00 01 3fe0000000000000"));
  WriteLog(dir.path() + "/wal", 0, records);
  WriteLog(dir.path() + "/wal", 1,
           {FromHex("0d 0e 80f4b6fef962 00 00 02 0000000000000000 0000000000000000 3ff8000000000000"
                    "4010000000000000 01 04 01 00 01 3ff8000000000000 00")});
  CollectingSink sink;
  const auto report = ImportPrometheusHead(Fs(), dir.path(), {}, sink, Logger());
  ASSERT_TRUE(report.has_value()) << report.error().message();
  EXPECT_EQ(report->wal_damage, "");
  EXPECT_EQ(report->last_series_ref, 9u);
  EXPECT_EQ(sink.floats[5].at(kT), 1.5);
  EXPECT_EQ(sink.starts[5].at(kT), kT - 60000);
  EXPECT_EQ(sink.starts[6].at(kT), kT - 60000);
  EXPECT_EQ(sink.starts[9].at(kT + 1), 0);
  EXPECT_EQ(sink.starts[8].at(kT + 15000), kT - 30000);
  EXPECT_EQ(sink.histograms[7].at(kT).count, 3);
  EXPECT_EQ(sink.starts[7].at(kT), kT - 1000);
  EXPECT_EQ(report->skipped_samples, 1u);  // the histogram of series 8 is older than its float
  EXPECT_EQ(sink.metadata[5], (MetricMetadata{MetricType::kCounter, "seconds", "help text"}));
  EXPECT_EQ(sink.histograms[7].rbegin()->second.count, 1.5);
}

TEST(PrometheusHead, DuplicateRefsRemovedSeriesAndStaleMarkers) {
  const testing::TempDir dir;
  const Labels a{{"n", "a"}}, b{{"n", "b"}};
  std::string remove;
  ByteWriter w(remove);
  w.U8(3);
  w.Big64(2);
  w.Varint(std::numeric_limits<int64_t>::min());
  w.Varint(std::numeric_limits<int64_t>::max());
  const std::string histogram = FromHex(
      "07 0000000000000001 0000000000000064 00 00 00 00 0000000000000000 00 03 4010000000000000"
      "01 00 01 00 01 06 00");
  WriteLog(dir.path() + "/wal", 3,
           {SeriesRecord(1, a), SeriesRecord(2, b), SamplesRecord({{1, 10, 0, 1.0}, {2, 10, 0, 2.0}}),
            SeriesRecord(7, a), SamplesRecord({{7, 10, 0, 9.0}, {7, 20, 0, 3.0}, {99, 20, 0, 4.0}}), histogram, remove,
            SeriesRecord(8, b), SamplesRecord({{1, 200, 0, StaleNaN()}, {8, 200, 0, 5.0}})});
  ASSERT_TRUE(Fs().CreateDirectories(dir.path() + "/wal/checkpoint.00000002").has_value());
  CollectingSink sink;
  const auto report = ImportPrometheusHead(Fs(), dir.path(), {.min_valid_time = 5}, sink, Logger());
  ASSERT_TRUE(report.has_value()) << report.error().message();
  EXPECT_EQ(sink.labels, (std::map<uint64_t, Labels>{{1, a}, {8, b}}));
  EXPECT_EQ(sink.floats[1], (std::map<TimestampMs, double>{{10, 1.0}, {20, 3.0}}));
  EXPECT_TRUE(IsStaleNaN(sink.histograms[1].at(200).sum));
  EXPECT_EQ(sink.floats[8], (std::map<TimestampMs, double>{{200, 5.0}}));
  EXPECT_EQ(report->unknown_refs, 1u);
}

TEST(PrometheusHead, DeletionsBeyondTheEndsOfASeriesAreNoDamage) {
  const testing::TempDir dir;
  const auto deletion = [](TimestampMs min, TimestampMs max) {
    std::string out;
    ByteWriter w(out);
    w.U8(3);
    w.Big64(1);
    w.Varint(min);
    w.Varint(max);
    return out;
  };
  WriteLog(dir.path() + "/wal", 0,
           {SeriesRecord(1, Labels{{"n", "a"}}), SamplesRecord({{1, 10, 0, 1.0}, {1, 20, 0, 2.0}}), deletion(30, 20),
            deletion(10, 5), deletion(20, 20), SamplesRecord({{1, 30, 0, 3.0}})});
  CollectingSink sink;
  const auto report = ImportPrometheusHead(Fs(), dir.path(), {}, sink, Logger());
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->wal_damage, "");
  EXPECT_EQ(sink.floats[1].size(), 3u);
  ASSERT_EQ(sink.tombstones[1].size(), 1u);
  EXPECT_EQ(sink.tombstones[1][0], (TimeRange{20, 20}));
}

TEST(PrometheusHead, DamageEndsTheLogAndMissingSegmentsAreAnError) {
  const testing::TempDir dir;
  const Labels a{{"n", "a"}};
  const std::string wal = dir.path() + "/wal";
  WriteLog(wal, 0, {SeriesRecord(1, a), SamplesRecord({{1, 10, 0, 1.0}})});
  WriteLog(wal, 1, {SamplesRecord({{1, 20, 0, 1.0}}), SamplesRecord({{1, 30, 0, 1.0}})}, WalCompression::kNone);
  WriteLog(wal, 2, {SamplesRecord({{1, 40, 0, 1.0}})});
  std::string bytes = *Fs().ReadFile(wal + "/00000001");
  bytes[50] ^= 1;
  WriteFile(wal + "/00000001", bytes);
  CollectingSink sink;
  const auto report = ImportPrometheusHead(Fs(), dir.path(), {}, sink, Logger());
  ASSERT_TRUE(report.has_value());
  EXPECT_NE(report->wal_damage.find("00000001"), std::string::npos);
  EXPECT_EQ(sink.floats[1].size(), 2u);
  ASSERT_TRUE(Fs().RemoveFile(wal + "/00000001").has_value());
  CollectingSink other;
  EXPECT_FALSE(ImportPrometheusHead(Fs(), dir.path(), {}, other, Logger()).has_value());
}

TEST(WalRecords, TruncationAndBitFlipsDoNoHarm) {
  CollectingSink sink;
  ImportReport report;
  struct Quiet final : WalRecordVisitor {
    Result<void> OnSeries(uint64_t, const Labels&) override { return {}; }
    Result<void> OnSamples(std::span<const WalSample>) override { return {}; }
    Result<void> OnHistogram(uint64_t, TimestampMs, TimestampMs, const Histogram&) override { return {}; }
    Result<void> OnFloatHistogram(uint64_t, TimestampMs, TimestampMs, const FloatHistogram&) override { return {}; }
    Result<void> OnTombstone(uint64_t, TimeRange) override { return {}; }
    Result<void> OnExemplar(uint64_t, const Exemplar&) override { return {}; }
    Result<void> OnMmapMarker(uint64_t, uint64_t) override { return {}; }
    Result<void> OnMetadata(uint64_t, const MetricMetadata&) override { return {}; }
    void OnUnknownHistogram(uint64_t) override {}
  } visitor;
  const std::vector<std::string> records = {
      SeriesRecord(1, Labels{{"a", "b"}}), SamplesRecord({{1, 2, 0, 3}, {4, 5, 0, 6}}),
      FromHex("0c 0e 80a0abfef962 b090abfef962 00 02 0000000000000000 00 03 4010000000000000 01 01 02 00 02 02 02 00"),
      FromHex("0d 0e 80a0abfef962 00 00 02 0000000000000000 0000000000000000 3ff8000000000000 4010000000000000 01 04 "
              "01 00 01"
              "3ff8000000000000 00")};
  for (const auto& record : records) {
    EXPECT_TRUE(DecodeWalRecord(record, visitor).has_value());
    for (size_t size = 2; size < record.size(); ++size) {
      if (record[0] == 2 && size == 17) continue;       // a base without samples
      if (record[0] == 2 && size == 17 + 10) continue;  // one sample of two
      EXPECT_FALSE(DecodeWalRecord(record.substr(0, size), visitor).has_value())
          << static_cast<int>(record[0]) << " " << size;
    }
    std::string flipped = record;
    for (size_t bit = 0; bit < record.size() * 8; ++bit) {
      flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
      (void)DecodeWalRecord(flipped, visitor).has_value();
      flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    }
  }
}

// A file as Prometheus writes it, zeros that were preallocated included.
std::string HeadChunkFile(const std::vector<std::pair<uint64_t, EncodedChunk>>& chunks, uint8_t flag = 0) {
  std::string out;
  ByteWriter w(out);
  w.Big32(0x0130BC91);
  w.U8(1);
  w.Bytes(std::string_view("\0\0\0", 3));
  for (const auto& [ref, chunk] : chunks) {
    const size_t begin = out.size();
    w.Big64(ref);
    w.Big64(static_cast<uint64_t>(chunk.min_time));
    w.Big64(static_cast<uint64_t>(chunk.max_time));
    w.U8(static_cast<uint8_t>(static_cast<uint8_t>(chunk.encoding) | flag));
    w.UvarintString(chunk.data);
    w.Big32(Crc32c(std::string_view(out).substr(begin)));
  }
  out.append(1000, '\0');
  return out;
}
EncodedChunk FloatsFrom(TimestampMs first, int count, double value) {
  FloatChunkEncoder encoder(ChunkEncoding::kXor);
  for (int i = 0; i < count; ++i) encoder.Append(first + i * 10, value);
  return encoder.Snapshot();
}

TEST(HeadChunkFiles, DamageDropsTheFile) {
  const std::string bytes =
      HeadChunkFile({{1, FloatsFrom(100, 20, 1)}, {2, FloatsFrom(100, 20, 2)}, {1, FloatsFrom(300, 20, 3)}});
  const auto all = ParseHeadChunkFile(bytes, 1);
  ASSERT_TRUE(all.has_value()) << all.error().message();
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ((*all)[0].chunk_ref, uint64_t{1} << 32 | 8);
  const size_t end = bytes.size() - 1000;
  for (size_t bit = 0; bit < end * 8; ++bit) {
    if (bit / 8 >= 5 && bit / 8 < 8) continue;  // padding
    std::string flipped = bytes;
    flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_FALSE(ParseHeadChunkFile(flipped, 1).has_value()) << bit;
  }
  std::string flipped = bytes;
  flipped[60] ^= 1;
  const testing::TempDir copy;
  WriteFile(copy.path() + "/000001", bytes);
  WriteFile(copy.path() + "/000002", flipped);
  WriteFile(copy.path() + "/000003", bytes);
  const auto read = ReadHeadChunkFiles(Fs(), copy.path());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->chunks.size(), all->size());
  EXPECT_NE(read->damage, "");
}

TEST(PrometheusHead, ChunksAndLateSamples) {
  const testing::TempDir dir;
  const Labels a{{"n", "a"}};
  WriteLog(dir.path() + "/wal", 0,
           {SeriesRecord(1, a), SamplesRecord({{1, 100, 0, 9.0}, {1, 290, 0, 9.0}, {1, 300, 0, 4.0}})});
  ASSERT_TRUE(Fs().CreateDirectories(dir.path() + "/chunks_head").has_value());
  WriteFile(dir.path() + "/chunks_head/000001", HeadChunkFile({{1, FloatsFrom(100, 20, 1)}}));
  WriteFile(dir.path() + "/chunks_head/000002", HeadChunkFile({{1, FloatsFrom(5, 4, 2)}}, 0x80));
  const auto marker = [](uint64_t chunk) {
    std::string out;
    ByteWriter w(out);
    w.U8(5);
    w.Big64(1);
    w.Big64(chunk);
    return out;
  };
  WriteLog(dir.path() + "/wbl", 0,
           {marker(0), SamplesRecord({{1, 5, 0, 2.0}, {1, 15, 0, 2.0}}), marker(uint64_t{2} << 32 | 8),
            SamplesRecord({{1, 47, 0, 5.0}, {1, 46, 0, 6.0}, {1, 47, 0, 7.0}}), marker(uint64_t{9} << 32 | 8)});
  CollectingSink sink;
  const auto report = ImportPrometheusHead(Fs(), dir.path(), {}, sink, Logger());
  ASSERT_TRUE(report.has_value()) << report.error().message();
  EXPECT_EQ(sink.chunks, 1u);
  EXPECT_EQ(sink.late_chunks, 1u);
  EXPECT_EQ(sink.late_samples, 2u);
  EXPECT_EQ(report->skipped_samples, 2u);
  const auto& floats = sink.floats[1];
  EXPECT_EQ(floats.size(), 20u + 1 + 4 + 2);
  EXPECT_EQ(floats.at(300), 4.0);
  EXPECT_EQ(floats.at(46), 6.0);
  EXPECT_EQ(floats.at(47), 5.0);
  EXPECT_EQ(floats.at(100), 1.0);
}

}  // namespace
}  // namespace epi::tsdb
