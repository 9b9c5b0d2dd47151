#include "naive/evaluator.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "model/anchored_regex.h"
#include "model/histogram_math.h"
#include "model/number_format.h"
#include "naive/functions.h"
#include "naive/nodes.h"
#include "promql/parser/duration_expr.h"
#include "promql/parser/parser.h"

namespace epi::naive {
namespace {

using promql::Call;
using promql::Expr;
using promql::FunctionId;
using promql::ValueType;

constexpr int64_t kLookback = 5 * 60'000;
constexpr int64_t kDefaultSubqueryStep = 60'000;

bool IsStale(const TimedSample& s) { return s.h != nullptr ? IsStaleNaN(s.h->sum) : IsStaleNaN(s.v); }

Table EmptyRows(size_t steps, const Labels& labels) { return {{labels, std::vector<std::optional<Sample>>(steps)}}; }

// A range vector: every series with all it has, and how windows are cut out of it.
struct RangeVector {
  std::vector<Series> series;
  int64_t range = 0;
  int64_t offset = 0;
  std::optional<TimestampMs> at;

  Window Cut(const Series& s, TimestampMs time) const {
    Window out;
    out.time = time;
    out.end = at.value_or(time) - offset;
    out.start = out.end - range;
    out.range_seconds = static_cast<double>(range) / 1000;
    for (const TimedSample& sample : s.samples) {
      if (sample.t <= out.start || sample.t > out.end || IsStale(sample)) continue;
      out.all.push_back(sample);
      (sample.h != nullptr ? out.histograms : out.floats).push_back(sample);
    }
    return out;
  }
};

bool HasSample(const Row& row) {
  return std::any_of(row.at.begin(), row.at.end(), [](const std::optional<Sample>& s) { return s.has_value(); });
}

// A subquery leaves samples out or repeats them, so what a sample says about the one before it no longer holds.
HistogramPtr WithoutResetHint(const HistogramPtr& h) {
  if (h == nullptr || h->counter_reset_hint == CounterResetHint::kGauge) return h;
  FloatHistogram out = *h;
  out.counter_reset_hint = CounterResetHint::kUnknown;
  return std::make_shared<FloatHistogram>(std::move(out));
}

class Evaluator {
 public:
  Evaluator(const Query& query, const Data& data, Notes& notes) : query_(query), data_(data), notes_(notes) {}

  Result<Table> Vector(const Expr& expr, const std::vector<TimestampMs>& steps) {
    const Expr& node = promql::WithoutParens(expr);
    if (const auto* selector = node.As<promql::VectorSelector>()) return Select(*selector, steps, false);
    if (const auto* unary = node.As<promql::UnaryExpr>()) {
      EPI_ASSIGN(Table table, Vector(*unary->expr, steps));
      return unary->op == promql::UnaryOp::kPlus ? table : Negate(std::move(table));
    }
    if (const auto* binary = node.As<promql::BinaryExpr>()) return Binary(*binary, steps);
    if (const auto* aggregate = node.As<promql::AggregateExpr>()) return AggregateNode(*aggregate, steps);
    if (const auto* call = node.As<Call>()) return CallVector(*call, steps);
    return Fail(ErrorCode::kUnsupported, "no vector");
  }

  Result<std::vector<double>> Scalar(const Expr& expr, const std::vector<TimestampMs>& steps) {
    const Expr& node = promql::WithoutParens(expr);
    std::vector<double> out(steps.size());
    if (const auto* number = node.As<promql::NumberLiteral>()) {
      std::fill(out.begin(), out.end(), number->value);
      return out;
    }
    if (const auto* unary = node.As<promql::UnaryExpr>()) {
      EPI_ASSIGN(out, Scalar(*unary->expr, steps));
      for (double& v : out) v = unary->op == promql::UnaryOp::kMinus ? -v : v;
      return out;
    }
    if (const auto* binary = node.As<promql::BinaryExpr>()) {
      EPI_ASSIGN(const auto lhs, Scalar(*binary->lhs, steps));
      EPI_ASSIGN(const auto rhs, Scalar(*binary->rhs, steps));
      for (size_t i = 0; i < out.size(); ++i) out[i] = BinaryScalars(binary->op, lhs[i], rhs[i]);
      return out;
    }
    if (const auto* call = node.As<Call>()) return CallScalar(*call, steps);
    return Fail(ErrorCode::kUnsupported, "no scalar");
  }

