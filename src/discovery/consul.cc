// consul_sd_configs: services of a Consul catalog, watched with blocking queries.
#include <algorithm>
#include <charconv>
#include <map>
#include <system_error>
#include <thread>

#include "discovery/api_client.h"
#include "discovery/discovery_log.h"
#include "discovery/kind_metrics.h"
#include "discovery/kinds.h"
#include "discovery/waiting.h"
#include "net/url.h"

namespace epi::discovery {
namespace {

// How long a blocking query waits for a change, and how long the answer may take on top of it.
constexpr int64_t kBlockingQuerySeconds = 120;
constexpr int64_t kBlockingQuerySlackMs = 15'000;
constexpr int64_t kRetryMs = 15'000;  // after a failure
// Services followed at a time, each by a thread: more than Consul's largest catalogs have.
constexpr size_t kMaxWatches = 10'000;

constexpr char kConsulSelfShape[] = R"({"*":{"*":null}})";
constexpr char kConsulCatalogShape[] = R"({"*":[""]})";
constexpr char kConsulInstancesShape[] = R"([{
  "Node":{"Node":"","Address":"","Meta":{"*":""},"TaggedAddresses":{"*":""}},
  "Service":{"ID":"","Address":"","Port":0,"Tags":[""],"Meta":{"*":""},"Namespace":"","Partition":""},
  "Checks":[{"CheckID":"","Status":""}]}])";

