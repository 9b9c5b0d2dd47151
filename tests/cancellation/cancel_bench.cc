// How soon heavy queries end after they are canceled, for every kind of operator, over a head in a temporary directory.
// For each query: how long it takes, the longest time between two looks at whether it is still wanted (which bounds how
// long a cancellation can take, up to giving memory back), and the longest of some cancellations at random moments.
//
//   cancel_bench [cancellations a query] [part of the query's text]
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>
#include <thread>

#include "base/random.h"
#include "promql/engine/engine.h"
#include "promqltest/runner.h"

namespace epi {
namespace {

constexpr TimestampMs kEnd = 1'700'000'000'000;
constexpr int64_t kScrapeMs = 15'000;
constexpr int64_t kDay = int64_t{24} * 3600 * 1000;

// Notes the longest time between two questions for it, which every look at a query is.
class LookClock final : public Clock {
 public:
  TimestampMs NowMs() const override { return SystemClock().NowMs(); }
  int64_t NowNs() const override { return SystemClock().NowNs(); }
  MonotonicNs Monotonic() const override {
    const MonotonicNs now = SystemClock().Monotonic();
    if (last_ != 0) longest_ = std::max(longest_, now - last_);
    last_ = now;
    return now;
  }
  bool WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, MonotonicNs deadline,
                 const std::function<bool()>& done) override {
    return SystemClock().WaitUntil(lock, wake, deadline, done);
  }
  void Restart() { last_ = longest_ = 0; }
  MonotonicNs longest() const { return longest_; }

