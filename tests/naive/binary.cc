#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "model/histogram_math.h"
#include "model/histogram_trim.h"
#include "naive/nodes.h"

namespace epi::naive {
namespace {

using promql::BinaryExpr;
using promql::BinaryOp;
using promql::MatchCardinality;
using promql::VectorMatching;

bool IsMetadata(std::string_view name) { return name == kMetricName || name == "__type__" || name == "__unit__"; }
bool IsArithmetic(BinaryOp op) { return op <= BinaryOp::kAtan2; }

bool Listed(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// What two elements must agree in.
Labels Signature(const VectorMatching& matching, const Labels& labels) {
  LabelsBuilder out;
  for (const auto& label : labels) {
    const bool listed = Listed(matching.labels, label.name);
    if (matching.on ? listed : !listed && !IsMetadata(label.name)) out.Set(label.name, label.value);
  }
  return out.Build();
}

double Calculate(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return a + b;
    case BinaryOp::kSub:
      return a - b;
    case BinaryOp::kMul:
      return a * b;
    case BinaryOp::kDiv:
      return a / b;
    case BinaryOp::kMod:
      return std::fmod(a, b);
    case BinaryOp::kPow:
      return std::pow(a, b);
    case BinaryOp::kAtan2:
      return std::atan2(a, b);
    default:
      return 0;
  }
}

bool Compare(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kEqual:
      return a == b;
    case BinaryOp::kNotEqual:
      return a != b;
    case BinaryOp::kLess:
      return a < b;
    case BinaryOp::kLessEqual:
      return a <= b;
    case BinaryOp::kGreater:
      return a > b;
    case BinaryOp::kGreaterEqual:
      return a >= b;
    default:
      return false;
  }
}

Sample Own(FloatHistogram h) { return {0, std::make_shared<FloatHistogram>(std::move(h))}; }

struct Outcome {
  Sample sample;
  bool keep = false;
};

// Nothing for operands that do not go together. `last` has what is to be said about the step: the last thing counts.
std::optional<Outcome> Apply(BinaryOp op, const Sample& a, const Sample& b, Notes& last) {
  const auto incompatible = [&] {
    last = Notes();
    const std::string name(promql::BinaryOpName(op));
    last.Inform("incompatible sample types encountered for binary operator " + QuotedName(name) + ": " +
                (a.h != nullptr ? "histogram " : "float ") + name + (b.h != nullptr ? " histogram" : " float"));
    return std::nullopt;
  };
  if (a.h == nullptr && b.h == nullptr) {
    if (IsArithmetic(op)) return Outcome{{Calculate(op, a.v, b.v), nullptr}, true};
    if (promql::IsComparison(op)) return Outcome{a, Compare(op, a.v, b.v)};
    return incompatible();
  }
  if (a.h == nullptr || b.h == nullptr) {
    const FloatHistogram& h = a.h != nullptr ? *a.h : *b.h;
    const double v = a.h != nullptr ? b.v : a.v;
    FloatHistogram out = h;
    if (op == BinaryOp::kMul) {
      Multiply(out, v);
    } else if (op == BinaryOp::kDiv && a.h != nullptr) {
      Divide(out, v);
    } else if (a.h != nullptr && (op == BinaryOp::kTrimUpper || op == BinaryOp::kTrimLower)) {
      Trim(out, v, op == BinaryOp::kTrimUpper ? TrimSide::kAbove : TrimSide::kBelow);
      return Outcome{Own(std::move(out)), true};
    } else {
      return incompatible();
    }
    Compact(out);
    return Outcome{Own(std::move(out)), true};
  }
  if (op == BinaryOp::kEqual || op == BinaryOp::kNotEqual)
    return Outcome{a, SameData(*a.h, *b.h) == (op == BinaryOp::kEqual)};
  if (op != BinaryOp::kAdd && op != BinaryOp::kSub) return incompatible();
  FloatHistogram out = *a.h;
  const auto report = op == BinaryOp::kAdd ? Add(out, *b.h) : Subtract(out, *b.h);
  if (!report) {
    last = Notes();
    last.Warn("incompatible bucket layout encountered for binary operator " + std::string(promql::BinaryOpName(op)));
    return std::nullopt;
  }
  const std::string operation = op == BinaryOp::kAdd ? "addition" : "subtraction";
  if (report->counter_reset_collision || report->bounds_reconciled) last = Notes();
  if (report->counter_reset_collision) {
    last.ConflictingResets(operation);
    return std::nullopt;
  }
  if (report->bounds_reconciled) last.Reconciled(operation);
  if (op == BinaryOp::kSub) out.counter_reset_hint = CounterResetHint::kGauge;
  Compact(out);
  return Outcome{Own(std::move(out)), true};
}

Labels ResultLabels(const BinaryExpr& node, const Labels& many, const Labels& one) {
  const VectorMatching& matching = *node.matching;
  LabelsBuilder out(node.return_bool || IsArithmetic(node.op) ? DropNames(many) : many);
  if (matching.card == MatchCardinality::kOneToOne) {
    for (const auto& label : many) {
      if (Listed(matching.labels, label.name) != matching.on) out.Del(label.name);
    }
  }
  for (const std::string& name : matching.include) out.Set(name, one.Get(name));
  return out.Build();
}

Result<Table> SetOperation(const BinaryExpr& node, const Table& lhs, const Table& rhs, size_t steps) {
  Table out;
  for (const Row& row : lhs) out.push_back({row.labels, std::vector<std::optional<Sample>>(steps)});
  if (node.op == BinaryOp::kOr) {
    for (const Row& row : rhs) out.push_back({row.labels, std::vector<std::optional<Sample>>(steps)});
  }
  for (size_t step = 0; step < steps; ++step) {
    std::set<Labels> left;
    std::set<Labels> right;
    for (const Row& row : lhs) {
      if (row.at[step]) left.insert(Signature(*node.matching, row.labels));
    }
    for (const Row& row : rhs) {
      if (row.at[step]) right.insert(Signature(*node.matching, row.labels));
    }
    for (size_t i = 0; i < lhs.size(); ++i) {
      const bool matched = right.count(Signature(*node.matching, lhs[i].labels)) > 0;
      if (node.op == BinaryOp::kOr || matched == (node.op == BinaryOp::kAnd)) out[i].at[step] = lhs[i].at[step];
    }
    for (size_t i = 0; node.op == BinaryOp::kOr && i < rhs.size(); ++i) {
      if (left.count(Signature(*node.matching, rhs[i].labels)) == 0) out[lhs.size() + i].at[step] = rhs[i].at[step];
    }
  }
  return Merge(std::move(out));
}

// An element of the result and the row it stands for: of the many side, or behind all those of the one side.
struct Joined {
  Labels labels;
  Sample sample;
  size_t row = 0;
};

// One step of an operation with matching.
class StepJoin {
 public:
  StepJoin(const BinaryExpr& node, const Table& many, const Table& one, size_t step, Notes& notes)
      : node_(node), matching_(*node.matching), many_(many), one_(one), step_(step), notes_(notes) {}

