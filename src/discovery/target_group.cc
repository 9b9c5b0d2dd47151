#include "discovery/target_group.h"

#include <algorithm>

#include "base/escaping.h"
#include "config/discovery_config.h"
#include "config/yaml_json.h"
#include "config/yaml_writer.h"
#include "discovery/json.h"
#include "model/case_mapping.h"

namespace epi::discovery {
namespace {

constexpr std::string_view kAddress = "__address__";

tl::unexpected<Error> InvalidGroup(std::string text) { return Fail(ErrorCode::kInvalid, std::move(text)); }

// In the words of Prometheus's JSON library, `place` in Go's types: "Go value of type []*targetgroup.Group".
tl::unexpected<Error> Misfit(const Json& json, std::string_view place) {
  return InvalidGroup("json: cannot unmarshal " + std::string(Json::KindName(json.kind())) + " into " +
                      std::string(place));
}

TargetGroup MakeGroup(const std::vector<std::string>& addresses, const config::StringMap& labels) {
  TargetGroup out;
  for (const auto& address : addresses) out.targets.push_back(Labels{{kAddress, address}});
  std::vector<LabelView> pairs;
  for (const auto& [name, value] : labels) pairs.push_back({name, value});
  out.labels = Labels::FromPairs(std::move(pairs));
  return out;
}

Result<std::vector<std::string>> TargetsOf(const Json& json) {
  std::vector<std::string> out;
  if (!json.IsNull() && !json.IsArray()) return Misfit(json, "Go struct field .targets of type []string");
  for (const auto& item : json.items()) {
    if (!item.IsString() && !item.IsNull()) return Misfit(item, "Go struct field .targets of type string");
    out.push_back(item.text());
  }
  return out;
}

Result<config::StringMap> LabelsOf(const Json& json) {
  config::StringMap out;
  if (!json.IsNull() && !json.IsObject())
    return Misfit(json, "Go struct field .labels of type map[model.LabelName]model.LabelValue");
  for (const auto& [name, value] : json.members()) {
    if (!value.IsString() && !value.IsNull()) return Misfit(value, "Go struct field .labels of type model.LabelValue");
    if (name.empty()) return InvalidGroup("\"\" is not a valid label name");
    out.emplace_back(name, value.text());
  }
  return out;
}

Result<TargetGroup> GroupOf(const Json& json) {
  std::vector<std::string> targets;
  config::StringMap labels;
  if (!json.IsObject())
    return Misfit(
        json,
        R"(Go value of type struct { Targets []string "json:\"targets\""; Labels model.LabelSet "json:\"labels\"" })");
  for (const auto& [name, value] : json.members()) {
    const std::string lower = ToLowerUtf8(name);
    if (lower == "targets") {
      EPI_ASSIGN(targets, TargetsOf(value));
    } else if (lower == "labels") {
      EPI_ASSIGN(labels, LabelsOf(value));
    } else {
      std::string text = "json: unknown field ";
      AppendQuoted(text, name);
      return InvalidGroup(std::move(text));
    }
  }
  return MakeGroup(targets, labels);
}

std::vector<std::string> AddressesOf(const TargetGroup& group) {
  std::vector<std::string> out;
  for (const auto& target : group.targets) out.emplace_back(target.Get(kAddress));
  return out;
}

}  // namespace

Result<TargetGroup> ParseTargetGroupJson(std::string_view json) {
  EPI_ASSIGN(const Json parsed, Json::Parse(json));
  return GroupOf(parsed);
}

Result<TargetGroup> ParseTargetGroupYaml(std::string_view yaml) {
  EPI_ASSIGN(const config::StaticGroup group, config::ParseStaticGroup(yaml));
  return MakeGroup(group.targets, group.labels);
}

Result<std::vector<TargetGroup>> ParseTargetGroupsJson(std::string_view json) {
  EPI_ASSIGN(const Json parsed, Json::Parse(json));
  std::vector<TargetGroup> out;
  if (!parsed.IsNull() && !parsed.IsArray()) return Misfit(parsed, "Go value of type []*targetgroup.Group");
  for (const auto& item : parsed.items()) {
    if (item.IsNull()) return InvalidGroup("nil target group item found");
    EPI_ASSIGN(auto group, GroupOf(item));
    out.push_back(std::move(group));
  }
  return out;
}

Result<std::vector<TargetGroup>> ParseTargetGroupsYaml(std::string_view yaml) {
  EPI_ASSIGN(const auto groups, config::ParseStaticGroups(yaml));
  std::vector<TargetGroup> out;
  for (const auto& group : groups) out.push_back(MakeGroup(group.targets, group.labels));
  return out;
}

std::string TargetGroupToJson(const TargetGroup& group) {
  std::string out = "{\"targets\":[";
  for (const auto& address : AddressesOf(group)) {
    if (out.back() != '[') out += ',';
    AppendJsonString(out, address, JsonStyle::kEncoding);
  }
  out += ']';
  if (!group.labels.empty()) {
    out += ",\"labels\":{";
    for (const auto label : group.labels) {
      if (out.back() != '{') out += ',';
      AppendJsonString(out, label.name, JsonStyle::kEncoding);
      out += ':';
      AppendJsonString(out, label.value, JsonStyle::kEncoding);
    }
    out += '}';
  }
  return out += '}';
}

std::string TargetGroupToYaml(const TargetGroup& group) {
  config::YamlValue out = config::YamlValue::Mapping();
  out.Set("targets", config::YamlValue::Strings(AddressesOf(group)));
  if (!group.labels.empty()) {
    config::StringMap labels;
    for (const auto label : group.labels) labels.emplace_back(label.name, label.value);
    out.Set("labels", config::YamlValue::StringMap(labels));
  }
  return out.Text();
}

std::string JoinHostPort(std::string_view host, std::string_view port) {
  const bool brackets = host.find(':') != std::string_view::npos;
  std::string out = brackets ? "[" : "";
  out += host;
  if (brackets) out += ']';
  out += ':';
  return out += port;
}

}  // namespace epi::discovery
