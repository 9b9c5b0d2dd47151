// For tests of this module: services over storage in memory, and requests that go through the route table without a
// network.
#pragma once

#include <gtest/gtest.h>
#include <algorithm>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "model/duration.h"
#include "model/relabel.h"
#include "net/request_head.h"
#include "net/response_stream.h"
#include "net/url.h"
#include "promql/engine/engine.h"
#include "scrape/status.h"
#include "testing/memory_storage.h"
#include "testing/simulated_clock.h"
#include "web/services.h"

namespace epi::web {

// Runs the "load" commands of the query test language: floats only.
inline void LoadScript(testing::MemoryStorage& storage, std::string_view script) {
  DurationMs step = 60'000;
  while (!script.empty()) {
    const auto end = std::min(script.find('\n'), script.size());
    std::string_view line = script.substr(0, end);
    script.remove_prefix(std::min(end + 1, script.size()));
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    if (line.empty()) continue;
    if (line.starts_with("load ")) {
      step = ParseDuration(line.substr(5)).value();
      continue;
    }
    const auto series = promql::ParseSeriesDescription(line);
    ASSERT_TRUE(series.has_value()) << line;
    for (size_t i = 0; i < series->values.size(); ++i)
      if (!series->values[i].omitted)
        storage.Append(series->labels, static_cast<TimestampMs>(i) * step, series->values[i].value);
  }
}

class FakeScrape final : public scrape::ScrapeStatus {
 public:
  std::vector<std::string> PoolNames() const override { return pools; }
  std::vector<scrape::ActiveTarget> ActiveTargets(std::string_view pool) const override {
    std::vector<scrape::ActiveTarget> out;
    for (const auto& target : active)
      if (target.scrape_pool == pool) out.push_back(target);
    return out;
  }
  std::vector<Labels> DroppedTargets(std::string_view pool) const override {
    return pool == "blackbox" ? dropped : std::vector<Labels>();
  }
  uint64_t DroppedCount(std::string_view pool) const override { return DroppedTargets(pool).size(); }
  std::shared_ptr<const scrape::ScrapeJob> Job(std::string_view) const override { return nullptr; }
  Result<std::vector<scrape::RelabelStep>> RelabelSteps(std::string_view pool, const Labels&) const override {
    for (const auto& [name, list] : steps)
      if (name == pool) return list;
    return Fail(ErrorCode::kNotFound, "scrape pool not found");
  }
  void ForEachMetadata(const std::function<void(const Labels&, const scrape::FamilyMetadata&)>& visit) const override {
    for (const auto& [labels, family] : metadata) visit(labels, family);
  }

  std::vector<std::string> pools;
  std::vector<scrape::ActiveTarget> active;
  std::vector<Labels> dropped;
  std::vector<std::pair<std::string, std::vector<scrape::RelabelStep>>> steps;
  std::vector<std::pair<Labels, scrape::FamilyMetadata>> metadata;
};

class FakeRules final : public RulesSource {
 public:
  std::vector<RuleGroupStatus> Groups() const override { return groups; }
  std::vector<RuleGroupStatus> groups;
};

class FakeAlertmanagers final : public AlertmanagersSource {
 public:
  std::vector<std::string> Active() const override { return active; }
  std::vector<std::string> Dropped() const override { return dropped; }
  std::vector<std::string> active, dropped;
};

class FakeDatabase final : public Database {
 public:
  Result<DatabaseStatus> Status(size_t) const override { return OrError(status); }
  Result<DatabaseCost> Cost(size_t limit) const override {
    DatabaseCost out = cost;
    out.metrics.resize(std::min(limit, out.metrics.size()));
    return OrError(std::move(out));
  }
  Result<std::vector<std::string>> BlockMetas() const override { return OrError(block_metas); }
  ReplayProgress Replay() const override { return {1, 3, 2}; }
  Result<void> DeleteSeries(std::span<const std::vector<Matcher>> sets, TimeRange) override {
    deleted_sets += sets.size();
    return Done();
  }
  Result<void> CleanTombstones() override { return Done(); }
  Result<std::string> Snapshot(bool) override { return OrError(std::string("20240102T030405Z-0000000000000001")); }

  std::optional<Error> error;  // every call fails with it
  size_t deleted_sets = 0;
  DatabaseStatus status;
  DatabaseCost cost;
  std::vector<std::string> block_metas;

 private:
  template <typename T>
  Result<T> OrError(T value) const {
    if (error) return Fail(*error);
    return value;
  }
  Result<void> Done() const {
    if (error) return Fail(*error);
    return {};
  }
};

// A whole answer.
struct Answer {
  int status = 0;
  std::string head;
  std::string body;
  nlohmann::json Json() const { return nlohmann::json::parse(body, nullptr, false); }
};

class WebFixture : public ::testing::Test {
 protected:
  WebFixture() {
    promql::EngineOptions engine_options;
    engine_options.clock = &clock;
    engine = std::make_unique<promql::Engine>(engine_options);
    services.clock = &clock;
    services.metrics = &metrics;
    services.storage = services.local_storage = &storage;
    services.engine = engine.get();
    services.scrape = &scrape;
    services.rules = &rules;
    services.alertmanagers = &alertmanagers;
    services.database = &database;
    services.readiness = Readiness::kReady;
    services.options.external_url = "http://localhost";
    router = std::make_unique<net::Router>(RouterOptions("", Logger()), services, Routes(), metrics, clock);
  }

  Answer Ask(std::string_view method, const std::string& target, const std::string& form = "",
             const net::HttpHeaders& headers = {}) {
    class StringSink final : public net::ByteSink {
     public:
      Result<void> Push(std::string bytes) override {
        text += bytes;
        return {};
      }
      std::string text;
    };
    net::Request request;
    request.http_minor = 0;  // so that streamed bodies come without chunk marks
    request.method_text = method;
    request.method = net::MethodFromName(method);
    request.headers = headers;
    request.identity = identity;
    EXPECT_EQ(net::SetTarget(request, target).status, 0);
    if (!form.empty()) {
      if (headers.Get("Content-Type").empty()) request.headers.Set("Content-Type", "application/x-www-form-urlencoded");
      request.body = form;
    }
    Budget budget("request");
    request.budget = &budget;
    net::DecodeParameters(request);
    const auto admission = router->Admit(request);
    StringSink sink;
    net::ResponseStream response(sink, request, {admission.compression, 1u << 20, true}, clock);
    router->Serve(admission, request, response);
    response.Finish();
    Answer answer;
    answer.status = response.status();
    const auto end = sink.text.find("\r\n\r\n");
    answer.head = sink.text.substr(0, end);
    if (end != std::string::npos) answer.body = sink.text.substr(end + 4);
    return answer;
  }

  testing::SimulatedClock clock;
  MetricRegistry metrics;
  testing::MemoryStorage storage;
  std::unique_ptr<promql::Engine> engine;
  FakeScrape scrape;
  FakeRules rules;
  FakeAlertmanagers alertmanagers;
  FakeDatabase database;
  Services services;
  net::Identity identity;  // who asks
  std::unique_ptr<net::Router> router;
};

}  // namespace epi::web