  Result<std::vector<Joined>> Run() {
    bool any_many = false;
    for (const Row& row : many_) any_many = any_many || row.at[step_];
    for (size_t i = 0; i < one_.size(); ++i) {
      if (!one_[i].at[step_]) continue;
      if (!partners_.emplace(Signature(matching_, one_[i].labels), i).second) duplicate_ = true;
    }
    const bool fills = matching_.fill_left || matching_.fill_right;
    if ((!any_many && partners_.empty()) || ((!any_many || partners_.empty()) && !fills)) return out_;
    if (duplicate_) return Fail(ErrorCode::kExecution, "found duplicate series for the match group");
    const auto& fill_one = matching_.fill_right;
    const auto& fill_many = matching_.fill_left;
    for (size_t r = 0; r < many_.size(); ++r) {
      const Row& row = many_[r];
      if (!row.at[step_]) continue;
      const Labels signature = Signature(matching_, row.labels);
      const auto partner = partners_.find(signature);
      if (partner != partners_.end()) {
        const Row& one = one_[partner->second];
        EPI_TRY(Combine(r, signature, row.labels, *row.at[step_], one.labels, *one.at[step_]));
      } else if (fill_one) {
        EPI_TRY(Combine(r, signature, row.labels, *row.at[step_], signature, Sample{*fill_one, nullptr}));
      }
    }
    for (size_t r = 0; r < one_.size(); ++r) {
      const Row& row = one_[r];
      if (!fill_many || !row.at[step_]) continue;
      const Labels signature = Signature(matching_, row.labels);
      if (matched_.count(signature) > 0) continue;
      EPI_TRY(Combine(many_.size() + r, signature, signature, Sample{*fill_many, nullptr}, row.labels, *row.at[step_]));
    }
    return out_;
  }

