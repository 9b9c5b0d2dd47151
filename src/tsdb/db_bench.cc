// The append path and replay at 1M series: batches of 2000 series a target, half of them constant, a third integer
// counters, the rest noisy floats, WAL included. Bounds: 60 ns a sample appended, 3.5 bytes a sample in the log, 20M
// samples a second replayed on one core, 500 bytes of memory a series.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdio>

#include "testing/temp_dir.h"
#include "tsdb/db.h"

namespace epi::tsdb {
namespace {

constexpr int kTargets = 500;
constexpr int kSeriesPerTarget = 2000;

double ResidentBytes() {
  long pages = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

struct Target {
  std::unique_ptr<BatchAppender> appender;
  std::vector<BatchAppender::FloatSample> samples;
};

std::vector<Target> MakeTargets(Db& db, int targets, int series) {
  std::vector<Target> out(static_cast<size_t>(targets));
  for (int t = 0; t < targets; ++t) {
    Target& target = out[static_cast<size_t>(t)];
    target.appender = std::move(*db.OpenGroup({GroupIdentity::Kind::kScrape, "target " + std::to_string(t)}));
    const std::string pod = "some-deployment-" + std::to_string(t * 7919) + "-abcde";
    for (int s = 0; s < series; ++s) {
      const Labels labels{{"__name__", "some_metric_name_" + std::to_string(s / 10) + "_total"},
                          {"container", "container"},
                          {"instance", "10.0." + std::to_string(t / 250) + "." + std::to_string(t % 250) + ":8080"},
                          {"job", "kubernetes-pods"},
                          {"le", std::to_string(s % 10)},
                          {"namespace", "namespace-" + std::to_string(t % 20)},
                          {"pod", pod}};
      target.samples.push_back({*target.appender->Intern(labels), 0.0});
    }
  }
  return out;
}

void Move(Target& target, SeededRandom& random) {
  for (size_t i = 0; i < target.samples.size(); ++i) {
    double& v = target.samples[i].value;
    if (i % 20 < 10) continue;
    v = i % 20 < 17 ? v + static_cast<double>(random.Below(50)) : random.Unit();
  }
}

void BM_Append(benchmark::State& state) {
  testing::TempDir dir;
  const double before = ResidentBytes();
  auto db = std::move(*Db::Open({.directory = dir.path()}, {PosixFileSystem(), SystemClock(), SystemRandom(), {}}));
  if (!db->Load()) state.SkipWithError("load");
  auto targets = MakeTargets(*db, kTargets, kSeriesPerTarget);
  SeededRandom random{1};
  TimestampMs now = 1'700'000'000'000;
  size_t next = 0;
  for (auto _ : state) {
    Target& target = targets[next];
    state.PauseTiming();
    Move(target, random);
    state.ResumeTiming();
    target.appender->AddMany(target.samples);
    if (!target.appender->Commit(now)) state.SkipWithError("commit");
    if (++next == targets.size()) {
      next = 0;
      now += 15'000;
    }
  }
  const auto samples = static_cast<double>(state.iterations()) * kSeriesPerTarget;
  state.SetItemsProcessed(static_cast<int64_t>(samples));
  state.counters["wal_B/sample"] = static_cast<double>(db->wal().counters().bytes_written) / samples;
  if (!db->Maintain()) state.SkipWithError("maintenance");  // spills sealed runs
  malloc_trim(0);
  const HeadMemory memory = db->head().Memory();
  constexpr double kSeries = double{kTargets} * kSeriesPerTarget;
  state.counters["rss_B/series"] = (ResidentBytes() - before - kSeries * 16) / kSeries;
  state.counters["head_B/series"] = static_cast<double>(memory.total()) / kSeries;
  state.counters["index_B/series"] =
      static_cast<double>(memory.postings + memory.hash_table + memory.symbols + memory.labels) / kSeries;
  state.counters["arena_B/series"] = static_cast<double>(memory.arenas) / kSeries;
  state.counters["runs_B/series"] = static_cast<double>(memory.runs) / kSeries;
  targets.clear();
}
BENCHMARK(BM_Append)->Iterations(500 * 130)->Unit(benchmark::kMicrosecond);

void BM_Replay(benchmark::State& state) {
  testing::TempDir dir;
  constexpr int kRounds = 100;
  {
    auto db = std::move(*Db::Open({.directory = dir.path()}, {PosixFileSystem(), SystemClock(), SystemRandom(), {}}));
    if (!db->Load()) state.SkipWithError("load");
    auto targets = MakeTargets(*db, 100, kSeriesPerTarget);
    SeededRandom random{1};
    for (int round = 0; round < kRounds; ++round) {
      for (auto& target : targets) {
        Move(target, random);
        target.appender->AddMany(target.samples);
        if (!target.appender->Commit(1'700'000'000'000 + round * 15'000)) state.SkipWithError("commit");
      }
    }
  }
  for (auto _ : state) {
    auto db = std::move(*Db::Open({.directory = dir.path()}, {PosixFileSystem(), SystemClock(), SystemRandom(), {}}));
    if (!db->Load()) state.SkipWithError("load");
    state.PauseTiming();
    db.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * 100 * kSeriesPerTarget * kRounds);
}
BENCHMARK(BM_Replay)->Unit(benchmark::kMillisecond)->Iterations(2);

// One sample of every series.
void WriteOnce(Db& db, benchmark::State& state) {
  for (auto& target : MakeTargets(db, kTargets, kSeriesPerTarget)) {
    target.appender->AddMany(target.samples);
    if (!target.appender->Commit(1'700'000'000'000)) state.SkipWithError("commit");
  }
}

// Start with 1M series and one sample each: what definitions alone cost.
void BM_LoadSeries(benchmark::State& state) {
  testing::TempDir dir;
  {
    auto db = std::move(*Db::Open({.directory = dir.path()}, {PosixFileSystem(), SystemClock(), SystemRandom(), {}}));
    if (!db->Load()) state.SkipWithError("load");
    WriteOnce(*db, state);
  }
  for (auto _ : state) {
    auto db = std::move(*Db::Open({.directory = dir.path()}, {PosixFileSystem(), SystemClock(), SystemRandom(), {}}));
    if (!db->Load()) state.SkipWithError("load");
    state.PauseTiming();
    db.reset();
    state.ResumeTiming();
  }
}
BENCHMARK(BM_LoadSeries)->Unit(benchmark::kMillisecond)->Iterations(2);

// Four blocks of two hours cut out of a head of 40 000 series, then three of them made into one (the newest waits for
// its neighbours); the time is that of the thread that does it, so pauses that leave the disk to others do not count.
constexpr int kCutTargets = 20;
constexpr int kCutBlocks = 4;
constexpr int64_t kTwoHoursMs = 7'200'000;
constexpr int64_t kSamplesPerBlock = int64_t{kCutTargets} * kSeriesPerTarget * 480;

void FillHours(Db& db) {
  auto targets = MakeTargets(db, kCutTargets, kSeriesPerTarget);
  SeededRandom random{1};
  // Another hour and a bit, or the last block would not be due.
  for (int round = 0; round < kCutBlocks * 480 + 245; ++round) {
    for (auto& target : targets) {
      Move(target, random);
      target.appender->AddMany(target.samples);
      if (!target.appender->Commit(236'112 * kTwoHoursMs + round * 15'000)) std::abort();
    }
  }
}

void Maintained(benchmark::State& state, const std::string& directory, int64_t max_block_duration, int64_t worked,
                size_t left, bool fill) {
  auto db = std::move(*Db::Open({.directory = directory, .max_block_duration_ms = max_block_duration},
                                {PosixFileSystem(), SystemClock(), SystemRandom(), {}}));
  if (!db->Load()) state.SkipWithError("load");
  if (fill) FillHours(*db);
  for (auto _ : state) {
    if (!db->Maintain()) state.SkipWithError("maintenance");
  }
  if (db->blocks().blocks()->size() != left) state.SkipWithError("other blocks than expected");
  state.SetItemsProcessed(worked * kSamplesPerBlock);
}

void BM_CutBlocks(benchmark::State& state) {
  testing::TempDir dir;
  Maintained(state, dir.path(), kTwoHoursMs, kCutBlocks, kCutBlocks, true);
}
BENCHMARK(BM_CutBlocks)->Unit(benchmark::kMillisecond)->Iterations(1);

void BM_CompactBlocks(benchmark::State& state) {
  testing::TempDir dir;
  {
    auto db = std::move(*Db::Open({.directory = dir.path(), .max_block_duration_ms = kTwoHoursMs},
                                  {PosixFileSystem(), SystemClock(), SystemRandom(), {}}));
    if (!db->Load()) state.SkipWithError("load");
    FillHours(*db);
    if (!db->Maintain()) state.SkipWithError("maintenance");
  }
  Maintained(state, dir.path(), 9 * kTwoHoursMs, 3, 2, false);
}
BENCHMARK(BM_CompactBlocks)->Unit(benchmark::kMillisecond)->Iterations(1);

// Values of one label with a matcher, as a variable of a dashboard asks for them, over 1M series of the head. The bound
// is 10 ms each.
struct LabelQuery {
  const char* label;
  std::vector<Matcher> matchers;
};

void BM_LabelValues(benchmark::State& state) {
  const LabelQuery queries[] = {
      {"pod", {Matcher::Equal("namespace", "namespace-7")}},
      {"pod", {*Matcher::Make(MatchType::kRegexp, "namespace", "namespace-(7|8|9)")}},
      {"pod", {Matcher::Equal("__name__", "some_metric_name_77_total")}},
      {"__name__", {Matcher::Equal("pod", "some-deployment-" + std::to_string(77 * 7919) + "-abcde")}},
      {"le", {*Matcher::Make(MatchType::kRegexp, "__name__", "some_metric_name_1.*")}},
      {"namespace", {Matcher::Equal("job", "kubernetes-pods")}},
      {"instance", {Matcher::Equal("job", "kubernetes-pods"), *Matcher::Make(MatchType::kNotEqual, "le", "3")}},
      {"__name__", {Matcher::Equal("job", "kubernetes-pods")}},
  };
  testing::TempDir dir;
  auto db = std::move(*Db::Open({.directory = dir.path()}, {PosixFileSystem(), SystemClock(), SystemRandom(), {}}));
  if (!db->Load()) state.SkipWithError("load");
  WriteOnce(*db, state);
  const auto& query = queries[state.range(0)];
  Budget budget("bench");
  size_t values = 0;
  for (auto _ : state) {
    const auto view = db->OpenView({});
    const auto found = (*view)->LabelValues(query.label, query.matchers, 0, budget);
    if (!found) state.SkipWithError("label values");
    values = found->size();
  }
  state.counters["values"] = static_cast<double>(values);
}
BENCHMARK(BM_LabelValues)->DenseRange(0, 7)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace epi::tsdb
