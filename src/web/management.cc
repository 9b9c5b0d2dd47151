// Health, life cycle, the server's own metrics, and the pages that stand in for a user interface.
#include "base/escaping.h"
#include "net/url.h"
#include "telemetry/exposition.h"
#include "web/api/answer.h"
#include "web/handlers.h"

namespace epi::web {
namespace {

std::string_view ProgramName(const Services& services) {
  return services.options.agent_mode ? "Prometheus Agent" : "Prometheus Server";
}

std::string ExternalPath(const Services& services) {
  const auto url = net::ParseUrl(services.options.external_url);
  std::string path = url ? url->path : "";
  while (path.ends_with('/')) path.pop_back();
  return path;
}

Result<void> RedirectTo(net::ResponseWriter& response, const std::string& location) {
  response.SetStatus(302);
  response.headers().Set("Location", location);
  response.headers().Set("Content-Type", "text/html; charset=utf-8");
  return response.Write("<a href=\"" + EscapeHtml(location) + "\">Found</a>.\n\n");
}

Result<void> Text(net::ResponseWriter& response, int status, std::string_view text) {
  response.SetStatus(status);
  response.headers().Set("Content-Type", "text/plain; charset=utf-8");
  return response.Write(text);
}

Counter& ScrapesOfUs(Services& services, int status) {
  return services.metrics->AddCounter("promhttp_metric_handler_requests_total",
                                      "Total number of scrapes by HTTP status code.",
                                      {{"code", std::to_string(status)}});
}

// Go guesses the type from the body, which HEAD does not write.
Result<void> StateText(const Services& services, const net::Request& request, net::ResponseWriter& response,
                       std::string_view state) {
  if (request.method == net::Method::kHead) return {};
  return Text(response, 200, std::string(ProgramName(services)) + " is " + std::string(state) + ".\n");
}

}  // namespace

Result<void> ServeOptions(Services&, const net::Request&, net::ResponseWriter& response) { return NoContent(response); }

Result<void> ServeHealthy(Services& services, const net::Request& request, net::ResponseWriter& response) {
  return StateText(services, request, response, "Healthy");
}

Result<void> ServeReady(Services& services, const net::Request& request, net::ResponseWriter& response) {
  return StateText(services, request, response, "Ready");
}

Result<void> ServeLifecycleGet(Services&, const net::Request&, net::ResponseWriter& response) {
  return Text(response, 405, "Only POST or PUT requests allowed");
}

Result<void> ServeReload(Services& services, const net::Request& request, net::ResponseWriter& response) {
  if (!services.options.enable_lifecycle || !services.reload)
    return Text(response, 403, "Lifecycle API is not enabled.");
  services.logger.Info("Reload requested", {{"remote", request.remote_address}, {"user", request.identity.name}});
  if (const auto reloaded = services.reload(); !reloaded)
    return PlainError(response, 500, "failed to reload config: " + reloaded.error().message());
  return {};
}

Result<void> ServeQuit(Services& services, const net::Request& request, net::ResponseWriter& response) {
  if (!services.options.enable_lifecycle || !services.quit) return Text(response, 403, "Lifecycle API is not enabled.");
  services.logger.Info("Termination requested", {{"remote", request.remote_address}, {"user", request.identity.name}});
  return Text(response, 200,
              services.quit() ? "Requesting termination... Goodbye!" : "Termination already in progress.");
}

Result<void> ServeMetrics(Services& services, const net::Request& request, net::ResponseWriter& response) {
  for (const int status : {500, 503}) ScrapesOfUs(services, status);
  Gauge& in_flight = services.metrics->AddGauge("promhttp_metric_handler_requests_in_flight",
                                                "Current number of scrapes being served.");
  in_flight.Add(1);
  const Exposition exposition = NegotiateFormat(request.headers.Get("Accept"), false, NameEscaping::kUnderscores);
  response.headers().Set("Content-Type", ContentType(exposition));
  auto written = response.Write(services.metrics->Expose(exposition, request.FormValues("name[]")));
  in_flight.Add(-1);
  ScrapesOfUs(services, 200).Increment();
  return written;
}

Result<void> ServeRoot(Services& services, const net::Request&, net::ResponseWriter& response) {
  return RedirectTo(response, ExternalPath(services) + (services.options.agent_mode ? "/agent" : "/query"));
}

Result<void> ServeGraph(Services& services, const net::Request& request, net::ResponseWriter& response) {
  std::string query;
  // The query goes into a header and a page: what is no part of a query string is escaped.
  for (const char c : request.raw_query) {
    const auto byte = static_cast<unsigned char>(c);
    query +=
        byte > ' ' && byte < 0x7f && c != '"' && c != '<' && c != '>' ? std::string(1, c) : net::EscapeQuery({&c, 1});
  }
  return RedirectTo(response, ExternalPath(services) + "/query?" + query);
}

Result<void> ServeNoAsset(Services&, const net::Request&, net::ResponseWriter& response) {
  return PlainError(response, 404, "404 page not found");
}

Result<void> ServePage(Services& services, const net::Request&, net::ResponseWriter& response) {
  const std::string path = EscapeHtml(ExternalPath(services));
  const std::string_view state = services.readiness.load() == Readiness::kReady ? "ready"
                                 : services.readiness.load() == Readiness::kStarting
                                     ? "starting: the storage is loading"
                                     : "stopping";
  std::string page = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>";
  page += EscapeHtml(services.options.page_title.empty() ? "Epimetheus" : services.options.page_title);
  page += "</title></head><body>\n<h1>Epimetheus ";
  page += EscapeHtml(services.build.version);
  page += "</h1>\n<p>This server speaks the HTTP API of Prometheus; it is ";
  page += state;
  page += ".</p>\n<ul>\n";
  for (const std::string_view link :
       {"/api/v1/query?query=up", "/api/v1/targets", "/api/v1/rules", "/api/v1/alerts", "/api/v1/status/config",
        "/api/v1/status/flags", "/api/v1/status/tsdb", "/metrics"}) {
    page += "<li><a href=\"" + path + std::string(link) + "\">" + path + std::string(link) + "</a></li>\n";
  }
  page += "</ul>\n<p>Queries: <code>" + path + "/api/v1/query</code> and <code>" + path +
          "/api/v1/query_range</code>, GET or POST.</p>\n</body></html>\n";
  response.headers().Set("Content-Type", "text/html; charset=utf-8");
  return response.Write(page);
}

Result<void> ServeAgentPage(Services& services, const net::Request& request, net::ResponseWriter& response) {
  return services.options.agent_mode ? ServePage(services, request, response)
                                     : PlainError(response, 404, "404 page not found");
}

Result<void> ServeDebug(Services&, const net::Request& request, net::ResponseWriter& response) {
  const auto path = request.PathParam("subpath");
  if (path != "pprof" && !path.starts_with("pprof/")) return PlainError(response, 404, "404 page not found");
  return PlainError(response, 404, "This server is not a Go program and has no pprof endpoints.");
}

}  // namespace epi::web
