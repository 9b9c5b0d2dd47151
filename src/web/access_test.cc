// Roles and label scopes over every route there is.
#include <gtest/gtest.h>

#include "model/label_names.h"
#include "promql/cache/range_cache.h"
#include "remote/read_server.h"
#include "remote/snappy_block.h"
#include "testing/web_fixture.h"
#include "web/label_scope.h"

namespace epi::web {
namespace {

constexpr net::Role kRoles[] = {net::Role::kMetrics, net::Role::kRead, net::Role::kWrite, net::Role::kAdmin};

class AccessTest : public WebFixture {
 protected:
  AccessTest() {
    services.audit = [this](const net::Request& request, int status) {
      audited.push_back(request.identity.name + " " + request.path + " " + std::to_string(status));
    };
    services.options.enable_search = true;
    services.options.enable_admin_api = true;
    services.options.enable_lifecycle = true;
    services.reload = [] { return Result<void>(); };
    services.quit = [] { return true; };
    for (const char* team : {"a", "b"}) {
      const std::string metric = std::string("m_") + team;
      storage.Append({{"__name__", metric}, {"team", team}, {std::string("only_") + team, "x"}}, 1000, 1);
      storage.AppendExemplar({{"__name__", metric}, {"team", team}, {std::string("only_") + team, "x"}},
                             Exemplar{Labels{{"trace", std::string("t") + team}}, 1, 1000, true});
    }
    clock.StepWallMs(2000 - clock.NowMs());
  }
  // A path that the route serves; parameters of the path are made up.
  static std::string PathOf(const net::Route& route) {
    std::string out;
    std::string_view rest = route.path;
    while (!rest.empty()) {
      const auto end = std::min(rest.find('/', 1), rest.size());
      const std::string_view segment = rest.substr(0, end);
      const bool given = segment.size() > 1 && (segment[1] == ':' || segment[1] == '*');
      out += given ? std::string("/x") : std::string(segment);
      rest.remove_prefix(end);
    }
    return out;
  }
  static std::string_view MethodOf(const net::Route& route) {
    for (const auto method : {net::Method::kGet, net::Method::kPost, net::Method::kDelete, net::Method::kOptions}) {
      if ((route.methods & net::MethodBit(method)) != 0) return net::MethodName(method);
    }
    return "GET";
  }

