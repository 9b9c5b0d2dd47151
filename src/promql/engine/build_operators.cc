#include "promql/engine/build_operators.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/escaping.h"
#include "model/anchored_regex.h"
#include "model/label_names.h"
#include "promql/engine/aggregate.h"
#include "promql/engine/histogram_operators.h"
#include "promql/engine/info_operator.h"
#include "promql/engine/join.h"
#include "promql/engine/leaf.h"
#include "promql/engine/merge_operator.h"
#include "promql/engine/row_operators.h"
#include "promql/engine/shared_operator.h"
#include "promql/engine/simple_operators.h"
#include "promql/plan/subtrees.h"

namespace epi::promql {
namespace {

using Id = FunctionId;
using Built = Result<OperatorPtr>;

template <typename T, typename... Args>
OperatorPtr Make(Args&&... args) {
  return OperatorPtr(new T(std::forward<Args>(args)...));
}

// The positions of a subtree that computes the same as `from`, node by node.
void AddMoved(const PlanNode& from, const PlanNode& to, std::vector<MovedPosition>& moved) {
  if (from.pos != to.pos) moved.push_back({from.pos, to.pos});
  for (size_t i = 0; i < from.children.size(); ++i) AddMoved(*from.children[i], *to.children[i], moved);
}

// What all builders of one plan share.
struct BuildState {
  struct Evaluated {
    const PlanNode* node = nullptr;  // the occurrence met first
    std::shared_ptr<SharedEvaluation> evaluation;
  };
  const RepeatedSubtrees repeated;
  std::map<uint32_t, Evaluated> evaluations;
};

class OperatorBuilder {
 public:
  OperatorBuilder(const StepGrid& grid, QueryState& query, BuildState& state)
      : grid_(grid), query_(query), state_(state) {}

  Built Build(const PlanNode& node) {
    if (query_.profile == nullptr) return BuildShared(node);
    const auto evaluated = state_.evaluations.find(state_.repeated.Find(node));
    const bool shared = evaluated != state_.evaluations.end() && evaluated->second.evaluation != nullptr;
    const size_t entered = query_.profile->Enter(DescribeOperator(node), grid_.count, shared);
    auto built = BuildShared(node);
    query_.profile->Leave(entered, built ? built->get() : nullptr);
    return built;
  }

 private:
  Built BuildShared(const PlanNode& node) {
    const uint32_t number = state_.repeated.Find(node);
    if (number == RepeatedSubtrees::kOnce) return BuildNode(node);
    auto& [evaluated, evaluation] = state_.evaluations[number];
    if (evaluation == nullptr) {
      EPI_ASSIGN(OperatorPtr op, BuildNode(node));
      evaluated = &node;
      evaluation = std::make_shared<SharedEvaluation>(query_, std::move(op));
    }
    std::vector<MovedPosition> moved;
    AddMoved(*evaluated, node, moved);
    return Make<SharedOperator>(query_, grid_, evaluation, std::move(moved));
  }

  Built BuildNode(const PlanNode& node) {
    switch (node.kind) {
      case PlanKind::kNumber:
        if (node.folded != nullptr) return Make<FoldedOperator>(query_, grid_, node);
        return Make<ConstantOperator>(query_, grid_, ConstantOperator::What::kNumber, node.number, nullptr);
      case PlanKind::kSelector:
        return Selector(node);
      case PlanKind::kCall:
        return Call(node);
      case PlanKind::kAggregate:
        return Aggregate(node);
      case PlanKind::kBinary:
        return Binary(node);
      case PlanKind::kNegate:
        return Negate(node);
      case PlanKind::kStepInvariant:
        return StepInvariant(node);
      case PlanKind::kString:
      case PlanKind::kRangeSelector:
      case PlanKind::kSubquery:
        break;
    }
    return Fail(ErrorCode::kUnsupported, "a text or range vector cannot be evaluated at this place of a query");
  }

