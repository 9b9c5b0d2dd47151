#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "base/xxhash64.h"
#include "model/histogram_format.h"
#include "model/histogram_math.h"
#include "model/kahan_sum.h"
#include "model/number_format.h"
#include "naive/functions.h"
#include "naive/nodes.h"

namespace epi::naive {
namespace {

using promql::AggregateOp;

Labels GroupLabels(const promql::AggregateExpr& node, const Labels& labels) {
  LabelsBuilder out;
  for (const auto& label : labels) {
    const bool named = std::find(node.grouping.begin(), node.grouping.end(), label.name) != node.grouping.end();
    if (node.without ? !named && label.name != kMetricName : named) out.Set(label.name, label.value);
  }
  return out.Build();
}

// The samples of one group at one step, in the order of the input.
struct Element {
  size_t row;
  Sample sample;
};
using Elements = std::vector<Element>;

std::vector<double> Floats(const Elements& elements) {
  std::vector<double> out;
  for (const Element& e : elements) {
    if (e.sample.h == nullptr) out.push_back(e.sample.v);
  }
  return out;
}

// Histograms only: nothing when their schemas do not mix.
std::optional<FloatHistogram> SumOf(const Elements& elements, bool* reconciled = nullptr) {
  FloatHistogram sum = *elements.front().sample.h;
  std::optional<FloatHistogram> compensation;
  for (size_t i = 1; i < elements.size(); ++i) {
    if (!compensation) compensation = CompensationFor(sum);
    const auto done = KahanAdd(sum, *elements[i].sample.h, *compensation);
    if (!done) return std::nullopt;
    if (reconciled != nullptr) *reconciled |= done->bounds_reconciled;
  }
  if (compensation) static_cast<void>(Add(sum, *compensation));
  Compact(sum);
  return sum;
}

std::optional<FloatHistogram> MeanOf(const Elements& elements, bool* reconciled = nullptr) {
  FloatHistogram sum = *elements.front().sample.h;
  std::optional<FloatHistogram> compensation;
  std::optional<FloatHistogram> mean;
  double count = 1;
  for (size_t i = 1; i < elements.size(); ++i) {
    const FloatHistogram& h = *elements[i].sample.h;
    ++count;
    if (!mean) {
      FloatHistogram next = sum;
      FloatHistogram terms = compensation ? *compensation : CompensationFor(sum);
      const auto done = KahanAdd(next, h, terms);
      if (!done) return std::nullopt;
      if (reconciled != nullptr) *reconciled |= done->bounds_reconciled;
      if (!HasOverflow(next)) {
        sum = std::move(next);
        compensation = std::move(terms);
        continue;
      }
      mean = sum;
      Divide(*mean, count - 1);
      if (compensation) Divide(*compensation, count - 1);
    }
    const double share = (count - 1) / count;
    if (compensation) Multiply(*compensation, share);
    FloatHistogram part = h;
    Divide(part, count);
    Multiply(*mean, share);
    if (!compensation) compensation = CompensationFor(*mean);
    const auto done = KahanAdd(*mean, part, *compensation);
    if (!done) return std::nullopt;
    if (reconciled != nullptr) *reconciled |= done->bounds_reconciled;
  }
  FloatHistogram out = mean ? *mean : sum;
  if (!mean) {
    Divide(out, count);
    if (compensation) Divide(*compensation, count);
  }
  if (compensation) static_cast<void>(Add(out, *compensation));
  Compact(out);
  return out;
}

double MeanOf(const std::vector<double>& values) {
  KahanSum sum{values[0], 0};
  bool incremental = false;
  double count = 1;
  for (size_t i = 1; i < values.size(); ++i) {
    ++count;
    if (!incremental) {
      KahanSum next = sum;
      next.Add(values[i]);
      if (!std::isinf(next.sum)) {
        sum = next;
        continue;
      }
      incremental = true;
      sum.sum /= count - 1;
      sum.compensation /= count - 1;
    }
    const double share = (count - 1) / count;
    sum = {share * sum.sum, share * sum.compensation};
    sum.Add(values[i] / count);
  }
  return incremental ? sum.sum + sum.compensation : sum.sum / count + sum.compensation / count;
}

double VarianceOf(const std::vector<double>& values) {
  double mean = values[0];
  double squares = std::isfinite(values[0]) ? 0 : std::nan("");
  double count = 1;
  for (size_t i = 1; i < values.size(); ++i) {
    ++count;
    const double delta = values[i] - mean;
    mean += delta / count;
    squares += delta * (values[i] - mean);
  }
  return squares / count;
}

double ExtremeOf(const std::vector<double>& values, bool max) {
  double best = values[0];
  for (const double v : values) {
    if ((max ? best < v : best > v) || std::isnan(best)) best = v;
  }
  return best;
}

std::optional<Sample> Float(double v) { return Sample{v, nullptr}; }

std::optional<Sample> SumOrMean(const Elements& elements, bool mean) {
  const std::vector<double> floats = Floats(elements);
  if (!floats.empty() && floats.size() != elements.size()) return std::nullopt;
  if (floats.empty()) {
    auto h = mean ? MeanOf(elements) : SumOf(elements);
    if (!h) return std::nullopt;
    return Sample{0, std::make_shared<FloatHistogram>(std::move(*h))};
  }
  if (mean) return Float(MeanOf(floats));
  KahanSum sum{floats[0], 0};
  for (size_t i = 1; i < floats.size(); ++i) sum.Add(floats[i]);
  return Float(sum.Total());
}

std::optional<Sample> Fold(AggregateOp op, const Elements& elements, double param) {
  const std::vector<double> floats = Floats(elements);
  if (op == AggregateOp::kSum || op == AggregateOp::kAvg) return SumOrMean(elements, op == AggregateOp::kAvg);
  if (op == AggregateOp::kCount) return Float(static_cast<double>(elements.size()));
  if (op == AggregateOp::kGroup) return Float(1);
  if (floats.empty()) return std::nullopt;
  if (op == AggregateOp::kMin || op == AggregateOp::kMax) return Float(ExtremeOf(floats, op == AggregateOp::kMax));
  if (op == AggregateOp::kStdvar) return Float(VarianceOf(floats));
  if (op == AggregateOp::kStddev) return Float(std::sqrt(VarianceOf(floats)));
  return Float(QuantileOf(param, floats));
}

// Go's container/heap, for which of several equal elements topk throws out depends on its moves.
class GoHeap {
 public:
  explicit GoHeap(bool largest_first) : largest_first_(largest_first) {}
  const Elements& elements() const { return elements_; }
  void Push(const Element& e) {
    elements_.push_back(e);
    for (size_t j = elements_.size() - 1; j > 0;) {
      const size_t parent = (j - 1) / 2;
      if (!Less(j, parent)) break;
      std::swap(elements_[parent], elements_[j]);
      j = parent;
    }
  }
  void ReplaceFirst(const Element& e) {
    elements_[0] = e;
    for (size_t i = 0;;) {
      size_t child = 2 * i + 1;
      if (child >= elements_.size()) break;
      if (child + 1 < elements_.size() && Less(child + 1, child)) ++child;
      if (!Less(child, i)) break;
      std::swap(elements_[i], elements_[child]);
      i = child;
    }
  }

