// Addresses that the HTTP server listens on.
#pragma once

#include <string>

#include "base/result.h"
#include "net/asio_types.h"

namespace epi::net {

// "host:port" as Go writes it: an IPv4 address in an IPv6 one is shown as the former.
std::string EndpointText(const TcpEndpoint& endpoint);
// Binds a closed acceptor to "host:port"; an unspecified host is both families where the system has both, as in Go.
// kInvalid and kIo with Go's words, the address included.
Result<void> ListenOn(TcpAcceptor& acceptor, const std::string& address);

}  // namespace epi::net