  // Series whose labels an operator made equal are one series, as long as their points do not meet. An instant
  // evaluation with delayed name removal leaves them apart until the end.
  OperatorPtr Merged(OperatorPtr op) const {
    if (grid_.instant() && query_.features.delayed_name_removal) return op;
    return Make<MergeOperator>(query_, grid_, std::move(op), MergeOperator::Policy::kMerge);
  }
  // The same for an operator that has a series for each of those that `node` maps.
  OperatorPtr MergedUnlessOneName(const PlanNode& node, OperatorPtr op) const {
    Project(node, *op);
    if (grid_.instant() && query_.features.delayed_name_removal) return op;
    return Make<MergeOperator>(query_, grid_, std::move(op), MergeOperator::Policy::kMerge, HasOneName(node));
  }
  void Project(const PlanNode& node, Operator& op) const {
    if (HasOneName(node) && state_.repeated.LabelsProjected(node)) op.SetNamesUnneeded();
  }

  std::unique_ptr<RangeSource> Source(const PlanNode& node) const {
    return std::make_unique<SelectionSource>(query_, node.matchers, node.hints, node.histogram_stats);
  }

  Built Selector(const PlanNode& node) {
    if (node.smoothed) {
      WindowSpec window;
      window.range_ms = 2 * query_.lookback_ms;
      window.offset_ms = node.offset_ms - query_.lookback_ms;
      window.lookback_ms = query_.lookback_ms;
      window.at = node.at;
      return Make<SmoothedSelectorOperator>(query_, grid_, Source(node), window, node.pos);
    }
    return Make<SelectorOperator>(query_, grid_, Source(node),
                                  SelectorOperator::Options{node.offset_ms, node.at, SelectorOperator::Output::kValue});
  }

  Built Negate(const PlanNode& node) {
    EPI_ASSIGN(OperatorPtr child, Build(*node.children[0]));
    OperatorPtr op = Make<NegateOperator>(query_, grid_, std::move(child));
    Project(node, *op);
    if (query_.features.delayed_name_removal) return op;
    return Make<MergeOperator>(query_, grid_, std::move(op), MergeOperator::Policy::kMerge, HasOneName(node));
  }

  Built StepInvariant(const PlanNode& node) {
    EPI_ASSIGN(OperatorPtr child, OperatorBuilder(InvariantGrid(grid_), query_, state_).Build(*node.children[0]));
    return Make<StepInvariantOperator>(query_, grid_, std::move(child));
  }

  // All arguments but texts.
  Result<std::vector<OperatorPtr>> Inputs(const PlanNode& node) {
    std::vector<OperatorPtr> inputs;
    for (const auto& child : node.children) {
      if (child->type == ValueType::kString) {
        inputs.push_back(nullptr);
        continue;
      }
      EPI_ASSIGN(OperatorPtr input, Build(*child));
      inputs.push_back(std::move(input));
    }
    return inputs;
  }

  Built Call(const PlanNode& node) {
    const Id id = node.function->id;
    if (const RangeFunction* function = FindRangeFunction(id)) return RangeCall(node, *function);
    if ((id == Id::kTimestamp || id == Id::kStartTimestamp) && node.children[0]->kind == PlanKind::kSelector) {
      return TimestampOfSelector(node);
    }
    switch (id) {
      case Id::kLabelReplace:
        return LabelReplace(node);
      case Id::kLabelJoin:
        return LabelJoin(node);
      case Id::kInfo:
        return Info(node);
      default:
        break;
    }
    EPI_ASSIGN(std::vector<OperatorPtr> inputs, Inputs(node));
    if (const ElementFunction* function = FindElementFunction(id)) {
      if (!inputs.empty()) {
        return MergedUnlessOneName(node, Make<ElementOperator>(query_, grid_, std::move(inputs), *function));
      }
      return Make<ConstantOperator>(query_, grid_, ConstantOperator::What::kDatePart, 0, function);
    }
    if (const HistogramKernel kernel = FindHistogramKernel(id)) {
      return Merged(Make<HistogramValueOperator>(query_, grid_, std::move(inputs), kernel));
    }
    return OtherCall(node, std::move(inputs));
  }

