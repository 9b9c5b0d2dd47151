// ec2_sd_configs: the instances of an AWS region.
#include <algorithm>
#include <cstdlib>
#include <map>

#include "discovery/aws_access.h"
#include "discovery/discovery_log.h"
#include "discovery/kinds.h"
#include "discovery/listing_bounds.h"
#include "discovery/refresh.h"
#include "model/label_names.h"

namespace epi::discovery {
namespace {

constexpr char kApiVersion[] = "2016-11-15";
// A string, because every use adds to it.
const std::string kEc2Prefix = "__meta_ec2_";

// ",a,b,": surrounded, so that an expression need not care where in the list a value stands. ",," when there is none.
std::string Listed(const std::vector<std::string>& values) {
  std::string out = ",";
  for (const auto& value : values) out += value + ",";
  return values.empty() ? ",," : out;
}

struct Ipv6Addresses {
  std::vector<std::string> all;
  std::vector<std::string> primary;  // by device index; gaps are empty
  std::string first;                 // to scrape by when there is no IPv4
};

Ipv6Addresses Ipv6Of(const XmlElement& instance) {
  Ipv6Addresses out;
  if (instance["vpcId"].text.empty()) return out;
  for (const auto& interface : instance["networkInterfaceSet"].children) {
    if (!interface.Has("subnetId")) continue;
    for (const auto& item : interface["ipv6AddressesSet"].children) {
      const std::string& address = item["ipv6Address"].text;
      out.all.push_back(address);
      if (item["isPrimaryIpv6"].text != "true") continue;
      constexpr size_t kMostDevices = 256;  // far above what any instance has
      const size_t device = std::min<size_t>(
          std::strtoul(interface["attachment"]["deviceIndex"].text.c_str(), nullptr, 10), kMostDevices);
      if (out.primary.size() <= device) out.primary.resize(device + 1);
      out.primary[device] = address;
    }
  }
  if (!out.all.empty()) out.first = out.all.front();
  for (const auto& address : out.primary) {
    if (address.empty()) continue;
    out.first = address;
    break;
  }
  return out;
}

class Ec2Refresher final : public Refresher {
 public:
  Ec2Refresher(const config::Ec2SdConfig& config, std::unique_ptr<AwsAccess> aws, const DiscoveryParts& parts)
      : config_(config), aws_(std::move(aws)), logger_(parts, "ec2") {}

  Result<std::vector<TargetGroup>> Refresh(std::stop_token stop) override {
    std::vector<TargetGroup> out(1);
    EPI_ASSIGN(out[0].source, aws_->Region(stop));
    if (zone_ids_.empty()) FindZoneIds(stop);
    if (const auto listed = AddInstances(out[0], stop); !listed)
      return Fail(listed.error().WithContext("could not describe instances"));
    return out;
  }

 private:
  Result<void> AddInstances(TargetGroup& group, std::stop_token stop) {
    ListingBounds bounds("ec2");
    std::string next;
    while (true) {
      EPI_ASSIGN(const AwsAnswer page, aws_->Call("ec2", InstancesQuery(next), stop));
      EPI_TRY(bounds.AddAnswer(page.bytes));
      for (const auto& reservation : page.root["reservationSet"].children) {
        for (const auto& instance : reservation["instancesSet"].children)
          Add(instance, reservation["ownerId"].text, group);
      }
      next = page.root["nextToken"].text;
      if (next.empty()) return {};
      EPI_TRY(bounds.Follow(next));
    }
  }

  AwsParameters InstancesQuery(const std::string& next) const {
    AwsParameters out = {{"Action", "DescribeInstances"}, {"Version", kApiVersion}};
    for (size_t i = 0; i < config_.filters.size(); ++i) {
      const std::string prefix = "Filter." + std::to_string(i + 1) + ".";
      out.emplace_back(prefix + "Name", config_.filters[i].name);
      for (size_t j = 0; j < config_.filters[i].values.size(); ++j) {
        out.emplace_back(prefix + "Value." + std::to_string(j + 1), config_.filters[i].values[j]);
      }
    }
    if (!next.empty()) out.emplace_back("NextToken", next);
    return out;
  }

