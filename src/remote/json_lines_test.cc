#include "remote/json_lines.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>

namespace epi::remote {
namespace {

std::string Line(const Labels& labels, const std::vector<TimestampMs>& times, const std::vector<double>& values) {
  std::string out;
  AppendJsonLine(out, labels, times, values, {});
  return out;
}

TEST(JsonLines, WhatIsWrittenIsReadTheSame) {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> values = {1.5,         -0.0,       1e300, 5e-324, inf,          -inf,
                                      NormalNaN(), StaleNaN(), 0.1,   1e21,   123456789.125};
  std::vector<TimestampMs> times;
  for (size_t i = 0; i < values.size(); ++i) times.push_back(static_cast<TimestampMs>(i) - 3);
  const Labels labels = {{"__name__", "m"}, {"quote", "a\"\\\n<\x01"}, {"unicode", "\xc3\xa9\xf0\x9f\x98\x80"}};
  JsonLineReader reader;
  JsonLineSeries series;
  ASSERT_TRUE(reader.Read(Line(labels, times, values), series));
  EXPECT_EQ(series.labels, labels);
  ASSERT_EQ(series.samples.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(series.samples[i].first, times[i]);
    EXPECT_EQ(std::bit_cast<uint64_t>(series.samples[i].second), std::bit_cast<uint64_t>(values[i])) << values[i];
  }
}

TEST(JsonLines, HistogramsToo) {
  FloatHistogram h;
  h.counter_reset_hint = CounterResetHint::kGauge;
  h.schema = -2;
  h.zero_threshold = 1e-128;
  h.zero_count = 0.5;
  h.count = 7.25;
  h.sum = StaleNaN();
  h.positive_spans = {{-3, 2}, {4, 1}};
  h.positive_buckets = {1, 2.5, 3};
  h.negative_spans = {{0, 1}};
  h.negative_buckets = {0.25};
  h.custom_values = {1, 2};
  std::string line;
  const std::pair<TimestampMs, const FloatHistogram*> rows[] = {{42, &h}};
  AppendJsonLine(line, {{"__name__", "h"}}, {}, {}, rows);
  JsonLineReader reader;
  JsonLineSeries series;
  const auto read = reader.Read(line, series);
  ASSERT_TRUE(read) << read.error().message();
  ASSERT_EQ(series.histograms.size(), 1u);
  EXPECT_EQ(series.histograms[0].first, 42);
  FloatHistogram got = series.histograms[0].second;
  EXPECT_TRUE(IsStaleNaN(got.sum));
  got.sum = h.sum = 0;
  EXPECT_EQ(got, h);
}

TEST(JsonLines, WrongLinesSayWhatIsWrong) {
  struct Row {
    const char* line;
    const char* text;
  };
  const Row kRows[] = {
      {"", "the line is empty"},
      {"[]", "\"line\": an object is expected"},
      {"{}", "\"metric\" is missing"},
      {R"({"metric":[]})", "\"metric\": an object is expected"},
      {R"({"metric":{"a":1}})", "\"a\": a string is expected"},
      {R"({"metric":{},"values":[1]})", "there are 1 values and 0 timestamps"},
      {R"({"metric":{},"values":["x"],"timestamps":[1]})", "\"values\": a number is expected"},
      {R"({"metric":{},"values":[1],"timestamps":[1.5]})", "\"timestamps\": an integer is expected"},
      {R"({"metric":{},"histograms":[{"positive_spans":[[1]]}]})",
       "\"positive_spans\": pairs of offset and length are expected"},
  };
  JsonLineReader reader;
  JsonLineSeries series;
  for (const auto& row : kRows) {
    const auto read = reader.Read(row.line, series);
    ASSERT_FALSE(read) << row.line;
    EXPECT_EQ(read.error().message(), row.text);
  }
}

TEST(JsonLines, CutLinesAreRefused) {
  const std::string line = Line({{"__name__", "m"}}, {1, 2}, {1, 2});
  JsonLineReader reader;
  JsonLineSeries series;
  for (size_t size = 0; size + 2 < line.size(); ++size) EXPECT_FALSE(reader.Read(line.substr(0, size), series)) << size;
}

}  // namespace
}  // namespace epi::remote
