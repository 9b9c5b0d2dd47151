#include "app/component.h"

#include "model/duration.h"

namespace epi::app {

Result<void> Components::Add(Component component) {
  if (component.start) EPI_TRY(component.start());
  started_.push_back(std::move(component));
  return {};
}

Result<void> Components::Apply(const LoadedConfig& config, std::string_view file) {
  bool failed = false;
  const MonotonicNs begun = clock_.Monotonic();
  for (const auto& component : started_) {
    if (!component.apply) continue;
    const MonotonicNs start = clock_.Monotonic();
    if (auto applied = component.apply(config); !applied) {
      failed = true;
      logger_.Error("Failed to apply configuration",
                    {{"component", component.name}, {"err", applied.error().message()}});
    }
    logger_.Debug("Applied configuration",
                  {{"component", component.name}, {"duration", FormatGoDuration(clock_.Monotonic() - start)}});
  }
  if (failed) {
    return Fail(ErrorCode::kInvalid,
                "one or more errors occurred while applying the new configuration (--config.file=\"" +
                    std::string(file) + "\")");
  }
  logger_.Info("Completed loading of configuration file",
               {{"filename", file}, {"totalDuration", FormatGoDuration(clock_.Monotonic() - begun)}});
  return {};
}

void Components::Stop() {
  while (!started_.empty()) {
    if (started_.back().stop) started_.back().stop();
    started_.pop_back();
  }
}

}  // namespace epi::app