  Result<RangeVector> Range(const Expr& expr, const std::vector<TimestampMs>& steps) {
    const Expr& node = promql::WithoutParens(expr);
    RangeVector out;
    if (const auto* matrix = node.As<promql::MatrixSelector>()) {
      if (matrix->selector.anchored || matrix->selector.smoothed) return Fail(ErrorCode::kUnsupported, "extended");
      out.range = matrix->range_ms;
      out.offset = matrix->selector.time.offset_ms;
      out.at = AtTime(matrix->selector.time);
      for (const Series& s : data_) {
        if (Matches(matrix->selector, s.labels)) out.series.push_back(s);
      }
      return out;
    }
    const auto* subquery = node.As<promql::Subquery>();
    if (subquery == nullptr) return Fail(ErrorCode::kUnsupported, "no range vector");
    out.range = subquery->range_ms;
    out.offset = subquery->time.offset_ms;
    out.at = AtTime(subquery->time);
    const int64_t step = subquery->step_ms != 0 ? subquery->step_ms : kDefaultSubqueryStep;
    const TimestampMs first = out.at.value_or(steps.front()) - out.offset - out.range;
    const TimestampMs last = out.at.value_or(steps.back()) - out.offset;
    std::vector<TimestampMs> inner;
    for (TimestampMs t = FloorTo(first, step) + step; t <= last; t += step) inner.push_back(t);
    if (inner.empty()) return out;
    EPI_ASSIGN(const Table table, Vector(*subquery->expr, inner));
    for (const Row& row : table) {
      Series s{row.labels, {}};
      for (size_t i = 0; i < inner.size(); ++i) {
        if (row.at[i]) s.samples.push_back({inner[i], row.at[i]->v, WithoutResetHint(row.at[i]->h)});
      }
      out.series.push_back(std::move(s));
    }
    return out;
  }

 private:
  static TimestampMs FloorTo(TimestampMs t, int64_t step) {
    const TimestampMs rest = t % step;
    return rest < 0 ? t - rest - step : t - rest;
  }

  std::optional<TimestampMs> AtTime(const promql::TimeModifiers& time) const {
    if (time.at == promql::AtPreprocessor::kStart) return query_.start;
    if (time.at == promql::AtPreprocessor::kEnd) return query_.end;
    return time.timestamp_ms;
  }

  static bool Matches(const promql::VectorSelector& selector, const Labels& labels) {
    return std::all_of(selector.matchers.begin(), selector.matchers.end(),
                       [&](const Matcher& m) { return m.Matches(labels.Get(m.name())); });
  }

  // The newest sample not older than the lookback at every step; its time instead of its value for timestamp().
  Result<Table> Select(const promql::VectorSelector& selector, const std::vector<TimestampMs>& steps, bool times) {
    if (selector.anchored || selector.smoothed) return Fail(ErrorCode::kUnsupported, "extended");
    Table out;
    for (const Series& s : data_) {
      if (!Matches(selector, s.labels)) continue;
      Row row{s.labels, {}};
      for (const TimestampMs step : steps) {
        const TimestampMs time = AtTime(selector.time).value_or(step) - selector.time.offset_ms;
        row.at.emplace_back();
        const TimedSample* newest = nullptr;
        for (const TimedSample& sample : s.samples) {
          if (sample.t > time - kLookback && sample.t <= time) newest = &sample;
        }
        if (newest == nullptr || IsStale(*newest)) continue;
        row.at.back() = times ? Sample{static_cast<double>(newest->t) / 1000, nullptr} : Sample{newest->v, newest->h};
      }
      if (HasSample(row)) out.push_back(std::move(row));
    }
    return out;
  }

