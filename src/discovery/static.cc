// static_configs: targets that stand in the configuration.
#include "discovery/kinds.h"

namespace epi::discovery {
namespace {

class StaticDiscoverer final : public Discoverer {
 public:
  explicit StaticDiscoverer(std::vector<TargetGroup> groups) : groups_(std::move(groups)) {}
  void Run(TargetGroupSink& sink, std::stop_token) override { sink.Update(std::move(groups_)); }

 private:
  std::vector<TargetGroup> groups_;
};

}  // namespace

MadeDiscoverer MakeStatic(const config::StaticSdConfig& config, const DiscoveryParts&) {
  std::vector<TargetGroup> groups;
  for (const auto& item : config) {
    TargetGroup& group = groups.emplace_back();
    group.source = std::to_string(groups.size() - 1);
    for (const auto& address : item.targets) group.targets.push_back(Labels{{"__address__", address}});
    std::vector<LabelView> labels;
    for (const auto& [name, value] : item.labels) labels.push_back({name, value});
    group.labels = Labels::FromPairs(std::move(labels));
  }
  return std::make_unique<StaticDiscoverer>(std::move(groups));
}

}  // namespace epi::discovery
