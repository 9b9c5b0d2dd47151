#include "rules/notifier/discovery_runner.h"

namespace epi::rules {

class DiscoveryRunner::Sink final : public discovery::TargetGroupSink {
 public:
  Sink(DiscoveryRunner& runner, size_t provider) : runner_(runner), provider_(provider) {}
  void Update(std::vector<discovery::TargetGroup> groups) override { runner_.Update(provider_, std::move(groups)); }

 private:
  DiscoveryRunner& runner_;
  size_t provider_;
};

DiscoveryRunner::DiscoveryRunner(const config::SdConfigs& configs, const discovery::DiscoveryParts& parts,
                                 OnChange on_change)
    : on_change_(std::move(on_change)) {
  for (const config::SdConfig& config : configs) {
    auto made = discovery::MakeDiscoverer(config, parts);
    if (!made) {
      parts.logger.Error("Cannot create service discovery",
                         {{"type", config.name()}, {"config", parts.set_name}, {"err", made.error().message()}});
      continue;
    }
    discoverers_.push_back(std::move(*made));
    sinks_.push_back(std::make_unique<Sink>(*this, discoverers_.size() - 1));
  }
  for (size_t i = 0; i < discoverers_.size(); ++i) {
    threads_.emplace_back([this, i](std::stop_token stop) { discoverers_[i]->Run(*sinks_[i], stop); });
  }
}

DiscoveryRunner::~DiscoveryRunner() {
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();
}

void DiscoveryRunner::Update(size_t provider, std::vector<discovery::TargetGroup> groups) {
  const std::lock_guard lock(mutex_);
  for (discovery::TargetGroup& group : groups) {
    const auto key = std::pair(provider, group.source);
    if (group.targets.empty()) {
      groups_.erase(key);
    } else {
      groups_[key] = std::make_shared<const discovery::TargetGroup>(std::move(group));
    }
  }
  discovery::TargetGroups all;
  for (const auto& entry : groups_) all.push_back(entry.second);
  on_change_(all);
}

}  // namespace epi::rules
