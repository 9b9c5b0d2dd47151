#include "app/web_settings_source.h"

#include "config/web_config.h"
#include "web/label_scope.h"

namespace epi::app {

Result<std::shared_ptr<const net::WebSettings>> WebSettingsSource::Current() {
  const std::lock_guard lock(mutex_);
  EPI_ASSIGN(const FileInfo info, files_.Stat(path_));
  if (settings_ != nullptr && info.size == seen_.size && info.modified_ns == seen_.modified_ns) return settings_;
  settings_ = nullptr;
  EPI_ASSIGN(auto settings, config::LoadWebConfig(files_, path_));
  for (const auto& token : settings.access_tokens) {
    if (auto scope = web::ParseScope(token.scope); !scope) {
      return Fail(scope.error().WithContext(path_ + ": access token " + token.name));
    }
  }
  settings_ = std::make_shared<const net::WebSettings>(std::move(settings));
  seen_ = info;
  return settings_;
}

}  // namespace epi::app
