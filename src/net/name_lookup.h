// What Go's resolver would make of a host, and its words when there is none.
#pragma once

#include <string>
#include <string_view>

#include "base/file_system.h"

namespace epi::net {

// An IPv4 address in a form that C libraries read and Go takes for a name: "127.1", "0x7f.0.0.1", "2130706433".
bool IsLooseAddress(std::string_view host);
// `lookup h on 10.0.0.53:53: no such host`. The server is the first of `config` (a resolv.conf); what cannot be a name
// is asked of none.
std::string NoSuchHost(std::string_view host, const std::string& config, FileSystem& files);

}  // namespace epi::net
