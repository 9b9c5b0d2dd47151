#include "tsdb/head/head_cost.h"

#include <string_view>
#include <vector>

#include "model/label_names.h"
#include "tsdb/head/head.h"
#include "tsdb/head/head_view.h"

namespace epi::tsdb {
namespace {

constexpr uint32_t kNameless = 0;

// Which metric a series is of, as an index into `names`.
struct Metrics {
  std::vector<uint32_t> of;  // by id
  std::vector<std::string_view> names = {""};
};

Metrics AddLabels(const Head& head, CostTable& out) {
  Metrics metrics;
  const PostingsIndex::ReadLock index(head.postings());
  metrics.of.assign(index.id_limit(), kNameless);
  std::vector<uint32_t> ids;
  for (const SymbolId name : index.Names()) {
    const NamePostings& postings = *index.Name(name);
    const std::string_view text = head.symbols().Text(name);
    Cost& cost = out.labels[std::string(text)];
    cost.memory_bytes += postings.bytes();
    for (const auto& value : postings.values()) {
      if (value.ids.empty()) continue;
      ++cost.count;
      const std::string_view value_text = head.symbols().Text(value.value);
      cost.memory_bytes += value_text.size();
      if (text != kMetricName) continue;
      ids.clear();
      value.ids.AppendTo(ids);
      for (const uint32_t id : ids) metrics.of[id] = static_cast<uint32_t>(metrics.names.size());
      metrics.names.push_back(value_text);
    }
  }
  return metrics;
}

}  // namespace

void AddCostOfHead(const Head& head, CostTable& out) {
  const HeadView view(head);  // keeps the texts
  const Metrics metrics = AddLabels(head, out);
  std::vector<Cost> costs(metrics.names.size());
  const auto cost_of = [&](uint32_t id) -> Cost& { return costs[id < metrics.of.size() ? metrics.of[id] : kNameless]; };
  uint64_t live = 0;
  for (size_t i = 0; i < head.group_count(); ++i) {
    const Group& group = head.group(static_cast<uint32_t>(i));
    const GroupMemory memory = group.Memory();
    uint64_t own = 0, series = 0;
    group.VisitSeries([&](uint32_t id, size_t bytes) {
      Cost& cost = cost_of(id);
      ++cost.count;
      cost.memory_bytes += bytes;
      own += bytes;
      ++series;
    });
    if (series == 0) continue;
    live += series;
    const uint64_t all = memory.arena + memory.columns + memory.runs + memory.sides + sizeof(Group);
    const uint64_t shared = (all > own ? all - own : 0) / series;
    const uint64_t disk = memory.spilled / series;
    group.VisitSeries([&](uint32_t id, size_t) {
      Cost& cost = cost_of(id);
      cost.memory_bytes += shared;
      cost.disk_bytes += disk;
    });
  }
  const HeadMemory memory = head.Memory();
  const uint64_t records = live == 0 ? 0 : (memory.series + memory.labels + memory.hash_table) / live;
  for (size_t i = 0; i < costs.size(); ++i) {
    if (costs[i].count == 0) continue;
    Cost& cost = out.metrics[std::string(metrics.names[i])];
    cost.count += costs[i].count;
    cost.memory_bytes += costs[i].memory_bytes + costs[i].count * records;
    cost.disk_bytes += costs[i].disk_bytes;
  }
}

}  // namespace epi::tsdb
