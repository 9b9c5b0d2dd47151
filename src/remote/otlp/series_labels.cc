#include "remote/otlp/series_labels.h"

#include <algorithm>
#include <array>

#include "base/escaping.h"

namespace epi::remote::otlp {
namespace {

constexpr std::string_view kServiceName = "service.name";
constexpr std::string_view kServiceNamespace = "service.namespace";
constexpr std::string_view kServiceInstance = "service.instance.id";

const std::string* ValueOf(const Attributes& attributes, std::string_view key) {
  const auto at = std::find_if(attributes.begin(), attributes.end(), [&](const Attribute& a) { return a.key == key; });
  return at == attributes.end() ? nullptr : &at->value;
}

bool IsIdentifying(std::string_view key) {
  return key == kServiceName || key == kServiceNamespace || key == kServiceInstance;
}

template <typename List>
bool Contains(const List& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

std::vector<const Attribute*> SortedByKey(std::vector<const Attribute*> attributes) {
  std::stable_sort(attributes.begin(), attributes.end(),
                   [](const Attribute* a, const Attribute* b) { return a->key < b->key; });
  return attributes;
}

std::string CollisionText(const std::vector<const Attribute*>& together, std::string_view label) {
  std::string out = "OTLP data point attributes ";
  for (size_t i = 0; i < together.size(); ++i) {
    if (i > 0) out += ", ";
    AppendQuoted(out, together[i]->key);
  }
  out += " collide as label ";
  AppendQuoted(out, label);
  return out + " after name sanitization, values are concatenated with ';'";
}

}  // namespace

SeriesLabels::SeriesLabels(const config::OtlpConfig& config, const Namer& namer) : config_(config), namer_(namer) {}

Result<std::string_view> SeriesLabels::NameOf(std::string_view attribute) {
  const auto known = names_.find(attribute);
  if (known != names_.end()) return std::string_view(known->second);
  EPI_ASSIGN(auto name, namer_.LabelName(attribute));
  return std::string_view(names_.emplace(attribute, std::move(name)).first->second);
}

bool SeriesLabels::Promoted(std::string_view attribute) const {
  if (config_.promote_all_resource_attributes) return !Contains(config_.ignore_resource_attributes, attribute);
  return Contains(config_.promote_resource_attributes, attribute);
}

Result<void> SeriesLabels::SetResource(const Attributes& attributes) {
  resource_ = &attributes;
  promoted_.clear();
  identity_.clear();
  scope_.clear();
  std::vector<const Attribute*> chosen;
  for (const auto& attribute : attributes) {
    if (Promoted(attribute.key)) chosen.push_back(&attribute);
  }
  for (const Attribute* attribute : SortedByKey(std::move(chosen))) {
    EPI_ASSIGN(const auto name, NameOf(attribute->key));
    promoted_.emplace_back(name, attribute->value);
  }
  if (const std::string* service = ValueOf(attributes, kServiceName)) {
    const std::string* space = ValueOf(attributes, kServiceNamespace);
    identity_.emplace_back("job", space != nullptr ? *space + "/" + *service : *service);
  }
  if (const std::string* instance = ValueOf(attributes, kServiceInstance))
    identity_.emplace_back("instance", *instance);
  return {};
}

Result<void> SeriesLabels::SetScope(const ScopeLabels& scope) {
  scope_.clear();
  if (!config_.promote_scope_metadata || scope.name.empty()) return {};
  if (scope.attributes != nullptr) {
    for (const auto& attribute : *scope.attributes) {
      EPI_ASSIGN(auto name, namer_.LabelName("otel_scope_" + std::string(attribute.key)));
      scope_.emplace_back(std::move(name), attribute.value);
    }
  }
  scope_.emplace_back("otel_scope_name", scope.name);
  scope_.emplace_back("otel_scope_version", scope.version);
  scope_.emplace_back("otel_scope_schema_url", scope.schema_url);
  return {};
}

// Attributes that become one label are joined in the order of their keys, empty ones at the front left out. Where names
// stay as they are none but equal keys do, and those are the sender's mistake.
Result<void> SeriesLabels::SetAttributes(std::vector<const Attribute*> attributes, LabelsBuilder& out,
                                         Warnings& warnings) {
  struct Named {
    std::string_view name;
    std::vector<const Attribute*> attributes;
  };
  std::vector<Named> labels;
  for (const Attribute* attribute : SortedByKey(std::move(attributes))) {
    std::string_view name = attribute->key;
    if (namer_.escapes()) {
      EPI_ASSIGN(name, NameOf(attribute->key));
    }
    const auto at = std::find_if(labels.begin(), labels.end(), [&](const Named& label) { return label.name == name; });
    if (at == labels.end()) {
      labels.push_back({name, {attribute}});
    } else if (namer_.escapes()) {
      if (at->attributes.front()->value.empty()) at->attributes.clear();
      at->attributes.push_back(attribute);
    } else {
      std::string text = "label name ";
      AppendQuoted(text, name);
      return Fail(ErrorCode::kInvalid, text + " is not unique: invalid sample");
    }
  }
  for (const auto& label : labels) {
    std::string joined = label.attributes.front()->value;
    for (size_t i = 1; i < label.attributes.size(); ++i) joined += ';' + label.attributes[i]->value;
    out.Set(label.name, joined);
    if (label.attributes.size() > 1) {
      warnings.push_back({"label_name_collision", CollisionText(label.attributes, label.name)});
    }
  }
  return {};
}

Result<void> SeriesLabels::ForPoint(const Attributes& attributes, std::span<const std::string_view> ignored,
                                    LabelsBuilder& out, Warnings& warnings) {
  out.Reset();
  std::vector<const Attribute*> kept;
  for (const auto& attribute : attributes) {
    if (attribute.key != kMetricName && !Contains(ignored, attribute.key)) kept.push_back(&attribute);
  }
  EPI_TRY(SetAttributes(std::move(kept), out, warnings));
  for (const auto& [name, value] : promoted_) {
    if (out.Get(name).empty()) out.Set(name, value);
  }
  for (const auto* pairs : {&identity_, &scope_}) {
    for (const auto& [name, value] : *pairs) {
      if (!value.empty()) out.Set(name, value);
    }
  }
  return {};
}

Result<bool> SeriesLabels::ForTarget(LabelsBuilder& out, Warnings& warnings) {
  out.Reset();
  std::vector<const Attribute*> kept;
  bool telling = false;
  for (const auto& attribute : *resource_) {
    const bool identifying = IsIdentifying(attribute.key);
    telling |= !identifying;
    if (attribute.key == kMetricName || (identifying && !config_.keep_identifying_resource_attributes)) continue;
    kept.push_back(&attribute);
  }
  if (!telling) return false;
  EPI_TRY(SetAttributes(std::move(kept), out, warnings));
  for (const auto& [name, value] : identity_) {
    if (!value.empty()) out.Set(name, value);
  }
  // Attributes of these very names will do, too.
  return !out.Get("job").empty() || !out.Get("instance").empty();
}

}  // namespace epi::remote::otlp
