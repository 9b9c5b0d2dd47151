#include "promql/cache/splice.h"

#include <gtest/gtest.h>

namespace epi::promql {
namespace {

MatrixSeries SpliceSeries(const char* name, std::vector<TimestampMs> floats, std::vector<TimestampMs> histograms = {}) {
  MatrixSeries out{Labels{{"a", name}}, {}, {}};
  for (const TimestampMs t : floats) out.floats.push_back({t, static_cast<double>(t)});
  for (const TimestampMs t : histograms) out.histograms.push_back({t, std::make_shared<const FloatHistogram>()});
  return out;
}

std::string SpliceText(const MatrixValue& matrix) {
  std::string out;
  for (const auto& series : matrix) {
    out += std::string(series.labels.Get("a")) + ":";
    for (const auto& point : series.floats) out += " " + std::to_string(point.t);
    for (const auto& point : series.histograms) out += " h" + std::to_string(point.t);
    out += ";";
  }
  return out;
}

TEST(SpliceTest, Cuts) {
  const MatrixValue matrix = {SpliceSeries("x", {1, 2, 5}, {3}), SpliceSeries("y", {1, 9})};
  EXPECT_EQ(SpliceText(CutMatrix(matrix, 2, 5)), "x: 2 5 h3;");
  EXPECT_EQ(SpliceText(CutMatrix(matrix, 1, 1)), "x: 1;y: 1;");
  EXPECT_EQ(SpliceText(CutMatrix(matrix, 6, 8)), "");
  EXPECT_EQ(SpliceText(CutMatrix(matrix, 0, 100)), SpliceText(matrix));
}

TEST(SpliceTest, JoinsInOrderOfLabels) {
  MatrixValue earlier = {SpliceSeries("b", {1}), SpliceSeries("d", {2}, {1})};
  JoinMatrix(earlier, {SpliceSeries("a", {7}), SpliceSeries("b", {8}), SpliceSeries("c", {9}),
                       SpliceSeries("d", {}, {7}), SpliceSeries("e", {9})});
  EXPECT_EQ(SpliceText(earlier), "a: 7;b: 1 8;c: 9;d: 2 h1 h7;e: 9;");
  MatrixValue none;
  JoinMatrix(none, {SpliceSeries("a", {1})});
  EXPECT_EQ(SpliceText(none), "a: 1;");
  JoinMatrix(none, {});
  EXPECT_EQ(SpliceText(none), "a: 1;");
  EXPECT_EQ(PointsOf(earlier), 8u);
  EXPECT_GT(BytesOf(earlier), 0);
}

TEST(SpliceTest, NotesAreUnited) {
  const std::vector<std::string> a = {"PromQL info: x (1:5)", "PromQL info: y (1:7)"};
  const std::vector<std::string> b = {"PromQL info: w (1:1)", "PromQL info: x (1:5)"};
  NoteUnion notes;
  notes.Add(a);
  notes.Add(b);
  EXPECT_TRUE(notes.exact());
  EXPECT_TRUE(notes.Contains(a));
  EXPECT_FALSE(notes.Contains(std::vector<std::string>{"PromQL info: x (1:6)"}));
  EXPECT_EQ(notes.Take(),
            (std::vector<std::string>{"PromQL info: w (1:1)", "PromQL info: x (1:5)", "PromQL info: y (1:7)"}));
}

TEST(SpliceTest, NotesThatWouldReadOtherwiseAreNoticed) {
  NoteUnion places;
  places.Add(std::vector<std::string>{"PromQL info: x (1:5)"});
  places.Add(std::vector<std::string>{"PromQL info: x (1:9)"});
  EXPECT_FALSE(places.exact());
  NoteUnion sums;
  sums.Add(
      std::vector<std::string>{"PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see …), "
                               "over 3 samples from … to … (1:4)"});
  EXPECT_FALSE(sums.exact());
}

}  // namespace
}  // namespace epi::promql
