#include "naive/comparison.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iostream>

#include "base/thread_pool.h"
#include "model/histogram_format.h"
#include "model/number_format.h"
#include "naive/workload.h"

namespace epi::naive {
namespace {

using promql::MatrixSeries;
using promql::MatrixValue;
using promql::ScalarValue;
using promql::Value;
using promql::VectorValue;

bool Same(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}
bool Same(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](double x, double y) { return Same(x, y); });
}
bool Same(const FloatHistogram& a, const FloatHistogram& b) {
  return a.schema == b.schema && a.counter_reset_hint == b.counter_reset_hint && Same(a.count, b.count) &&
         Same(a.sum, b.sum) && Same(a.zero_threshold, b.zero_threshold) && Same(a.zero_count, b.zero_count) &&
         a.positive_spans == b.positive_spans && a.negative_spans == b.negative_spans &&
         Same(a.positive_buckets, b.positive_buckets) && Same(a.negative_buckets, b.negative_buckets) &&
         Same(a.custom_values, b.custom_values);
}

std::string Text(double v) { return FormatFloatGeneral(v); }

// Everything as a matrix without order.
MatrixValue Canonical(const Value& value) {
  MatrixValue out;
  if (const auto* matrix = std::get_if<MatrixValue>(&value)) out = *matrix;
  if (const auto* vector = std::get_if<VectorValue>(&value)) {
    for (const auto& sample : *vector) {
      MatrixSeries series{sample.labels, {}, {}};
      if (sample.h != nullptr) {
        series.histograms.push_back({sample.t, sample.h});
      } else {
        series.floats.push_back({sample.t, sample.v});
      }
      out.push_back(std::move(series));
    }
  }
  if (const auto* scalar = std::get_if<ScalarValue>(&value)) out.push_back({{}, {{scalar->t, scalar->v}}, {}});
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.labels < b.labels; });
  return out;
}

std::string Difference(const MatrixSeries& naive, const MatrixSeries& engine) {
  if (naive.labels != engine.labels)
    return "series " + naive.labels.ToString() + " against " + engine.labels.ToString();
  const std::string name = naive.labels.ToString() + ": ";
  if (naive.floats.size() != engine.floats.size() || naive.histograms.size() != engine.histograms.size()) {
    return name + std::to_string(naive.floats.size()) + "+" + std::to_string(naive.histograms.size()) +
           " points against " + std::to_string(engine.floats.size()) + "+" + std::to_string(engine.histograms.size());
  }
  for (size_t i = 0; i < naive.floats.size(); ++i) {
    const auto& a = naive.floats[i];
    const auto& b = engine.floats[i];
    if (a.t == b.t && Same(a.v, b.v)) continue;
    return name + Text(a.v) + " at " + std::to_string(a.t) + " against " + Text(b.v) + " at " + std::to_string(b.t);
  }
  for (size_t i = 0; i < naive.histograms.size(); ++i) {
    const auto& a = naive.histograms[i];
    const auto& b = engine.histograms[i];
    if (a.t == b.t && Same(*a.h, *b.h)) continue;
    return name + HistogramToTestExpression(*a.h) + " at " + std::to_string(a.t) + " against " +
           HistogramToTestExpression(*b.h) + " at " + std::to_string(b.t);
  }
  return {};
}

void Store(const Data& data, testing::MemoryStorage& storage) {
  for (const Series& s : data) {
    for (const TimedSample& sample : s.samples) {
      if (sample.h != nullptr) {
        storage.Append(s.labels, sample.t, *sample.h);
      } else {
        storage.Append(s.labels, sample.t, sample.v);
      }
    }
  }
}

// Storage decides about counter reset hints, so the naive evaluator reads back what was stored.
Data ReadBack(const testing::MemoryStorage& storage) {
  Data out;
  for (const Labels& labels : storage.SeriesLabels()) {
    Series s{labels, {}};
    for (const auto& sample : storage.Samples(labels)) s.samples.push_back({sample.t, sample.value, sample.floats});
    out.push_back(std::move(s));
  }
  return out;
}

std::string Describe(const Query& query) {
  return query.text + "  from " + std::to_string(query.start) + " to " + std::to_string(query.end) + " step " +
         std::to_string(query.step);
}

class FuzzRun {
 public:
  explicit FuzzRun(const FuzzOptions& options) : options_(options), pool_(std::max<size_t>(1, options.threads - 1)) {
    promql::EngineOptions engine;
    engine.features.experimental_functions = true;
    engine.pool = &pool_;
    engine.threads = options.threads;
    engine_ = std::make_unique<promql::Engine>(engine);
  }

  FuzzReport Run() {
    for (int i = 0; i < options_.queries; ++i) {
      // A query's seed says all about it, so that any one can be repeated alone.
      const uint64_t seed = options_.seed + static_cast<uint64_t>(i);
      if (i % options_.queries_per_data == 0 || !storage_) Refill(seed);
      SeededRandom random(seed * 2 + 1);
      Compare(MakeQuery(random), seed);
    }
    return report_;
  }

 private:
  void Refill(uint64_t seed) {
    data_seed_ = seed;
    SeededRandom random(seed * 2);
    testing::MemoryStorageOptions options;
    options.share_columns = seed % 3 != 0;
    storage_ = std::make_unique<testing::MemoryStorage>(options);
    Store(MakeData(random), *storage_);
    data_ = ReadBack(*storage_);
  }

  void Compare(const Query& query, uint64_t seed) {
    if (options_.verbose) std::cout << seed << "  " << Describe(query) << std::endl;
    const auto naive = Evaluate(query, data_);
    if (!naive && naive.error().code() == ErrorCode::kUnsupported) {
      ++report_.skipped;
      return;
    }
    const auto spec = query.step == 0 ? promql::QuerySpec::Instant(query.text, query.start)
                                      : promql::QuerySpec::Range(query.text, query.start, query.end, query.step);
    const auto engine = engine_->Run(spec, *storage_);
    std::string difference;
    if (naive.has_value() != engine.has_value()) {
      difference = naive ? "the engine failed: " + engine.error().message()
                         : "only the naive failed: " + naive.error().message();
    } else if (naive) {
      ++report_.compared;
      if (Canonical(*naive).empty()) ++report_.empty;
      difference = naive::Difference(*naive, engine->value);
    } else {
      ++report_.failed_alike;
    }
    if (difference.empty()) return;
    ++report_.differences;
    const std::string text = "query " + Describe(query) + "\n    naive against engine: " + difference +
                             "\n    repeat: --seed " + std::to_string(data_seed_) + " --queries " +
                             std::to_string(seed - data_seed_ + 1) + "\n";
    std::cout << text;
    if (report_.first_difference.empty()) report_.first_difference = text;
  }

  const FuzzOptions& options_;
  ThreadPool pool_;
  std::unique_ptr<promql::Engine> engine_;
  std::unique_ptr<testing::MemoryStorage> storage_;
  Data data_;
  uint64_t data_seed_ = 0;
  FuzzReport report_;
};

}  // namespace

std::string Difference(const Value& naive, const Value& engine) {
  if (naive.index() != engine.index()) return "kinds of value differ";
  const MatrixValue a = Canonical(naive);
  const MatrixValue b = Canonical(engine);
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    std::string difference = Difference(a[i], b[i]);
    if (!difference.empty()) return difference;
  }
  return a.size() == b.size() ? "" : std::to_string(a.size()) + " series against " + std::to_string(b.size());
}

FuzzReport Fuzz(const FuzzOptions& options) { return FuzzRun(options).Run(); }

}  // namespace epi::naive
