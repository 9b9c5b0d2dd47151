#include "scrape/failure_log.h"

#include "base/escaping.h"
#include "model/rfc3339.h"

namespace epi::scrape {

void FailureLog::Write(std::string_view error, std::string_view job_name, std::string_view target) {
  std::string line = "{\"time\":\"" + FormatRfc3339(clock_.NowNs()) + "\",\"level\":\"ERROR\",\"msg\":";
  AppendJsonString(line, error, JsonStyle::kEncoding);
  line += ",\"job_name\":";
  AppendJsonString(line, job_name, JsonStyle::kEncoding);
  line += ",\"target\":";
  AppendJsonString(line, target, JsonStyle::kEncoding);
  line += "}\n";
  const std::lock_guard lock(mutex_);
  // A log that cannot be written must not disturb scraping.
  static_cast<void>(file_->Append(line));
}

Result<std::shared_ptr<FailureLog>> FailureLogs::Open(const std::string& path) {
  if (path.empty()) return nullptr;
  auto& log = logs_[path];
  if (!log) {
    EPI_ASSIGN(auto file, files_.Open(path, OpenMode::kAppend));
    log = std::make_shared<FailureLog>(std::move(file), clock_);
  }
  return log;
}

}  // namespace epi::scrape
