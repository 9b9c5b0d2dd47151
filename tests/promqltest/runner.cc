#include "promqltest/runner.h"

#include <algorithm>
#include <map>

#include "base/thread_pool.h"
#include "model/classic_histogram.h"
#include "model/histogram_convert.h"
#include "model/histogram_validate.h"
#include "model/number_format.h"
#include "promql/engine/engine.h"
#include "promqltest/at_variants.h"
#include "promqltest/compare.h"
#include "promqltest/script.h"

namespace epi::promqltest {
namespace {

using promql::QueryResult;
using promql::QuerySpec;

constexpr int64_t kMinute = 60'000;
constexpr int64_t kMaxSamples = 10'000;  // of the upstream run
constexpr int64_t kTimeoutMs = 100'000;

// Texts that resolve differently in a range query, so that its middle point says nothing.
bool AsksForQueryTimes(std::string_view expr) {
  for (const char* call : {"start()", "end()", "range()", "step()"}) {
    if (expr.find(call) != std::string_view::npos) return true;
  }
  return false;
}

// Native histograms with custom buckets out of the classic series of one load block.
Result<std::map<Labels, std::vector<LoadedSample>>> ConvertClassic(
    const std::map<Labels, std::vector<LoadedSample>>& all) {
  std::map<Labels, std::map<TimestampMs, ClassicHistogram>> collected;
  for (const auto& [labels, samples] : all) {
    const ClassicName name = SplitClassicName(labels.MetricName());
    if (name.part == ClassicPart::kNone) continue;
    const auto le = ParseGoFloat(labels.Get(kBucketLabel));
    if (name.part == ClassicPart::kBucket && (!le || *le != *le)) continue;
    auto& by_time = collected[LabelsBuilder(labels).Set(kMetricName, name.base).Del(kBucketLabel).Build()];
    for (const LoadedSample& sample : samples) {
      if (sample.histogram != nullptr) continue;
      ClassicHistogram& classic = by_time[sample.t];
      if (name.part == ClassicPart::kBucket) classic.SetBucket(*le, sample.value);
      if (name.part == ClassicPart::kCount) classic.SetCount(sample.value);
      if (name.part == ClassicPart::kSum) classic.SetSum(sample.value);
    }
  }
  std::map<Labels, std::vector<LoadedSample>> out;
  for (const auto& [labels, by_time] : collected) {
    for (const auto& [t, classic] : by_time) {
      EPI_ASSIGN(const ClassicHistogram::Converted converted, classic.Convert());
      FloatHistogram h = converted.integer ? ToFloat(*converted.integer) : *converted.floats;
      EPI_TRY(Validate(h));
      out[labels].push_back({t, 0, 0, std::make_shared<FloatHistogram>(std::move(h))});
    }
  }
  return out;
}

class Run {
 public:
  explicit Run(const RunnerOptions& options) : options_(options) {
    if (options.threads > 1) pool_ = std::make_unique<ThreadPool>(options.threads - 1);
    promql::EngineOptions engine;
    engine.max_samples = kMaxSamples;
    engine.timeout_ms = kTimeoutMs;
    engine.features = options.features;
    engine.pool = pool_.get();
    engine.threads = options.threads;
    engine_ = std::make_unique<promql::Engine>(engine);
  }

  ScriptResult Execute(std::string_view script) {
    ScriptResult out;
    const auto commands = ParseScript(script);
    if (!commands) {
      out.broken_line = commands.error().line;
      out.broken = commands.error().text;
      return out;
    }
    Result<void> ready = Clear();
    for (const Command& command : *commands) {
      if (ready && std::holds_alternative<ClearCommand>(command.what)) ready = Clear();
      if (const auto* load = std::get_if<LoadCommand>(&command.what); load != nullptr && ready) ready = Load(*load);
      if (!ready) {
        out.broken_line = command.line;
        out.broken = ready.error().message();
        return out;
      }
      if (const auto* eval = std::get_if<EvalCommand>(&command.what)) {
        out.cases.push_back({command.line, eval->expr, eval->is_range ? RunRange(*eval) : RunInstant(*eval)});
      }
    }
    return out;
  }

 private:
  Result<void> Clear() {
    EPI_ASSIGN(storage_, options_.storage());
    return {};
  }

  Result<void> Load(const LoadCommand& load) {
    EPI_TRY(Append(load.series));
    if (!load.with_nhcb) return {};
    EPI_ASSIGN(const auto converted, ConvertClassic(load.series));
    return Append(converted);
  }

