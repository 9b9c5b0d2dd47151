// Whole bodies of real programs: every line of each is read, by each of the readers it is meant for.
#include <gtest/gtest.h>

#include <cstring>

#include "base/file_system.h"
#include "scrape/parse/format.h"
#include "scrape/parse/strict_text_reader.h"
#include "testing/temp_dir.h"

namespace epi::scrape {
namespace {

std::string WholeBodyOf(const std::string& name) {
  const std::string dir = epi::testing::ConformanceDir();
  return dir.empty() ? "" : PosixFileSystem().ReadFile(dir + "/exposition/" + name).value_or("");
}

struct WholeContents {
  size_t families = 0;                                 // TYPE entries
  std::vector<std::pair<std::string, double>> series;  // as named in the body
};

Result<WholeContents> ReadWhole(ExpositionFormat format, std::string_view body, const ParserOptions& options = {}) {
  WholeContents out;
  const auto parser = MakeParser(format, body, options);
  while (true) {
    const auto kind = parser->Next();
    if (!kind) return tl::unexpected(kind.error());
    if (*kind == EntryKind::kEnd) return out;
    if (*kind == EntryKind::kType) ++out.families;
    if (*kind == EntryKind::kSeries) out.series.emplace_back(parser->entry().series, parser->entry().value);
  }
}

struct Whole {
  const char* file;
  ExpositionFormat format;
  size_t families;
  size_t series;
};

TEST(WholeBodies, EveryLineIsRead) {
  const Whole bodies[] = {
      {"samples/alltypes.237mfs.prom.txt", ExpositionFormat::kText, 237, 1857},
      {"samples/alltypes.237mfs.nometa.prom.txt", ExpositionFormat::kText, 0, 1857},
      {"samples/alltypes.5mfs.om.txt", ExpositionFormat::kOpenMetrics, 5, 53},
      {"samples/1histogram.om.txt", ExpositionFormat::kOpenMetrics, 1, 42},
      {"samples-common/text", ExpositionFormat::kText, 37, 248},
      {"samples-common/protobuf", ExpositionFormat::kProtobuf, 37, 248},
      {"samples-common/protobuf-multimessage", ExpositionFormat::kProtobuf, 6, 6},
  };
  for (const Whole& whole : bodies) {
    const std::string body = WholeBodyOf(whole.file);
    if (body.empty()) GTEST_SKIP() << "no conformance data; set EPI_CONFORMANCE";
    const auto got = ReadWhole(whole.format, body);
    ASSERT_TRUE(got) << whole.file << ": " << got.error().message();
    EXPECT_EQ(got->families, whole.families) << whole.file;
    EXPECT_EQ(got->series.size(), whole.series) << whole.file;
  }
}

TEST(WholeBodies, MetadataChangesNoSample) {
  const std::string with = WholeBodyOf("samples/alltypes.237mfs.prom.txt");
  if (with.empty()) GTEST_SKIP() << "no conformance data; set EPI_CONFORMANCE";
  const std::string without = WholeBodyOf("samples/alltypes.237mfs.nometa.prom.txt");
  const auto a = ReadWhole(ExpositionFormat::kText, with);
  const auto b = ReadWhole(ExpositionFormat::kText, without);
  ASSERT_TRUE(a && b);
  ASSERT_EQ(a->series.size(), b->series.size());
  for (size_t i = 0; i < a->series.size(); ++i) {
    EXPECT_EQ(a->series[i].first, b->series[i].first);
    EXPECT_EQ(std::memcmp(&a->series[i].second, &b->series[i].second, sizeof(double)), 0) << a->series[i].first;
  }
}

TEST(WholeBodies, TheStrictReaderFindsTheFamilies) {
  const std::string body = WholeBodyOf("samples-common/text");
  if (body.empty()) GTEST_SKIP() << "no conformance data; set EPI_CONFORMANCE";
  const auto families = ReadStrictText(body);
  ASSERT_TRUE(families) << families.error().message();
  EXPECT_EQ(families->size(), 37u);
}

TEST(WholeBodies, CutAnywhereDoesNoHarm) {
  for (const char* name : {"samples-common/protobuf", "samples-common/protobuf-multimessage"}) {
    const std::string body = WholeBodyOf(name);
    if (body.empty()) GTEST_SKIP() << "no conformance data; set EPI_CONFORMANCE";
    const auto whole = ReadWhole(ExpositionFormat::kProtobuf, body);
    ASSERT_TRUE(whole);
    size_t read = 0;
    for (size_t length = 0; length < body.size(); ++length) {
      const auto got = ReadWhole(ExpositionFormat::kProtobuf, std::string_view(body).substr(0, length));
      if (!got) continue;
      ++read;
      EXPECT_LE(got->series.size(), whole->series.size());
    }
    // Only a cut between messages leaves a body that can be read.
    EXPECT_EQ(read, whole->families) << name;
  }
}

TEST(OpenMetricsParser, StartTimesAreFoundBesideLabelsOfTypeAndUnit) {
  const std::string body = "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_created 5\n# EOF\n";
  for (const bool labels : {false, true}) {
    ParserOptions options;
    options.skip_created_series = true;
    options.type_and_unit_labels = labels;
    const auto parser = MakeParser(ExpositionFormat::kOpenMetrics, body, options);
    int series = 0;
    for (auto kind = parser->Next(); kind && *kind != EntryKind::kEnd; kind = parser->Next()) {
      if (*kind != EntryKind::kSeries) continue;
      ++series;
      EXPECT_EQ(parser->SampleLabels().Has("__type__"), labels);
      EXPECT_EQ(parser->StartTime(), 5000);
    }
    EXPECT_EQ(series, 2);
  }
}

}  // namespace
}  // namespace epi::scrape
