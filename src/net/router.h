// A route is data: methods, path, role, parameters, documentation and a handler. The router finds it, counts it, checks
// the role and turns errors into answers. Checks over "every route" walk this table.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/http_message.h"
#include "net/http_server.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace epi::net {

// What handlers work on; the user of this module derives from it and casts back.
class HandlerContext {
 protected:
  HandlerContext() = default;
  ~HandlerContext() = default;
};

// An error is turned into an answer by Router::Options::write_error, unless the response has begun: then it is aborted.
using Handler = Result<void> (*)(HandlerContext& context, const Request& request, ResponseWriter& response);

struct Param {
  std::string_view name;
  std::string_view type;  // for the documentation: "string", "time", "duration", "integer", "boolean", "selector"
  bool required = false;
  bool repeated = false;
  std::string_view doc;
};

struct Route {
  MethodSet methods = kGetMethod;
  // "/api/v1/label/:name/values"; a last segment "*rest" takes everything. Static segments win over parameters.
  std::string_view path;
  Role role = Role::kRead;
  std::span<const Param> params;
  Handler handler = nullptr;
  std::string_view doc;
  Admission::Lane lane = Admission::Lane::kNormal;
  uint64_t max_body_bytes = 0;  // 0: the server's default
  Compression compression = Compression::kNone;
  bool before_ready = false;  // served while the server starts or stops
  bool cors = false;          // CORS headers
  bool form_parts = false;    // multipart forms are read, too
  bool server_only = false;   // answers an error in agent mode
};

// Thread-safe once built.
class Router final : public Dispatcher {
 public:
  struct Options {
    std::string prefix;  // "" or "/prom": stripped from every path; "/" itself redirects to it
    std::string mount;   // "/api/v1": what is below is found only when this part is written exactly so
    // Answers an error of a handler.
    void (*write_error)(HandlerContext&, const Request&, const Error&, ResponseWriter&) = nullptr;
    // Runs before the handler of a route, on the worker; false when it has answered: readiness, access control, CORS.
    bool (*before)(HandlerContext&, const Route&, Request&, ResponseWriter&) = nullptr;
    // Whether a caller with a label scope may use a route at all. Null: none.
    bool (*open_to_scoped)(const Route&) = nullptr;
    // Told of every request to a route of Role::kAdmin, also of those that are refused, when it has been answered.
    void (*audit)(HandlerContext&, const Request&, int status) = nullptr;
    Logger logger;
  };
  // `context` and the table outlive the router. Counts every route in prometheus_http_requests_total{handler,code},
  // prometheus_http_request_duration_seconds and prometheus_http_response_size_bytes, as Prometheus does; the
  // code="200" member exists from the start.
  Router(Options options, HandlerContext& context, std::span<const Route> routes, MetricRegistry& metrics,
         Clock& clock);
  ~Router() override;

  Admission Admit(const RequestHead& head) override;
  void Serve(const Admission& admission, Request& request, ResponseWriter& response) override;
  std::span<const Route> routes() const { return routes_; }

 private:
  struct Tree;
  struct RouteMetrics;
  // Role and label scope. False when the answer has been given.
  bool Admitted(const Route& route, const Request& request, ResponseWriter& response) const;
  // Not what is below the mount while the path writes that part otherwise.
  bool Reachable(std::string_view route, std::string_view path) const;
  void ServeUnmatched(Request& request, ResponseWriter& response);
  void Failed(const Request& request, const Error& error, ResponseWriter& response);

  Options options_;
  HandlerContext& context_;
  std::span<const Route> routes_;
  Clock& clock_;
  std::unique_ptr<Tree> tree_;
  std::vector<RouteMetrics> metrics_;
};

}  // namespace epi::net
