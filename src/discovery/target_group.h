// Targets that service discovery found together.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/labels.h"

namespace epi::discovery {

struct TargetGroup {
  std::string source;           // identifies the group within its provider; the next one with the same replaces it
  std::vector<Labels> targets;  // each with __address__; none: the group is gone
  Labels labels;                // of all of them
  friend bool operator==(const TargetGroup&, const TargetGroup&) = default;
};
using TargetGroups = std::vector<std::shared_ptr<const TargetGroup>>;

// {"targets": […], "labels": {…}}, strictly: `json: unknown field "x"`. Names of fields in any case, as Go takes them.
Result<TargetGroup> ParseTargetGroupJson(std::string_view json);
Result<TargetGroup> ParseTargetGroupYaml(std::string_view yaml);
// A list of groups, as files and HTTP endpoints give it. A null item is `nil target group item found`.
Result<std::vector<TargetGroup>> ParseTargetGroupsJson(std::string_view json);
Result<std::vector<TargetGroup>> ParseTargetGroupsYaml(std::string_view yaml);

// {"targets":["a","b"],"labels":{…}}: addresses only; labels are left out when there are none.
std::string TargetGroupToJson(const TargetGroup& group);
std::string TargetGroupToYaml(const TargetGroup& group);

// Host and port as Go's net.JoinHostPort: brackets around an address with a colon.
std::string JoinHostPort(std::string_view host, std::string_view port);

}  // namespace epi::discovery
