// What docker and dockerswarm discovery share: reaching the engine, filters, networks.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/sd_configs.h"
#include "discovery/api_client.h"

namespace epi::discovery {

// `host` is unix://PATH, tcp://HOST:PORT, http:// or https://; the HTTP settings hold for the last two, as in
// Prometheus.
Result<ApiClient> MakeDockerClient(net::HttpClient& http, const std::string& host,
                                   const net::HttpClientSettings& settings, const std::string& dialer);

// "?filters={…}" for a list request; empty without filters.
std::string DockerFilterQuery(const std::vector<config::NamedFilter>& filters);

// The labels of every network, by its id.
Result<std::map<std::string, Labels>> DockerNetworkLabels(const ApiClient& api, const std::string& label_prefix,
                                                          std::stop_token stop);

// Adds all of `from`.
void SetAll(LabelsBuilder& labels, const Labels& from);

// "10.0.0.3/24" without the length of its prefix; kInvalid `error while parsing address x:
// invalid CIDR address: x`.
Result<std::string> AddressOfCidr(const std::string& text);

}  // namespace epi::discovery
