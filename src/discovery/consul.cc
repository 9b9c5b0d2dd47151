// consul_sd_configs: services of a Consul catalog, watched with blocking queries.
#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <utility>

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
// Services followed at a time, each by a query under way: more than Consul's largest catalogs have.
constexpr size_t kMaxServices = 10'000;
constexpr MonotonicNs kNsPerMs = 1'000'000;
constexpr MonotonicNs kIdleNs = kBlockingQuerySeconds * 1'000 * kNsPerMs;  // while all queries are under way

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

constexpr MonotonicNs kNever = -1;

// A blocking query that is asked again and again. Services are watched by their names, the catalog by an empty one.
struct Watch {
  uint64_t last_index = 0;
  MonotonicNs due = 0;    // when to ask; kNever while a query is under way
  MonotonicNs begin = 0;  // of the query under way, or of the last
  uint64_t ticket = 0;    // of the query under way; answers to others are late
  net::HttpClient::RequestId request = 0;
};
constexpr char kCatalog[] = "";

// Answers on their way from the HTTP client's thread. Queries that are given up may still answer into it.
struct Inbox {
  struct Arrival {
    std::string watch;
    uint64_t ticket;
    Result<net::HttpResponse> answer;
  };
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<Arrival> arrived;  // guarded by mutex
};

// All queries are under way at once, however many services there are: one thread sends them and reads their answers.
class ConsulDiscoverer final : public Discoverer {
 public:
  ConsulDiscoverer(const config::ConsulSdConfig& config, ApiClient api, const DiscoveryParts& parts)
      : config_(config),
        api_(std::move(api)),
        clock_(parts.clock),
        logger_(parts, "consul"),
        metrics_(parts.registry),
        datacenter_(config.datacenter) {
    for (const auto& tag : config_.tags) tag_query_ += "&tag=" + net::EscapeQuery(tag);
  }

  void Run(TargetGroupSink& sink, std::stop_token stop) override {
    while (!FindDatacenter(stop)) {
      if (!WaitFor(clock_, kRetryMs, stop)) return;
    }
    if (config_.services.empty() || !config_.tags.empty() || !config_.filter.empty()) {
      Begin(kCatalog);
    } else {
      for (const auto& name : config_.services) Begin(name);
    }
    const std::stop_callback notify(stop, [inbox = inbox_] {
      const std::lock_guard<std::mutex> lock(inbox->mutex);
      inbox->wake.notify_all();
    });
    while (!stop.stop_requested()) {
      AskWhatIsDue();
      for (const auto& arrival : AwaitArrivals(stop)) Handle(arrival, sink);
    }
    for (const auto& [name, watch] : watches_) api_.http().Cancel(watch.request);
  }

 private:
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

  std::string Path(const std::string& name, uint64_t last_index) const {
    if (name == kCatalog) return "/v1/catalog/services" + Query(last_index, config_.filter);
    return "/v1/health/service/" + net::EscapePathSegment(name) + Query(last_index, config_.health_filter) + tag_query_;
  }

  void Begin(const std::string& name) { Schedule(name, watches_[name], clock_.Monotonic()); }

  void Schedule(const std::string& name, Watch& watch, MonotonicNs when) {
    watch.due = when;
    due_.emplace(when, name);
  }

  void AskWhatIsDue() {
    const MonotonicNs now = clock_.Monotonic();
    while (!due_.empty() && due_.begin()->first <= now) {
      const auto [when, name] = *due_.begin();
      due_.erase(due_.begin());
      // The time of a watch that is gone, or of one that was there before it.
      const auto watch = watches_.find(name);
      if (watch != watches_.end() && watch->second.due == when) Ask(name, watch->second, now);
    }
  }

  void Ask(const std::string& name, Watch& watch, MonotonicNs now) {
    watch.due = kNever;
    watch.begin = now;
    watch.ticket = ++tickets_;
    watch.request = api_.http().Send(api_.MakeGet(Path(name, watch.last_index)),
                                     [inbox = inbox_, name, ticket = watch.ticket](Result<net::HttpResponse> answer) {
                                       const std::lock_guard<std::mutex> lock(inbox->mutex);
                                       inbox->arrived.push_back({name, ticket, std::move(answer)});
                                       inbox->wake.notify_all();
                                     });
  }

