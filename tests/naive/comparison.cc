#include "naive/comparison.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iostream>

#include "base/thread_pool.h"
#include "model/histogram_format.h"
#include "model/number_format.h"
#include "naive/notes.h"
#include "naive/workload.h"
#include "promqltest/runner.h"

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

// A batch for every series and kind, for inside a batch floats come before histograms.
Result<void> Store(const Data& data, Storage& storage) {
  EPI_ASSIGN(const auto appender, storage.OpenGroup({GroupIdentity::Kind::kImport, "fuzz"}));
  for (const Series& s : data) {
    EPI_ASSIGN(const SeriesRef ref, appender->Intern(s.labels));
    for (size_t i = 0; i < s.samples.size(); ++i) {
      const TimedSample& sample = s.samples[i];
      if (sample.h != nullptr) {
        appender->AddHistogram({ref, sample.t, 0, nullptr, sample.h});
      } else {
        appender->AddAt(ref, sample.t, sample.v);
      }
      const bool last = i + 1 == s.samples.size();
      if (!last && (s.samples[i + 1].h != nullptr) == (sample.h != nullptr)) continue;
      EPI_ASSIGN(const AppendReport report, appender->Commit(sample.t));
      if (!report.all_accepted()) return Fail(ErrorCode::kInternal, "a sample was refused");
    }
  }
  return {};
}

// Storage decides about the order of series and about counter reset hints, so the naive evaluator reads back what is
// there.
Result<Data> ReadBack(const Storage& storage) {
  Budget budget("fuzz");
  EPI_ASSIGN(const auto view, storage.OpenView({}));
  EPI_ASSIGN(const Matcher all, Matcher::Make(MatchType::kRegexp, "__name__", ".+"));
  EPI_ASSIGN(const auto selection, view->Select(std::span(&all, 1), {}, budget));
  Data out;
  SeriesBatch batch;
  for (size_t i = 0; i < selection->size(); ++i) {
    EPI_TRY(selection->Read(i, 1, batch));
    const SeriesSamples& from = batch.series[0];
    Series s{ToLabels(selection->labels(i), view->symbols()), {}};
    for (size_t k = 0; k < from.t.size(); ++k) s.samples.push_back({from.t[k], from.v[k], nullptr});
    for (const HistogramPoint& p : from.histograms)
      s.samples.push_back({p.t, 0, std::make_shared<FloatHistogram>(*p.h)});
    std::sort(s.samples.begin(), s.samples.end(), [](const auto& a, const auto& b) { return a.t < b.t; });
    out.push_back(std::move(s));
  }
  return out;
}

std::string Describe(const Query& query) {
  return query.text + "  from " + std::to_string(query.start) + " to " + std::to_string(query.end) + " step " +
         std::to_string(query.step);
}

// Native histograms of which only count and sum are used are read without buckets, which the naive evaluator does not
// know: what is said about buckets and resets is not compared then.
bool ReadsWithoutBuckets(const std::string& query) {
  return query.find("histogram_count") != std::string::npos || query.find("histogram_sum") != std::string::npos ||
         query.find("histogram_avg") != std::string::npos;
}
bool IsAboutBuckets(const std::string& note) {
  for (const std::string_view part : {"buckets were reconciled", "exponential and custom buckets",
                                      "conflicting counter resets", "incompatible bucket layout"}) {
    if (note.find(part) != std::string::npos) return true;
  }
  return false;
}

// Between two of them counter resets are found while reading, so that more elements are dropped for conflicting ones
// than the naive evaluator, which goes by the hints in storage, drops.
bool DropsForResets(const std::string& query, const std::vector<std::string>& engine_warnings) {
  return ReadsWithoutBuckets(query) &&
         std::any_of(engine_warnings.begin(), engine_warnings.end(), [](const std::string& note) {
           return note.find("conflicting counter resets") != std::string::npos;
         });
}

// A part of a query that @ makes the same at every step is evaluated at the first one, and with it a parameter of an
// aggregation that is not the same: of that, too, the naive evaluator knows nothing.
std::set<std::string> WithoutQuantile(const std::set<std::string>& notes) {
  constexpr std::string_view kText = "quantile value should be between 0 and 1, got ";
  std::set<std::string> out;
  for (const std::string& note : notes) {
    const auto at = note.find(kText);
    out.insert(at == std::string::npos ? note : note.substr(0, at + kText.size()));
  }
  return out;
}

