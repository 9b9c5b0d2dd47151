// The current content of --web.config.file, read again when the file changes.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/file_system.h"
#include "base/result.h"
#include "net/web_settings.h"

namespace epi::app {

// Thread-safe. One stat(2) a call while nothing changes.
class WebSettingsSource {
 public:
  WebSettingsSource(std::string path, FileSystem& files) : path_(std::move(path)), files_(files) {}
  // An error, also of a file that was good before, is returned until the file is mended.
  Result<std::shared_ptr<const net::WebSettings>> Current();

 private:
  const std::string path_;
  FileSystem& files_;
  std::mutex mutex_;
  FileInfo seen_;                                     // guarded by mutex_
  std::shared_ptr<const net::WebSettings> settings_;  // guarded by mutex_: of the file as it was `seen_`
};

}  // namespace epi::app
