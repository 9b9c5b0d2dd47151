#include "net/router.h"

#include <algorithm>
#include <map>

#include "base/ascii.h"
#include "net/request_head.h"
#include "net/url.h"

namespace epi::net {
namespace {

std::vector<std::string_view> Segments(std::string_view path) {
  std::vector<std::string_view> out;
  if (path.starts_with('/')) path.remove_prefix(1);
  while (true) {
    const auto slash = path.find('/');
    out.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    path.remove_prefix(slash + 1);
  }
}

// How particular a pattern is: static before parameters before catch-all.
int Rank(std::string_view pattern) {
  if (pattern.find("/*") != std::string_view::npos) return 2;
  return pattern.find("/:") != std::string_view::npos ? 1 : 0;
}

struct Pattern {
  size_t route = 0;
  int rank = 0;
  std::vector<std::string_view> segments;

  bool Matches(const std::vector<std::string_view>& path, bool ignore_case, QueryParams* params) const {
    QueryParams found;
    for (size_t i = 0; i < segments.size(); ++i) {
      const auto want = segments[i];
      if (want.starts_with('*')) {
        if (i >= path.size()) return false;
        const char* const from = path[i].data();
        found.emplace_back(want.substr(1),
                           std::string(from, static_cast<size_t>(path.back().data() + path.back().size() - from)));
        break;
      }
      if (i >= path.size()) return false;
      if (want.starts_with(':')) {
        if (path[i].empty()) return false;
        found.emplace_back(want.substr(1), path[i]);
      } else if (ignore_case ? LowerAscii(want) != LowerAscii(path[i]) : want != path[i]) {
        return false;
      }
      if (i + 1 == segments.size() && path.size() != segments.size()) return false;
    }
    if (params != nullptr) *params = std::move(found);
    return true;
  }
  // The path as this pattern writes it, for redirects.
  std::string Canonical(const std::vector<std::string_view>& path) const {
    std::string out;
    for (size_t i = 0; i < segments.size(); ++i) {
      out += '/';
      const bool given = segments[i].starts_with(':') || segments[i].starts_with('*');
      out += given ? path[i] : segments[i];
    }
    return out;
  }
};

void PlainText(ResponseWriter& response, int status, std::string_view text) {
  response.SetStatus(status);
  response.headers().Set("Content-Type", "text/plain; charset=utf-8");
  response.headers().Set("X-Content-Type-Options", "nosniff");
  static_cast<void>(response.Write(text));
}

// As Go's http.Redirect: only GET gets a page, too.
void MoveTo(const Request& request, ResponseWriter& response, std::string location, int status) {
  if (!request.raw_query.empty()) location += "?" + request.raw_query;
  response.SetStatus(status);
  response.headers().Set("Location", location);
  if (request.method != Method::kGet && request.method != Method::kHead) return;
  response.headers().Set("Content-Type", "text/html; charset=utf-8");
  if (request.method == Method::kHead) return;
  std::string shown;
  for (const char c : location)
    shown += c == '&' ? "&amp;" : c == '"' ? "&#34;" : c == '<' ? "&lt;" : std::string(1, c);
  const std::string_view text = status == 307 ? "Temporary Redirect" : "Moved Permanently";
  static_cast<void>(response.Write("<a href=\"" + shown + "\">" + std::string(text) + "</a>.\n\n"));
}

// Other methods than GET are to be repeated as they are.
void Redirect(const Request& request, ResponseWriter& response, const std::string& path) {
  MoveTo(request, response, EscapePath(path), request.method == Method::kGet ? 301 : 307);
}

}  // namespace

struct Router::Tree {
  std::vector<Pattern> patterns;  // most particular first

  struct Found {
    const Pattern* pattern = nullptr;  // serves the method
    MethodSet allowed = 0;             // of every pattern that fits the path
  };
  Found Find(std::span<const Route> routes, std::string_view path, Method method, bool ignore_case) const {
    Found found;
    const auto segments = Segments(path);
    for (const auto& pattern : patterns) {
      if (!pattern.Matches(segments, ignore_case, nullptr)) continue;
      const MethodSet methods = routes[pattern.route].methods;
      found.allowed |= methods;
      if (found.pattern == nullptr && (methods & MethodBit(method)) != 0) found.pattern = &pattern;
    }
    return found;
  }
};

struct Router::RouteMetrics {
  std::string handler;
  MetricRegistry* registry = nullptr;
  Counter* ok = nullptr;
  Observer* duration = nullptr;
  Observer* size = nullptr;

