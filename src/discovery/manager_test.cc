#include "discovery/manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "discovery/dns_resolver.h"
#include "discovery/kind_metrics.h"
#include "testing/discovery_fixture.h"
#include "testing/dns_server.h"
#include "testing/temp_dir.h"

namespace epi::discovery {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// Keeps what the manager hands on.
class Receiver {
 public:
  void operator()(TargetSets sets) {
    const std::lock_guard<std::mutex> lock(mutex_);
    sets_ = std::move(sets);
    ++count_;
    changed_.notify_all();
  }
  // Moves the clock until `done` holds for the last sets.
  TargetSets Await(testing::SimulatedClock& clock, const std::function<bool(const TargetSets&)>& done) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (int i = 0; i < 2000 && !(count_ > 0 && done(sets_)); ++i) {
      lock.unlock();
      clock.AdvanceMs(100);
      lock.lock();
      changed_.wait_for(lock, std::chrono::milliseconds(5));
    }
    EXPECT_TRUE(done(sets_));
    return sets_;
  }
  int count() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  TargetSets sets_;
  int count_ = 0;
};

std::map<std::string, config::SdConfigs> Jobs(const std::map<std::string, std::string>& yaml) {
  std::map<std::string, config::SdConfigs> out;
  for (const auto& [job, text] : yaml) out[job] = ParseSections(text).value();
  return out;
}

std::map<std::string, size_t> Sizes(const TargetSets& sets) {
  std::map<std::string, size_t> out;
  for (const auto& [job, groups] : sets) {
    out[job] = 0;
    for (const auto& group : groups) out[job] += group->targets.size();
  }
  return out;
}

TEST(DiscoveryManager, SharesEqualDiscoveriesAndFollowsReloads) {
  DiscoveryFixture fixture;
  Receiver receiver;
  DiscoveryManager manager(fixture.parts(), {}, [&](TargetSets sets) { receiver(std::move(sets)); });
  const std::string same = "static_configs: [{targets: [a, b], labels: {x: '1'}}]";
  EXPECT_EQ(manager.ApplyConfig(Jobs({{"one", same}, {"two", same}, {"none", ""}})), 0u);
  EXPECT_EQ(manager.provider_count(), 1u);
  auto sets = receiver.Await(fixture.clock(), [](const TargetSets& s) { return Sizes(s)["two"] == 2; });
  EXPECT_THAT(Sizes(sets), ElementsAre(Pair("none", 0), Pair("one", 2), Pair("two", 2)));
  EXPECT_EQ(sets.at("one")[0].get(), sets.at("two")[0].get());
  EXPECT_EQ(sets.at("one")[0]->labels, (Labels{{"x", "1"}}));

  manager.ApplyConfig(Jobs({{"one", same}, {"three", "static_configs: [{targets: [c]}]"}}));
  EXPECT_EQ(manager.provider_count(), 2u);
  sets = receiver.Await(fixture.clock(), [](const TargetSets& s) { return Sizes(s)["three"] == 1; });
  EXPECT_THAT(Sizes(sets), ElementsAre(Pair("one", 2), Pair("three", 1)));

  manager.ApplyConfig({});
  EXPECT_EQ(manager.provider_count(), 0u);
  receiver.Await(fixture.clock(), [](const TargetSets& s) { return s.empty(); });
}

TEST(DiscoveryManager, CountsWhatCannotBeStarted) {
  DiscoveryFixture fixture;
  Receiver receiver;
  DiscoveryManager manager(fixture.parts(), {}, [&](TargetSets sets) { receiver(std::move(sets)); });
  EXPECT_EQ(manager.ApplyConfig(
                Jobs({{"a", "gce_sd_configs: [{project: a, zone: b}]"}, {"b", "static_configs: [{targets: [c]}]"}})),
            1u);
  EXPECT_EQ(fixture.Metric("prometheus_sd_failed_configs"), 1);
  const auto sets = receiver.Await(fixture.clock(), [](const TargetSets& s) { return Sizes(s)["b"] == 1; });
  EXPECT_THAT(Sizes(sets), ElementsAre(Pair("a", 0), Pair("b", 1)));
  EXPECT_THAT(fixture.log(), ::testing::HasSubstr("Cannot create service discovery"));
}