  static Result<Table> Negate(Table table) {
    for (Row& row : table) {
      row.labels = DropNames(row.labels);
      for (auto& sample : row.at) {
        if (!sample) continue;
        if (sample->h == nullptr) {
          sample->v = -sample->v;
          continue;
        }
        FloatHistogram h = *sample->h;
        Multiply(h, -1);
        sample->h = std::make_shared<FloatHistogram>(std::move(h));
      }
    }
    return Merge(std::move(table));
  }

  Result<Table> Binary(const promql::BinaryExpr& node, const std::vector<TimestampMs>& steps) {
    const bool left_scalar = promql::TypeOf(*node.lhs) == ValueType::kScalar;
    const bool right_scalar = promql::TypeOf(*node.rhs) == ValueType::kScalar;
    if (left_scalar || right_scalar) {
      EPI_ASSIGN(const Table vector, Vector(left_scalar ? *node.rhs : *node.lhs, steps));
      EPI_ASSIGN(const auto scalar, Scalar(left_scalar ? *node.lhs : *node.rhs, steps));
      return BinaryVectorScalar(node, vector, scalar, left_scalar, notes_);
    }
    EPI_ASSIGN(const Table lhs, Vector(*node.lhs, steps));
    EPI_ASSIGN(const Table rhs, Vector(*node.rhs, steps));
    return BinaryVectors(node, lhs, rhs, steps.size(), notes_);
  }

  Result<Table> AggregateNode(const promql::AggregateExpr& node, const std::vector<TimestampMs>& steps) {
    EPI_ASSIGN(const Table input, Vector(*node.expr, steps));
    if (node.op == promql::AggregateOp::kCountValues) {
      return Aggregate(node, input, {}, Text(*node.param), steps.size(), notes_);
    }
    std::vector<double> param;
    if (node.param != nullptr) {
      EPI_ASSIGN(param, Scalar(*node.param, steps));
    }
    return Aggregate(node, input, param, {}, steps.size(), notes_);
  }

  static std::string Text(const Expr& expr) {
    const auto* literal = promql::WithoutParens(expr).As<promql::StringLiteral>();
    return literal == nullptr ? std::string() : literal->value;
  }

  Result<std::vector<double>> CallScalar(const Call& call, const std::vector<TimestampMs>& steps) {
    std::vector<double> out(steps.size());
    switch (call.function->id) {
      case FunctionId::kTime:
        for (size_t i = 0; i < steps.size(); ++i) out[i] = static_cast<double>(steps[i]) / 1000;
        return out;
      case FunctionId::kPi:
        std::fill(out.begin(), out.end(), 3.14159265358979323846264338327950288);
        return out;
      case FunctionId::kScalar: {
        EPI_ASSIGN(const Table table, Vector(*call.args[0], steps));
        for (size_t i = 0; i < steps.size(); ++i) {
          std::vector<double> floats;
          for (const Row& row : table) {
            if (row.at[i] && row.at[i]->h == nullptr) floats.push_back(row.at[i]->v);
          }
          out[i] = floats.size() == 1 ? floats[0] : std::nan("");
        }
        return out;
      }
      default:
        return Fail(ErrorCode::kUnsupported, std::string(call.function->name));
    }
  }

