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
  std::vector<LogField> fields;
  for (const auto& component : started_) {
    if (!component.apply) continue;
    const MonotonicNs start = clock_.Monotonic();
    if (auto applied = component.apply(config); !applied) {
      failed = true;
      logger_.Error("Failed to apply configuration",
                    {{"component", component.name}, {"err", applied.error().message()}});
    }
    fields.emplace_back(component.name, FormatGoDuration(clock_.Monotonic() - start));
  }
  if (failed) {
    return Fail(ErrorCode::kInvalid,
                "one or more errors occurred while applying the new configuration (--config.file=\"" +
                    std::string(file) + "\")");
  }
  fields.emplace_back("filename", file);
  fields.emplace_back("totalDuration", FormatGoDuration(clock_.Monotonic() - begun));
  logger_.Write(LogLevel::kInfo, "Completed loading of configuration file", fields);
  return {};
}

void Components::Stop() {
  while (!started_.empty()) {
    const Component& last = started_.back();
    if (!last.stopping.empty()) logger_.Info(last.stopping);
    if (last.stop) last.stop();
    if (!last.stopped.empty()) logger_.Info(last.stopped);
    started_.pop_back();
  }
}

}  // namespace epi::app
