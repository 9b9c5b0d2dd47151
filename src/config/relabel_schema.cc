#include "config/relabel_schema.h"

#include "base/escaping.h"
#include "model/labels.h"

namespace epi::config {
namespace {

void ReadSourceLabels(YamlReader& reader, const YamlNode& node, void* object) {
  auto& config = *static_cast<RelabelConfig*>(object);
  config.source_labels.clear();
  config.source_labels_given = !node.IsNull();
  if (!reader.ReadStrings(node, config.source_labels, "model.LabelNames")) return;
  for (size_t i = 0; i < config.source_labels.size(); ++i) {
    const std::string& name = config.source_labels[i];
    // Null is the empty name, which nobody looks at; an empty text is refused.
    if (node.items()[i].IsNull() || (!name.empty() && IsValidUtf8(name))) continue;
    std::string text;
    AppendQuoted(text, name);
    reader.Refuse(Error(ErrorCode::kInvalid, text + " is not a valid label name"));
  }
}

YamlValue WriteSourceLabels(const void* object, const WriteOptions&) {
  return std::move(YamlValue::Strings(static_cast<const RelabelConfig*>(object)->source_labels).Flow());
}

// A null regex is the empty expression, as in Prometheus.
void ReadRegex(YamlReader& reader, const YamlNode& node, void* object) {
  auto& config = *static_cast<RelabelConfig*>(object);
  std::string text;
  if (!node.IsNull() && !reader.ReadString(node, text)) return;
  auto regex = AnchoredRegex::Compile(text, AnchoredRegex::Form::kWrapped);
  if (!regex) {
    reader.Refuse(std::move(regex).error());
    return;
  }
  config.regex = std::move(*regex);
  config.regex_given = true;
}

void ReadAction(YamlReader& reader, const YamlNode& node, void* object) {
  auto& config = *static_cast<RelabelConfig*>(object);
  if (node.IsNull()) {
    reader.Refuse(Error(ErrorCode::kInvalid, "relabel action cannot be empty"));
    return;
  }
  std::string text;
  if (!reader.ReadString(node, text)) return;
  auto action = RelabelActionFromName(text);
  if (!action) {
    reader.Refuse(std::move(action).error());
    return;
  }
  config.action = *action;
}

FieldSpec SourceLabelsKey() {
  FieldSpec out;
  out.key = "source_labels";
  out.omit = Omit::kEmpty;
  out.read = ReadSourceLabels;
  out.write = WriteSourceLabels;
  out.is_empty = [](const void* object) { return static_cast<const RelabelConfig*>(object)->source_labels.empty(); };
  return out;
}

FieldSpec RegexKey() {
  FieldSpec out;
  out.key = "regex";
  out.omit = Omit::kEmpty;
  out.read = ReadRegex;
  out.write = [](const void* object, const WriteOptions&) {
    return YamlValue::String(static_cast<const RelabelConfig*>(object)->regex->pattern());
  };
  out.is_empty = [](const void* object) { return !static_cast<const RelabelConfig*>(object)->regex_given; };
  return out;
}

FieldSpec ActionKey() {
  FieldSpec out;
  out.key = "action";
  out.read = ReadAction;
  out.write = [](const void* object, const WriteOptions&) {
    return YamlValue::String(std::string(RelabelActionName(static_cast<const RelabelConfig*>(object)->action)));
  };
  out.is_empty = [](const void*) { return false; };
  return out;
}

}  // namespace

std::span<const FieldSpec> Schema<RelabelConfig>::Fields() {
  using T = RelabelConfig;
  static const FieldSpec kFields[] = {
      SourceLabelsKey(),
      Key<T, &T::separator>("separator"),
      RegexKey(),
      Key<T, &T::modulus, Uint64Codec>("modulus", Omit::kEmpty),
      Key<T, &T::target_label>("target_label", Omit::kEmpty),
      Key<T, &T::replacement>("replacement"),
      ActionKey(),
  };
  return kFields;
}

Result<std::vector<RelabelConfig>> ParseRelabelConfigs(std::string_view yaml) {
  std::vector<RelabelConfig> out;
  EPI_TRY(ReadDocument(yaml, out));
  return out;
}

std::string RelabelConfigToYaml(const RelabelConfig& config) { return Codec<RelabelConfig>::Write(config, {}).Text(); }

Result<void> CompleteRelabelConfigs(std::vector<RelabelConfig>& configs, NameScheme scheme) {
  for (auto& config : configs) {
    config.scheme = scheme;
    EPI_TRY(ValidateRelabelConfig(config));
  }
  return {};
}

}  // namespace epi::config