constexpr std::string_view kOnlyNaive = "only the naive says: ";

std::string NotesDifference(std::set<std::string> naive, const std::vector<std::string>& engine, bool without_buckets,
                            bool at_times) {
  std::set<std::string> others;
  for (const std::string& note : engine) others.insert(WithoutPlace(note));
  if (at_times) {
    naive = WithoutQuantile(naive);
    others = WithoutQuantile(others);
  }
  if (without_buckets) {
    std::erase_if(naive, IsAboutBuckets);
    std::erase_if(others, IsAboutBuckets);
  }
  for (const std::string& note : others) {
    if (naive.count(note) == 0) return "only the engine says: " + note;
  }
  for (const std::string& note : naive) {
    if (others.count(note) == 0) return std::string(kOnlyNaive) + note;
  }
  return {};
}

std::string NotesDifference(const Notes& naive, const promql::QueryResult& engine, const std::string& query) {
  const bool without_buckets = ReadsWithoutBuckets(query);
  const bool at_times = query.find(" @ ") != std::string::npos;
  // What only the engine says comes first, whichever kind it is.
  const std::string warnings = NotesDifference(naive.warnings(), engine.warnings, without_buckets, at_times);
  const std::string infos = NotesDifference(naive.infos(), engine.infos, without_buckets, at_times);
  return warnings.empty() || (!infos.empty() && !infos.starts_with(kOnlyNaive)) ? infos : warnings;
}

class FuzzRun {
 public:
  explicit FuzzRun(const FuzzOptions& options) : options_(options), pool_(std::max<size_t>(1, options.threads - 1)) {
    promql::EngineOptions engine;
    engine.features.experimental_functions = true;
    engine.features.binop_fill_modifiers = true;
    engine.pool = &pool_;
    engine.threads = options.threads;
    engine_ = std::make_unique<promql::Engine>(engine);
    engine.optimize = false;
    as_written_ = std::make_unique<promql::Engine>(engine);
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
    storage_ = promqltest::FindStorage(options_.storage)().value();
    EPI_CHECK(Store(MakeData(random), *storage_).has_value());
    data_ = ReadBack(*storage_).value();
  }

  void Compare(const Query& query, uint64_t seed) {
    if (options_.verbose) std::cout << seed << "  " << Describe(query) << std::endl;
    Notes notes;
    const auto naive = Evaluate(query, data_, &notes);
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
      if (!difference.empty() && DropsForResets(query.text, engine->warnings)) {
        ++report_.skipped;
        return;
      }
      if (difference.empty()) difference = CompareNotes(notes, *engine, spec);
    } else {
      ++report_.failed_alike;
    }
    if (difference.empty()) return;
    ++report_.differences;
    const std::string text = "query " + Describe(query) + "\n    naive against engine: " + difference +
                             "\n    repeat: --seed " + std::to_string(data_seed_) + " --queries " +
                             std::to_string(seed - data_seed_ + 1) + " --storage " + options_.storage + "\n";
    std::cout << text;
    if (report_.first_difference.empty()) report_.first_difference = text;
  }

  // Where matchers are handed across joins, samples that match nothing are not read, and what there is to say about
  // them is not said. Without it everything is, and nothing else is ever said.
  std::string CompareNotes(const Notes& naive, const promql::QueryResult& engine, const promql::QuerySpec& spec) {
    const std::string difference = NotesDifference(naive, engine, spec.text);
    if (!difference.starts_with(kOnlyNaive)) return difference;
    const auto whole = as_written_->Run(spec, *storage_);
    if (!whole) return "the engine failed without optimizing: " + whole.error().message();
    return NotesDifference(naive, *whole, spec.text);
  }

  const FuzzOptions& options_;
  ThreadPool pool_;
  std::unique_ptr<promql::Engine> engine_;
  std::unique_ptr<promql::Engine> as_written_;  // plans are not optimized
  std::unique_ptr<Storage> storage_;
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