 private:
  Result<void> Combine(size_t row, const Labels& signature, const Labels& many_labels, const Sample& many,
                       const Labels& one_labels, const Sample& one) {
    const bool swapped = matching_.card == MatchCardinality::kOneToMany;
    std::optional<Outcome> outcome = Apply(node_.op, swapped ? one : many, swapped ? many : one, notes_);
    if (!outcome) return {};
    if (node_.return_bool) outcome->sample = {outcome->keep ? 1.0 : 0.0, nullptr};
    const Labels labels = ResultLabels(node_, many_labels, one_labels);
    if (matching_.card == MatchCardinality::kOneToOne) {
      if (!matched_[signature].empty()) {
        return Fail(ErrorCode::kExecution, "multiple matches for labels: many-to-one matching must be explicit");
      }
      matched_[signature].insert(Labels());
    } else if (!matched_[signature].insert(labels).second) {
      return Fail(ErrorCode::kExecution, "multiple matches for labels: grouping labels must ensure unique matches");
    }
    if (outcome->keep || node_.return_bool) out_.push_back({labels, outcome->sample, row});
    return {};
  }

  const BinaryExpr& node_;
  const VectorMatching& matching_;
  const Table& many_;
  const Table& one_;
  size_t step_;
  Notes& notes_;
  std::map<Labels, size_t> partners_;
  std::map<Labels, std::set<Labels>> matched_;
  bool duplicate_ = false;
  std::vector<Joined> out_;
};

}  // namespace

double BinaryScalars(BinaryOp op, double lhs, double rhs) {
  return promql::IsComparison(op) ? (Compare(op, lhs, rhs) ? 1 : 0) : Calculate(op, lhs, rhs);
}

Result<Table> BinaryVectors(const BinaryExpr& node, const Table& lhs, const Table& rhs, size_t steps, Notes& notes) {
  if (promql::IsSetOperator(node.op)) return SetOperation(node, lhs, rhs, steps);
  const bool swapped = node.matching->card == MatchCardinality::kOneToMany;
  // Rows in the order of the many side, whatever step they show up at first.
  struct Ordered {
    size_t row;
    std::vector<std::optional<Sample>> at;
  };
  std::map<Labels, Ordered> rows;
  for (size_t step = 0; step < steps; ++step) {
    Notes last;
    EPI_ASSIGN(const auto elements, StepJoin(node, swapped ? rhs : lhs, swapped ? lhs : rhs, step, last).Run());
    notes.Merge(last);
    for (const Joined& joined : elements) {
      Ordered& into =
          rows.emplace(joined.labels, Ordered{joined.row, std::vector<std::optional<Sample>>(steps)}).first->second;
      into.row = std::min(into.row, joined.row);
      if (into.at[step]) return Fail(ErrorCode::kExecution, "vector cannot contain metrics with the same labelset");
      into.at[step] = joined.sample;
    }
  }
  std::vector<std::pair<size_t, Row>> ordered;
  for (auto& [labels, row] : rows) ordered.emplace_back(row.row, Row{labels, std::move(row.at)});
  std::sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  Table out;
  for (auto& [row, result] : ordered) out.push_back(std::move(result));
  return out;
}

Result<Table> BinaryVectorScalar(const BinaryExpr& node, const Table& vector, const std::vector<double>& scalar,
                                 bool swap, Notes& notes) {
  Table out;
  std::vector<Notes> last(scalar.size());  // of each step
  for (const Row& row : vector) {
    Row result{node.return_bool || IsArithmetic(node.op) ? DropNames(row.labels) : row.labels, {}};
    for (size_t step = 0; step < row.at.size(); ++step) {
      result.at.emplace_back();
      if (!row.at[step]) continue;
      const Sample number{scalar[step], nullptr};
      auto outcome = Apply(node.op, swap ? number : *row.at[step], swap ? *row.at[step] : number, last[step]);
      if (!outcome) continue;
      if (promql::IsComparison(node.op) && swap) outcome->sample = *row.at[step];
      if (node.return_bool) outcome->sample = {outcome->keep ? 1.0 : 0.0, nullptr};
      if (outcome->keep || node.return_bool) result.at.back() = outcome->sample;
    }
    out.push_back(std::move(result));
  }
  for (const Notes& step : last) notes.Merge(step);
  return Merge(std::move(out));
}

}  // namespace epi::naive
