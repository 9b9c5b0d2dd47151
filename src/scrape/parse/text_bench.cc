// Reading a known page of the text format: the hot path of every scrape.
#include <benchmark/benchmark.h>

#include <string>

#include "scrape/ingest.h"
#include "storage/appender.h"

namespace {

using namespace epi;
using namespace epi::scrape;

// Keeps nothing, so that what is measured is reading.
class DroppingAppender final : public BatchAppender {
 public:
  Result<SeriesRef> Intern(const Labels&) override { return SeriesRef{++last_}; }
  SeriesRef Find(const Labels&) const override { return kNoSeries; }
  void SetMetadata(SeriesRef, const MetricMetadata&) override {}
  Result<AppendReport> Commit(TimestampMs) override {
    Rollback();
    return AppendReport{};
  }

 private:
  uint64_t last_ = 0;
};

// A page like a node exporter's: families of a few series, labels of middling length, mixed numbers.
std::string Page(int families) {
  std::string page;
  for (int f = 0; f < families; ++f) {
    const std::string name = "node_something_total_" + std::to_string(f);
    page += "# HELP " + name + " A help text of ordinary length for this family.\n# TYPE " + name + " counter\n";
    for (int i = 0; i < 10; ++i) {
      page += name + "{cpu=\"" + std::to_string(i) + "\",mode=\"idle\",device=\"/dev/mapper/root\"} ";
      page += i % 3 == 0 ? "1.2345678e+06\n" : i % 3 == 1 ? std::to_string(f * 1000 + i) + "\n" : "0.25\n";
    }
  }
  return page;
}

void BM_KnownPage(benchmark::State& state, ExpositionFormat format) {
  std::string page = Page(static_cast<int>(state.range(0)));
  if (format == ExpositionFormat::kOpenMetrics) page += "# EOF\n";
  SampleIngest ingest(TextHashKey{}, std::make_shared<MetadataInterner>());
  DroppingAppender appender;
  const Labels target{{"instance", "host:9100"}, {"job", "node"}};
  const SampleRules rules;
  uint64_t samples = 0;
  TimestampMs time = 0;
  const auto once = [&] {
    const auto result = ingest.Ingest(page, format, time += 1000, target, rules, {}, appender);
    samples += result.scraped;
    static_cast<void>(appender.Commit(time));
  };
  once();
  for (auto _ : state) once();
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(page.size()));
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * state.range(0) * 10);
}
BENCHMARK_CAPTURE(BM_KnownPage, text, ExpositionFormat::kText)->Arg(100)->Arg(1000);
BENCHMARK_CAPTURE(BM_KnownPage, openmetrics, ExpositionFormat::kOpenMetrics)->Arg(100);

void BM_FirstPage(benchmark::State& state) {
  const std::string page = Page(100);
  const Labels target{{"instance", "host:9100"}, {"job", "node"}};
  const SampleRules rules;
  for (auto _ : state) {
    SampleIngest ingest(TextHashKey{}, std::make_shared<MetadataInterner>());
    DroppingAppender appender;
    benchmark::DoNotOptimize(ingest.Ingest(page, ExpositionFormat::kText, 1000, target, rules, {}, appender));
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(page.size()));
}
BENCHMARK(BM_FirstPage);

}  // namespace
