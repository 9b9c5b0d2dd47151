#include "app/static_targets.h"

namespace epi::app {

std::map<std::string, scrape::TargetGroups> StaticTargets(const std::vector<config::ScrapeConfig>& jobs) {
  std::map<std::string, scrape::TargetGroups> out;
  for (const auto& job : jobs) {
    auto& groups = out[job.job_name];
    for (const auto& discovery : job.service_discovery) {
      const auto* items = discovery.Get<config::StaticSdConfig>();
      if (items == nullptr) continue;
      for (size_t i = 0; i < items->size(); ++i) {
        const config::StaticGroup& item = (*items)[i];
        auto group = std::make_shared<scrape::TargetGroup>();
        group->source = std::to_string(i);
        for (const auto& address : item.targets) group->targets.push_back(Labels{{"__address__", address}});
        std::vector<LabelView> pairs;
        for (const auto& [name, value] : item.labels) pairs.push_back({name, value});
        group->labels = Labels::FromPairs(std::move(pairs));
        groups.push_back(std::move(group));
      }
    }
  }
  return out;
}

}  // namespace epi::app