  Built OtherCall(const PlanNode& node, std::vector<OperatorPtr> inputs) {
    switch (node.function->id) {
      case Id::kPi:
        return Make<ConstantOperator>(query_, grid_, ConstantOperator::What::kNumber, 3.14159265358979323846, nullptr);
      case Id::kTime:
        return Make<ConstantOperator>(query_, grid_, ConstantOperator::What::kTime, 0, nullptr);
      case Id::kVector:
        return Make<ToVectorOperator>(query_, grid_, std::move(inputs));
      case Id::kScalar:
        return Make<ToScalarOperator>(query_, grid_, std::move(inputs));
      case Id::kMaxOf:
        return Make<ScalarPairOperator>(query_, grid_, std::move(inputs), &ScalarPairOperator::Max, BinaryOp::kAdd);
      case Id::kMinOf:
        return Make<ScalarPairOperator>(query_, grid_, std::move(inputs), &ScalarPairOperator::Min, BinaryOp::kAdd);
      case Id::kAbsent:
        return Make<AbsentOperator>(query_, grid_, std::move(inputs[0]), EqualityLabels(*node.children[0]), true,
                                    false);
      case Id::kTimestamp:
        return Merged(Make<EvaluationTimeOperator>(query_, grid_, std::move(inputs), false));
      case Id::kStartTimestamp:
        return Make<EvaluationTimeOperator>(query_, grid_, std::move(inputs), true);
      case Id::kSort:
      case Id::kSortDesc:
      case Id::kSortByLabel:
      case Id::kSortByLabelDesc:
        return Sort(node, std::move(inputs));
      case Id::kHistogramQuantile:
      case Id::kHistogramQuantiles:
      case Id::kHistogramFraction:
        return Buckets(node, std::move(inputs));
      default:
        return Fail(ErrorCode::kUnsupported,
                    "function " + std::string(node.function->name) + "() is not evaluated yet");
    }
  }

  static std::vector<Matcher> EqualityLabels(const PlanNode& argument) {
    const bool selector = argument.kind == PlanKind::kSelector || argument.kind == PlanKind::kRangeSelector;
    return selector ? argument.matchers : std::vector<Matcher>();
  }

  Built TimestampOfSelector(const PlanNode& node) {
    const PlanNode& selector = *node.children[0];
    const bool start = node.function->id == Id::kStartTimestamp;
    if (start && !query_.features.use_start_timestamps) {
      EPI_ASSIGN(std::vector<OperatorPtr> inputs, Inputs(node));
      return Make<EvaluationTimeOperator>(query_, grid_, std::move(inputs), true);
    }
    const auto output = start ? SelectorOperator::Output::kStartTimestamp : SelectorOperator::Output::kTimestamp;
    return Merged(Make<SelectorOperator>(query_, grid_, Source(selector),
                                         SelectorOperator::Options{selector.offset_ms, selector.at, output}));
  }

  // Which functions go with modifiers that hand over samples from outside the range.
  static Result<void> CheckExtended(const PlanNode& range, const Function& function) {
    constexpr std::array kAnchored = {Id::kChanges, Id::kDelta, Id::kIncrease, Id::kRate, Id::kResets};
    constexpr std::array kSmoothed = {Id::kDelta, Id::kIncrease, Id::kRate};
    const auto contains = [&](const auto& ids) { return std::find(ids.begin(), ids.end(), function.id) != ids.end(); };
    const auto refuse = [&](std::string_view modifier, const auto& ids) {
      std::string names;
      for (const Id id : ids) names.append(names.empty() ? "" : ", ").append(GetFunction(id).name);
      return Fail(ErrorCode::kExecution, std::string(modifier) + " modifier can only be used with: " + names +
                                             " - not with " + std::string(function.name));
    };
    if (range.anchored && !contains(kAnchored)) return refuse("anchored", kAnchored);
    if (range.smoothed && !contains(kSmoothed)) return refuse("smoothed", kSmoothed);
    return {};
  }

