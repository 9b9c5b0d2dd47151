#include <algorithm>
#include <cmath>

#include "naive/workload.h"

namespace epi::naive {
namespace {

constexpr int64_t kInterval = 15'000;
constexpr int kSamples = 160;

// The times of one series: the common grid, a shifted grid, or a jittered one, with gaps.
std::vector<TimestampMs> Times(Random& random) {
  const uint64_t kind = random.Below(4);
  const TimestampMs shift = kind == 2 ? static_cast<TimestampMs>(random.Below(kInterval)) : 0;
  std::vector<TimestampMs> out;
  for (int i = 0; i < kSamples; ++i) {
    TimestampMs t = i * kInterval + shift;
    if (kind == 3) t += static_cast<TimestampMs>(random.Below(4000));
    out.push_back(t);
  }
  return out;
}

bool OneIn(Random& random, uint64_t n) { return random.Below(n) == 0; }

double Gauge(Random& random) {
  switch (random.Below(40)) {
    case 0:
      return std::nan("");
    case 1:
      return INFINITY;
    case 2:
      return -INFINITY;
    case 3:
      return 0;
    case 4:
      return -0.0;
    case 5:
      return 1.7e308;
    default:
      return (random.Unit() - 0.3) * 100;
  }
}

// Drops samples here and there, in runs, some of which begin with a stale marker.
void AddGaps(Series& s, Random& random) {
  std::vector<TimedSample> kept;
  for (size_t i = 0; i < s.samples.size();) {
    if (!OneIn(random, 25)) {
      kept.push_back(s.samples[i++]);
      continue;
    }
    const size_t run = 1 + random.Below(OneIn(random, 4) ? 40 : 4);
    if (OneIn(random, 2)) {
      TimedSample stale{s.samples[i].t, StaleNaN(), nullptr};
      if (s.samples[i].h != nullptr) {
        FloatHistogram h;
        h.sum = StaleNaN();
        stale = {s.samples[i].t, 0, std::make_shared<FloatHistogram>(h)};
      }
      kept.push_back(stale);
    }
    i += run;
  }
  s.samples = std::move(kept);
}

Series Counter(const Labels& labels, Random& random, bool fractional) {
  Series out{labels, {}};
  double value = 0;
  for (const TimestampMs t : Times(random)) {
    if (OneIn(random, 30)) value = 0;
    const double step = static_cast<double>(random.Below(20));
    value += OneIn(random, 3) ? 0 : fractional ? step * 0.1 : step;
    out.samples.push_back({t, value, nullptr});
  }
  return out;
}

Series GaugeSeries(const Labels& labels, Random& random) {
  Series out{labels, {}};
  const bool wild = OneIn(random, 3);
  const bool constant = OneIn(random, 6);
  double value = std::floor(random.Unit() * 10);
  for (const TimestampMs t : Times(random)) {
    if (!constant) value = wild ? Gauge(random) : OneIn(random, 3) ? value : std::floor(random.Unit() * 10);
    out.samples.push_back({t, value, nullptr});
  }
  return out;
}

// A histogram that grows: exponential, or with custom bounds. Layout, schema and zero threshold change now and then.
class GrowingHistogram {
 public:
  // A gauge never falls here: where only counts and sums are asked for, Prometheus does not look at the buckets of
  // gauges, so the same query finds other resets with and without histogram_count() around it.
  GrowingHistogram(Random& random, bool custom, bool gauge) : random_(random), gauge_(gauge) {
    if (custom) {
      h_.schema = kCustomBucketsSchema;
      h_.custom_values = {1, 2, 5, 10};
      h_.positive_spans = {{0, 5}};
      h_.positive_buckets.assign(5, 0);
    } else {
      h_.schema = static_cast<int32_t>(random.Below(3));
      h_.zero_threshold = 0.001;
      h_.positive_spans = {{-1, 3}, {1, 2}};
      h_.positive_buckets.assign(5, 0);
      if (OneIn(random, 2)) {
        h_.negative_spans = {{0, 2}};
        h_.negative_buckets.assign(2, 0);
      }
    }
  }
  HistogramPtr Next() {
    if (!gauge_ && OneIn(random_, 25)) Reset();
    for (double& b : h_.positive_buckets) Observe(b, 1);
    for (double& b : h_.negative_buckets) Observe(b, -1);
    if (!IsCustomBucketsSchema(h_.schema)) Observe(h_.zero_count, 0);
    return std::make_shared<FloatHistogram>(h_);
  }

