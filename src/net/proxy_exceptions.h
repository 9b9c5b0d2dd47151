// Which hosts are reached without the proxy, by the rules of Go's httpproxy package.
#pragma once

#include <string_view>

namespace epi::net {

// `exceptions` is the value of no_proxy: addresses and domains, each with a port or without, and networks such as
// 10.0.0.0/8, between commas; a domain counts for those below it too, and for them alone with a dot in front; "*" is
// everything. This machine is always an exception. `host` is without brackets, `port` digits.
bool IsProxyException(std::string_view host, std::string_view port, std::string_view exceptions);

}  // namespace epi::net