TEST(DiscoveryManager, StopsWhileAQuestionIsInFlight) {
  DiscoveryFixture fixture;
  std::atomic<bool> asked = false;
  fixture.ServeRequests([&](const net::Request& request) -> ApiAnswer {
    asked = true;
    HoldUntilGone(request);
    return {500, "text/plain", ""};
  });
  Receiver receiver;
  DiscoveryManager manager(fixture.parts(), {}, [&](TargetSets sets) { receiver(std::move(sets)); });
  manager.ApplyConfig(Jobs({{"a", "http_sd_configs: [{url: '" + fixture.url() + "/'}]"}}));
  fixture.Await([&] { return asked.load(); });
  manager.Stop();
  EXPECT_EQ(manager.provider_count(), 0u);
}

TEST(DnsDiscovery, AsksTheConfiguredServer) {
  const testing::DnsServer server(testing::AnswerWithAddress);
  const epi::testing::TempDir directory;
  DiscoveryFixture discovery;
  discovery.resolver_config = testing::WriteResolverConfig(directory, server.port());
  discovery.Start("dns_sd_configs: [{names: [web.example.com], type: a, port: 9100}]");
  discovery.AwaitGroups(1);
  EXPECT_EQ(discovery.Targets().at(0),
            (Labels{{"__address__", "10.0.0.2:9100"}, {"__meta_dns_name", "web.example.com"}}));
  EXPECT_EQ(discovery.Metric("prometheus_sd_dns_lookups_total"), 1);
}

TEST(DnsResolver, KnowsAbsenceFromIgnorance) {
  const epi::testing::TempDir directory;
  {
    const testing::DnsServer absent(testing::AnswerWithCode(3));
    const auto resolver = MakeSystemResolver(PosixFileSystem(), testing::WriteResolverConfig(directory, absent.port()));
    const auto records = resolver->Lookup("x.example", DnsType::kA, {});
    ASSERT_TRUE(records.has_value()) << records.error().message();
    EXPECT_TRUE(records->empty());
  }
  const testing::DnsServer broken(testing::AnswerWithCode(2));
  const auto resolver = MakeSystemResolver(PosixFileSystem(), testing::WriteResolverConfig(directory, broken.port()));
  const auto records = resolver->Lookup("x.example", DnsType::kA, {});
  ASSERT_FALSE(records.has_value());
  EXPECT_EQ(records.error().message(),
            "could not resolve \"x.example\": all servers responded with errors to at least one search domain");
}

// By the table of the surface document: dashboards and alerts find them before a discovery of the kind is used.
TEST(KindMetrics, AreThereFromTheStart) {
  MetricRegistry registry;
  RegisterKindMetrics(registry);
  std::map<std::string, size_t> members;
  for (const auto& family : registry.Collect()) members[family.name] = family.points.size();
  const std::map<std::string, size_t> expected = {
      {"prometheus_sd_azure_cache_hit_total", 1},
      {"prometheus_sd_azure_failures_total", 1},
      {"prometheus_sd_consul_rpc_duration_seconds", 2},
      {"prometheus_sd_consul_rpc_failures_total", 1},
      {"prometheus_sd_dns_lookup_failures_total", 1},
      {"prometheus_sd_dns_lookups_total", 1},
      {"prometheus_sd_file_read_errors_total", 1},
      {"prometheus_sd_file_scan_duration_seconds", 1},
      {"prometheus_sd_file_watcher_errors_total", 1},
      {"prometheus_sd_http_failures_total", 1},
      {"prometheus_sd_kubernetes_events_total", 18},
      {"prometheus_sd_kubernetes_failures_total", 1},
      {"prometheus_sd_kuma_fetch_duration_seconds", 1},
      {"prometheus_sd_kuma_fetch_failures_total", 1},
      {"prometheus_sd_kuma_fetch_skipped_updates_total", 1},
      {"prometheus_sd_linode_failures_total", 1},
      {"prometheus_sd_nomad_failures_total", 1},
      {"prometheus_treecache_watcher_goroutines", 1},
      {"prometheus_treecache_zookeeper_failures_total", 1},
  };
  for (const auto& [name, count] : expected) EXPECT_EQ(members[name], count) << name;
}

}  // namespace
}  // namespace epi::discovery