 private:
  void Reset() {
    for (double& b : h_.positive_buckets) b = 0;
    for (double& b : h_.negative_buckets) b = 0;
    h_.zero_count = h_.count = h_.sum = 0;
    if (IsCustomBucketsSchema(h_.schema)) {
      if (OneIn(random_, 2))
        h_.custom_values = OneIn(random_, 2) ? std::vector<double>{1, 3, 5, 10} : std::vector<double>{1, 2, 5, 10};
    } else {
      h_.schema = static_cast<int32_t>(random_.Below(3));
      h_.zero_threshold = OneIn(random_, 2) ? 0.001 : 0.3;
    }
  }
  void Observe(double& bucket, double sign) {
    const double n = static_cast<double>(random_.Below(3));
    bucket += n;
    h_.count += n;
    h_.sum += sign * n * random_.Unit() * 4;
  }
  Random& random_;
  bool gauge_;
  FloatHistogram h_;
};

Series HistogramSeries(const Labels& labels, Random& random, bool custom) {
  Series out{labels, {}};
  const bool gauge = OneIn(random, 4);
  GrowingHistogram h(random, custom, gauge);
  for (const TimestampMs t : Times(random)) {
    HistogramPtr next = h.Next();
    if (gauge) {
      FloatHistogram copy = *next;
      copy.counter_reset_hint = CounterResetHint::kGauge;
      next = std::make_shared<FloatHistogram>(std::move(copy));
    }
    out.samples.push_back({t, 0, next});
  }
  return out;
}

// Floats first, histograms after.
Series MixedSeries(const Labels& labels, Random& random) {
  Series floats = Counter(labels, random, false);
  const Series histograms = HistogramSeries(labels, random, false);
  const size_t change = 20 + random.Below(kSamples - 40);
  floats.samples.resize(change);
  for (const TimedSample& s : histograms.samples) {
    if (s.t > floats.samples[change - 1].t) floats.samples.push_back(s);
  }
  return floats;
}

void AddClassicBuckets(Data& out, const std::string& instance, Random& random) {
  const std::vector<TimestampMs> times = Times(random);
  std::vector<double> counts(4, 0);
  const char* bounds[] = {"0.5", "1", "5", "+Inf"};
  std::vector<Series> series;
  for (const char* le : bounds) {
    series.push_back({Labels{{"__name__", "classic_bucket"}, {"instance", instance}, {"le", le}}, {}});
  }
  for (const TimestampMs t : times) {
    double total = 0;
    for (size_t i = 0; i < counts.size(); ++i) {
      counts[i] += static_cast<double>(random.Below(4));
      total += counts[i];
      series[i].samples.push_back({t, total, nullptr});
    }
  }
  for (Series& s : series) out.push_back(std::move(s));
}

}  // namespace

Data MakeData(Random& random) {
  Data out;
  const char* instances[] = {"a", "b", "c"};
  const char* jobs[] = {"x", "y"};
  for (const char* instance : instances) {
    for (const char* job : jobs) {
      const auto labels = [&](const char* name) {
        return Labels{{"__name__", name}, {"instance", instance}, {"job", job}};
      };
      out.push_back(Counter(labels("requests_total"), random, false));
      out.push_back(Counter(labels("seconds_total"), random, true));
      out.push_back(GaugeSeries(labels("temperature"), random));
      if (OneIn(random, 2)) out.push_back(GaugeSeries(labels("load"), random));
      if (OneIn(random, 2)) out.push_back(HistogramSeries(labels("latency"), random, OneIn(random, 5)));
    }
    out.push_back(HistogramSeries(Labels{{"__name__", "sizes"}, {"instance", instance}}, random, true));
    out.push_back(MixedSeries(Labels{{"__name__", "mixed"}, {"instance", instance}}, random));
    AddClassicBuckets(out, instance, random);
  }
  for (Series& s : out) AddGaps(s, random);
  out.erase(std::remove_if(out.begin(), out.end(), [](const Series& s) { return s.samples.empty(); }), out.end());
  return out;
}

}  // namespace epi::naive
