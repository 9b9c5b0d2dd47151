// dns_sd_configs: targets from A, AAAA, SRV, MX and NS records.
#include "discovery/dns.h"

#include "discovery/discovery_log.h"
#include "discovery/kind_metrics.h"
#include "discovery/kinds.h"
#include "discovery/refresh.h"
#include "model/case_mapping.h"

namespace epi::discovery {
namespace {

struct TypeName {
  std::string_view name;
  DnsType type;
};
constexpr TypeName kTypes[] = {
    {"SRV", DnsType::kSrv}, {"A", DnsType::kA}, {"AAAA", DnsType::kAaaa}, {"MX", DnsType::kMx}, {"NS", DnsType::kNs}};

class DnsRefresher final : public Refresher {
 public:
  DnsRefresher(const config::DnsSdConfig& config, std::unique_ptr<DnsResolver> resolver, const DiscoveryParts& parts)
      : config_(config), resolver_(std::move(resolver)), logger_(parts, "dns"), metrics_(parts.registry) {
    const std::string type = ToUpperUtf8(config.type);
    for (const auto& row : kTypes) {
      if (row.name == type) type_ = row.type;
    }
  }

  // A name that cannot be resolved keeps its targets; the others are refreshed all the same.
  Result<std::vector<TargetGroup>> Refresh(std::stop_token stop) override {
    std::vector<TargetGroup> out;
    for (const auto& name : config_.names) {
      const auto records = resolver_->Lookup(name, type_, stop);
      metrics_.lookups.Increment();
      if (stop.stop_requested()) break;
      if (!records) {
        metrics_.failures.Increment();
        logger_.Error("Error refreshing DNS targets", {{"err", records.error().message()}});
        continue;
      }
      out.push_back(DnsTargets(name, *records, config_.port));
    }
    return out;
  }

 private:
  const config::DnsSdConfig config_;
  std::unique_ptr<DnsResolver> resolver_;
  DiscoveryLog logger_;
  const DnsMetrics metrics_;
  DnsType type_ = DnsType::kSrv;
};

// The label that keeps a record's own name; none for addresses.
std::string_view TargetLabel(DnsType type) {
  switch (type) {
    case DnsType::kSrv:
      return "__meta_dns_srv_record_target";
    case DnsType::kMx:
      return "__meta_dns_mx_record_target";
    case DnsType::kNs:
      return "__meta_dns_ns_record_target";
    default:
      return {};
  }
}

}  // namespace

TargetGroup DnsTargets(const std::string& name, const std::vector<DnsRecord>& records, int64_t port) {
  TargetGroup out;
  out.source = name;
  for (const auto& record : records) {
    LabelsBuilder labels;
    labels.Set("__meta_dns_name", name);
    const std::string record_port = std::to_string(record.type == DnsType::kSrv ? record.port : port);
    if (record.type == DnsType::kSrv) labels.Set("__meta_dns_srv_record_port", record_port);
    std::string_view host = record.target;
    if (const std::string_view label = TargetLabel(record.type); !label.empty()) {
      labels.Set(label, record.target);
      // Rooted names look unusual in an address.
      while (host.ends_with('.')) host.remove_suffix(1);
    }
    labels.Set("__address__", JoinHostPort(host, record_port));
    out.targets.push_back(labels.Build());
  }
  return out;
}

MadeDiscoverer MakeDns(const config::DnsSdConfig& config, const DiscoveryParts& parts) {
  auto resolver =
      MakeSystemResolver(parts.files, parts.resolver_config.empty() ? net::kResolverConfig : parts.resolver_config);
  return MakeRefreshing(std::make_unique<DnsRefresher>(config, std::move(resolver), parts), "dns",
                        config.refresh_interval, parts);
}

}  // namespace epi::discovery