 private:
  bool Less(size_t i, size_t j) const {
    const double a = elements_[i].sample.v;
    const double b = elements_[j].sample.v;
    return std::isnan(a) || (largest_first_ ? a > b : a < b);
  }
  bool largest_first_;
  Elements elements_;
};

// The best first, as an instant query shows them: what topk answers at one step alone is in this order.
Elements BestFirst(Elements elements, bool top) {
  const auto less = [top](const Element& a, const Element& b) {
    return std::isnan(a.sample.v) || (top ? a.sample.v < b.sample.v : a.sample.v > b.sample.v);
  };
  for (size_t i = 1; i < elements.size(); ++i) {
    for (size_t j = i; j > 0 && less(elements[j - 1], elements[j]); --j) std::swap(elements[j], elements[j - 1]);
  }
  return elements;
}

Elements ChooseByValue(const Elements& elements, size_t k, bool top) {
  GoHeap heap(!top);
  for (const Element& e : elements) {
    if (e.sample.h != nullptr) continue;
    if (heap.elements().size() < k) {
      heap.Push(e);
      continue;
    }
    const double first = heap.elements()[0].sample.v;
    const double v = e.sample.v;
    if ((top ? first < v : first > v) || (std::isnan(first) && !std::isnan(v))) heap.ReplaceFirst(e);
  }
  return BestFirst(heap.elements(), top);
}

// limitk and limit_ratio throw nothing out of their heap, but leave their elements in its order.
Elements HeapOrder(const Elements& elements) {
  GoHeap heap(false);
  for (const Element& e : elements) heap.Push(e);
  return heap.elements();
}

// Where Prometheus places a series between 0 and 1: the hash of its labels in Prometheus's memory.
double PlaceOf(const Labels& labels) {
  std::string flat;
  for (const auto& label : labels) {
    for (const std::string_view text : {label.name, label.value}) {
      flat += static_cast<char>(text.size());  // longer texts do not come up here
      flat += text;
    }
  }
  return static_cast<double>(XxHash64(flat)) / static_cast<double>(std::numeric_limits<uint64_t>::max());
}

Elements ChooseByRatio(const Elements& elements, double ratio, const Table& input) {
  ratio = std::fmax(-1, std::fmin(1, ratio));
  Elements out;
  for (const Element& e : elements) {
    const double place = PlaceOf(input[e.row].labels);
    if (ratio >= 0 ? place < ratio : place >= 1 + ratio) out.push_back(e);
  }
  return out;
}

// Which elements topk, bottomk, limitk and limit_ratio keep.
Elements Choose(AggregateOp op, Elements elements, double param, const Table& input) {
  if (op == AggregateOp::kLimitRatio) return HeapOrder(ChooseByRatio(elements, param, input));
  if (param < 1) return {};
  const size_t k = static_cast<size_t>(std::fmin(param, static_cast<double>(input.size())));
  if (op != AggregateOp::kLimitk) return ChooseByValue(elements, k, op == AggregateOp::kTopk);
  if (elements.size() > k) elements.resize(k);
  return HeapOrder(elements);
}

Result<void> CheckParameters(AggregateOp op, const std::vector<double>& param) {
  const bool ratio = op == AggregateOp::kLimitRatio;
  const auto idle = [ratio](double v) { return ratio ? v == 0 : v < 1; };
  // Prometheus looks at the extremes, which NaN takes part in.
  if (std::all_of(param.begin(), param.end(), idle)) return {};
  for (const double v : param) {
    if (std::isnan(v)) return Fail(ErrorCode::kExecution, "Parameter value is NaN");
    if (ratio) continue;
    if (v <= -0x1p63) return Fail(ErrorCode::kExecution, "Scalar value underflows int64");
    if (v >= 0x1p63) return Fail(ErrorCode::kExecution, "Scalar value overflows int64");
  }
  return {};
}

// The largest, the smallest and whether any is no number, as Prometheus looks at them.
void NoteParameters(const std::vector<double>& param, Notes& notes) {
  if (std::any_of(param.begin(), param.end(), [](double q) { return std::isnan(q); })) {
    notes.BadQuantile(std::nan(""));
    return;  // NaN is the largest and the smallest then
  }
  const auto [low, high] = std::minmax_element(param.begin(), param.end());
  if (*high > 1) notes.BadQuantile(*high);
  if (*low < 0) notes.BadQuantile(*low);
}

void NoteRatio(AggregateOp op, const std::vector<double>& param, Notes& notes) {
  if (op != AggregateOp::kLimitRatio) return;
  const auto [low, high] = std::minmax_element(param.begin(), param.end());
  const auto note = [&](double ratio, const char* used) {
    notes.Warn("ratio value should be between -1 and 1, got " + FormatFloatGeneral(ratio) + ", capping to " + used);
  };
  if (*high > 1) note(*high, "1");
  if (*low < -1) note(*low, "-1");
}

void NoteSum(bool mean, const Elements& elements, const Table& input, Notes& notes) {
  bool floats = false;
  bool reset = false;
  bool not_reset = false;
  // Histograms are added up when the first element is one, whatever floats lie between, until two do not go together:
  // what comes behind is not looked at.
  const bool adds = elements.front().sample.h != nullptr;
  Elements added;
  for (const Element& e : elements) {
    if (e.sample.h == nullptr) {
      floats = true;
      continue;
    }
    added.push_back(e);
    if (!adds) continue;
    reset = reset || e.sample.h->counter_reset_hint == CounterResetHint::kReset;
    not_reset = not_reset || e.sample.h->counter_reset_hint == CounterResetHint::kNotReset;
    bool reconciled = false;
    const bool together = mean ? MeanOf(added, &reconciled).has_value() : SumOf(added, &reconciled).has_value();
    if (reconciled) notes.Reconciled("aggregation");
    if (together) continue;
    notes.MixedBuckets(input[e.row].labels.MetricName());
    if (floats) notes.MixedKinds("aggregation");
    return;
  }
  if (floats && !added.empty()) {
    notes.MixedKinds("aggregation");
  } else if (reset && not_reset) {
    notes.ConflictingResets("aggregation");
  }
}

void NoteElements(AggregateOp op, const Elements& elements, double param, const Table& input, Notes& notes) {
  if (op == AggregateOp::kSum || op == AggregateOp::kAvg) {
    NoteSum(op == AggregateOp::kAvg, elements, input, notes);
    return;
  }
  const bool by_value = op == AggregateOp::kTopk || op == AggregateOp::kBottomk;
  if (by_value && param < 1) return;
  const bool floats_only = by_value || op == AggregateOp::kMin || op == AggregateOp::kMax ||
                           op == AggregateOp::kStddev || op == AggregateOp::kStdvar || op == AggregateOp::kQuantile;
  if (floats_only && Floats(elements).size() != elements.size())
    notes.Inform("ignored histogram in " + std::string(promql::AggregateOpName(op)) + " aggregation");
}

// The label of the value may be one of the grouping's: then groups run together.
Table CountValues(const promql::AggregateExpr& node, const Table& input, const std::string& label, size_t steps) {
  Table out;
  std::map<Labels, size_t> rows;
  for (size_t step = 0; step < steps; ++step) {
    for (const Row& row : input) {
      if (!row.at[step]) continue;
      const Sample& sample = *row.at[step];
      const std::string value = sample.h != nullptr ? HistogramToString(*sample.h) : FormatFloatPlain(sample.v);
      const Labels labels = GroupLabels(node, row.labels).With(label, value);
      const auto [at, fresh] = rows.emplace(labels, out.size());
      if (fresh) out.push_back({labels, std::vector<std::optional<Sample>>(steps)});
      auto& count = out[at->second].at[step];
      count = Sample{count ? count->v + 1 : 1, nullptr};
    }
  }
  return out;
}

}  // namespace

Result<Table> Aggregate(const promql::AggregateExpr& node, const Table& input, const std::vector<double>& param,
                        const std::string& text, size_t steps, Notes& notes) {
  if (node.op == AggregateOp::kCountValues) return CountValues(node, input, text, steps);
  // Groups in the order of their first row.
  std::vector<Labels> groups;
  std::vector<size_t> group_of;
  for (const Row& row : input) {
    const Labels labels = GroupLabels(node, row.labels);
    const auto at = std::find(groups.begin(), groups.end(), labels);
    group_of.push_back(static_cast<size_t>(at - groups.begin()));
    if (at == groups.end()) groups.push_back(labels);
  }
  const bool chooses = node.op == AggregateOp::kTopk || node.op == AggregateOp::kBottomk ||
                       node.op == AggregateOp::kLimitk || node.op == AggregateOp::kLimitRatio;
  if (node.op == AggregateOp::kQuantile) NoteParameters(param, notes);
  Table out;
  if (chooses) {
    EPI_TRY(CheckParameters(node.op, param));
    NoteRatio(node.op, param, notes);
    for (const Row& row : input) {
      if (steps > 1) out.push_back({row.labels, std::vector<std::optional<Sample>>(steps)});
    }
  } else {
    for (const Labels& labels : groups) out.push_back({labels, std::vector<std::optional<Sample>>(steps)});
  }
  for (size_t step = 0; step < steps; ++step) {
    std::vector<Elements> members(groups.size());
    for (size_t r = 0; r < input.size(); ++r) {
      if (input[r].at[step]) members[group_of[r]].push_back({r, *input[r].at[step]});
    }
    for (size_t g = 0; g < groups.size(); ++g) {
      if (members[g].empty()) continue;
      NoteElements(node.op, members[g], param.empty() ? 0 : param[step], input, notes);
      if (chooses) {
        for (const Element& e : Choose(node.op, members[g], param[step], input)) {
          if (steps == 1) {
            out.push_back({input[e.row].labels, {e.sample}});
          } else {
            out[e.row].at[step] = e.sample;
          }
        }
      } else {
        out[g].at[step] = Fold(node.op, members[g], param.empty() ? 0 : param[step]);
      }
    }
  }
  return Merge(std::move(out));
}

}  // namespace epi::naive