  std::vector<std::string> audited;
};

TEST_F(AccessTest, EveryRouteAsksForItsRole) {
  for (const auto& route : Routes()) {
    if (route.lane == net::Admission::Lane::kStream) continue;  // would not end
    identity.roles = 0;
    EXPECT_EQ(Ask(MethodOf(route), PathOf(route)).status == 403, route.role != net::Role::kNone) << route.path;
    for (const auto role : kRoles) {
      identity.roles = net::RoleBit(role);
      const int status = Ask(MethodOf(route), PathOf(route)).status;
      const bool open = route.role == net::Role::kNone || route.role == role;
      EXPECT_EQ(status == 403, !open) << MethodOf(route) << " " << route.path << " answered " << status;
    }
  }
}

TEST_F(AccessTest, NoRouteThatTellsOrChangesAnythingIsOpenToEverybody) {
  for (const auto& route : Routes()) {
    if (route.role != net::Role::kNone) continue;
    EXPECT_FALSE(route.path.starts_with("/api/")) << route.path;
    EXPECT_NE(route.path, "/federate");
    EXPECT_NE(route.path, "/metrics");
  }
}

TEST_F(AccessTest, RoutesAreClosedToScopedCallersUnlessTheyAreKnownToBeSafe) {
  identity.label_scope = {"{team=\"a\"}"};
  for (const auto& route : Routes()) {
    if (ScopeRuleOf(route.path) != ScopeRule::kClosed) continue;
    EXPECT_EQ(Ask(MethodOf(route), PathOf(route)).status, 403) << route.path;
  }
  for (const char* path : {"/api/v1/rules", "/api/v1/alerts", "/api/v1/targets", "/api/v1/metadata", "/metrics",
                           "/api/v1/status/tsdb", "/api/v1/status/config", "/api/v1/targets/metadata"}) {
    EXPECT_EQ(Ask("GET", path).status, 403) << path;
  }
}

// Every shape in which a caller of team a might get to see something of team b.
TEST_F(AccessTest, NoQueryShapeShowsOtherSeries) {
  identity.label_scope = {"{team=\"a\"}"};
  const char* const kShapes[] = {
      "/api/v1/query?time=2&query=m_b",
      "/api/v1/query?time=2&query={team=\"b\"}",
      "/api/v1/query?time=2&query={team=~\".*\"}",
      "/api/v1/query?time=2&query={__name__=~\".%2B\"}",
      "/api/v1/query?time=2&query={team!=\"a\",__name__!=\"\"}",
      "/api/v1/query?time=2&query={only_b=\"x\"}",
      "/api/v1/query?time=2&query=m_b[5m]",
      "/api/v1/query?time=2&query=m_b%20offset%20-1s",
      "/api/v1/query?time=2&query=m_b%20@%202",
      "/api/v1/query?time=2&query=max_over_time(m_b[1h:1s])",
      "/api/v1/query?time=2&query=count%20by%20(team)%20({__name__=~\".%2B\"})",
      "/api/v1/query?time=2&query=count_values%20by%20(team)%20(\"v\",%20{__name__=~\"m.*\"})",
      "/api/v1/query?time=2&query=m_a%20or%20m_b",
      "/api/v1/query?time=2&query=label_replace(m_b,\"team\",\"a\",\"\",\"\")",
      "/api/v1/query?time=2&query=topk(5,{team=~\"a|b\"})",
      "/api/v1/query?time=2&query=sort_by_label({__name__=~\"m.*\"},\"team\")",
      "/api/v1/query_range?start=0&end=3&step=1&query=m_b",
      "/api/v1/query_range?start=0&end=3&step=1&query={__name__=~\"m.*\"}",
      "/api/v1/query_exemplars?start=0&end=3&query=m_b",
      "/api/v1/query_exemplars?start=0&end=3&query={__name__=~\"m.*\"}",
      "/api/v1/query_exemplars?start=0&end=3&query=m_a%20%2B%20m_b",
      "/api/v1/series?match[]=m_b",
      "/api/v1/series?match[]={team=\"b\"}&match[]={__name__=~\".%2B\"}",
      "/api/v1/labels",
      "/api/v1/labels?match[]=m_b",
      "/api/v1/label/team/values",
      "/api/v1/label/only_b/values",
      "/api/v1/label/__name__/values",
      "/api/v1/label/__name__/values?match[]={team=\"b\"}",
      "/api/v1/search/metric_names?start=0&end=3",
      "/api/v1/search/label_names?start=0&end=3",
      "/api/v1/search/label_values?start=0&end=3&label=team",
      "/api/v1/query?time=2&query=m_a%20and%20on()%20m_b",
      "/api/v1/query?time=2&query=m_a%20*%20on()%20group_left(team)%20m_b",
      "/api/v1/query?time=2&query=info(m_a,{__name__=~\"m_b|target_info\"})",
      "/api/v1/query?time=2&query=sum_over_time({__name__!=\"\"}[1h:1s]%20offset%20-1s)[1h:1s]",
      "/api/v1/query?time=2&query=last_over_time({team=\"b\"}[1h])%20or%20vector(0)",
      "/api/v1/query?time=2&query=absent(m_b)%20or%20{team=\"b\"}&stats=all&limit=5&lookback_delta=1h",
      "/api/v1/query_range?start=0&end=3&step=1&query={__name__=~\"m.*\"}&nocache=1",
      "/api/v1/series?match[]={__name__!=\"\"}&start=0&end=3&limit=1",
      "/api/v1/labels?match[]={team=\"b\"}&match[]={team=\"a\"}&start=0&end=3",
      "/api/v1/label/U__team/values?match[]={team=\"b\"}",
      "/api/v1/search/metric_names?start=0&end=3&search[]=m_b&include_score=true&include_metadata=true",
      "/api/v1/search/label_values?start=0&end=3&label=__name__&match[]={team=\"b\"}",
      "/api/v1/export?match[]=m_b",
      "/api/v1/export?match[]={team=\"a\"}&match[]={__name__!=\"\"}&start=0&end=3",
      "/federate?match[]=m_b",
      "/federate?match[]={__name__=~\".%2B\"}",
      "/federate?match[]={}",
  };
  for (const char* shape : kShapes) {
    const auto answer = Ask("GET", shape);
    EXPECT_TRUE(answer.status == 200 || answer.status == 204 || answer.status == 400 || answer.status == 422)
        << shape << ": " << answer.status << " " << answer.body;
    for (const char* secret : {"m_b", "only_b", "\"b\"", "tb"}) {
      EXPECT_EQ(answer.body.find(secret), std::string::npos) << shape << ": " << answer.body;
    }
  }
  // The same by form.
  const std::pair<const char*, const char*> forms[] = {
      {"/api/v1/query", "time=2&query={__name__=~\"m.*\"}"},
      {"/api/v1/query_range", "start=0&end=3&step=1&query={__name__=~\"m.*\"}"},
      {"/api/v1/query_exemplars", "query={__name__=~\"m.*\"}"},
      {"/api/v1/series", "match[]={__name__=~\"m.*\"}"},
      {"/api/v1/labels", "match[]={__name__=~\"m.*\"}"},
      {"/api/v1/search/metric_names", "start=0&end=3"},
      {"/api/v1/export", "match[]={__name__=~\"m.*\"}"},
  };
  for (const auto& [path, form] : forms) {
    const auto posted = Ask("POST", path, form);
    EXPECT_EQ(posted.status, 200) << path;
    EXPECT_EQ(posted.body.find("_b"), std::string::npos) << path << posted.body;
    EXPECT_NE(posted.body.find("_a"), std::string::npos) << path << posted.body;
  }
}

// Says that its past does not change, so that answers may be kept.
class SteadyStorage final : public Storage {
 public:
  explicit SteadyStorage(const Storage& inner) : inner_(inner) {}
  Result<std::shared_ptr<const View>> OpenView(TimeRange range) const override { return inner_.OpenView(range); }
  Result<std::unique_ptr<BatchAppender>> OpenGroup(const GroupIdentity&) override {
    return Fail(ErrorCode::kDenied, "steady");
  }
  TimestampMs OldestTime() const override { return inner_.OldestTime(); }
  ChangeLog* changes() const override { return &changes_; }