  // Waits for answers; none when a query is due or the end has come.
  std::vector<Inbox::Arrival> AwaitArrivals(std::stop_token stop) {
    const MonotonicNs deadline = due_.empty() ? clock_.Monotonic() + kIdleNs : due_.begin()->first;
    std::unique_lock<std::mutex> lock(inbox_->mutex);
    clock_.WaitUntil(lock, inbox_->wake, deadline, [&] { return stop.stop_requested() || !inbox_->arrived.empty(); });
    if (stop.stop_requested()) return {};
    return std::exchange(inbox_->arrived, {});
  }

  void Handle(const Inbox::Arrival& arrival, TargetGroupSink& sink) {
    const auto found = watches_.find(arrival.watch);
    if (found == watches_.end() || found->second.ticket != arrival.ticket) return;
    Watch& watch = found->second;
    const bool is_catalog = arrival.watch == kCatalog;
    const MonotonicNs now = clock_.Monotonic();
    (is_catalog ? metrics_.services_duration : metrics_.service_duration)
        .Observe(static_cast<double>(now - watch.begin) / 1e9);
    const auto answer = api_.Read(arrival.answer, is_catalog ? catalog_shape_ : instances_shape_);
    if (!answer) {
      Schedule(arrival.watch, watch, now + kRetryMs * kNsPerMs);
      if (is_catalog) return Failed("Error refreshing service list", answer.error());
      logger_.Error("Error refreshing service", {{"service", arrival.watch}, {"err", answer.error().message()}});
      metrics_.failures.Increment();
      return;
    }
    // Queries begin at least an interval apart, however fast things change.
    Schedule(arrival.watch, watch, watch.begin + config_.refresh_interval * kNsPerMs);
    const uint64_t index = IndexOf(answer->headers);
    if (index == watch.last_index) return;
    watch.last_index = index;
    if (is_catalog) {
      UpdateWatches(answer->json, sink);
    } else {
      sink.Update({GroupOf(arrival.watch, answer->json)});
    }
  }

  bool IsWanted(const std::string& name, const Json& tags) const {
    const auto& names = config_.services;
    if (name.empty() || (!names.empty() && std::find(names.begin(), names.end(), name) == names.end())) return false;
    return std::all_of(config_.tags.begin(), config_.tags.end(), [&](const std::string& wanted) {
      return std::any_of(tags.items().begin(), tags.items().end(),
                         [&](const Json& tag) { return tag.text() == wanted; });
    });
  }

  // By the list of services: one watch a wanted service. One that is there stays, whatever its tags.
  void UpdateWatches(const Json& services, TargetGroupSink& sink) {
    std::set<std::string_view> names{kCatalog};
    for (const auto& [name, tags] : services.members()) names.insert(name);
    for (const auto& [name, tags] : services.members()) {
      if (!IsWanted(name, tags) || watches_.contains(name)) continue;
      if (watches_.size() > kMaxServices) {
        Failed("Error watching services",
               Error(ErrorCode::kLimit, "more than " + std::to_string(kMaxServices) + " services"));
        break;
      }
      Begin(name);
    }
    std::vector<TargetGroup> gone;
    std::erase_if(watches_, [&](const auto& entry) {
      if (names.contains(entry.first)) return false;
      api_.http().Cancel(entry.second.request);
      gone.emplace_back().source = entry.first;
      return true;
    });
    if (watches_.size() == 1) gone.emplace_back();  // says that nothing was found
    if (!gone.empty()) sink.Update(std::move(gone));
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
  std::string tag_query_;
  const JsonShape catalog_shape_{kConsulCatalogShape};
  const JsonShape instances_shape_{kConsulInstancesShape};
  std::map<std::string, Watch> watches_;
  std::multimap<MonotonicNs, std::string> due_;  // when to ask, with watches that are gone
  uint64_t tickets_ = 0;
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
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