  Result<Table> CallVector(const Call& call, const std::vector<TimestampMs>& steps) {
    const FunctionId id = call.function->id;
    if (const RangeFunction function = FindRangeFunction(id)) return CallRange(call, function, steps);
    if (const FloatFunction function = FindFloatFunction(id)) return CallFloat(call, function, steps);
    switch (id) {
      case FunctionId::kVector: {
        EPI_ASSIGN(const auto scalar, Scalar(*call.args[0], steps));
        Table out = EmptyRows(steps.size(), {});
        for (size_t i = 0; i < steps.size(); ++i) out[0].at[i] = Sample{scalar[i], nullptr};
        return out;
      }
      case FunctionId::kTimestamp:
        return CallTimestamp(call, steps);
      case FunctionId::kAbsent: {
        EPI_ASSIGN(const Table table, Vector(*call.args[0], steps));
        return Absent(*call.args[0], steps.size(), [&](size_t i) {
          return std::any_of(table.begin(), table.end(), [i](const Row& row) { return row.at[i].has_value(); });
        });
      }
      case FunctionId::kAbsentOverTime: {
        EPI_ASSIGN(const RangeVector range, Range(*call.args[0], steps));
        return Absent(*call.args[0], steps.size(), [&](size_t i) {
          return std::any_of(range.series.begin(), range.series.end(),
                             [&](const Series& s) { return !range.Cut(s, steps[i]).all.empty(); });
        });
      }
      case FunctionId::kSort:
      case FunctionId::kSortDesc: {
        EPI_ASSIGN(Table table, Vector(*call.args[0], steps));
        if (query_.step > 0 && steps.size() > 1)
          notes_.Warn("sort is ineffective for range queries since results are always ordered by labels");
        for (Row& row : table) {
          for (auto& sample : row.at) {
            if (sample && sample->h != nullptr) sample.reset();
          }
        }
        return table;
      }
      case FunctionId::kHistogramCount:
        return CallHistogram(call, steps, [](const FloatHistogram& h) { return h.count; });
      case FunctionId::kHistogramSum:
        return CallHistogram(call, steps, [](const FloatHistogram& h) { return h.sum; });
      case FunctionId::kHistogramAvg:
        return CallHistogram(call, steps, [](const FloatHistogram& h) { return h.sum / h.count; });
      case FunctionId::kHistogramStdvar:
        return CallHistogram(call, steps, NativeVariance);
      case FunctionId::kHistogramStddev:
        return CallHistogram(call, steps, [](const FloatHistogram& h) { return std::sqrt(NativeVariance(h)); });
      case FunctionId::kHistogramQuantile:
      case FunctionId::kHistogramFraction: {
        EPI_ASSIGN(const auto arguments, ScalarArguments(call, steps));
        EPI_ASSIGN(const Table table, Vector(*call.args.back(), steps));
        return Merge(Distribution(table, arguments, id == FunctionId::kHistogramQuantile));
      }
      case FunctionId::kHistogramQuantiles:
        return CallQuantiles(call, steps);
      case FunctionId::kLabelReplace:
        return CallLabelReplace(call, steps);
      case FunctionId::kLabelJoin:
        return CallLabelJoin(call, steps);
      default:
        return Fail(ErrorCode::kUnsupported, std::string(call.function->name));
    }
  }

  // Scalar arguments before and after the vector, at each step.
  Result<std::vector<std::vector<double>>> ScalarArguments(const Call& call, const std::vector<TimestampMs>& steps) {
    std::vector<std::vector<double>> out(steps.size());
    for (const auto& arg : call.args) {
      if (promql::TypeOf(*arg) != ValueType::kScalar) continue;
      EPI_ASSIGN(const auto values, Scalar(*arg, steps));
      for (size_t i = 0; i < steps.size(); ++i) out[i].push_back(values[i]);
    }
    return out;
  }

  Result<Table> CallRange(const Call& call, RangeFunction function, const std::vector<TimestampMs>& steps) {
    EPI_ASSIGN(const auto arguments, ScalarArguments(call, steps));
    const auto arg = std::find_if(call.args.begin(), call.args.end(),
                                  [](const auto& a) { return promql::TypeOf(*a) == ValueType::kMatrix; });
    EPI_ASSIGN(const RangeVector range, Range(**arg, steps));
    const FunctionId id = call.function->id;
    const bool keeps = id == FunctionId::kLastOverTime || id == FunctionId::kFirstOverTime;
    Table out;
    for (const Series& s : range.series) {
      Row row{keeps ? s.labels : DropNames(s.labels), {}};
      for (size_t i = 0; i < steps.size(); ++i) {
        Window window = range.Cut(s, steps[i]);
        window.metric = s.labels.MetricName();
        window.notes = &notes_;
        row.at.emplace_back();
        if (window.all.empty()) continue;
        EPI_ASSIGN(row.at.back(), function(window, arguments[i]));
      }
      if (!HasSample(row)) continue;
      if (id == FunctionId::kRate || id == FunctionId::kIncrease) NoteNonCounter(s.labels.MetricName(), row);
      // Prometheus refuses equal labels here even where the samples are at different steps.
      const bool taken =
          std::any_of(out.begin(), out.end(), [&](const Row& other) { return other.labels == row.labels; });
      if (taken) return Fail(ErrorCode::kExecution, "vector cannot contain metrics with the same labelset");
      out.push_back(std::move(row));
    }
    return out;
  }

