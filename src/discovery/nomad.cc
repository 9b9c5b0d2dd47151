// nomad_sd_configs: the services registered in Nomad itself.
#include "discovery/api_client.h"
#include "discovery/kind_metrics.h"
#include "discovery/kinds.h"
#include "discovery/listing_bounds.h"
#include "discovery/refresh.h"
#include "net/url.h"

namespace epi::discovery {
namespace {

constexpr char kNomadServicesShape[] = R"([{"Services":[{"ServiceName":""}]}])";
constexpr char kNomadInstancesShape[] = R"([{
  "ID":"","ServiceName":"","Namespace":"","NodeID":"","Datacenter":"","Tags":[""],"Address":"","Port":0}])";

class NomadRefresher final : public Refresher {
 public:
  NomadRefresher(const config::NomadSdConfig& config, ApiClient api, const DiscoveryParts& parts)
      : config_(config), api_(std::move(api)), failures_(NomadFailures(parts.registry)) {
    query_ = "?namespace=" + net::EscapeQuery(config.name_space) + "&region=" + net::EscapeQuery(config.region);
    if (config.allow_stale) query_ += "&stale=";
  }

  Result<std::vector<TargetGroup>> Refresh(std::stop_token stop) override {
    auto out = Ask(stop);
    if (!out) failures_.Increment();
    return out;
  }

 private:
  Result<std::vector<TargetGroup>> Ask(std::stop_token stop) const {
    ListingBounds bounds("nomad");
    EPI_ASSIGN(const auto stubs, api_.Get("/v1/services" + query_, services_shape_, stop));
    EPI_TRY(bounds.AddAnswer(stubs.bytes));
    std::vector<TargetGroup> out(1);
    out[0].source = "Nomad";
    for (const auto& stub : stubs.json.items()) {
      for (const auto& service : stub["Services"].items()) {
        const std::string path = "/v1/service/" + net::EscapePathSegment(service["ServiceName"].text());
        auto instances = api_.Get(path + query_, instances_shape_, stop);
        if (!instances) return Fail(instances.error().WithContext("failed to fetch services"));
        EPI_TRY(bounds.AddAnswer(instances->bytes));
        for (const auto& instance : instances->json.items()) out[0].targets.push_back(Target(instance));
      }
    }
    return out;
  }

  Labels Target(const Json& instance) const {
    LabelsBuilder labels;
    const std::string& address = instance["Address"].text();
    const std::string port = std::to_string(instance["Port"].integer());
    labels.Set("__meta_nomad_address", address);
    labels.Set("__meta_nomad_dc", instance["Datacenter"].text());
    labels.Set("__meta_nomad_node_id", instance["NodeID"].text());
    labels.Set("__meta_nomad_namespace", instance["Namespace"].text());
    labels.Set("__meta_nomad_service_address", address);
    labels.Set("__meta_nomad_service_id", instance["ID"].text());
    labels.Set("__meta_nomad_service_port", port);
    labels.Set("__meta_nomad_service", instance["ServiceName"].text());
    labels.Set("__address__", JoinHostPort(address, port));
    if (!instance["Tags"].items().empty()) {
      // Surrounded, so that an expression need not care where in the list a tag stands.
      std::string tags = config_.tag_separator;
      for (const auto& tag : instance["Tags"].items()) tags += tag.text() + config_.tag_separator;
      labels.Set("__meta_nomad_tags", tags);
    }
    return labels.Build();
  }

  const config::NomadSdConfig config_;
  ApiClient api_;
  Counter& failures_;
  const JsonShape services_shape_{kNomadServicesShape};
  const JsonShape instances_shape_{kNomadInstancesShape};
  std::string query_;
};

}  // namespace

MadeDiscoverer MakeNomad(const config::NomadSdConfig& config, const DiscoveryParts& parts) {
  EPI_ASSIGN(auto api, ApiClient::Make(parts.http, config.server, config.http, "nomad_sd"));
  api.set_complaint(&UnexpectedResponseCode);
  return MakeRefreshing(std::make_unique<NomadRefresher>(config, std::move(api), parts), "nomad",
                        config.refresh_interval, parts);
}

}  // namespace epi::discovery
