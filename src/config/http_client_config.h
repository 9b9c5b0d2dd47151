// The HTTP client block that scrape configs, Alertmanagers, remote endpoints and most service discoveries share.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http_settings.h"

namespace epi {
class FileSystem;
}

namespace epi::config {

// What net needs, and the two deprecated keys, which validation turns into `authorization`: afterwards they are empty.
struct HttpClientConfig : net::HttpClientSettings {
  std::string bearer_token;
  std::string bearer_token_file;
  bool operator==(const HttpClientConfig&) const = default;
};

// Prometheus's rules and texts; moves the bearer token.
Result<void> ValidateHttpClientConfig(HttpClientConfig& config);
Result<void> ValidateTlsConfig(const net::TlsSettings& config);
// What is refused only when a client is made: minimum above maximum.
Result<void> CheckTlsVersions(const net::TlsSettings& config);

// Joins relative paths of all files with `directory`.
void SetDirectory(HttpClientConfig& config, std::string_view directory);
void SetDirectory(net::TlsSettings& config, std::string_view directory);
// `path` when it is empty or absolute, else below `directory`, cleaned as Go's filepath.Join does.
std::string JoinDirectory(std::string_view directory, std::string_view path);

// One block as a whole file (--http.config.file). Paths are relative to the file's directory.
Result<HttpClientConfig> LoadHttpClientConfig(FileSystem& files, const std::string& path);
// The same from text, without changing paths.
Result<HttpClientConfig> ParseHttpClientConfig(std::string_view text);
Result<net::TlsSettings> ParseTlsConfig(std::string_view text);

}  // namespace epi::config