  Built RangeCall(const PlanNode& node, const RangeFunction& function) {
    RangeFunctionOperator::Options options;
    options.function = &function;
    std::unique_ptr<RangeSource> source;
    std::vector<OperatorPtr> arguments;
    const PlanNode* range = nullptr;
    for (const auto& child : node.children) {
      if (child->kind == PlanKind::kRangeSelector) {
        range = child.get();
        source = Source(*child);
      } else if (child->kind == PlanKind::kSubquery) {
        range = child.get();
        const StepGrid inside = SubqueryGrid(*child, grid_);
        EPI_TRY(query_.ReserveSteps(inside));
        EPI_ASSIGN(OperatorPtr inner, OperatorBuilder(inside, query_, state_).Build(*child->children[0]));
        auto subquery = std::make_unique<SubquerySource>(query_, std::move(inner));
        options.subquery = subquery.get();
        source = std::move(subquery);
      } else {
        EPI_ASSIGN(OperatorPtr argument, Build(*child));
        arguments.push_back(std::move(argument));
      }
    }
    if (range == nullptr) return Fail(ErrorCode::kInternal, "a range function has no range vector");
    EPI_TRY(CheckExtended(*range, *node.function));
    options.window = WindowsOf(*range, query_);
    options.subquery_offset_ms = range->offset_ms;
    options.refetch = !range->at.has_value();
    // Annotations point at the first argument. A subquery has no place of its own by the time it is one.
    const PlanNode& first = *node.children[0];
    if (first.kind != PlanKind::kSubquery) options.pos = first.pos;
    OperatorPtr op = Make<RangeFunctionOperator>(query_, grid_, std::move(source), options, std::move(arguments));
    if (function.id == Id::kAbsentOverTime) {
      return Make<AbsentOperator>(query_, grid_, std::move(op), EqualityLabels(*range), false, true);
    }
    if (query_.features.delayed_name_removal) return op;
    Project(node, *op);
    return Make<MergeOperator>(query_, grid_, std::move(op), MergeOperator::Policy::kRefuse, HasOneName(node));
  }

  Built Sort(const PlanNode& node, std::vector<OperatorPtr> inputs) {
    SortOperator::Options options;
    const Id id = node.function->id;
    options.descending = id == Id::kSortDesc || id == Id::kSortByLabelDesc;
    options.by_label = id == Id::kSortByLabel || id == Id::kSortByLabelDesc;
    options.pos = node.pos;
    for (size_t i = 1; i < node.children.size(); ++i) options.labels.push_back(node.children[i]->text);
    return Make<SortOperator>(query_, grid_, std::move(inputs), std::move(options));
  }

  Built Buckets(const PlanNode& node, std::vector<OperatorPtr> inputs) {
    BucketOperator::Options options;
    for (size_t i = 0; i < node.children.size(); ++i) {
      const PlanNode& child = *node.children[i];
      if (child.type == ValueType::kString) {
        options.quantile_label = child.text;
      } else if (child.type == ValueType::kVector) {
        options.vector_input = i;
        options.vector_pos = child.pos;
      } else {
        options.scalar_inputs.push_back(i);
        options.scalar_pos.push_back(child.pos);
      }
    }
    if (node.function->id == Id::kHistogramQuantiles) options.what = BucketOperator::What::kQuantiles;
    if (node.function->id == Id::kHistogramFraction) options.what = BucketOperator::What::kFraction;
    return Merged(Make<BucketOperator>(query_, grid_, std::move(inputs), std::move(options)));
  }

