#include <algorithm>

#include "base/escaping.h"
#include "config/sd_schema.h"
#include "net/url.h"

namespace epi::config {

std::string SdQuoted(std::string_view text) {
  std::string out;
  AppendQuoted(out, text);
  return out;
}

Result<void> CheckSdUrl(std::string_view text) {
  const auto url = net::ParseUrl(text);
  if (!url) return Fail(url.error());
  return {};
}

Result<void> CheckSdHttpUrl(const std::string& text) {
  if (text.empty()) return InvalidSd("URL is missing");
  EPI_ASSIGN(const auto url, net::ParseUrl(text));
  if (url.scheme != "http" && url.scheme != "https") return InvalidSd("URL scheme must be 'http' or 'https'");
  if (url.host.empty()) return InvalidSd("host is missing in URL");
  return {};
}

Result<void> CheckSdServerUrl(const std::string& text, std::string complaint) {
  EPI_ASSIGN(const auto url, net::ParseUrl(text));
  if (url.scheme.empty() || url.host.empty()) return InvalidSd(std::move(complaint));
  return {};
}

Result<void> CheckSdWord(const std::string& value, std::span<const std::string_view> words,
                         std::string_view complaint) {
  if (std::find(words.begin(), words.end(), value) != words.end()) return {};
  return InvalidSd(std::string(complaint) + SdQuoted(value));
}

Result<void> RequireOneSdSecret(const std::string& secret, const std::string& file) {
  if (secret.empty() && file.empty()) return InvalidSd("one of secret_key & secret_key_file must be configured");
  if (!secret.empty() && !file.empty())
    return InvalidSd("at most one of secret_key & secret_key_file must be configured");
  return {};
}

}  // namespace epi::config