  Counter& ForStatus(int status) const {
    if (status == 200) return *ok;
    return registry->AddCounter("prometheus_http_requests_total", "",
                                {{"handler", handler}, {"code", std::to_string(status)}});
  }
};

Router::Router(Options options, HandlerContext& context, std::span<const Route> routes, MetricRegistry& metrics,
               Clock& clock)
    : options_(std::move(options)), context_(context), routes_(routes), clock_(clock), tree_(std::make_unique<Tree>()) {
  static const std::vector<double> kSeconds = {.1, .2, .4, 1, 3, 8, 20, 60, 120};
  static const std::vector<double> kBytes = {1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
  for (size_t i = 0; i < routes.size(); ++i) {
    tree_->patterns.push_back({i, Rank(routes[i].path), Segments(routes[i].path)});
    RouteMetrics& row = metrics_.emplace_back();
    row.handler = routes[i].path;
    row.registry = &metrics;
    const MetricLabels labels = {{"handler", row.handler}};
    row.ok = &metrics.AddCounter("prometheus_http_requests_total", "Counter of HTTP requests.",
                                 {{"handler", row.handler}, {"code", "200"}});
    row.duration = &metrics.AddNativeHistogram("prometheus_http_request_duration_seconds",
                                               "Histogram of latencies for HTTP requests.", kSeconds, labels);
    row.size = &metrics.AddHistogram("prometheus_http_response_size_bytes",
                                     "Histogram of response size for HTTP requests.", kBytes, labels);
  }
  std::stable_sort(tree_->patterns.begin(), tree_->patterns.end(),
                   [](const Pattern& a, const Pattern& b) { return a.rank < b.rank; });
}

Router::~Router() = default;

// The path below the prefix; empty when it is not below it.
static std::string_view BelowPrefix(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return {};
  path.remove_prefix(prefix.size());
  return path.starts_with('/') ? path : std::string_view();
}

Admission Router::Admit(const RequestHead& head) {
  Admission admission;
  admission.lane = Admission::Lane::kQuick;  // redirects and refusals
  admission.max_body_bytes = 1u << 20;
  const auto path = BelowPrefix(head.path, options_.prefix);
  if (path.empty()) return admission;
  // As Go's ServeMux: a path that is not written cleanly is sent to the clean one before anything is looked up. What is
  // escaped is text: a label may be called "..".
  const auto written = WrittenPath(head);
  if (CleanPath(written) != written) return admission;
  const auto found = tree_->Find(routes_, path, head.method, false);
  if (found.pattern == nullptr) return admission;
  const Route& route = routes_[found.pattern->route];
  admission.lane = route.lane;
  admission.max_body_bytes = route.max_body_bytes;
  admission.compression = route.compression;
  admission.token = static_cast<int>(found.pattern->route);
  return admission;
}

void Router::Serve(const Admission& admission, Request& request, ResponseWriter& response) {
  if (admission.token < 0) return ServeUnmatched(request, response);
  const auto index = static_cast<size_t>(admission.token);
  const Route& route = routes_[index];
  const auto segments = Segments(BelowPrefix(request.path, options_.prefix));
  for (const auto& pattern : tree_->patterns)
    if (pattern.route == index) pattern.Matches(segments, false, &request.path_params);
  request.route = route.path;
  if (route.form_parts) DecodeFormParts(request);
  const MonotonicNs started = clock_.Monotonic();
  const bool go_on = Admitted(route, request, response) &&
                     (options_.before == nullptr || options_.before(context_, route, request, response));
  if (go_on) {
    auto served = route.handler(context_, request, response);
    if (!served) Failed(request, served.error(), response);
  }
  if (route.role == Role::kAdmin && options_.audit != nullptr) options_.audit(context_, request, response.status());
  const RouteMetrics& row = metrics_[index];
  row.ForStatus(response.status()).Increment();
  row.duration->Observe(static_cast<double>(clock_.Monotonic() - started) / 1e9);
  row.size->Observe(static_cast<double>(response.body_bytes()));
}

bool Router::Admitted(const Route& route, const Request& request, ResponseWriter& response) const {
  const bool has_role = route.role == Role::kNone || (request.identity.roles & RoleBit(route.role)) != 0;
  const bool scope_fits =
      request.identity.label_scope.empty() || (options_.open_to_scoped != nullptr && options_.open_to_scoped(route));
  if (has_role && scope_fits) return true;
  PlainText(response, 403, "Forbidden\n");
  return false;
}

void Router::Failed(const Request& request, const Error& error, ResponseWriter& response) {
  if (!response.Reset()) {
    options_.logger.Debug("A response ended early", {{"path", request.path}, {"err", error.message()}});
    return response.Abort();
  }
  if (options_.write_error != nullptr) return options_.write_error(context_, request, error, response);
  PlainText(response, 500, error.message() + "\n");
}

bool Router::Reachable(std::string_view route, std::string_view path) const {
  return options_.mount.empty() || !route.starts_with(options_.mount + "/") || path.starts_with(options_.mount + "/");
}

void Router::ServeUnmatched(Request& request, ResponseWriter& response) {
  // The server as a whole: nothing but its options can be asked for.
  if (request.path == "*") return response.SetStatus(request.method == Method::kOptions ? 200 : 400);
  const auto written = WrittenPath(request);
  std::string straight = CleanPath(written);
  if (!options_.mount.empty() && straight == options_.prefix + options_.mount) straight += '/';
  if (straight != written) return MoveTo(request, response, std::move(straight), 307);
  const auto path = BelowPrefix(request.path, options_.prefix);
  if (path.empty()) {
    const bool root = request.path == "/" || request.path == options_.prefix;
    if (root && request.method == Method::kGet) return Redirect(request, response, options_.prefix + "/");
    return PlainText(response, 404, "404 page not found\n");
  }
  // The same place written otherwise: a slash too many or too few, other case.
  const size_t mounted = path.starts_with(options_.mount + "/") ? options_.mount.size() : 0;
  std::string clean = std::string(path.substr(0, mounted)) + CleanPath(path.substr(mounted));
  std::string toggled = clean.ends_with('/') ? clean.substr(0, clean.size() - 1) : clean + "/";
  for (const std::string* candidate : {&clean, &toggled}) {
    if (candidate->empty() || *candidate == path) continue;
    const auto found = tree_->Find(routes_, *candidate, request.method, true);
    if (found.pattern != nullptr && found.pattern->rank < 2 && Reachable(routes_[found.pattern->route].path, path))
      return Redirect(request, response, options_.prefix + found.pattern->Canonical(Segments(*candidate)));
  }
  if (const auto other_case = tree_->Find(routes_, path, request.method, true);
      other_case.pattern != nullptr && Reachable(routes_[other_case.pattern->route].path, path))
    return Redirect(request, response, options_.prefix + other_case.pattern->Canonical(Segments(path)));

  const MethodSet allowed = tree_->Find(routes_, path, request.method, false).allowed & ~kOptionsMethod;
  if (allowed == 0) return PlainText(response, 404, "404 page not found\n");
  const bool options = request.method == Method::kOptions;
  std::vector<std::string_view> names = {"OPTIONS"};
  for (const Method method :
       {Method::kGet, Method::kHead, Method::kPost, Method::kPut, Method::kDelete, Method::kPatch})
    if ((allowed & MethodBit(method)) != 0) names.push_back(MethodName(method));
  std::sort(names.begin(), names.end());
  std::string list;
  for (const auto name : names) {
    if (!list.empty()) list += ", ";
    list += name;
  }
  response.headers().Set("Allow", list);
  if (options) return;  // 200 without a body
  PlainText(response, 405, "Method Not Allowed\n");
}

}  // namespace epi::net
