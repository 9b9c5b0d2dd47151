// A dashboard that is refreshed every minute: six hours at a step of a minute, over 600 counters scraped every 15 s.
#include <benchmark/benchmark.h>

#include <string>

#include "naive/cache_world.h"

namespace epi::naive {
namespace {

constexpr TimestampMs kDashboardStart = 1'700'000'000'000 / 60'000 * 60'000;
constexpr int64_t kDashboardSpan = 6 * 3600'000;
constexpr int kCounters = 600;

class Dashboard {
 public:
  Dashboard() : world_(kDashboardStart), appender_(*world_.db().OpenGroup({GroupIdentity::Kind::kScrape, "x"})) {
    for (int i = 0; i < kCounters; ++i) {
      refs_.push_back(*appender_->Intern(
          {{"__name__", "m_total"}, {"job", "j" + std::to_string(i % 6)}, {"instance", "host-" + std::to_string(i)}}));
    }
    while (next_ < kDashboardStart + kDashboardSpan) {
      Advance(60'000);
      if (next_ % 1'200'000 == 0) EPI_CHECK(world_.db().Maintain().has_value());
    }
  }

  // Lets time go on, with scrapes.
  void Advance(int64_t ms) {
    world_.clock().AdvanceMs(ms);
    for (; next_ <= world_.clock().NowMs(); next_ += 15'000) {
      for (size_t i = 0; i < refs_.size(); ++i) {
        values_[i] += static_cast<double>(random_.Below(100));
        appender_->Add(refs_[i], values_[i]);
      }
      EPI_CHECK(appender_->Commit(next_)->dead.empty());
    }
  }

  promql::QuerySpec Panel(const char* query) {
    const TimestampMs now = world_.clock().NowMs();
    return promql::QuerySpec::Range(query, now - kDashboardSpan + 300'000, now, 60'000);
  }
  CacheWorld& world() { return world_; }

 private:
  CacheWorld world_;
  std::unique_ptr<BatchAppender> appender_;
  std::vector<SeriesRef> refs_;
  std::vector<double> values_ = std::vector<double>(kCounters);
  TimestampMs next_ = kDashboardStart + 15'000;
  SeededRandom random_{1};
};

constexpr const char* kPanels[] = {"sum by (job) (rate(m_total[5m]))", "rate(m_total[5m])",
                                   "topk(5, max_over_time(m_total[10m]))"};

void RefreshPanel(benchmark::State& state) {
  Dashboard dashboard;
  const char* query = kPanels[state.range(0)];
  const bool cached = state.range(1) != 0;
  state.SetLabel(std::string(query) + (cached ? ", cache" : ", nocache"));
  for (auto _ : state) {
    state.PauseTiming();
    dashboard.Advance(60'000);
    const auto spec = dashboard.Panel(query);
    state.ResumeTiming();
    const auto answer = cached ? dashboard.world().Cached(spec) : dashboard.world().Direct(spec);
    EPI_CHECK(answer.has_value());
    benchmark::DoNotOptimize(answer);
  }
  const auto counts = dashboard.world().cache().counts();
  state.counters["kept_bytes"] = static_cast<double>(counts.bytes);
}
BENCHMARK(RefreshPanel)->ArgsProduct({{0, 1, 2}, {0, 1}})->Unit(benchmark::kMillisecond)->Iterations(60);

}  // namespace
}  // namespace epi::naive