 private:
  const Storage& inner_;
  mutable ChangeLog changes_;
};

// What somebody else's query left behind is not handed on.
TEST_F(AccessTest, KeptAnswersKeepToTheScope) {
  for (const char* team : {"a", "b"}) storage.Append({{"__name__", "shared"}, {"team", team}}, 1000, 1);
  promql::RangeCache cache(*engine, {.clock = &clock});
  services.range_cache = &cache;
  SteadyStorage steady(storage);
  services.storage = &steady;
  clock.StepWallMs(3'600'000);
  const char* const query = "/api/v1/query_range?start=0&end=3&step=1&query=shared";
  const std::string whole = Ask("GET", query).body;
  EXPECT_EQ(cache.counts().entries, 1u);
  for (const std::string own : {"a", "b"}) {
    identity.label_scope = {"{team=\"" + own + "\"}"};
    const std::string part = Ask("GET", query).body;
    for (const char* team : {"a", "b"}) {
      const std::string shown = "\"team\":\"" + std::string(team) + "\"";
      EXPECT_NE(whole.find(shown), std::string::npos) << whole;
      EXPECT_EQ(part.find(shown) != std::string::npos, team == own) << part;
    }
  }
  identity.label_scope.clear();
  EXPECT_EQ(Ask("GET", query).body, whole);
  EXPECT_EQ(cache.counts().hits, 1u);
}

TEST_F(AccessTest, WhatIsInScopeIsSeen) {
  identity.label_scope = {"{team=\"a\"}", "{only_a!=\"\"}"};
  EXPECT_NE(Ask("GET", "/api/v1/query?time=2&query=m_a").body.find("m_a"), std::string::npos);
  EXPECT_EQ(Ask("GET", "/api/v1/label/team/values").Json()["data"], (nlohmann::json{"a"}));
  EXPECT_NE(Ask("GET", "/federate?match[]=m_a").body.find("m_a{"), std::string::npos);
  EXPECT_EQ(Ask("GET", "/api/v1/query_exemplars?start=0&end=3&query=m_a").Json()["data"].size(), 1u);
}

TEST_F(AccessTest, AScopeThatIsNoSelectorShowsNothing) {
  identity.label_scope = {"{team="};
  EXPECT_EQ(Ask("GET", "/api/v1/query?time=2&query=m_a").status, 500);
  EXPECT_EQ(Ask("GET", "/api/v1/labels").status, 500);
  EXPECT_EQ(Ask("GET", "/federate?match[]=m_a").status, 500);
}

TEST_F(AccessTest, NothingIsWrittenThroughAScope) {
  ScopedStorage scoped(storage, {});
  EXPECT_FALSE(scoped.OpenGroup({}));
  EXPECT_FALSE(scoped.OpenBackfill({}));
}

TEST_F(AccessTest, RemoteReadKeepsToTheScope) {
  MetricRegistry read_metrics;
  remote::ReadServer server({}, storage, read_metrics);
  services.read_server = &server;
  // One query: all of time, team=~".*".
  const std::string matcher("\x08\x02\x12\x04team\x1a\x02.*", 12);
  std::string query("\x08\x00\x10\x90\x4e", 5);
  query += std::string("\x1a") + static_cast<char>(matcher.size()) + matcher;
  const std::string message = std::string("\x0a") + static_cast<char>(query.size()) + query;
  const std::string body = remote::SnappyEncode(message);
  const auto plain = [&](const Answer& answer) {
    BudgetCharge unmetered;
    return remote::SnappyDecode(answer.body, 1 << 20, unmetered).value_or("");
  };
  EXPECT_NE(plain(Ask("POST", "/api/v1/read", body)).find("only_b"), std::string::npos);
  identity.label_scope = {"{team=\"a\"}"};
  const auto answer = Ask("POST", "/api/v1/read", body);
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(plain(answer).find("only_a"), std::string::npos);
  EXPECT_EQ(plain(answer).find("only_b"), std::string::npos);
}

TEST_F(AccessTest, AdminRequestsAreAuditedAlsoWhenRefused) {
  identity.name = "root";
  identity.roles = net::RoleBit(net::Role::kAdmin);
  Ask("POST", "/api/v1/admin/tsdb/clean_tombstones");
  identity.name = "reader";
  identity.roles = net::RoleBit(net::Role::kRead);
  Ask("POST", "/api/v1/admin/tsdb/delete_series?match[]=m_a");
  Ask("GET", "/api/v1/query?query=1");
  EXPECT_EQ(audited, (std::vector<std::string>{"root /api/v1/admin/tsdb/clean_tombstones 204",
                                               "reader /api/v1/admin/tsdb/delete_series 403"}));
}

}  // namespace
}  // namespace epi::web
