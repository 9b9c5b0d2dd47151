#include "rules/backtest/backtest_plan.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "rules/dependencies.h"

namespace epi::rules {
namespace {

// Texts that look at where a range query begins and ends, or at its step: they mean something else in instant queries.
constexpr std::array<std::string_view, 4> kRangeBound = {"start()", "end()", "step()", "range()"};

bool IsRangeBound(const Rule& rule) {
  return std::any_of(kRangeBound.begin(), kRangeBound.end(),
                     [&](std::string_view text) { return rule.query_text().find(text) != std::string::npos; });
}

// Whether a template of the rule may ask for what `writer` gives. The texts of its queries may be put together when it
// is expanded; then they may ask for anything.
bool TemplatesAsk(const Rule& rule, const Rule& writer) {
  if (!rule.alerting()) return false;
  const std::string_view written = writer.alerting() ? kAlertMetric : std::string_view(writer.name());
  const auto asks = [&](const RuleLabels& texts) {
    return std::any_of(texts.begin(), texts.end(), [&](const auto& entry) {
      const std::string& text = entry.second;
      const auto has = [&text](std::string_view what) { return text.find(what) != std::string::npos; };
      return has("{{") && has("query") && (has(written) || has("print") || has(kMetricName));
    });
  };
  return asks(rule.labels()) || asks(static_cast<const AlertingRule&>(rule).annotations());
}

struct PlanNode {
  BacktestPlace place;
  const Rule* rule = nullptr;
  std::vector<size_t> reads;
};

size_t RootOf(std::vector<size_t>& parents, size_t i) {
  while (parents[i] != i) i = parents[i] = parents[parents[i]];
  return i;
}

// Nodes of one part, each behind what it reads and otherwise by place; empty when they go in a circle.
std::vector<BacktestPlace> OrderOf(const std::vector<PlanNode>& nodes, const std::vector<size_t>& members) {
  std::vector<bool> done(nodes.size(), false);
  std::vector<BacktestPlace> out;
  while (out.size() < members.size()) {
    const size_t before = out.size();
    for (const size_t i : members) {
      const auto& reads = nodes[i].reads;
      if (done[i] || !std::all_of(reads.begin(), reads.end(), [&](size_t j) { return done[j]; })) continue;
      done[i] = true;
      out.push_back(nodes[i].place);
    }
    if (out.size() == before) return {};
  }
  return out;
}

}  // namespace

BacktestPlan PlanBacktest(const std::vector<std::unique_ptr<Group>>& groups) {
  BacktestPlan plan;
  plan.is_read.resize(groups.size());
  std::vector<PlanNode> nodes;
  for (size_t g = 0; g < groups.size(); ++g) {
    plan.is_read[g].resize(groups[g]->rules().size());
    for (size_t r = 0; r < groups[g]->rules().size(); ++r) nodes.push_back({{g, r}, groups[g]->rules()[r].get(), {}});
  }
  std::vector<size_t> parents(groups.size());
  std::iota(parents.begin(), parents.end(), size_t{0});
  std::vector<bool> by_turns(groups.size(), false);
  for (size_t i = 0; i < nodes.size(); ++i) {
    const size_t group = nodes[i].place.group;
    if (IsRangeBound(*nodes[i].rule)) by_turns[group] = true;
    for (size_t j = 0; j < nodes.size(); ++j) {
      if (!MayRead(*nodes[i].rule, *nodes[j].rule) && !TemplatesAsk(*nodes[i].rule, *nodes[j].rule)) continue;
      const size_t other = nodes[j].place.group;
      plan.is_read[other][nodes[j].place.rule] = true;
      parents[RootOf(parents, group)] = RootOf(parents, other);
      const bool later_in_group = group == other && j >= i;
      // What is written with an earlier time than it is evaluated at would be seen too early.
      const bool shifted = groups[group]->settings().query_offset_ms != groups[other]->settings().query_offset_ms;
      if (later_in_group || shifted) {
        by_turns[group] = true;
      } else {
        nodes[i].reads.push_back(j);
      }
    }
  }
  for (size_t root = 0; root < groups.size(); ++root) {
    if (RootOf(parents, root) != root) continue;
    BacktestPart& part = plan.parts.emplace_back();
    for (size_t g = 0; g < groups.size(); ++g) {
      if (RootOf(parents, g) == root) part.groups.push_back(g);
    }
    std::vector<size_t> members;
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (RootOf(parents, nodes[i].place.group) == root) members.push_back(i);
    }
    const bool turns = std::any_of(part.groups.begin(), part.groups.end(), [&](size_t g) { return by_turns[g]; });
    if (!turns) part.order = OrderOf(nodes, members);
  }
  return plan;
}

}  // namespace epi::rules
