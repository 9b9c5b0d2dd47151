// The envelope of the v1 API: {"status":…,"data":…,"errorType":…,"error":…,"warnings":[…],"infos":[…]}, and which error
// becomes which HTTP status.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/http_message.h"
#include "web/json_writer.h"

namespace epi::web {

// A success. The data goes to json() as exactly one value.
class ApiAnswer {
 public:
  explicit ApiAnswer(net::ResponseWriter& response);
  JsonWriter& json() { return json_; }
  // At most ten texts of each kind are shown; a last one says how many more there are.
  Result<void> Finish(const std::vector<std::string>& warnings = {}, const std::vector<std::string>& infos = {});

 private:
  JsonWriter json_;
};

inline constexpr std::string_view kTruncatedWarning = "results truncated due to limit";

// The error envelope, with the HTTP status of the error's code.
void WriteApiError(const Error& error, net::ResponseWriter& response);
// 204 without a body: there is no data.
Result<void> NoContent(net::ResponseWriter& response);
// http.Error: plain text and a newline.
Result<void> PlainError(net::ResponseWriter& response, int status, std::string_view text);

// `invalid parameter "name": cause`
Error InvalidParameter(std::string_view name, const Error& cause);
// What an error of storage or of the engine is to the API: cancellation, a query's own timeout and failures of storage
// keep their kinds, not being ready too; everything else is a failed execution.
Error ExecutionError(const Error& error);
// The same where Prometheus does not look at the kind: a failed execution, unless storage is not ready.
Error PlainExecutionError(const Error& error);
// Failures of administration: internal, unless storage is not ready.
Error InternalError(const Error& error);

}  // namespace epi::web
