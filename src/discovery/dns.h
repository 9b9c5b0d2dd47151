// What DNS answers become as targets.
#pragma once

#include <string>
#include <vector>

#include "discovery/dns_resolver.h"
#include "discovery/target_group.h"

namespace epi::discovery {

// The group of one name. `port` is for records that name none.
TargetGroup DnsTargets(const std::string& name, const std::vector<DnsRecord>& records, int64_t port);

}  // namespace epi::discovery
