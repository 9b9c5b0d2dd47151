// The runner's own test: scripts that must pass and scripts that must be found wrong, at the right line.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "model/almost_equal.h"

#include "promqltest/runner.h"
#include "promqltest/script.h"
#include "promqltest/start_times.h"
#include "testing/conformance.h"

namespace epi::promqltest {
namespace {

using nlohmann::json;

// The first complaint: its line, or 0 when there is none.
int FirstComplaint(const ScriptResult& result, std::string& text) {
  for (const CaseResult& c : result.cases) {
    if (c.failure.empty()) continue;
    text = c.failure;
    return c.line;
  }
  text = result.broken;
  return result.broken_line;
}

void CheckScript(const json& c) {
  RunnerOptions options;
  options.storage = FindStorage("memory");
  std::string text;
  const int line = FirstComplaint(RunScript(c["script"].get<std::string>(), options), text);
  if (c["result"] == "pass") {
    EXPECT_EQ(line, 0) << text;
    return;
  }
  EXPECT_NE(line, 0);
  std::smatch found;
  const std::string wanted = c["error_text"];
  if (!std::regex_search(wanted, found, std::regex(R"(\(line (\d+)\))"))) return;
  EXPECT_EQ(line, std::stoi(found[1])) << text;
}

void CheckStartTimes(const json& c) {
  const auto parsed = ParseStartTimes(c["input"].get<std::string>());
  ASSERT_EQ(parsed.has_value(), c["result"] == "ok");
  if (!parsed) return;
  ASSERT_EQ(parsed->size(), c["values_ms"].size());
  for (size_t i = 0; i < parsed->size(); ++i) {
    const json& want = c["values_ms"][i];
    EXPECT_EQ((*parsed)[i], want.is_null() ? std::nullopt : std::optional(want.get<int64_t>()));
  }
}

void CheckLoad(const json& c) {
  const auto parsed = ParseScript(c["script"].get<std::string>());
  ASSERT_EQ(parsed.has_value(), c["result"] == "ok");
  if (!parsed) return;
  const auto& samples = std::get<LoadCommand>((*parsed)[0].what).series.begin()->second;
  ASSERT_EQ(samples.size(), c["samples_t_st_ms"].size());
  for (size_t i = 0; i < samples.size(); ++i) {
    EXPECT_EQ(samples[i].t, c["samples_t_st_ms"][i][0].get<int64_t>());
    EXPECT_EQ(samples[i].start_time, c["samples_t_st_ms"][i][1].get<int64_t>());
  }
}

TEST(PromqltestSelftest, Cases) {
  EPI_CONFORMANCE_OR_SKIP(file, "promql/runner_selftest.json");
  for (const auto& c : file["cases"]) {
    SCOPED_TRACE(c["id"].get<std::string>() + " " + c.value("name", ""));
    if (c["kind"] == "script") CheckScript(c);
    if (c["kind"] == "st_sequence") CheckStartTimes(c);
    if (c["kind"] == "st_load") CheckLoad(c);
  }
}

TEST(PromqltestSelftest, AlmostEqual) {
  EPI_CONFORMANCE_OR_SKIP(file, "promql/almost_equal.json");
  for (const auto& c : file["cases"]) {
    // Upstream compares kinds of NaN here that the data does not tell apart; see StaleMarkersEqualThemselvesOnly.
    if (c["a"] == "NaN" && c["b"] == "NaN") continue;
    const auto number = [](const json& v) { return v == "NaN" ? NormalNaN() : v.get<double>(); };
    EXPECT_EQ(AlmostEqual(number(c["a"]), number(c["b"]), c["epsilon"].get<double>()), c["want"].get<bool>())
        << c["id"];
  }
}

TEST(PromqltestSelftest, StaleMarkersEqualThemselvesOnly) {
  EXPECT_TRUE(AlmostEqual(StaleNaN(), StaleNaN(), 0.1));
  EXPECT_TRUE(AlmostEqual(NormalNaN(), std::nan("1"), 0.1));
  EXPECT_FALSE(AlmostEqual(StaleNaN(), NormalNaN(), 0.1));
  EXPECT_FALSE(AlmostEqual(NormalNaN(), StaleNaN(), 0.1));
}

}  // namespace
}  // namespace epi::promqltest
