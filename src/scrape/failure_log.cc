#include "scrape/failure_log.h"

#include <cstdio>
#include <ctime>

namespace epi::scrape {
namespace {

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
      case '\\':
        out += '\\';
        out += c;
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char code[8];
          std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
          out += code;
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

std::string UtcTime(int64_t ns) {
  const std::time_t seconds = ns / 1'000'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char date[32];
  const size_t length = std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  char fraction[16];
  std::snprintf(fraction, sizeof fraction, ".%09lldZ", static_cast<long long>(ns % 1'000'000'000));
  return std::string(date, length) + fraction;
}

}  // namespace

void FailureLog::Write(std::string_view error, std::string_view job_name, std::string_view target) {
  std::string line = "{\"time\":\"" + UtcTime(clock_.NowNs()) + "\",\"level\":\"ERROR\",\"msg\":";
  AppendJsonString(line, error);
  line += ",\"job_name\":";
  AppendJsonString(line, job_name);
  line += ",\"target\":";
  AppendJsonString(line, target);
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
