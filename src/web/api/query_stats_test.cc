// The stats parameter of the query endpoints.
#include <gmock/gmock.h>

#include "testing/web_fixture.h"

namespace epi::web {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class QueryStatsTest : public WebFixture {
 protected:
  void SetUp() override {
    LoadScript(storage, "load 1m\n\tup{a=\"1\"} 1 1 1 1\n\tup{a=\"2\"} 1 1 1 1");
    promql::EngineOptions options;
    options.clock = &clock;
    options.features.per_step_stats = true;
    engine = std::make_unique<promql::Engine>(options);
    services.engine = engine.get();
    services.options.per_step_stats = true;
  }
};

constexpr const char* kRange = "/api/v1/query_range?start=60&end=180&step=60&query=up";

TEST_F(QueryStatsTest, AllHasSamplesPerStep) {
  const auto answer = Ask("GET", std::string(kRange) + "&stats=all");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body,
              HasSubstr("\"samples\":{\"totalQueryableSamplesPerStep\":[[60,2],[120,2],[180,2]],"
                        "\"totalQueryableSamples\":6,\"samplesReadPerStep\":[[60,2],[120,2],[180,2]],\"samplesRead\":6,"
                        "\"peakSamples\":6}"));
  const auto timings = answer.Json()["data"]["stats"]["timings"];
  for (const char* name :
       {"evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime", "execQueueTime", "execTotalTime"}) {
    EXPECT_TRUE(timings[name].is_number()) << name;
  }
  EXPECT_EQ(timings.size(), 6u);
}

// Times are numbers here, without the three decimals of samples.
TEST_F(QueryStatsTest, TimesOfStepsAreNumbers) {
  const auto answer = Ask("GET", "/api/v1/query?time=60.25&query=up&stats=all");
  EXPECT_THAT(answer.body, HasSubstr("\"totalQueryableSamplesPerStep\":[[60.25,2]]")) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr("\"value\":[60.250,\"1\"]"));
}

// A window's samples count at every step, but are read once.
TEST_F(QueryStatsTest, ReadSamplesAreThoseNotSeenBefore) {
  const auto answer = Ask("GET", "/api/v1/query_range?start=120&end=180&step=60&query=rate(up[2m])&stats=all");
  const auto samples = answer.Json()["data"]["stats"]["samples"];
  EXPECT_EQ(samples["totalQueryableSamplesPerStep"].dump(), "[[120,4],[180,4]]") << answer.body;
  EXPECT_EQ(samples["totalQueryableSamples"], 8);
  EXPECT_EQ(samples["samplesReadPerStep"].dump(), "[[120,4],[180,2]]");
  EXPECT_EQ(samples["samplesRead"], 6);
}

TEST_F(QueryStatsTest, OtherValues) {
  const std::string basic = Ask("GET", std::string(kRange) + "&stats=true").body;
  EXPECT_THAT(basic, HasSubstr("\"samples\":{\"totalQueryableSamples\":6,\"samplesRead\":6,\"peakSamples\":6}"));
  EXPECT_THAT(basic, Not(HasSubstr("\"warnings\"")));
  EXPECT_THAT(Ask("GET", std::string(kRange)).body, Not(HasSubstr("\"stats\"")));
  const std::string odd = Ask("GET", std::string(kRange) + "&stats=1").body;
  EXPECT_THAT(odd, HasSubstr("\"samples\":{\"totalQueryableSamples\":6"));
  EXPECT_THAT(odd,
              HasSubstr("value \\\"1\\\" for parameter \\\"stats\\\" is deprecated and will be rejected in the next "
                        "major release, use \\\"true\\\" or \\\"all\\\""));
  // Without the feature "all" is no more than "true".
  services.options.per_step_stats = false;
  const std::string off = Ask("GET", std::string(kRange) + "&stats=all").body;
  EXPECT_THAT(off, HasSubstr("\"samples\":{\"totalQueryableSamples\":6"));
}

}  // namespace
}  // namespace epi::web
