// A start after kill -9 at 1M Kubernetes-like series (7 labels, 120 bytes of text): with a snapshot of the head and a
// tail of 20M samples behind it, to the first correct answer for a sample of the last second. Bound: 1 s.
#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "testing/temp_dir.h"
#include "tsdb/db.h"

namespace epi::tsdb {
namespace {

constexpr int kStartTargets = 500;
constexpr int kStartSeriesPerTarget = 2000;
constexpr int kRoundsBefore = 60;
constexpr int kRoundsOfTail = 20;
constexpr TimestampMs kStartBenchTime = 1'700'000'000'000;

struct StartTarget {
  std::unique_ptr<BatchAppender> appender;
  std::vector<BatchAppender::FloatSample> samples;
};

Labels SeriesOfTarget(int t, int s) {
  return {{"__name__", "some_metric_name_" + std::to_string(s / 10) + "_total"},
          {"container", "container"},
          {"instance", "10.0." + std::to_string(t / 250) + "." + std::to_string(t % 250) + ":8080"},
          {"job", "kubernetes-pods"},
          {"le", std::to_string(s % 10)},
          {"namespace", "namespace-" + std::to_string(t % 20)},
          {"pod", "some-deployment-" + std::to_string(t * 7919) + "-abcde"}};
}

std::unique_ptr<Db> OpenForStart(const std::string& directory) {
  auto db = Db::Open({.directory = directory}, {PosixFileSystem(), SystemClock(), SystemRandom(), {}});
  if (!db || !(*db)->Load()) return nullptr;
  return std::move(*db);
}

// Writes and then dies as if it were killed: nothing is flushed, synced or closed.
void WriteAndDie(const std::string& directory, bool snapshot) {
  const auto db = OpenForStart(directory);
  std::vector<StartTarget> targets(kStartTargets);
  SeededRandom random{1};
  for (int round = 0; round < kRoundsBefore + kRoundsOfTail; ++round) {
    for (int t = 0; t < kStartTargets; ++t) {
      StartTarget& target = targets[static_cast<size_t>(t)];
      if (round == 0) {
        target.appender = std::move(*db->OpenGroup({GroupIdentity::Kind::kScrape, "target " + std::to_string(t)}));
        for (int s = 0; s < kStartSeriesPerTarget; ++s)
          target.samples.push_back({*target.appender->Intern(SeriesOfTarget(t, s)), 0.0});
      }
      for (size_t i = 0; i < target.samples.size(); ++i) {
        double& v = target.samples[i].value;
        if (i % 20 < 10) continue;
        v = i % 20 < 17 ? v + static_cast<double>(random.Below(50)) : random.Unit();
      }
      // The last sample of all is what is asked for.
      if (round + 1 == kRoundsBefore + kRoundsOfTail && t + 1 == kStartTargets) target.samples.back().value = 4711;
      target.appender->AddMany(target.samples);
      if (!target.appender->Commit(kStartBenchTime + round * 15'000)) std::_Exit(1);
    }
    if (snapshot && round + 1 == kRoundsBefore && !db->SnapshotHead()) std::_Exit(1);
  }
  std::_Exit(0);
}

bool AnswersTheLastSample(const Db& db) {
  Budget budget("bench");
  const TimestampMs last = kStartBenchTime + (kRoundsBefore + kRoundsOfTail - 1) * 15'000;
  const auto view = db.OpenView({last - 1000, last});
  if (!view) return false;
  const Labels labels = SeriesOfTarget(kStartTargets - 1, kStartSeriesPerTarget - 1);
  std::vector<Matcher> matchers;
  for (const LabelView label : labels)
    matchers.push_back(Matcher::Equal(std::string(label.name), std::string(label.value)));
  SelectHints hints;
  hints.range = {last - 1000, last};
  const auto selection = (*view)->Select(matchers, hints, budget);
  SeriesBatch batch;
  if (!selection || (*selection)->size() != 1 || !(*selection)->Read(0, 1, batch)) return false;
  return batch.series[0].v.size() == 1 && batch.series[0].v[0] == 4711;
}

// Argument: whether there is a snapshot; without it all 80M samples are replayed.
void BM_StartAfterKill(benchmark::State& state) {
  testing::TempDir dir;
  const bool snapshot = state.range(0) != 0;
  const pid_t writer = fork();
  if (writer == 0) WriteAndDie(dir.path(), snapshot);
  int status = 0;
  if (waitpid(writer, &status, 0) != writer || status != 0) return state.SkipWithError("writer");
  double least_cpu = 0;
  for (auto _ : state) {
    // Each start is that of a process of its own, which dies like the first.
    const MonotonicNs before = SystemClock().Monotonic();
    const pid_t reader = fork();
    if (reader == 0) {
      const auto db = OpenForStart(dir.path());
      std::_Exit(db != nullptr && AnswersTheLastSample(*db) && db->loaded_snapshot().has_value() == snapshot &&
                         db->replay_report().samples == (snapshot ? 20'000'000u : 80'000'000u)
                     ? 0
                     : 1);
    }
    rusage usage{};
    if (wait4(reader, &status, 0, &usage) != reader || status != 0) return state.SkipWithError("reader");
    state.SetIterationTime(static_cast<double>(SystemClock().Monotonic() - before) * 1e-9);
    const auto ms = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) * 1e-3;
    };
    const double cpu = ms(usage.ru_utime) + ms(usage.ru_stime);
    least_cpu = least_cpu == 0 ? cpu : std::min(least_cpu, cpu);
  }
  // Of all threads: on a machine that others use, this is what can be compared.
  state.counters["least_cpu_ms"] = least_cpu;
}
BENCHMARK(BM_StartAfterKill)->Arg(1)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(5);
BENCHMARK(BM_StartAfterKill)->Arg(0)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
}  // namespace epi::tsdb
