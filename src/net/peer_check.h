// Whether a server's certificate is good, decided in the order of Go's crypto/x509 and said in its words: lastError
// shows them. OpenSSL builds the chain; times, names and their sentences are ours.
#pragma once

#include <string>

#include "base/clock.h"

namespace epi::net {

// Of one transfer; outlives the handshakes of its connections.
struct PeerCheck {
  const Clock* clock = nullptr;
  std::string host;          // the name or address that the certificate must be for
  bool any_is_good = false;  // of certificates: none is looked at
  std::string refusal;       // why the last certificate was refused: "x509: …"; empty when none was
  std::string first_record;  // the first five bytes of the other side, whether or not they are TLS
};

// Has `check` watch and decide for all connections of this SSL_CTX, which may not renegotiate.
void InstallPeerCheck(void* ssl_ctx, PeerCheck& check);

}  // namespace epi::net
