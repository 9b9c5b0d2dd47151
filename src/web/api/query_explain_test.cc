// Explained queries, and the list of running ones.
#include <gmock/gmock.h>

#include "testing/web_fixture.h"

namespace epi::web {
namespace {

using ::testing::HasSubstr;

class QueryExplainTest : public WebFixture {
 protected:
  void SetUp() override { LoadScript(storage, "load 1m\n\tup{a=\"1\"} 1 1 1 1\n\tup{a=\"2\"} 1 1 1 1"); }
};

TEST_F(QueryExplainTest, ARangeQueryIsExplained) {
  const auto answer = Ask("GET", "/api/v1/query_explain?start=60&end=180&step=60&query=sum(up)");
  EXPECT_EQ(answer.status, 200) << answer.body;
  const auto data = nlohmann::json::parse(answer.body)["data"];
  EXPECT_EQ(data["query"], "sum(up)");
  ASSERT_EQ(data["operators"].size(), 1u);
  const auto& sum = data["operators"][0];
  EXPECT_EQ(sum["operator"], "aggregate sum");
  EXPECT_EQ(sum["steps"], 3);
  EXPECT_EQ(sum["actual"]["series"], 1);
  ASSERT_EQ(sum["inputs"].size(), 1u);
  const auto& selector = sum["inputs"][0];
  EXPECT_EQ(selector["operator"], "selector __name__=\"up\" for no labels");
  EXPECT_EQ(selector["estimated"]["series"], 2);
  EXPECT_EQ(selector["estimated"]["samples"], 6);
  EXPECT_EQ(selector["actual"]["samples"], 6);
  EXPECT_TRUE(selector["actual"]["seconds"].is_number());
  EXPECT_EQ(data["passes"]["label projection"], 1);
  EXPECT_EQ(data["passes"]["constant folding"], 0);
  EXPECT_GT(data["peakBytes"], 0);
  EXPECT_EQ(data["stats"]["samples"]["totalQueryableSamples"], 6);
}

TEST_F(QueryExplainTest, NothingRunsWithoutWish) {
  const auto answer = Ask("GET", "/api/v1/query_explain?time=60&run=false&query=sum(up)");
  const auto data = nlohmann::json::parse(answer.body)["data"];
  EXPECT_FALSE(data["operators"][0].contains("actual")) << answer.body;
  EXPECT_EQ(data["operators"][0]["inputs"][0]["estimated"]["series"], 2);
}

TEST_F(QueryExplainTest, ParametersAreChecked) {
  EXPECT_EQ(Ask("GET", "/api/v1/query_explain?query=up&run=perhaps").status, 400);
  EXPECT_EQ(Ask("GET", "/api/v1/query_explain?query=up(").status, 400);
  EXPECT_EQ(Ask("GET", "/api/v1/query_explain?query=up&step=60").status, 400);
}

TEST_F(QueryExplainTest, RunningQueries) {
  const auto list = Ask("GET", "/api/v1/status/active_queries");
  EXPECT_EQ(list.status, 200);
  EXPECT_EQ(list.body, "{\"status\":\"success\",\"data\":[]}");
  const auto unknown = Ask("DELETE", "/api/v1/status/active_queries/7");
  EXPECT_EQ(unknown.status, 404) << unknown.body;
  EXPECT_THAT(unknown.body, HasSubstr("no query with id 7 is running"));
  EXPECT_EQ(Ask("DELETE", "/api/v1/status/active_queries/x").status, 400);
}

}  // namespace
}  // namespace epi::web
