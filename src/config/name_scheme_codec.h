// metric_name_validation_scheme in YAML.
#pragma once

#include <optional>

#include "config/schema.h"
#include "model/label_names.h"

namespace epi::config {

// "utf8", "legacy", or empty for not set; `unrecognized ValidationScheme: "x"`.
struct NameSchemeCodec {
  static void Read(YamlReader& reader, const YamlNode& node, std::optional<NameScheme>& out);
  static YamlValue Write(const std::optional<NameScheme>& value, const WriteOptions&) {
    return YamlValue::String(value ? std::string(NameSchemeText(*value)) : std::string());
  }
  static bool IsEmpty(const std::optional<NameScheme>& value) { return !value.has_value(); }
};

// scrape_protocols, where an empty list differs from none.
inline constexpr std::string_view kScrapeProtocolType = "config.ScrapeProtocol";

template <typename Owner>
FieldSpec ScrapeProtocolsKey() {
  FieldSpec out;
  out.key = "scrape_protocols";
  out.omit = Omit::kEmpty;
  out.read = [](YamlReader& reader, const YamlNode& node, void* object) {
    auto& owner = *static_cast<Owner*>(object);
    owner.scrape_protocols.clear();
    reader.ReadStrings(node, owner.scrape_protocols, "[]config.ScrapeProtocol", kScrapeProtocolType);
    owner.scrape_protocols_given = !node.IsNull();
  };
  out.write = [](const void* object, const WriteOptions&) {
    return YamlValue::Strings(static_cast<const Owner*>(object)->scrape_protocols);
  };
  out.is_empty = [](const void* object) { return static_cast<const Owner*>(object)->scrape_protocols.empty(); };
  return out;
}

}  // namespace epi::config
