#include "web/api/answer.h"
#include "web/api/parameters.h"
#include "web/handlers.h"

namespace epi::web {
namespace {

Result<Database*> AdminDatabase(const Services& services) {
  if (!services.options.enable_admin_api) return Fail(ErrorCode::kUnavailable, "admin APIs disabled");
  return services.database;
}

Result<void> Ready(const Database* database) {
  if (database == nullptr) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  return {};
}

void Audit(const Services& services, const net::Request& request, std::string_view action) {
  services.logger.Info("Administration request",
                       {{"action", action}, {"remote", request.remote_address}, {"user", request.identity.name}});
}

}  // namespace

Result<void> ServeDeleteSeries(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_ASSIGN(Database* const database, AdminDatabase(services));
  if (!request.form_error.empty()) return Fail(ErrorCode::kInvalid, "error parsing form values: " + request.form_error);
  if (!request.HasForm("match[]")) return Fail(ErrorCode::kInvalid, "no match[] parameter provided");
  EPI_ASSIGN(const TimeRange range, RangeParameters(request));
  std::vector<std::vector<Matcher>> sets;
  for (const auto text : request.FormValues("match[]")) {
    auto set = promql::ParseMetricSelector(text, services.parse_options);
    if (!set) return Fail(InvalidParameter("match[]", set.error()));
    // Without a matcher nothing is selected, least of all everything.
    if (!set->empty()) sets.push_back(std::move(*set));
  }
  EPI_TRY(Ready(database));
  Audit(services, request, "delete_series");
  if (const auto deleted = database->DeleteSeries(sets, range); !deleted) return Fail(InternalError(deleted.error()));
  return NoContent(response);
}

Result<void> ServeCleanTombstones(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_ASSIGN(Database* const database, AdminDatabase(services));
  EPI_TRY(Ready(database));
  Audit(services, request, "clean_tombstones");
  if (const auto cleaned = database->CleanTombstones(); !cleaned) return Fail(InternalError(cleaned.error()));
  return NoContent(response);
}

Result<void> ServeSnapshot(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_ASSIGN(Database* const database, AdminDatabase(services));
  bool skip_head = false;
  if (const auto text = request.FormValue("skip_head"); !text.empty()) {
    const auto parsed = ParseGoBool(text);
    if (!parsed) return Fail(InvalidParameter("skip_head", parsed.error().WithContext("unable to parse boolean")));
    skip_head = *parsed;
  }
  EPI_TRY(Ready(database));
  Audit(services, request, "snapshot");
  const auto name = database->Snapshot(!skip_head);
  if (!name) return Fail(InternalError(name.error().WithContext("create snapshot")));
  ApiAnswer answer(response);
  answer.json().BeginObject();
  answer.json().Key("name");
  answer.json().String(*name);
  answer.json().EndObject();
  return answer.Finish();
}

}  // namespace epi::web
