#include "config/yaml_json.h"

#include <cmath>

#include "base/escaping.h"
#include "config/yaml_scalar.h"
#include "model/number_format.h"

namespace epi::config {
namespace {

void AppendScalar(std::string& out, const YamlNode& node) {
  const std::string tag = YamlTag(node);
  if (tag == "!!bool") {
    out += *YamlBool(node) ? "true" : "false";
  } else if (const auto integer = YamlInt(node); tag == "!!int" && integer) {
    out += std::to_string(*integer);
  } else if (const auto number = YamlFloat(node); (tag == "!!int" || tag == "!!float") && number) {
    if (std::isfinite(*number)) {
      AppendJsonNumber(out, *number);
    } else {
      out += "null";
    }
  } else {
    AppendJsonString(out, node.text(), JsonStyle::kEncoding);
  }
}

void Append(std::string& out, const YamlNode& node) {
  switch (node.kind()) {
    case YamlKind::kNull:
      out += "null";
      return;
    case YamlKind::kScalar:
      AppendScalar(out, node);
      return;
    case YamlKind::kSequence:
      out += '[';
      for (const auto& item : node.items()) {
        if (out.back() != '[') out += ',';
        Append(out, item);
      }
      out += ']';
      return;
    case YamlKind::kMapping:
      break;
  }
  out += '{';
  for (const auto& entry : node.entries()) {
    if (out.back() != '{') out += ',';
    AppendJsonString(out, entry.key.text(), JsonStyle::kEncoding);
    out += ':';
    Append(out, entry.value);
  }
  out += '}';
}

}  // namespace

std::string YamlToJson(const YamlNode& node) {
  std::string out;
  Append(out, node);
  return out;
}

YamlValue YamlFromNode(const YamlNode& node) {
  switch (node.kind()) {
    case YamlKind::kNull:
      return YamlValue::Null();
    case YamlKind::kScalar: {
      const std::string tag = YamlTag(node);
      if (tag == "!!bool") return YamlValue::Bool(*YamlBool(node));
      if (const auto integer = YamlInt(node); tag == "!!int" && integer) return YamlValue::Int(*integer);
      if (const auto number = YamlFloat(node); tag == "!!float" && number) return YamlValue::Float(*number);
      return YamlValue::String(node.text());
    }
    case YamlKind::kSequence: {
      YamlValue out = YamlValue::Sequence();
      for (const auto& item : node.items()) out.Add(YamlFromNode(item));
      return out;
    }
    case YamlKind::kMapping:
      break;
  }
  YamlValue out = YamlValue::Mapping();
  for (const auto& entry : node.entries()) out.Set(entry.key.text(), YamlFromNode(entry.value));
  return std::move(out.Sorted());
}

}  // namespace epi::config
