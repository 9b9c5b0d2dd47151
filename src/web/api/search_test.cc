#include <gmock/gmock.h>

#include "testing/conformance.h"
#include "testing/web_fixture.h"
#include "web/api/search_score.h"

namespace epi::web {
namespace {

using nlohmann::json;

// The score of one case, and whether the value is accepted.
std::pair<bool, double> ScoreOf(const json& c) {
  const auto text = [&](const char* key) { return testing::ConformanceText(c[key]); };
  const std::string test = c["test"];
  if (test == "TestSubstringFilter") {
    const auto score = SubstringScore(text("query"), text("value"));
    return {score.has_value(), score.value_or(0)};
  }
  if (test == "TestFuzzyFilter") {
    const double score = JaroWinklerScore(text("query"), text("value"));
    return {score >= c["threshold"].get<double>(), score};
  }
  if (test == "TestSubsequenceFilter") {
    const std::string query = text("query");
    const auto score = SearchFilter({query}, c["threshold"], FuzzyAlgorithm::kSubsequence, true).Score(text("value"));
    return {score.has_value(), score.value_or(0)};
  }
  if (test == "TestJaroWinklerMatcher") {
    const double score = JaroWinklerScore(text("s1"), text("s2"));
    return {true, score};
  }
  const double score = SubsequenceScore(text("pattern"), text("text"));
  return {score > 0, score};
}

TEST(SearchScore, ConformanceFilters) {
  EPI_CONFORMANCE_OR_SKIP(file, "api/search_filters.json");
  constexpr double kTolerance = 1e-3;
  for (const auto& c : file["cases"]) {
    if (c["test"] == "TestMatchName") continue;
    const auto [accepted, score] = ScoreOf(c);
    if (c.contains("wantAccepted")) {
      EXPECT_EQ(accepted, c["wantAccepted"].get<bool>()) << c;
    }
    if (c.contains("wantScore") && c["wantScore"].get<double>() >= 0) {
      EXPECT_NEAR(score, c["wantScore"].get<double>(), kTolerance) << c;
    }
    if (c.contains("minScore")) {
      EXPECT_GE(score, c["minScore"].get<double>()) << c;
    }
    if (c.value("wantZero", false)) {
      EXPECT_EQ(score, 0) << c;
    }
    if (c.contains("min")) {
      EXPECT_GE(score, c["min"].get<double>() - kTolerance) << c;
      EXPECT_LE(score, c["max"].get<double>() + kTolerance) << c;
    }
  }
}

class SearchTest : public WebFixture {
 protected:
  SearchTest() {
    services.options.enable_search = true;
    const TimestampMs now = clock.NowMs();
    for (const auto* name : {"go_goroutines", "go_threads", "process_cpu_seconds_total", "up"})
      storage.Append({{"__name__", name}, {"job", "node"}, {"zone", "a"}}, now, 1);
    storage.Append({{"__name__", "up"}, {"job", "other"}}, now, 1);
  }
};

TEST_F(SearchTest, NamesAndTrailer) {
  EXPECT_EQ(
      Ask("GET", "/api/v1/search/metric_names").body,
      "{\"results\":[{\"name\":\"go_goroutines\"},{\"name\":\"go_threads\"},{\"name\":\"process_cpu_seconds_total\"},"
      "{\"name\":\"up\"}]}\n{\"status\":\"success\",\"has_more\":false}\n");
  EXPECT_EQ(Ask("GET", "/api/v1/search/metric_names?limit=2&batch_size=1&sort_by=alpha&sort_dir=dsc").body,
            "{\"results\":[{\"name\":\"up\"}]}\n{\"results\":[{\"name\":\"process_cpu_seconds_total\"}]}\n"
            "{\"status\":\"success\",\"has_more\":true}\n");
  EXPECT_EQ(
      Ask("GET", "/api/v1/search/label_names?match[]=up{job=\"other\"}").body,
      "{\"results\":[{\"name\":\"__name__\"},{\"name\":\"job\"}]}\n{\"status\":\"success\",\"has_more\":false}\n");
  EXPECT_EQ(
      Ask("POST", "/api/v1/search/label_values", "label=job&search[]=OTH&case_sensitive=false&include_score=true").body,
      "{\"results\":[{\"value\":\"other\",\"score\":1}]}\n{\"status\":\"success\",\"has_more\":false}\n");
  const auto answer = Ask("GET", "/api/v1/search/metric_names?search[]=nothing");
  EXPECT_EQ(answer.body, "{\"results\":[]}\n{\"status\":\"success\",\"has_more\":false}\n");
  EXPECT_THAT(answer.head, ::testing::HasSubstr("Content-Type: application/x-ndjson; charset=utf-8\r\n"));
}

TEST_F(SearchTest, ScoreOrderAndMetadata) {
  scrape.metadata = {{Labels(), {"go_threads", {MetricType::kGauge, "", "Threads."}}}};
  EXPECT_EQ(Ask("GET", "/api/v1/search/metric_names?search[]=go&sort_by=score&include_metadata=true").body,
            "{\"results\":[{\"name\":\"go_goroutines\"},{\"name\":\"go_threads\",\"type\":\"gauge\",\"help\":\"Threads."
            "\"}]}\n"
            "{\"status\":\"success\",\"has_more\":false}\n");
}

TEST_F(SearchTest, BadParameters) {
  const std::pair<const char*, const char*> cases[] = {
      {"fuzz_threshold=101", "invalid fuzz_threshold \"101\": must be 0-100"},
      {"fuzz_alg=x", "unsupported fuzz_alg \"x\": must be one of [subsequence jarowinkler]"},
      {"sort_by=x", "invalid sort_by \"x\" for metric_names: must be \"alpha\" or \"score\""},
      {"sort_by=score", "sort_by=score requires search[] to be set"},
      {"sort_dir=asc", "sort_dir is only valid when sort_by is set"},
      {"sort_by=alpha&sort_dir=up", "invalid sort_dir \"up\": must be \"asc\" or \"dsc\""},
      {"limit=0", "invalid limit \"0\": must be a positive integer"},
      {"limit=10001", "limit 10001 exceeds the configured maximum (10000, see --web.search.max-limit)"},
      {"case_sensitive=x", "invalid case_sensitive \"x\": must be boolean"},
      {"start=2&end=1", "end timestamp must not be before start timestamp"},
      {"start=x", "invalid time value for 'start': cannot parse \"x\" to a valid timestamp"}};
  for (const auto& [parameters, error] : cases) {
    const auto answer = Ask("GET", std::string("/api/v1/search/metric_names?") + parameters);
    EXPECT_EQ(answer.status, 400) << parameters;
    EXPECT_EQ(answer.Json()["error"], error) << parameters;
  }
  EXPECT_EQ(Ask("GET", "/api/v1/search/label_values").Json()["error"], "missing required parameter \"label\"");
}

}  // namespace
}  // namespace epi::web