  void NoteNonCounter(std::string_view metric, const Row& row) {
    const bool floats = std::any_of(row.at.begin(), row.at.end(), [](const auto& s) { return s && s->h == nullptr; });
    if (metric.empty() || !floats) return;
    for (const std::string_view suffix : {"_total", "_sum", "_count", "_bucket"}) {
      if (metric.ends_with(suffix)) return;
    }
    notes_.Inform("metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " +
                  QuotedName(metric));
  }

  Result<Table> CallFloat(const Call& call, FloatFunction function, const std::vector<TimestampMs>& steps) {
    if (call.args.empty()) {  // a part of the date now
      Table out = EmptyRows(steps.size(), {});
      for (size_t i = 0; i < steps.size(); ++i) {
        const auto v = function(static_cast<double>(steps[i]) / 1000, {});
        out[0].at[i] = Sample{*v, nullptr};
      }
      return out;
    }
    EPI_ASSIGN(const auto arguments, ScalarArguments(call, steps));
    EPI_ASSIGN(Table table, Vector(*call.args[0], steps));
    for (Row& row : table) {
      row.labels = DropNames(row.labels);
      for (size_t i = 0; i < steps.size(); ++i) {
        if (!row.at[i]) continue;
        const auto v = row.at[i]->h == nullptr ? function(row.at[i]->v, arguments[i]) : std::nullopt;
        row.at[i] = v ? std::optional(Sample{*v, nullptr}) : std::nullopt;
      }
    }
    return Merge(std::move(table));
  }

  template <typename Kernel>
  Result<Table> CallHistogram(const Call& call, const std::vector<TimestampMs>& steps, Kernel kernel) {
    EPI_ASSIGN(Table table, Vector(*call.args[0], steps));
    for (Row& row : table) {
      row.labels = DropNames(row.labels);
      for (auto& sample : row.at) {
        sample = sample && sample->h != nullptr ? std::optional(Sample{kernel(*sample->h), nullptr}) : std::nullopt;
      }
    }
    return Merge(std::move(table));
  }

  Result<Table> CallTimestamp(const Call& call, const std::vector<TimestampMs>& steps) {
    const Expr& arg = promql::WithoutParens(*call.args[0]);
    const auto* selector = arg.As<promql::VectorSelector>();
    EPI_ASSIGN(Table table, selector != nullptr ? Select(*selector, steps, true) : Vector(arg, steps));
    for (Row& row : table) {
      row.labels = DropNames(row.labels);
      for (size_t i = 0; i < steps.size(); ++i) {
        if (row.at[i] && selector == nullptr) row.at[i] = Sample{static_cast<double>(steps[i]) / 1000, nullptr};
      }
    }
    return Merge(std::move(table));
  }

  template <typename Present>
  static Result<Table> Absent(const Expr& arg, size_t steps, Present present) {
    const Expr& node = promql::WithoutParens(arg);
    const auto* selector = node.As<promql::VectorSelector>();
    if (const auto* matrix = node.As<promql::MatrixSelector>()) selector = &matrix->selector;
    LabelsBuilder labels;
    std::map<std::string, bool> seen;
    for (const Matcher& m : selector != nullptr ? selector->matchers : std::vector<Matcher>()) {
      if (m.name() == kMetricName) continue;
      if (m.type() == MatchType::kEqual && !seen[m.name()]) {
        labels.Set(m.name(), m.value());
        seen[m.name()] = true;
      } else {
        labels.Del(m.name());
      }
    }
    Table out = EmptyRows(steps, labels.Build());
    for (size_t i = 0; i < steps; ++i) {
      if (!present(i)) out[0].at[i] = Sample{1, nullptr};
    }
    return out;
  }