uint64_t IndexOf(const net::HttpHeaders& headers) {
  const std::string_view text = headers.Get("X-Consul-Index");
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The worst of a service's checks; empty when one of them says something unheard of.
std::string_view HealthOf(const Json& checks) {
  bool maintenance = false;
  bool warning = false;
  bool critical = false;
  for (const auto& check : checks.items()) {
    const std::string& id = check["CheckID"].text();
    const std::string& status = check["Status"].text();
    if (id == "_node_maintenance" || id.starts_with("_service_maintenance:")) {
      maintenance = true;
    } else if (status == "warning") {
      warning = true;
    } else if (status == "critical") {
      critical = true;
    } else if (status != "passing") {
      return {};
    }
  }
  return maintenance ? "maintenance" : critical ? "critical" : warning ? "warning" : "passing";
}

class ConsulDiscoverer final : public Discoverer {
 public:
  ConsulDiscoverer(const config::ConsulSdConfig& config, ApiClient api, const DiscoveryParts& parts)
      : config_(config),
        api_(std::move(api)),
        clock_(parts.clock),
        logger_(parts, "consul"),
        metrics_(parts.registry),
        datacenter_(config.datacenter) {}

  void Run(TargetGroupSink& sink, std::stop_token stop) override {
    while (!FindDatacenter(stop)) {
      if (!WaitFor(clock_, kRetryMs, stop)) return;
    }
    if (config_.services.empty() || !config_.tags.empty() || !config_.filter.empty()) {
      WatchCatalog(sink, stop);
    } else {
      for (const auto& name : config_.services) StartWatch(name, sink);
      // The watches do the work; this thread only waits for the end.
      while (WaitFor(clock_, kBlockingQuerySeconds * 1000, stop)) {
      }
    }
    StopWatches();
  }

 private:
  struct Watch {
    std::stop_source stop;
    std::thread thread;
  };

  bool FindDatacenter(std::stop_token stop) {
    if (!datacenter_.empty()) return true;
    const auto self = api_.Get("/v1/agent/self", JsonShape(kConsulSelfShape), stop);
    if (!self) {
      if (!stop.stop_requested()) Failed("Error retrieving datacenter name", self.error());
      return false;
    }
    const Json& name = self->json["Config"]["Datacenter"];
    if (!name.IsString()) {
      logger_.Error("Error retrieving datacenter name", {{"err", "invalid value for Config.Datacenter"}});
      return false;
    }
    datacenter_ = name.text();
    return true;
  }

  void Failed(std::string_view what, const Error& error) {
    logger_.Error(what, {{"err", error.message()}});
    metrics_.failures.Increment();
  }

  // What every query says: consistency, place, filters and, from the second time on, that it waits for a change.
  std::string Query(uint64_t last_index, const std::string& filter) const {
    std::string out = "?";
    const auto add = [&out](std::string_view key, const std::string& value) {
      if (out.size() > 1) out += '&';
      out += std::string(key) + "=" + net::EscapeQuery(value);
    };
    if (config_.allow_stale) add("stale", "");
    if (!config_.datacenter.empty()) add("dc", config_.datacenter);
    if (!config_.name_space.empty()) add("ns", config_.name_space);
    if (!config_.partition.empty()) add("partition", config_.partition);
    if (!filter.empty()) add("filter", filter);
    for (const auto& [key, value] : config_.node_meta) add("node-meta", key + ":" + value);
    if (last_index != 0) add("index", std::to_string(last_index));
    add("wait", std::to_string(kBlockingQuerySeconds) + "s");
    return out;
  }

  bool IsWanted(const std::string& name, const Json& tags) const {
    const auto& names = config_.services;
    if (!names.empty() && std::find(names.begin(), names.end(), name) == names.end()) return false;
    return std::all_of(config_.tags.begin(), config_.tags.end(), [&](const std::string& wanted) {
      return std::any_of(tags.items().begin(), tags.items().end(),
                         [&](const Json& tag) { return tag.text() == wanted; });
    });
  }

  // Follows the list of services: one watch a wanted service.
  void WatchCatalog(TargetGroupSink& sink, std::stop_token stop) {
    const JsonShape shape(kConsulCatalogShape);
    uint64_t last_index = 0;
    while (!stop.stop_requested()) {
      const MonotonicNs begin = clock_.Monotonic();
      const auto answer = api_.Get("/v1/catalog/services" + Query(last_index, config_.filter), shape, stop);
      metrics_.services_duration.Observe(static_cast<double>(clock_.Monotonic() - begin) / 1e9);
      if (stop.stop_requested()) return;
      if (!answer) {
        Failed("Error refreshing service list", answer.error());
        if (!WaitFor(clock_, kRetryMs, stop)) return;
        continue;
      }
      const uint64_t index = IndexOf(answer->headers);
      if (index != last_index) {
        last_index = index;
        UpdateWatches(answer->json, sink);
      }
      if (!WaitUntilNext(begin, stop)) return;
    }
  }

  void UpdateWatches(const Json& services, TargetGroupSink& sink) {
    for (const auto& [name, tags] : services.members()) {
      if (IsWanted(name, tags) && !watches_.contains(name)) StartWatch(name, sink);
    }
    std::vector<TargetGroup> gone;
    for (auto watch = watches_.begin(); watch != watches_.end();) {
      if (!services[watch->first].IsNull()) {
        ++watch;
        continue;
      }
      StopWatch(watch->second);
      gone.emplace_back().source = watch->first;
      watch = watches_.erase(watch);
    }
    if (watches_.empty()) gone.emplace_back();  // says that nothing was found
    if (!gone.empty()) sink.Update(std::move(gone));
  }

  // A service that cannot be followed has no targets; with the next change of the catalog it is tried again.
  void StartWatch(const std::string& name, TargetGroupSink& sink) {
    if (watches_.size() >= kMaxWatches)
      return Failed("Error watching service " + name,
                    Error(ErrorCode::kLimit, "more than " + std::to_string(kMaxWatches) + " services"));
    Watch& watch = watches_[name];
    try {
      watch.thread =
          std::thread([this, name, &sink, stop = watch.stop.get_token()] { WatchService(name, sink, stop); });
    } catch (const std::system_error& error) {  // the system gives no more threads
      Failed("Error watching service " + name, Error(ErrorCode::kUnavailable, error.what()));
      watches_.erase(name);
    }
  }

  static void StopWatch(Watch& watch) {
    watch.stop.request_stop();
    if (watch.thread.joinable()) watch.thread.join();
  }

  void StopWatches() {
    for (auto& [name, watch] : watches_) watch.stop.request_stop();
    for (auto& [name, watch] : watches_) watch.thread.join();
    watches_.clear();
  }

  // Follows the instances of one service. Runs on a thread of its own.
  void WatchService(const std::string& name, TargetGroupSink& sink, std::stop_token stop) {
    const JsonShape shape(kConsulInstancesShape);
    std::string tags;
    for (const auto& tag : config_.tags) tags += "&tag=" + net::EscapeQuery(tag);
    const std::string path = "/v1/health/service/" + net::EscapePathSegment(name);
    uint64_t last_index = 0;
    while (!stop.stop_requested()) {
      const MonotonicNs begin = clock_.Monotonic();
      const auto answer = api_.Get(path + Query(last_index, config_.health_filter) + tags, shape, stop);
      metrics_.service_duration.Observe(static_cast<double>(clock_.Monotonic() - begin) / 1e9);
      if (stop.stop_requested()) return;
      if (!answer) {
        logger_.Error("Error refreshing service", {{"service", name}, {"err", answer.error().message()}});
        metrics_.failures.Increment();
        if (!WaitFor(clock_, kRetryMs, stop)) return;
        continue;
      }
      const uint64_t index = IndexOf(answer->headers);
      if (index != last_index) {
        last_index = index;
        sink.Update({GroupOf(name, answer->json)});
      }
      if (!WaitUntilNext(begin, stop)) return;
    }
  }

  // Queries begin at least an interval apart, however fast things change.
  bool WaitUntilNext(MonotonicNs begin, std::stop_token stop) {
    const int64_t elapsed_ms = (clock_.Monotonic() - begin) / 1'000'000;
    return elapsed_ms >= config_.refresh_interval || WaitFor(clock_, config_.refresh_interval - elapsed_ms, stop);
  }

  TargetGroup GroupOf(const std::string& name, const Json& instances) const {
    TargetGroup out;
    out.source = name;
    out.labels = Labels{{"__meta_consul_service", name}, {"__meta_consul_dc", datacenter_}};
    for (const auto& instance : instances.items()) out.targets.push_back(TargetOf(instance));
    return out;
  }

  Labels TargetOf(const Json& instance) const {
    const Json& node = instance["Node"];
    const Json& service = instance["Service"];
    const std::string& service_address = service["Address"].text();
    const std::string port = std::to_string(service["Port"].integer());
    std::string tags = config_.tag_separator;
    for (size_t i = 0; i < service["Tags"].items().size(); ++i) {
      if (i > 0) tags += config_.tag_separator;
      tags += service["Tags"].at(i).text();
    }
    tags += config_.tag_separator;
    LabelsBuilder labels;
    SetPrefixed(labels, "__meta_consul_metadata_", node["Meta"]);
    SetPrefixed(labels, "__meta_consul_service_metadata_", service["Meta"]);
    SetPrefixed(labels, "__meta_consul_tagged_address_", node["TaggedAddresses"]);
    labels.Set("__address__", JoinHostPort(service_address.empty() ? node["Address"].text() : service_address, port));
    labels.Set("__meta_consul_address", node["Address"].text());
    labels.Set("__meta_consul_node", node["Node"].text());
    labels.Set("__meta_consul_namespace", service["Namespace"].text());
    labels.Set("__meta_consul_partition", service["Partition"].text());
    labels.Set("__meta_consul_tags", tags);
    labels.Set("__meta_consul_service_address", service_address);
    labels.Set("__meta_consul_service_port", port);
    labels.Set("__meta_consul_service_id", service["ID"].text());
    labels.Set("__meta_consul_health", HealthOf(instance["Checks"]));
    return labels.Build();
  }

  const config::ConsulSdConfig config_;
  ApiClient api_;
  Clock& clock_;
  DiscoveryLog logger_;
  const ConsulMetrics metrics_;
  std::string datacenter_;
  std::map<std::string, Watch> watches_;  // by service; touched by the discovery's own thread only
};

}  // namespace

MadeDiscoverer MakeConsul(const config::ConsulSdConfig& config, const DiscoveryParts& parts) {
  std::string base = config.server;
  if (base.find("://") == std::string::npos) base = config.scheme + "://" + base;
  std::string prefix = config.path_prefix;
  if (!prefix.empty() && !prefix.starts_with('/')) prefix = "/" + prefix;
  EPI_ASSIGN(auto api, ApiClient::Make(parts.http, base + prefix, config.http, "consul_sd"));
  api.set_complaint(&UnexpectedResponseCode);
  api.SetTimeoutMs(kBlockingQuerySeconds * 1000 + kBlockingQuerySlackMs);
  if (!config.token.empty()) api.AddHeader("X-Consul-Token", config.token);
  return std::make_unique<ConsulDiscoverer>(config, std::move(api), parts);
}

}  // namespace epi::discovery
