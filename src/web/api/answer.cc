#include "web/api/answer.h"

#include <algorithm>

namespace epi::web {
namespace {

struct ErrorRow {
  ErrorCode code;
  std::string_view type;
  int status;
};
// errorUnavailable has no status of its own in Prometheus and becomes 500.
constexpr ErrorRow kErrors[] = {
    {ErrorCode::kInvalid, "bad_data", 400},  {ErrorCode::kNotFound, "not_found", 404},
    {ErrorCode::kExists, "bad_data", 400},   {ErrorCode::kExecution, "execution", 422},
    {ErrorCode::kLimit, "execution", 422},   {ErrorCode::kTimeout, "timeout", 503},
    {ErrorCode::kCanceled, "canceled", 499}, {ErrorCode::kUnavailable, "unavailable", 500},
    {ErrorCode::kDenied, "bad_data", 403},   {ErrorCode::kUnsupported, "execution", 422},
    {ErrorCode::kDataLoss, "internal", 500}, {ErrorCode::kIo, "internal", 500},
    {ErrorCode::kInternal, "internal", 500},
};

const ErrorRow& RowOf(ErrorCode code) {
  return *std::find_if(std::begin(kErrors), std::end(kErrors), [&](const ErrorRow& row) { return row.code == code; });
}

void WriteTexts(JsonWriter& json, std::string_view key, std::string_view kind, const std::vector<std::string>& texts) {
  constexpr size_t kShown = 10;
  if (texts.empty()) return;
  json.Key(key);
  json.BeginArray();
  for (size_t i = 0; i < std::min(kShown, texts.size()); ++i) json.String(texts[i]);
  if (texts.size() > kShown)
    json.String(std::to_string(texts.size() - kShown) + " more " + std::string(kind) + " annotations omitted");
  json.EndArray();
}

}  // namespace

ApiAnswer::ApiAnswer(net::ResponseWriter& response)
    : json_([&response](std::string_view bytes) { return response.Write(bytes); }) {
  response.headers().Set("Content-Type", "application/json");
  json_.BeginObject();
  json_.Key("status");
  json_.String("success");
  json_.Key("data");
}

Result<void> ApiAnswer::Finish(const std::vector<std::string>& warnings, const std::vector<std::string>& infos) {
  WriteTexts(json_, "warnings", "warning", warnings);
  WriteTexts(json_, "infos", "info", infos);
  json_.EndObject();
  return json_.Finish();
}

void WriteApiError(const Error& error, net::ResponseWriter& response) {
  const ErrorRow& row = RowOf(error.code());
  response.SetStatus(row.status);
  response.headers().Set("Content-Type", "application/json");
  JsonWriter json([&](std::string_view bytes) { return response.Write(bytes); });
  json.BeginObject();
  json.Key("status");
  json.String("error");
  json.Key("errorType");
  json.String(row.type);
  json.Key("error");
  json.String(error.message());
  json.EndObject();
  static_cast<void>(json.Finish());  // the client is gone: nobody to tell
}

Result<void> NoContent(net::ResponseWriter& response) {
  response.SetStatus(204);
  return {};
}

Result<void> PlainError(net::ResponseWriter& response, int status, std::string_view text) {
  response.SetStatus(status);
  response.headers().Set("Content-Type", "text/plain; charset=utf-8");
  response.headers().Set("X-Content-Type-Options", "nosniff");
  return response.Write(std::string(text) + "\n");
}

Error InvalidParameter(std::string_view name, const Error& cause) {
  return Error(ErrorCode::kInvalid, "invalid parameter \"" + std::string(name) + "\": " + cause.message());
}

Error ExecutionError(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kCanceled:
    case ErrorCode::kUnavailable:
    case ErrorCode::kInternal:
    case ErrorCode::kIo:
    case ErrorCode::kDataLoss:
      return error;
    case ErrorCode::kTimeout:
      // A query that ran out of its time, as opposed to a peer of storage that did.
      if (error.message().find("query timed out") != std::string::npos) return error;
      [[fallthrough]];
    default:
      return Error(ErrorCode::kExecution, error.message());
  }
}

Error PlainExecutionError(const Error& error) {
  return error.code() == ErrorCode::kUnavailable ? error : Error(ErrorCode::kExecution, error.message());
}

Error InternalError(const Error& error) {
  return error.code() == ErrorCode::kUnavailable ? error : Error(ErrorCode::kInternal, error.message());
}

}  // namespace epi::web
