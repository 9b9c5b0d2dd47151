// Memory over hours of simulated time: series with labels as Kubernetes has them (7 labels, some 120 bytes of text),
// 15 s samples, blocks cut as they fall due. With churn, targets are replaced one after the other: their series get
// stale markers and a target with another pod, address and labels takes their place. The bound is 500 bytes of resident
// memory an active series, 700 with half of the series replaced every hour, and no growth from hour to hour.
// Run with the server's allocator, which must not wait for the time of the world before it gives memory back:
// MALLOC_CONF=dirty_decay_ms:0 LD_PRELOAD=libjemalloc.so.2 db_memory_bench
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "model/sample.h"
#include "testing/temp_dir.h"
#include "tsdb/db.h"

namespace epi::tsdb {
namespace {

constexpr int kMemorySeriesPerTarget = 500;
constexpr TimestampMs kMemoryStart = 1'700'006'400'000;  // a multiple of two hours
constexpr int64_t kMemoryStep = 15'000;
constexpr int kMemoryRoundsPerHour = 3'600'000 / kMemoryStep;

double MemoryResident() {
  long pages = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

struct MemoryTarget {
  std::unique_ptr<BatchAppender> appender;
  std::vector<BatchAppender::FloatSample> samples;
};

// `life` counts all targets there ever were.
MemoryTarget MakeMemoryTarget(Db& db, int life) {
  MemoryTarget target;
  const std::string instance = "10." + std::to_string(life / 62500 % 250) + "." + std::to_string(life / 250 % 250) +
                               "." + std::to_string(life % 250) + ":8080";
  char suffix[16];
  std::snprintf(suffix, sizeof suffix, "%08x", static_cast<unsigned>(life) * 2654435761u);
  const std::string pod = "some-deployment-" + std::to_string(life % 50) + "-" + suffix;
  target.appender =
      std::move(*db.OpenGroup({GroupIdentity::Kind::kScrape, "{instance=\"" + instance + "\",pod=\"" + pod + "\"}"}));
  for (int s = 0; s < kMemorySeriesPerTarget; ++s) {
    const Labels labels{{"__name__", "some_metric_name_" + std::to_string(s / 10) + "_total"},
                        {"container", "container"},
                        {"instance", instance},
                        {"job", "kubernetes-pods"},
                        // Half of the series have a value nobody else has.
                        {"le", s % 2 == 0 ? std::to_string(s % 10) : "id-" + std::string(suffix) + std::to_string(s)},
                        {"namespace", "namespace-" + std::to_string(life % 20)},
                        {"pod", pod}};
    target.samples.push_back({*target.appender->Intern(labels), 0.0});
  }
  return target;
}

// Half constant, 35 % counters, 15 % noise.
void MoveMemoryTarget(MemoryTarget& target, SeededRandom& random) {
  for (size_t i = 0; i < target.samples.size(); ++i) {
    double& v = target.samples[i].value;
    if (i % 20 < 10) continue;
    v = i % 20 < 17 ? v + static_cast<double>(random.Below(50)) : random.Unit();
  }
}

void PrintMemory(const char* when, double hour, double resident, const HeadMemory& m, double series,
                 uint64_t head_series) {
  const auto per = [&](size_t bytes) { return static_cast<double>(bytes) / series; };
  std::fprintf(
      stderr,
      "%s %.1f h: resident %.0f B/series; head %.0f: series %.0f labels %.0f symbols %.0f postings %.0f hash %.0f "
      "arenas %.0f columns %.0f runs %.0f sides %.0f; series in the head %.2f of active\n",
      when, hour, resident / series, per(m.total()), per(m.series), per(m.labels), per(m.symbols), per(m.postings),
      per(m.hash_table), per(m.arenas), per(m.columns), per(m.runs), per(m.sides),
      static_cast<double>(head_series) / series);
}

// Arguments: active series, percent of them replaced in an hour, hours.
void BM_Memory(benchmark::State& state) {
  const auto targets_count = static_cast<size_t>(state.range(0)) / kMemorySeriesPerTarget;
  const double replaced_per_round =
      static_cast<double>(targets_count) * static_cast<double>(state.range(1)) / 100 / kMemoryRoundsPerHour;
  const auto series = static_cast<double>(targets_count * kMemorySeriesPerTarget);
  const double own = series * sizeof(BatchAppender::FloatSample);  // what the bench itself keeps
  for (auto _ : state) {
    testing::TempDir dir;
    const double before = MemoryResident();
    auto db = std::move(*Db::Open({.directory = dir.path()}, {PosixFileSystem(), SystemClock(), SystemRandom(), {}}));
    if (!db->Load()) state.SkipWithError("load");
    std::vector<MemoryTarget> targets;
    int lives = 0;
    while (targets.size() < targets_count) targets.push_back(MakeMemoryTarget(*db, lives++));
    SeededRandom random{1};
    size_t oldest = 0;
    double due = 0;
    double peak = 0;
    double longest = 0;
    double samples = 0;
    double appending = 0;
    Clock& clock = SystemClock();
    const auto rounds = static_cast<int>(state.range(2)) * kMemoryRoundsPerHour;
    for (int round = 0; round < rounds; ++round) {
      const TimestampMs now = kMemoryStart + round * kMemoryStep;
      for (due += replaced_per_round; due >= 1; due -= 1) {
        MemoryTarget& gone = targets[oldest];
        for (auto& sample : gone.samples) sample.value = StaleNaN();
        gone.appender->AddMany(gone.samples);
        if (!gone.appender->Commit(now)) state.SkipWithError("commit");
        gone = MakeMemoryTarget(*db, lives++);
        oldest = (oldest + 1) % targets.size();
      }
      for (auto& target : targets) {
        MoveMemoryTarget(target, random);
        target.appender->AddMany(target.samples);
        const MonotonicNs start = clock.Monotonic();
        if (!target.appender->Commit(now)) state.SkipWithError("commit");
        const auto took = static_cast<double>(clock.Monotonic() - start);
        appending += took;
        longest = std::max(longest, took);
        samples += static_cast<double>(target.samples.size());
      }
      if (round % 4 == 3 && !db->Maintain()) state.SkipWithError("maintenance");
      peak = std::max(peak, MemoryResident());
      if (round % (kMemoryRoundsPerHour / 2) == kMemoryRoundsPerHour / 2 - 1) {
        PrintMemory("at", static_cast<double>(round + 1) / kMemoryRoundsPerHour, MemoryResident() - before - own,
                    db->head().Memory(), series, db->head().series_count());
      }
    }
    state.counters["rss_B/series"] = (MemoryResident() - before - own) / series;
    state.counters["peak_B/series"] = (peak - before - own) / series;
    state.counters["head_B/series"] = static_cast<double>(db->head().Memory().total()) / series;
    state.counters["commit_ns/sample"] = appending / samples;
    state.counters["longest_commit_ms"] = longest / 1e6;
    targets.clear();
  }
}
BENCHMARK(BM_Memory)
    ->Args({200'000, 0, 4})
    ->Args({200'000, 50, 8})
    ->Args({1'000'000, 0, 3})
    ->Args({1'000'000, 50, 5})
    ->Iterations(1)
    ->Unit(benchmark::kSecond);

}  // namespace
}  // namespace epi::tsdb
