#include "promql/plan/subtrees.h"

#include <algorithm>
#include <bit>
#include <tuple>

namespace epi::promql {
namespace {

// Appends values so that different sequences give different texts.
class Key {
 public:
  Key& Add(int64_t value) {
    text_ += std::to_string(value);
    text_ += ',';
    return *this;
  }
  Key& Add(std::string_view text) {
    Add(static_cast<int64_t>(text.size()));
    text_ += text;
    return *this;
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

void AddMatching(Key& key, const VectorMatching& matching) {
  key.Add(static_cast<int64_t>(matching.card))
      .Add(matching.on ? 1 : 0)
      .Add(static_cast<int64_t>(matching.labels.size()));
  for (const auto& label : matching.labels) key.Add(label);
  key.Add(static_cast<int64_t>(matching.include.size()));
  for (const auto& label : matching.include) key.Add(label);
  for (const auto& fill : {matching.fill_left, matching.fill_right}) {
    key.Add(fill ? 1 : 0).Add(fill ? std::bit_cast<int64_t>(*fill) : 0);
  }
}

// In one order: the same series are selected in whichever order they are written or came from a join.
void AddMatchers(Key& key, const std::vector<Matcher>& matchers) {
  std::vector<const Matcher*> sorted;
  for (const auto& matcher : matchers) sorted.push_back(&matcher);
  std::sort(sorted.begin(), sorted.end(), [](const Matcher* a, const Matcher* b) {
    return std::forward_as_tuple(a->name(), a->type(), a->value()) <
           std::forward_as_tuple(b->name(), b->type(), b->value());
  });
  key.Add(static_cast<int64_t>(sorted.size()));
  for (const Matcher* matcher : sorted) {
    key.Add(static_cast<int64_t>(matcher->type())).Add(matcher->name()).Add(matcher->value());
  }
}

// Everything about a node but its children and its place in the text.
void AddOwn(Key& key, const PlanNode& node) {
  key.Add(static_cast<int64_t>(node.kind)).Add(std::bit_cast<int64_t>(node.number)).Add(node.text);
  AddMatchers(key, node.matchers);
  key.Add(node.range_ms).Add(node.step_ms).Add(node.offset_ms).Add(node.at ? 1 : 0).Add(node.at.value_or(0));
  key.Add(node.anchored ? 1 : 0).Add(node.smoothed ? 1 : 0).Add(node.histogram_stats ? 1 : 0);
  key.Add(node.hints.range.min).Add(node.hints.range.max);
  key.Add(node.function == nullptr ? -1 : static_cast<int64_t>(node.function->id));
  key.Add(static_cast<int64_t>(node.aggregate)).Add(node.without ? 1 : 0);
  key.Add(static_cast<int64_t>(node.grouping.size()));
  for (const auto& label : node.grouping) key.Add(label);
  key.Add(static_cast<int64_t>(node.op)).Add(node.return_bool ? 1 : 0).Add(node.matching ? 1 : 0);
  if (node.matching) AddMatching(key, *node.matching);
}

StepGrid GridInside(const PlanNode& node, const StepGrid& grid) {
  if (node.kind == PlanKind::kSubquery) return SubqueryGrid(node, grid);
  return node.kind == PlanKind::kStepInvariant ? InvariantGrid(grid) : grid;
}

}  // namespace

StepGrid SubqueryGrid(const PlanNode& subquery, const StepGrid& outer) {
  // The last outer step there really is bounds the inner steps. With @ all of them are shifted to that time.
  const int64_t length = outer.count == 0 ? -1 : outer.Last() - outer.start;
  const TimestampMs first = subquery.at.value_or(outer.start) - subquery.offset_ms;
  const TimestampMs end = first + length;
  const TimestampMs before = first - subquery.range_ms;
  // Steps are multiples of the interval, whatever the query's start.
  TimestampMs start = before / subquery.step_ms * subquery.step_ms;
  if (start <= before) start += subquery.step_ms;
  return StepGrid::Range(start, end, subquery.step_ms);
}

StepGrid InvariantGrid(const StepGrid& outer) {
  return {outer.start, outer.interval, std::min<size_t>(outer.count, 1)};
}

RepeatedSubtrees::RepeatedSubtrees(const PlanNode& plan, const StepGrid& grid) {
  Classify(plan, grid);
  uses_.assign(reads_.size(), 0);
  CountUses(plan);
}

uint32_t RepeatedSubtrees::Classify(const PlanNode& node, const StepGrid& grid) {
  Key key;
  key.Add(grid.start).Add(grid.interval).Add(static_cast<int64_t>(grid.count));
  AddOwn(key, node);
  bool reads = node.kind == PlanKind::kSelector || node.kind == PlanKind::kRangeSelector;
  const StepGrid inside = GridInside(node, grid);
  for (const auto& child : node.children) {
    const uint32_t number = Classify(*child, inside);
    reads = reads || reads_[number];
    key.Add(static_cast<int64_t>(number));
  }
  const auto [at, fresh] = classes_.try_emplace(key.Take(), static_cast<uint32_t>(reads_.size()));
  if (fresh) {
    reads_.push_back(reads);
    needs_all_labels_.push_back(false);
  }
  if (!node.needed_labels) needs_all_labels_[at->second] = true;
  class_of_[&node] = at->second;
  return at->second;
}

// What is inside a repetition is not used again.
void RepeatedSubtrees::CountUses(const PlanNode& node) {
  if (++uses_[class_of_.at(&node)] > 1) return;
  for (const auto& child : node.children) CountUses(*child);
}

bool RepeatedSubtrees::LabelsProjected(const PlanNode& node) const {
  const auto at = class_of_.find(&node);
  return at != class_of_.end() && !needs_all_labels_[at->second];
}

uint32_t RepeatedSubtrees::Find(const PlanNode& node) const {
  const auto at = class_of_.find(&node);
  if (at == class_of_.end() || uses_[at->second] < 2 || !reads_[at->second]) return kOnce;
  // Range vectors are no operators of their own; what is computed from them is.
  return node.type == ValueType::kMatrix ? kOnce : at->second;
}

}  // namespace epi::promql
