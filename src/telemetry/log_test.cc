#include "telemetry/log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace epi {
namespace {

struct Lines {
  std::vector<std::string> lines;
  static void Take(void* context, std::string_view line) { static_cast<Lines*>(context)->lines.emplace_back(line); }
  // The last line without its time.
  std::string Last() const {
    const std::string& line = lines.back();
    const auto at = line.find("level");
    return line.substr(at, line.size() - at - 1);
  }
};

TEST(Log, LogfmtQuotesAsGoDoes) {
  Lines lines;
  const auto log = Logger::ToFunction(LogLevel::kInfo, LogFormat::kLogfmt, Lines::Take, &lines).Named("tsdb");
  log.Info("hello", {}, LogSource("/a/b/head.cc", 7));
  EXPECT_EQ(lines.Last(), "level=INFO source=head.cc:7 msg=hello component=tsdb");
  log.Warn("two words", {{"n", 5}, {"b", true}, {"s", "a=b"}, {"e", ""}, {"path", "/x\\y"}}, LogSource("x.cc", 1));
  EXPECT_EQ(lines.Last(),
            "level=WARN source=x.cc:1 msg=\"two words\" component=tsdb n=5 b=true s=\"a=b\" e=\"\" path=/x\\y");
  log.Error("line\nbreak \"q\" \x01 \xff", {{"u", "Bj\xc3\xb6rn"}}, LogSource("x.cc", 1));
  EXPECT_EQ(lines.Last(), R"(level=ERROR source=x.cc:1 msg="line\nbreak \"q\" \x01 \xff" component=tsdb u=)"
                          "Bj\xc3\xb6rn");
}

TEST(Log, JsonKeepsNumbersBare) {
  Lines lines;
  const auto log = Logger::ToFunction(LogLevel::kDebug, LogFormat::kJson, Lines::Take, &lines);
  log.Debug("a \"b\"", {{"n", 5}, {"b", false}, {"s", "<x>"}}, LogSource("x.cc", 1));
  EXPECT_EQ(lines.lines.back().substr(0, 9), "{\"time\":\"");
  EXPECT_NE(lines.lines.back().find(R"("level":"DEBUG","source":"x.cc:1","msg":"a \"b\"","n":5,"b":false,"s":"<x>"})"),
            std::string::npos);
}

TEST(Log, SourceIsTheCallersLine) {
  Lines lines;
  const auto log = Logger::ToFunction(LogLevel::kInfo, LogFormat::kLogfmt, Lines::Take, &lines);
  log.Info("x");
  const int line = __LINE__ - 1;
  EXPECT_EQ(lines.Last(), "level=INFO source=log_test.cc:" + std::to_string(line) + " msg=x");
}

TEST(Log, LevelFilters) {
  Lines lines;
  const auto log = Logger::ToFunction(LogLevel::kWarn, LogFormat::kLogfmt, Lines::Take, &lines);
  log.Info("no");
  log.Warn("yes");
  EXPECT_EQ(lines.lines.size(), 1u);
  EXPECT_FALSE(log.enabled(LogLevel::kInfo));
  Logger().Error("dropped");
  EXPECT_FALSE(Logger().enabled(LogLevel::kError));
}

TEST(Log, StderrFlushWaitsForTheWriter) {
  ::testing::internal::CaptureStderr();
  const auto log = Logger::ToStderr(LogLevel::kInfo, LogFormat::kLogfmt);
  for (int i = 0; i < 100; ++i) log.Info("line", {{"i", i}});
  log.Flush();
  const std::string out = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(out.find("i=99\n"), std::string::npos);
  EXPECT_EQ(log.dropped(), 0u);
}

}  // namespace
}  // namespace epi