  // A batch for every run of floats or of histograms of a series, all of one group, oldest sample first: inside a batch
  // the two kinds have no order among each other.
  Result<void> Append(const std::map<Labels, std::vector<LoadedSample>>& all) {
    EPI_ASSIGN(const auto appender, storage_->OpenGroup({GroupIdentity::Kind::kImport, "promqltest"}));
    for (const auto& [labels, samples] : all) {
      if (samples.empty()) continue;
      EPI_ASSIGN(const SeriesRef ref, appender->Intern(labels));
      for (size_t i = 0; i < samples.size(); ++i) {
        const LoadedSample& s = samples[i];
        if (s.histogram != nullptr) {
          appender->AddHistogram({ref, s.t, s.start_time, nullptr, s.histogram});
        } else {
          appender->AddAt(ref, s.t, s.value, s.start_time);
        }
        const bool run_ends =
            i + 1 == samples.size() || (samples[i + 1].histogram != nullptr) != (s.histogram != nullptr);
        if (run_ends) EPI_TRY(Commit(*appender, s.t, labels));
      }
    }
    return {};
  }

  static Result<void> Commit(BatchAppender& appender, TimestampMs time, const Labels& labels) {
    EPI_ASSIGN(const AppendReport report, appender.Commit(time));
    for (size_t reason = 0; reason < kRejectReasons; ++reason) {
      if (report.rejected[reason].count == 0) continue;
      return Fail(ErrorCode::kInvalid,
                  std::string(RejectReasonText(static_cast<RejectReason>(reason))) + " for " + labels.ToString());
    }
    return {};
  }

  std::string RunRange(const EvalCommand& eval) {
    const auto result = engine_->Run(QuerySpec::Range(eval.expr, eval.start, eval.end, eval.step), *storage_);
    return Judge(eval, result);
  }

  std::string RunInstant(const EvalCommand& eval) {
    auto variants = AtVariants(eval.expr, eval.eval);
    if (!variants) return variants.error().message();
    std::vector<QueryAt> queries = std::move(*variants);
    queries.insert(queries.begin(), {eval.expr, eval.eval});
    for (const QueryAt& query : queries) {
      std::string failure = RunInstantAt(eval, query);
      if (failure.empty()) continue;
      if (query.expr != eval.expr || query.time != eval.eval) {
        failure += " [as " + query.expr + " at t=" + std::to_string(query.time) + "]";
      }
      return failure;
    }
    return {};
  }

  std::string RunInstantAt(const EvalCommand& eval, const QueryAt& query) {
    const auto instant = engine_->Run(QuerySpec::Instant(query.expr, query.time), *storage_);
    std::string failure = Judge(eval, instant);
    if (!failure.empty() || !instant || eval.instant_only || AsksForQueryTimes(query.expr)) return failure;
    const auto range =
        engine_->Run(QuerySpec::Range(query.expr, query.time - kMinute, query.time + kMinute, kMinute), *storage_);
    if (!range) return "in range mode: " + range.error().message();
    if (eval.ordered) return {};
    failure = JudgeMiddle(eval, query, *instant, *range);
    return failure.empty() ? failure : "in range mode: " + failure;
  }

  static std::string Judge(const EvalCommand& eval, const Result<QueryResult>& result) {
    if (!result)
      return eval.must_fail ? CompareError(eval, result.error().message()) : "error: " + result.error().message();
    if (eval.must_fail) return "expected an error, got none";
    std::string failure = CompareAnnotations(eval, result->warnings, result->infos);
    return failure.empty() ? CompareValue(eval, result->value) : failure;
  }

  // Compares the points of a range query at the instant query's time.
  static std::string JudgeMiddle(const EvalCommand& eval, const QueryAt& query, const QueryResult& instant,
                                 const QueryResult& range) {
    const auto* matrix = std::get_if<promql::MatrixValue>(&range.value);
    if (matrix == nullptr) return "expected a matrix";
    promql::VectorValue middle;
    for (size_t i = 0; i < matrix->size(); ++i) {
      const promql::MatrixSeries& series = (*matrix)[i];
      if (i > 0 && series.labels < (*matrix)[i - 1].labels) return "matrix is not sorted: " + series.labels.ToString();
      for (const auto& point : series.floats) {
        if (point.t == query.time) middle.push_back({series.labels, point.t, point.v, nullptr});
      }
      for (const auto& point : series.histograms) {
        if (point.t == query.time) middle.push_back({series.labels, point.t, 0, point.h});
      }
    }
    if (!std::holds_alternative<promql::ScalarValue>(instant.value)) return CompareValue(eval, middle);
    if (middle.empty()) return "expected a scalar, got no point";
    return CompareValue(eval, promql::ScalarValue{query.time, middle[0].v});
  }

  const RunnerOptions& options_;
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<promql::Engine> engine_;
  std::unique_ptr<Storage> storage_;
};

}  // namespace

promql::FeatureSwitches RunnerOptions::UpstreamFeatures() {
  promql::FeatureSwitches out;
  out.experimental_functions = true;
  out.extended_range_selectors = true;
  out.binop_fill_modifiers = true;
  out.delayed_name_removal = true;
  out.use_start_timestamps = true;
  return out;
}

ScriptResult RunScript(std::string_view script, const RunnerOptions& options) { return Run(options).Execute(script); }

}  // namespace epi::promqltest
