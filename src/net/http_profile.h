// The compiled form of HttpClientSettings: what is fixed is checked once, what comes from files is read when it is
// needed.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"
#include "net/http_client.h"
#include "net/oauth2_token.h"

namespace epi::net {

struct DialCounters;

// PEM texts; empty where not set.
struct TlsMaterial {
  std::string ca, cert, key;
};

// What one request sends beside its own headers.
struct Credentials {
  std::string authorization;  // value of the header; empty: none
  std::vector<std::pair<std::string, std::string>> headers;
  std::string oauth2_secret;  // for the token source
};

// Immutable but for its caches; thread-safe, except the token source, which belongs to the client's thread.
class CompiledProfile final : public HttpProfile {
 public:
  // See HttpClient::Prepare. `files` outlives the profile.
  // `dialer` outlives it as well; null: connections are not counted.
  static Result<std::shared_ptr<const CompiledProfile>> Compile(const HttpClientSettings& settings, FileSystem& files,
                                                                const DialCounters* dialer);

  const HttpClientSettings& settings() const override { return settings_; }
  const DialCounters* dialer() const { return dialer_; }
  // Reads the files of credentials and headers.
  Result<Credentials> ReadCredentials() const;
  // Reads the files of TLS again when their size or time changed.
  Result<std::shared_ptr<const TlsMaterial>> Tls() const;
  OAuth2TokenSource* tokens() const { return tokens_.get(); }
  // For the token endpoint, with OAuth2's own TLS and proxy. Null without OAuth2.
  const std::shared_ptr<const CompiledProfile>& token_profile() const { return token_profile_; }

 private:
  CompiledProfile(const HttpClientSettings& settings, FileSystem& files, const DialCounters* dialer)
      : settings_(settings), files_(files), dialer_(dialer) {}
  std::string TlsFileStamp() const;

  HttpClientSettings settings_;
  FileSystem& files_;
  const DialCounters* const dialer_;
  std::unique_ptr<OAuth2TokenSource> tokens_;
  std::shared_ptr<const CompiledProfile> token_profile_;
  mutable std::mutex mutex_;
  mutable std::string tls_stamp_;                   // guarded by mutex_
  mutable std::shared_ptr<const TlsMaterial> tls_;  // guarded by mutex_
};

}  // namespace epi::net