  Built LabelReplace(const PlanNode& node) {
    const std::string& destination = node.children[1]->text;
    const std::string& replacement = node.children[2]->text;
    const std::string& source = node.children[3]->text;
    const std::string& pattern = node.children[4]->text;
    auto regex = AnchoredRegex::Compile(pattern);
    if (!regex) {
      return Fail(ErrorCode::kExecution, "invalid regular expression in label_replace(): " + pattern);
    }
    if (!IsValidLabelName(destination, NameScheme::kUtf8)) {
      return Fail(ErrorCode::kExecution, "invalid destination label name in label_replace(): " + destination);
    }
    const SymbolId source_id = query_.labels.Intern(source);
    auto new_value = [regex = std::move(*regex), replacement, source_id](
                         LabelTuple labels, const LabelStore& store) -> std::optional<std::string> {
      std::string out;
      if (!regex->Expand(store.Get(labels, source_id), replacement, out)) return std::nullopt;
      return out;
    };
    return ChangeLabel(node, destination, std::move(new_value));
  }

  Built LabelJoin(const PlanNode& node) {
    const std::string& destination = node.children[1]->text;
    const std::string& separator = node.children[2]->text;
    std::vector<SymbolId> sources;
    for (size_t i = 3; i < node.children.size(); ++i) {
      const std::string& source = node.children[i]->text;
      if (!IsValidLabelName(source, NameScheme::kUtf8)) {
        return Fail(ErrorCode::kExecution, "invalid source label name in label_join(): " + source);
      }
      sources.push_back(query_.labels.Intern(source));
    }
    if (!IsValidLabelName(destination, NameScheme::kUtf8)) {
      return Fail(ErrorCode::kExecution, "invalid destination label name in label_join(): " + destination);
    }
    auto new_value = [separator, sources](LabelTuple labels, const LabelStore& store) -> std::optional<std::string> {
      std::string out;
      for (size_t i = 0; i < sources.size(); ++i) {
        if (i > 0) out += separator;
        out += store.Get(labels, sources[i]);
      }
      return out;
    };
    return ChangeLabel(node, destination, std::move(new_value));
  }

  Built ChangeLabel(const PlanNode& node, const std::string& destination, LabelOperator::NewValue new_value) {
    EPI_ASSIGN(OperatorPtr child, Build(*node.children[0]));
    OperatorPtr op = Make<LabelOperator>(query_, grid_, std::move(child), destination, std::move(new_value));
    return Make<MergeOperator>(query_, grid_, std::move(op), MergeOperator::Policy::kMerge);
  }

  // The time that governs the first selector of info()'s first argument.
  static bool FindInfoTime(const PlanNode& node, std::vector<const PlanNode*>& subqueries,
                           InfoOperator::Options& options) {
    if (node.kind == PlanKind::kSelector || node.kind == PlanKind::kRangeSelector) {
      options.at = node.at;
      options.offset_ms = node.offset_ms;
      for (auto outer = subqueries.rbegin(); !options.at && outer != subqueries.rend(); ++outer) {
        options.offset_ms += (*outer)->offset_ms;
        options.at = (*outer)->at;
      }
      return true;
    }
    if (node.kind == PlanKind::kSubquery) subqueries.push_back(&node);
    for (const auto& child : node.children) {
      if (FindInfoTime(*child, subqueries, options)) return true;
    }
    if (node.kind == PlanKind::kSubquery) subqueries.pop_back();
    return false;
  }

  Built Info(const PlanNode& node) {
    InfoOperator::Options options;
    std::vector<const PlanNode*> subqueries;
    FindInfoTime(*node.children[0], subqueries, options);
    if (node.children.size() > 1) options.matchers = node.children[1]->matchers;
    EPI_ASSIGN(OperatorPtr child, Build(*node.children[0]));
    return Make<InfoOperator>(query_, grid_, std::move(child), std::move(options));
  }

