#include "app/audit_log.h"

#include "web/json_writer.h"

namespace epi::app {
namespace {

// What was asked, not whole bodies: names and values of parameters up to this many bytes.
constexpr size_t kMaxAuditedText = 4096;

std::string AuditLine(const net::Request& request, int status, int64_t now_ns) {
  std::string line;
  web::JsonWriter json([&](std::string_view bytes) -> Result<void> {
    line += bytes;
    return {};
  });
  json.BeginObject();
  json.Key("time");
  json.Time(now_ns);
  json.Key("who");
  json.PlainString(request.identity.name);
  json.Key("from");
  json.PlainString(request.remote_address);
  json.Key("method");
  json.PlainString(request.method_text.empty() ? net::MethodName(request.method) : request.method_text);
  json.Key("path");
  json.PlainString(std::string_view(request.path).substr(0, kMaxAuditedText));
  json.Key("parameters");
  json.BeginArray();
  size_t room = kMaxAuditedText;
  for (const auto& [name, value] : request.form) {
    const std::string pair = name + "=" + value;
    if (pair.size() > room) break;
    room -= pair.size();
    json.PlainString(pair);
  }
  json.EndArray();
  json.Key("status");
  json.Integer(status);
  json.EndObject();
  static_cast<void>(json.Finish());
  return line + "\n";
}

}  // namespace

AuditLog::AuditLog(std::function<std::string()> file_name, FileSystem& files, Clock& clock, Logger logger)
    : file_name_(std::move(file_name)), files_(files), clock_(clock), logger_(std::move(logger)) {}

void AuditLog::Note(const net::Request& request, int status) {
  logger_.Info("Admin request", {{"who", request.identity.name},
                                 {"from", request.remote_address},
                                 {"path", request.path},
                                 {"status", std::to_string(status)}});
  const std::string path = file_name_();
  if (path.empty()) return;
  const std::lock_guard lock(mutex_);
  if (auto written = Append(path, AuditLine(request, status, clock_.NowNs())); !written) {
    logger_.Error("The audit log cannot be written", {{"err", written.error().message()}});
  }
}

// Opened anew for each line, so that the file may be moved away at any time; admin requests are rare.
Result<void> AuditLog::Append(const std::string& path, std::string_view line) {
  EPI_ASSIGN(const auto file, files_.Open(path, OpenMode::kAppend));
  EPI_TRY(file->Append(line));
  return file->Sync();
}

}  // namespace epi::app