 private:
  mutable MonotonicNs last_ = 0;
  mutable MonotonicNs longest_ = 0;
};

FloatHistogram Native(SeededRandom& random) {
  FloatHistogram h;
  h.schema = 3;
  h.positive_spans = {{-20, 40}, {10, 40}};
  for (int i = 0; i < 80; ++i) h.positive_buckets.push_back(static_cast<double>(1 + random.Below(9)));
  for (const double b : h.positive_buckets) h.count += b;
  h.sum = h.count * 1.5;
  return h;
}

// `series` label sets, each with its own number, whose values come at `samples` scrapes up to the end.
template <typename LabelsOf, typename Add>
void Fill(Storage& storage, const char* group, size_t series, int64_t samples, LabelsOf labels_of, Add add) {
  const auto appender = storage.OpenGroup({GroupIdentity::Kind::kScrape, group}).value();
  std::vector<SeriesRef> refs;
  for (size_t i = 0; i < series; ++i) refs.push_back(appender->Intern(labels_of(std::to_string(i), i)).value());
  for (int64_t n = samples - 1; n >= 0; --n) {
    const TimestampMs time = kEnd - n * kScrapeMs;
    for (size_t i = 0; i < series; ++i) add(*appender, refs[i], time, i);
    EPI_CHECK(appender->Commit(time).value().all_accepted());
  }
}

std::unique_ptr<Storage> MakeData() {
  auto storage = promqltest::FindStorage("head")().value();
  SeededRandom random{1};
  const auto noise = [&](BatchAppender& to, SeriesRef ref, TimestampMs, size_t) { to.Add(ref, random.Unit() * 1e6); };
  const auto native = [&](BatchAppender& to, SeriesRef ref, TimestampMs time, size_t) {
    to.AddHistogram({ref, time, 0, nullptr, std::make_shared<FloatHistogram>(Native(random))});
  };
  const auto wide = [](const char* name) {
    return [name](const std::string& n, size_t i) {
      return Labels{{"__name__", name}, {"instance", "host-" + n}, {"job", "job" + std::to_string(i % 100)}};
    };
  };
  Fill(*storage, "deep", 100, 10'000, wide("deep"), noise);
  Fill(*storage, "wide", 200'000, 3, wide("wide"), noise);
  Fill(*storage, "other", 200'000, 3, wide("other"), noise);
  Fill(*storage, "info", 20'000, 3, wide("target_info"), noise);
  Fill(
      *storage, "classic", 120'000, 3,
      [](const std::string&, size_t i) {
        return Labels{
            {"__name__", "classic"}, {"instance", "host-" + std::to_string(i / 12)}, {"le", std::to_string(i % 12)}};
      },
      noise);
  Fill(*storage, "native", 20, 2'000, wide("native"), native);
  Fill(*storage, "many_native", 10'000, 2, wide("many_native"), native);
  return storage;
}

struct Case {
  const char* query;
  int64_t step_ms;  // of a range query over `span_ms`; 0: instant
  int64_t span_ms;
};
constexpr int64_t kMany = 10'000;  // steps
constexpr Case kCases[] = {
    {"wide", 0, 0},
    {"deep", kScrapeMs, kMany* kScrapeMs},
    {"deep[2d]", 0, 0},
    {"{__name__=~\".*d.*\",instance=~\".*1.*7.*\"}", 0, 0},
    {"rate(deep[1d])", kScrapeMs, kMany* kScrapeMs},
    {"avg_over_time(deep[1d])", kScrapeMs, kMany* kScrapeMs},
    {"quantile_over_time(0.9, deep[1d])", kScrapeMs, kMany* kScrapeMs},
    {"stddev_over_time(deep[1d])", kScrapeMs, kMany* kScrapeMs},
    {"predict_linear(deep[1d], 60)", kScrapeMs, kMany* kScrapeMs},
    {"max_over_time(deep[1d])", kScrapeMs, kMany* kScrapeMs},
    {"changes(deep[1d])", kScrapeMs, kMany* kScrapeMs},
    {"mad_over_time(deep[1d])", kScrapeMs, kMany* kScrapeMs},
    {"double_exponential_smoothing(deep[1d], 0.3, 0.3)", kScrapeMs, kMany* kScrapeMs},
    {"absent_over_time(deep[1d])", kScrapeMs, kMany* kScrapeMs},
    {"quantile_over_time(0.5, deep[2d])", 0, 0},
    {"sum_over_time(deep[1d:1s])", 600'000, kDay},
    {"max_over_time(exp(deep % 7)[1d:1s])", 600'000, kDay},
    {"sum by (job) (wide)", 0, 0},
    {"stddev(deep)", kScrapeMs, kMany* kScrapeMs},
    {"quantile(0.5, wide)", 0, 0},
    {"quantile(0.5, deep)", kScrapeMs, kMany* kScrapeMs},
    {"count_values(\"v\", deep)", kScrapeMs, 600 * kScrapeMs},
    {"count_values(\"v\", wide)", 0, 0},
    {"topk(100000, wide)", 0, 0},
    {"topk(5, deep)", kScrapeMs, kMany* kScrapeMs},
    {"topk by (instance) (1, wide)", kScrapeMs, 3 * kScrapeMs},
    {"limitk(100000, wide)", 0, 0},
    {"limit_ratio(0.5, wide)", 0, 0},
    {"sort(wide)", 0, 0},
    {"sort_by_label(wide, \"instance\")", 0, 0},
    {"wide / other", 0, 0},
    {"deep / deep offset 15s", kScrapeMs, kMany* kScrapeMs},
    {"wide * on (job) group_left sum by (job) (wide)", 0, 0},
    {"wide * on () other", 0, 0},
    {"wide * on () group_left other", 0, 0},
    {"wide * on (job) group_left (instance) other", 0, 0},
    {"wide and other", 0, 0},
    {"wide or other", 0, 0},
    {"deep unless deep > 500000", kScrapeMs, kMany* kScrapeMs},
    {"wide > bool 1000", 0, 0},
    {"-wide", 0, 0},
    {"label_replace(wide, \"x\", \"$1\", \"instance\", \"host-(.*)\")", 0, 0},
    {"label_join(wide, \"x\", \"-\", \"instance\", \"job\")", 0, 0},
    {"info(wide)", 0, 0},
    {"absent(wide)", 0, 0},
    {"timestamp(wide)", 0, 0},
    {"scalar(wide)", 0, 0},
    {"histogram_quantile(0.9, classic)", 0, 0},
    {"histogram_quantile(0.9, rate(classic[1m]))", kScrapeMs, 3 * kScrapeMs},
    {"histogram_quantile(0.9, many_native)", 0, 0},
    {"histogram_stddev(native)", kScrapeMs, 2'000 * kScrapeMs},
    {"sum(native)", kScrapeMs, 2'000 * kScrapeMs},
    {"rate(native[1h])", kScrapeMs, 2'000 * kScrapeMs},
    {"avg_over_time(native[1h])", 60'000, 500 * 60'000},
    {"native * 2", kScrapeMs, 2'000 * kScrapeMs},
    {"native + native", kScrapeMs, 2'000 * kScrapeMs},
};

promql::QuerySpec SpecOf(const Case& c) {
  return c.step_ms == 0 ? promql::QuerySpec::Instant(c.query, kEnd)
                        : promql::QuerySpec::Range(c.query, kEnd - c.span_ms, kEnd, c.step_ms);
}

double Ms(MonotonicNs ns) { return static_cast<double>(ns) / 1e6; }

// Cancels `spec` after `delay`; the time from then to its end, or nothing when it had ended before.
std::optional<MonotonicNs> Cancel(const promql::Engine& engine, const Storage& storage, const promql::QuerySpec& spec,
                                  MonotonicNs delay) {
  std::stop_source source;
  promql::QueryContext context;
  context.stop = source.get_token();
  std::promise<void> ended;
  MonotonicNs canceled = 0;
  std::thread canceler([&, over = ended.get_future()] {
    if (over.wait_for(std::chrono::nanoseconds(delay)) == std::future_status::ready) return;
    canceled = SystemClock().Monotonic();
    source.request_stop();
  });
  std::optional<Result<promql::QueryResult>> result = engine.Run(spec, storage, context);
  const MonotonicNs returned = SystemClock().Monotonic();
  const bool stopped = !*result && result->error().code() == ErrorCode::kCanceled;
  ended.set_value();
  canceler.join();
  return stopped ? std::optional(returned - canceled) : std::nullopt;
}

}  // namespace
}  // namespace epi

int main(int argc, char** argv) {
  using namespace epi;
  const int cancellations = argc > 1 ? std::atoi(argv[1]) : 10;
  const std::string wanted = argc > 2 ? argv[2] : "";
  const auto storage = MakeData();
  LookClock clock;
  promql::EngineOptions options;
  options.features.experimental_functions = true;
  options.clock = &clock;
  options.max_memory = int64_t{8} << 30;
  const promql::Engine engine(options);
  SeededRandom random{2};
  MonotonicNs longest = 0;
  std::printf("| query | whole, ms | between two looks, ms | canceled, longest, ms |\n|---|---|---|---|\n");
  for (const Case& c : kCases) {
    if (std::string(c.query).find(wanted) == std::string::npos) continue;
    const promql::QuerySpec spec = SpecOf(c);
    clock.Restart();
    const MonotonicNs began = SystemClock().Monotonic();
    std::optional<Result<promql::QueryResult>> result = engine.Run(spec, *storage);
    const MonotonicNs whole = SystemClock().Monotonic() - began;
    const MonotonicNs between = clock.longest();
    const std::string error = *result ? "" : " (" + result->error().message().substr(0, 60) + ")";
    result.reset();
    MonotonicNs worst = 0;
    for (int i = 0; i < cancellations; ++i) {
      const auto delay = static_cast<MonotonicNs>(random.Unit() * static_cast<double>(whole));
      worst = std::max(worst, Cancel(engine, *storage, spec, delay).value_or(0));
    }
    longest = std::max(longest, worst);
    std::printf("| `%s`%s | %.1f | %.1f | %.1f |\n", c.query, error.c_str(), Ms(whole), Ms(between), Ms(worst));
    std::fflush(stdout);
  }
  std::printf("longest from cancellation to return: %.1f ms\n", Ms(longest));
  return 0;
}