  // Zone ids are a nicety: without the right to ask for them, targets have none.
  void FindZoneIds(std::stop_token stop) {
    const auto answer = aws_->Call("ec2", {{"Action", "DescribeAvailabilityZones"}, {"Version", kApiVersion}}, stop);
    if (!answer) {
      logger_.Debug("Unable to describe availability zones", {{"err", answer.error().message()}});
      return;
    }
    for (const auto& zone : answer->root["availabilityZoneInfo"].children)
      zone_ids_[zone["zoneName"].text] = zone["zoneId"].text;
  }

  void Add(const XmlElement& instance, const std::string& owner, TargetGroup& group) const {
    const std::string& ip = instance["privateIpAddress"].text;
    const Ipv6Addresses ipv6 = Ipv6Of(instance);
    if (ip.empty() && ipv6.first.empty()) return;
    LabelsBuilder labels;
    for (const auto& tag : instance["tagSet"].children) {
      labels.Set(kEc2Prefix + "tag_" + SanitizeLabelName(tag["key"].text), tag["value"].text);
    }
    labels.Set("__address__", JoinHostPort(ip.empty() ? ipv6.first : ip, std::to_string(config_.port)));
    labels.Set(kEc2Prefix + "instance_id", instance["instanceId"].text);
    labels.Set(kEc2Prefix + "region", group.source);
    labels.Set(kEc2Prefix + "owner_id", owner);
    labels.Set(kEc2Prefix + "default_ipv6_address", ipv6.first);
    labels.Set(kEc2Prefix + "private_ip", ip);
    labels.Set(kEc2Prefix + "private_dns_name", instance["privateDnsName"].text);
    labels.Set(kEc2Prefix + "platform", instance["platform"].text);
    if (!instance["ipAddress"].text.empty()) {
      labels.Set(kEc2Prefix + "public_ip", instance["ipAddress"].text);
      labels.Set(kEc2Prefix + "public_dns_name", instance["dnsName"].text);
    }
    if (!ipv6.primary.empty()) labels.Set(kEc2Prefix + "primary_ipv6_addresses", Listed(ipv6.primary));
    if (!ipv6.all.empty()) labels.Set(kEc2Prefix + "ipv6_addresses", Listed(ipv6.all));
    labels.Set(kEc2Prefix + "ami", instance["imageId"].text);
    const std::string& zone = instance["placement"]["availabilityZone"].text;
    labels.Set(kEc2Prefix + "availability_zone", zone);
    if (const auto id = zone_ids_.find(zone); id != zone_ids_.end())
      labels.Set(kEc2Prefix + "availability_zone_id", id->second);
    labels.Set(kEc2Prefix + "instance_state", instance["instanceState"]["name"].text);
    labels.Set(kEc2Prefix + "instance_type", instance["instanceType"].text);
    labels.Set(kEc2Prefix + "instance_lifecycle", instance["instanceLifecycle"].text);
    labels.Set(kEc2Prefix + "architecture", instance["architecture"].text);
    SetNetwork(instance, labels);
    group.targets.push_back(labels.Build());
  }

  static void SetNetwork(const XmlElement& instance, LabelsBuilder& labels) {
    if (instance["vpcId"].text.empty()) return;
    labels.Set(kEc2Prefix + "vpc_id", instance["vpcId"].text);
    labels.Set(kEc2Prefix + "primary_subnet_id", instance["subnetId"].text);
    std::vector<std::string> subnets;  // each once, in the order of the interfaces
    for (const auto& interface : instance["networkInterfaceSet"].children) {
      const std::string& subnet = interface["subnetId"].text;
      if (!subnet.empty() && std::find(subnets.begin(), subnets.end(), subnet) == subnets.end())
        subnets.push_back(subnet);
    }
    labels.Set(kEc2Prefix + "subnet_id", Listed(subnets));
  }

  const config::Ec2SdConfig config_;
  std::unique_ptr<AwsAccess> aws_;
  DiscoveryLog logger_;
  std::map<std::string, std::string> zone_ids_;  // by zone name
};

}  // namespace

MadeDiscoverer MakeEc2(const config::Ec2SdConfig& config, const DiscoveryParts& parts) {
  EPI_ASSIGN(auto aws, AwsAccess::Make(config, parts));
  return MakeRefreshing(std::make_unique<Ec2Refresher>(config, std::move(aws), parts), "ec2", config.refresh_interval,
                        parts);
}

}  // namespace epi::discovery
