#include "discovery/docker_api.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/escaping.h"
#include "net/url.h"

namespace epi::discovery {
namespace {

constexpr char kNetworksShape[] =
    R"([{"Id":"","Name":"","Scope":"","Internal":false,"Ingress":false,"Labels":{"*":""}}])";

// The engine says what is wrong in JSON; something between may say it otherwise.
std::string DockerComplaint(const net::HttpResponse& response, std::string_view body) {
  const std::string begin = "Error response from daemon: ";
  if (!response.headers.Get("Content-Type").starts_with("application/json"))
    return begin + std::string(TrimSpace(body));
  const auto parsed = Json::Parse(body);
  const std::string message(parsed ? TrimSpace((*parsed)["message"].text()) : std::string_view());
  if (!message.empty()) return begin + message;
  const std::string reason = response.status_text.substr(std::min<size_t>(4, response.status_text.size()));
  return begin + "API returned a " + std::to_string(response.status) + " (" + reason +
         ") but provided no error-message";
}

// As the engine's own client tells it.
std::string DockerUnreachable(const std::string& host, const Error& error) {
  const std::string& text = error.message();
  const std::string reason = text.substr(std::min(text.rfind(": ") + 2, text.size()));
  if (host.starts_with("unix://")) {
    const std::string path = host.substr(std::string_view("unix://").size());
    return "failed to connect to the docker API at " + host +
           "; check if the path is correct and if the daemon is running: dial unix " + path + ": connect: " + reason;
  }
  if (reason == "connection refused")
    return "Cannot connect to the Docker daemon at " + host + ". Is the docker daemon running?";
  const size_t dial = text.find(": dial ") + std::string_view(": dial ").size();
  const size_t lookup = text.find("lookup ", dial);
  return "failed to connect to the docker API at " + host + ": " +
         (lookup == std::string::npos ? "dial " + text.substr(dial) : text.substr(lookup));
}

Result<ApiClient> ClientFor(net::HttpClient& http, const std::string& host, const net::HttpClientSettings& settings,
                            const std::string& dialer) {
  EPI_ASSIGN(const auto url, net::ParseUrl(host));
  if (url.scheme == "http" || url.scheme == "https") return ApiClient::Make(http, host, settings, dialer);
  if (url.scheme == "unix") {
    EPI_ASSIGN(auto out, ApiClient::Make(http, "http://localhost", {}, dialer));
    out.UseUnixSocket(url.host + url.path);
    return out;
  }
  if (url.scheme == "tcp") return ApiClient::Make(http, "http://" + url.host + url.path, {}, dialer);
  return Fail(ErrorCode::kInvalid, "unable to parse docker host `" + host + "`");
}

}  // namespace

Result<ApiClient> MakeDockerClient(net::HttpClient& http, const std::string& host,
                                   const net::HttpClientSettings& settings, const std::string& dialer) {
  EPI_ASSIGN(auto out, ClientFor(http, host, settings, dialer));
  out.set_complaint(&DockerComplaint);
  out.set_unreachable(&DockerUnreachable, host);
  return out;
}

std::string DockerFilterQuery(const std::vector<config::NamedFilter>& filters) {
  if (filters.empty()) return {};
  std::map<std::string, std::vector<std::string>> merged;
  for (const auto& filter : filters) {
    auto& values = merged[filter.name];
    values.insert(values.end(), filter.values.begin(), filter.values.end());
  }
  std::string json = "{";
  for (const auto& [name, values] : merged) {
    if (json.size() > 1) json += ',';
    AppendJsonString(json, name, JsonStyle::kEncoding);
    json += ":{";
    for (const auto& value : values) {
      if (json.back() != '{') json += ',';
      AppendJsonString(json, value, JsonStyle::kEncoding);
      json += ":true";
    }
    json += '}';
  }
  return "?filters=" + net::EscapeQuery(json + "}");
}

Result<std::map<std::string, Labels>> DockerNetworkLabels(const ApiClient& api, const std::string& label_prefix,
                                                          std::stop_token stop) {
  EPI_ASSIGN(const auto networks, api.Get("/networks", JsonShape(kNetworksShape), stop));
  std::map<std::string, Labels> out;
  const std::string prefix = label_prefix + "network_";
  for (const auto& network : networks.json.items()) {
    LabelsBuilder labels;
    SetPrefixed(labels, prefix + "label_", network["Labels"]);
    labels.Set(prefix + "id", network["Id"].text());
    labels.Set(prefix + "name", network["Name"].text());
    labels.Set(prefix + "scope", network["Scope"].text());
    labels.Set(prefix + "internal", network["Internal"].boolean() ? "true" : "false");
    labels.Set(prefix + "ingress", network["Ingress"].boolean() ? "true" : "false");
    out[network["Id"].text()] = labels.Build();
  }
  return out;
}

void SetAll(LabelsBuilder& labels, const Labels& from) {
  for (const auto label : from) labels.Set(label.name, label.value);
}

Result<std::string> AddressOfCidr(const std::string& text) {
  const std::string address = text.substr(0, text.find('/'));
  unsigned char bytes[16];
  const bool valid =
      ::inet_pton(AF_INET, address.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, address.c_str(), bytes) == 1;
  if (valid && text.size() > address.size() + 1) return address;
  const std::string shown = text.empty() ? "invalid Prefix" : text;  // as Go shows none
  return Fail(ErrorCode::kInvalid, "error while parsing address " + shown + ": invalid CIDR address: " + shown);
}

}  // namespace epi::discovery