  // The quantiles one after the other, each with its label.
  Result<Table> CallQuantiles(const Call& call, const std::vector<TimestampMs>& steps) {
    EPI_ASSIGN(const auto arguments, ScalarArguments(call, steps));
    EPI_ASSIGN(const Table table, Vector(*call.args[0], steps));
    Table out;
    for (size_t q = 0; q + 2 < call.args.size(); ++q) {
      std::vector<std::vector<double>> own;
      for (const auto& at_step : arguments) own.push_back({at_step[q]});
      Table part = Distribution(table, own, true);
      for (Row& row : part) {
        // A quantile may change from step to step, and its label with it.
        for (size_t i = 0; i < steps.size(); ++i) {
          if (!row.at[i]) continue;
          std::string text;
          AppendOpenMetricsValue(text, own[i][0]);
          Row single{row.labels.With(Text(*call.args[1]), text), std::vector<std::optional<Sample>>(steps.size())};
          single.at[i] = row.at[i];
          out.push_back(std::move(single));
        }
      }
    }
    return Merge(std::move(out));
  }

  // histogram_quantile and histogram_fraction, over native and classic histograms together.
  Table Distribution(const Table& table, const std::vector<std::vector<double>>& arguments, bool quantile) {
    const size_t steps = arguments.size();
    // A row for every histogram: native ones in the order of the input, then classic ones in that of their first
    // bucket.
    std::vector<Labels> names;
    for (const Row& row : table) names.push_back(row.labels);
    for (const Row& row : table) {
      const Labels name = row.labels.Without(kBucketLabel);
      if (std::find(names.begin() + static_cast<std::ptrdiff_t>(table.size()), names.end(), name) == names.end()) {
        names.push_back(name);
      }
    }
    Table out;
    for (const Labels& name : names) out.push_back({DropNames(name), std::vector<std::optional<Sample>>(steps)});
    for (size_t i = 0; i < steps; ++i) {
      if (quantile && !(arguments[i][0] >= 0 && arguments[i][0] <= 1)) notes_.BadQuantile(arguments[i][0]);
      std::map<Labels, std::vector<LeCount>> classic;
      for (const Row& row : table) {
        if (!row.at[i] || row.at[i]->h != nullptr) continue;
        if (const auto le = ParseGoFloat(row.labels.Get(kBucketLabel))) {
          classic[row.labels.Without(kBucketLabel)].push_back({*le, row.at[i]->v});
        } else {
          notes_.Warn("bucket label \"le\" is missing or has a malformed value of " +
                      QuotedName(row.labels.Get(kBucketLabel)));
        }
      }
      const std::vector<double>& a = arguments[i];
      for (size_t r = 0; r < table.size(); ++r) {
        const auto& sample = table[r].at[i];
        if (!sample || sample->h == nullptr) continue;
        if (classic.erase(table[r].labels) > 0) {
          notes_.Warn("vector contains a mix of classic and native histograms");
          continue;
        }
        out[r].at[i] =
            Sample{quantile ? NativeQuantile(a[0], *sample->h, notes_) : NativeFraction(a[0], a[1], *sample->h, notes_),
                   nullptr};
      }
      for (size_t r = table.size(); r < names.size(); ++r) {
        const auto buckets = classic.find(names[r]);
        if (buckets == classic.end()) continue;
        out[r].at[i] = Sample{
            quantile ? ClassicQuantile(a[0], buckets->second, notes_) : ClassicFraction(a[0], a[1], buckets->second),
            nullptr};
      }
    }
    return out;
  }

  Result<Table> CallLabelReplace(const Call& call, const std::vector<TimestampMs>& steps) {
    EPI_ASSIGN(Table table, Vector(*call.args[0], steps));
    EPI_ASSIGN(const auto regex, AnchoredRegex::Compile(Text(*call.args[4])));
    for (Row& row : table) {
      std::string value;
      if (!regex->Expand(row.labels.Get(Text(*call.args[3])), Text(*call.args[2]), value)) continue;
      row.labels = row.labels.With(Text(*call.args[1]), value);
    }
    return Merge(std::move(table));
  }

  Result<Table> CallLabelJoin(const Call& call, const std::vector<TimestampMs>& steps) {
    EPI_ASSIGN(Table table, Vector(*call.args[0], steps));
    for (Row& row : table) {
      std::string value;
      for (size_t i = 3; i < call.args.size(); ++i) {
        if (i > 3) value += Text(*call.args[2]);
        value += row.labels.Get(Text(*call.args[i]));
      }
      row.labels = row.labels.With(Text(*call.args[1]), value);
    }
    return Merge(std::move(table));
  }

