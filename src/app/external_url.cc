#include "app/external_url.h"

#include "net/url.h"

namespace epi::app {
namespace {

bool StartsOrEndsWithQuote(std::string_view s) {
  const auto is_quote = [](char c) { return c == '"' || c == '\''; };
  return !s.empty() && (is_quote(s.front()) || is_quote(s.back()));
}

std::string_view TrimSlashes(std::string_view s) {
  while (!s.empty() && s.front() == '/') s.remove_prefix(1);
  while (!s.empty() && s.back() == '/') s.remove_suffix(1);
  return s;
}

// "" stays "", anything else gets exactly one '/' in front and none behind.
std::string AsPrefix(std::string_view path) {
  const auto trimmed = TrimSlashes(path);
  return trimmed.empty() ? std::string() : "/" + std::string(trimmed);
}

}  // namespace

Result<ExternalUrl> DeriveExternalUrl(std::string_view external, std::string_view prefix,
                                      std::string_view listen_address, std::string_view hostname) {
  if (StartsOrEndsWithQuote(external)) {
    return Fail(ErrorCode::kInvalid, "URL must not begin or end with quotes");
  }
  std::string text(external);
  if (text.empty()) {
    const auto colon = listen_address.rfind(':');
    if (colon == std::string_view::npos) {
      return Fail(ErrorCode::kInvalid, "address " + std::string(listen_address) + ": missing port in address");
    }
    text = "http://" + std::string(hostname) + std::string(listen_address.substr(colon)) + "/";
  }
  EPI_ASSIGN(auto parsed, net::ParseUrl(text));
  ExternalUrl out;
  out.path = AsPrefix(parsed.path);
  parsed.path = out.path;
  parsed.raw_path = out.path;
  out.url = parsed.ToString();
  out.route_prefix = prefix.empty() ? out.path : AsPrefix(prefix);
  if (out.route_prefix.empty()) out.route_prefix = "/";
  return out;
}

}  // namespace epi::app
