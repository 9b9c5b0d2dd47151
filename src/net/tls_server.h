// OpenSSL's side of our server's TLS: a context made from the settings, made again when settings or files change.
#pragma once

#include <memory>
#include <string>

#include "base/file_system.h"
#include "base/result.h"
#include "net/web_settings.h"

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;

namespace epi::net {

using TlsContext = std::shared_ptr<SSL_CTX>;

// Reads the files and builds a context. kInvalid says what is wrong with which of them.
Result<TlsContext> MakeTlsServerContext(const TlsServerSettings& settings, FileSystem& files);
// After a handshake: whether the client's certificate has one of the allowed names. True when none is demanded.
bool ClientNameAllowed(SSL* ssl, const TlsServerSettings& settings);

// Keeps the newest context. Not thread-safe.
class TlsContextCache {
 public:
  explicit TlsContextCache(FileSystem& files) : files_(files) {}
  // The context of these settings; made only when they or the times of their files changed.
  Result<TlsContext> Get(const TlsServerSettings& settings);

 private:
  std::string Stamp(const TlsServerSettings& settings) const;

  FileSystem& files_;
  TlsServerSettings settings_;
  std::string stamp_;
  TlsContext context_;
};

}  // namespace epi::net