  const Query& query_;
  const Data& data_;
  Notes& notes_;
};

promql::Value InstantMatrix(const RangeVector& range, TimestampMs time) {
  promql::MatrixValue out;
  for (const Series& s : range.series) {
    const Window window = range.Cut(s, time);
    if (window.all.empty()) continue;
    promql::MatrixSeries series{s.labels, {}, {}};
    for (const auto& p : window.floats) series.floats.push_back({p.t, p.v});
    for (const auto& p : window.histograms) series.histograms.push_back({p.t, p.h});
    out.push_back(std::move(series));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.labels < b.labels; });
  return out;
}

promql::Value InstantVector(const Table& table, TimestampMs time) {
  promql::VectorValue out;
  for (const Row& row : table) {
    if (row.at[0]) out.push_back({row.labels, time, row.at[0]->v, row.at[0]->h});
  }
  return out;
}

promql::Value ToMatrix(const Table& table, const std::vector<TimestampMs>& steps) {
  promql::MatrixValue out;
  for (const Row& row : table) {
    promql::MatrixSeries series{row.labels, {}, {}};
    for (size_t i = 0; i < steps.size(); ++i) {
      if (!row.at[i]) continue;
      if (row.at[i]->h != nullptr) {
        series.histograms.push_back({steps[i], row.at[i]->h});
      } else {
        series.floats.push_back({steps[i], row.at[i]->v});
      }
    }
    if (!series.floats.empty() || !series.histograms.empty()) out.push_back(std::move(series));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.labels < b.labels; });
  return out;
}

}  // namespace

Labels DropNames(const Labels& labels) {
  return LabelsBuilder(labels).Del(kMetricName).Del("__type__").Del("__unit__").Build();
}

Result<Table> Merge(Table table) {
  Table out;
  std::map<Labels, size_t> rows;
  for (Row& row : table) {
    const auto [at, fresh] = rows.emplace(row.labels, out.size());
    if (fresh) {
      out.push_back(std::move(row));
      continue;
    }
    Row& into = out[at->second];
    for (size_t i = 0; i < row.at.size(); ++i) {
      if (!row.at[i]) continue;
      if (into.at[i]) return Fail(ErrorCode::kExecution, "vector cannot contain metrics with the same labelset");
      into.at[i] = std::move(row.at[i]);
    }
  }
  return out;
}

Result<promql::Value> Evaluate(const Query& query, const Data& data, Notes* notes) {
  EPI_ASSIGN(const promql::ExprPtr expr, promql::ParseExpr(query.text, promql::ParseOptions::AllEnabled()));
  EPI_TRY(promql::ResolveDurations(*expr, {query.step, query.end - query.start}));
  std::vector<TimestampMs> steps = {query.start};
  for (TimestampMs t = query.start + query.step; query.step > 0 && t <= query.end; t += query.step) steps.push_back(t);
  Notes unwanted;
  Evaluator evaluator(query, data, notes != nullptr ? *notes : unwanted);
  const ValueType type = promql::TypeOf(*expr);
  if (type == ValueType::kMatrix) {
    EPI_ASSIGN(const RangeVector range, evaluator.Range(*expr, steps));
    return InstantMatrix(range, query.start);
  }
  if (type == ValueType::kScalar) {
    EPI_ASSIGN(const auto scalar, evaluator.Scalar(*expr, steps));
    if (query.step == 0) return promql::Value(promql::ScalarValue{query.start, scalar[0]});
    promql::MatrixSeries series;
    for (size_t i = 0; i < steps.size(); ++i) series.floats.push_back({steps[i], scalar[i]});
    return promql::Value(promql::MatrixValue{series});
  }
  EPI_ASSIGN(const Table table, evaluator.Vector(*expr, steps));
  return query.step == 0 ? InstantVector(table, query.start) : ToMatrix(table, steps);
}

}  // namespace epi::naive
