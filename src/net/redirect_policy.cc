#include "net/redirect_policy.h"

#include "base/escaping.h"
#include "net/url.h"

namespace epi::net {

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Result<RedirectStep> NextStep(int status, std::string_view method, std::string_view url, std::string_view location) {
  RedirectStep step;
  if (location.empty()) return step;
  EPI_ASSIGN(const Url base, ParseUrl(url));
  const auto reference = ParseUrl(location);
  if (!reference) {
    std::string text = "failed to parse Location header ";
    AppendQuoted(text, location);
    return Fail(ErrorCode::kInvalid, text + ": " + reference.error().message());
  }
  Url target = ResolveReference(base, *reference);
  if (target.fragment.empty()) target.fragment = base.fragment;
  step.url = target.ToString();
  step.method = method;
  step.keep_body = status == 307 || status == 308;
  if (!step.keep_body && method != "GET" && method != "HEAD") step.method = "GET";
  return step;
}

bool MaySendCredentials(std::string_view initial_url, std::string_view target_url) {
  const auto initial = ParseUrl(initial_url), target = ParseUrl(target_url);
  if (!initial || !target) return false;
  const std::string parent = initial->Hostname(), host = target->Hostname();
  if (EqualsIgnoreCase(parent, host)) return true;
  if (host.find(':') != std::string::npos || host.size() <= parent.size()) return false;  // IPv6 has no sub-domains
  const auto tail = std::string_view(host).substr(host.size() - parent.size());
  return EqualsIgnoreCase(tail, parent) && host[host.size() - parent.size() - 1] == '.';
}

bool IsSensitiveHeader(std::string_view name) {
  for (const std::string_view sensitive :
       {"Authorization", "Www-Authenticate", "Cookie", "Cookie2", "Proxy-Authorization", "Proxy-Authenticate"})
    if (EqualsIgnoreCase(name, sensitive)) return true;
  return false;
}

}  // namespace epi::net