  Built Aggregate(const PlanNode& node) {
    AggregateOptions options;
    options.op = node.aggregate;
    options.grouping = node.grouping;
    options.without = node.without;
    options.pos = node.pos;
    options.expr_pos = node.children[0]->pos;
    if (node.aggregate == AggregateOp::kCountValues) {
      options.value_label = node.children[1]->text;
      if (!IsValidLabelName(options.value_label, NameScheme::kUtf8)) {
        std::string text = "invalid label name ";
        AppendQuoted(text, options.value_label);
        return Fail(ErrorCode::kExecution, std::move(text));
      }
      EPI_ASSIGN(OperatorPtr child, Build(*node.children[0]));
      return Make<CountValuesOperator>(query_, grid_, std::move(child), std::move(options));
    }
    EPI_ASSIGN(OperatorPtr child, Build(*node.children[0]));
    OperatorPtr param;
    if (node.children.size() > 1) {
      options.param_pos = node.children[1]->pos;
      const PlanNode& number = *node.children[1];
      options.param_is_number = number.kind == PlanKind::kNumber && number.folded == nullptr;
      EPI_ASSIGN(param, Build(*node.children[1]));
    }
    const bool chooses = node.aggregate == AggregateOp::kTopk || node.aggregate == AggregateOp::kBottomk ||
                         node.aggregate == AggregateOp::kLimitk || node.aggregate == AggregateOp::kLimitRatio;
    if (chooses) return Make<ChooseOperator>(query_, grid_, std::move(child), std::move(param), std::move(options));
    return Make<FoldOperator>(query_, grid_, std::move(child), std::move(param), std::move(options));
  }

  Built Binary(const PlanNode& node) {
    EPI_ASSIGN(std::vector<OperatorPtr> inputs, Inputs(node));
    const bool left_scalar = node.children[0]->type == ValueType::kScalar;
    const bool right_scalar = node.children[1]->type == ValueType::kScalar;
    if (left_scalar && right_scalar) {
      return Make<ScalarPairOperator>(query_, grid_, std::move(inputs), &ScalarPairOperator::Binary, node.op);
    }
    if (left_scalar || right_scalar) {
      const VectorScalarOperator::Options options{node.op, node.return_bool, left_scalar, node.pos};
      return MergedUnlessOneName(node, Make<VectorScalarOperator>(query_, grid_, std::move(inputs), options));
    }
    JoinOptions options{node.op, node.return_bool, node.matching.value_or(VectorMatching{}), node.pos};
    if (IsSetOperator(node.op)) return Merged(Make<SetOperator>(query_, grid_, std::move(inputs), std::move(options)));
    return Merged(Make<JoinOperator>(query_, grid_, std::move(inputs), std::move(options)));
  }

  const StepGrid grid_;
  QueryState& query_;
  BuildState& state_;
};

}  // namespace

Result<OperatorPtr> BuildOperators(const PlanNode& plan, const StepGrid& grid, QueryState& query) {
  BuildState state{RepeatedSubtrees(plan, grid), {}};
  return OperatorBuilder(grid, query, state).Build(plan);
}

WindowSpec WindowsOf(const PlanNode& range, const QueryState& query) {
  WindowSpec window;
  window.range_ms = range.range_ms;
  window.offset_ms = range.offset_ms;
  window.at = range.at;
  window.anchored = range.anchored;
  window.smoothed = range.smoothed;
  window.lookback_ms = query.lookback_ms;
  return window;
}

OperatorPtr RemoveNames(OperatorPtr root, QueryState& query) {
  if (!query.features.delayed_name_removal) return root;
  const StepGrid grid = root->grid();
  OperatorPtr dropped = Make<DropNamesOperator>(query, grid, std::move(root));
  return Make<MergeOperator>(query, grid, std::move(dropped), MergeOperator::Policy::kMerge);
}

}  // namespace epi::promql
